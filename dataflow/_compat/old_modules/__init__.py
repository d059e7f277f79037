"""Modules that are found as ``dataflow.X``: this folder is the last one of the package's ``__path__``."""
