"""A folder for ``sys.path`` where a program has a package of its own called dataflow."""
