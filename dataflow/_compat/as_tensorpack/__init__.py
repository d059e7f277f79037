"""A folder for ``sys.path``: the package ``tensorpack`` in it is this library. See ``../tensorpack.py``."""
