"""The package by the path that the original is installed at: ``dataflow.dataflow.common`` and so on.

Importing this gives ``dataflow`` itself, and ``dataflow.dataflow.X`` the same module as ``dataflow.X``.
"""

from __future__ import annotations

import sys

from dataflow._compat.module_alias import install_alias

install_alias("dataflow.dataflow", "dataflow")
sys.modules["dataflow.dataflow"] = sys.modules["dataflow"]
