"""The package by the path that the original is installed at: ``dataflow.dataflow.common`` and so on.

Importing this gives ``dataflow`` itself, and ``dataflow.dataflow.X`` the same module as ``dataflow.X``.
"""

from __future__ import annotations

import importlib
import sys

_package = __name__.partition(".")[0]
importlib.import_module(f"{_package}._compat.module_alias").install_alias(f"{_package}.dataflow", _package)
sys.modules[f"{_package}.dataflow"] = sys.modules[_package]
