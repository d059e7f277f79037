"""The commands of ``dataflow-loader``, which is also ``python -m dataflow``: a module each.

A command module has ``add(commands)``. It adds a parser to argparse's subparsers, and sets the command's
function as ``run``. ``__main__`` lists the modules.
"""
