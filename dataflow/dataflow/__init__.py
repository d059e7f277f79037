"""The package by the path that the original is installed at: ``dataflow.dataflow.common`` and so on.

Importing this gives ``dataflow`` itself, and ``dataflow.dataflow.X`` the same module as ``dataflow.X``.
"""

from __future__ import annotations

import sys

from .._alias import install_alias

install_alias(__name__, "dataflow")
sys.modules[__name__] = sys.modules["dataflow"]
