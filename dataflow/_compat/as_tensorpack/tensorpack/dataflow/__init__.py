"""This library as ``tensorpack.dataflow``. ``import *`` gives the names of earlier releases as well."""

from __future__ import annotations

from typing import Any

import dataflow
from dataflow._compat import old_classes
from dataflow._compat.module_alias import install_alias

install_alias(__name__, "dataflow")  # for the modules in it

__all__ = [*dataflow.__all__, *old_classes.__all__, "dftools"]


def __getattr__(name: str) -> Any:
    return getattr(dataflow, name)
