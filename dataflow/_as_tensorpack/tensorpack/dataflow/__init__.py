"""This library as ``tensorpack.dataflow``. ``import *`` gives the names of earlier releases as well."""

from __future__ import annotations

from typing import Any

import dataflow
from dataflow import _old_names
from dataflow._alias import install_alias

install_alias(__name__, "dataflow")  # for the modules in it

__all__ = [*dataflow.__all__, *_old_names.__all__, "dftools"]


def __getattr__(name: str) -> Any:
    return getattr(dataflow, name)
