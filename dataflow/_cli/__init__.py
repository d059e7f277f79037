"""The commands of ``python -m dataflow``, a module each.

A command module has ``add(commands)``, which adds its parser to argparse's subparsers and sets its function
as
``run``; ``__main__`` lists the modules.
"""
