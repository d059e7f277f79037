"""Modules that are found as ``dataflow.utils.X``: this folder is the last of that package's ``__path__``."""
