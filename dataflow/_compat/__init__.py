"""Support for old programs: old names, keywords and module paths, and tensorpack's names. See README.md.

The library itself uses three modules of this room, which load nothing else:

- ``renamed``: a decorator for functions whose keywords had other names
- ``old_names``: names that a module had
- ``old_attributes``: attributes that a class has by another name
"""
