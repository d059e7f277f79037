"""This library as ``tensorpack.dataflow``. ``import *`` gives the names of earlier releases as well."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parents[4]


def _find_library() -> Any:
    """Return the library: ``dataflow``, unless a program has a package of its own by that name."""
    spec = importlib.util.find_spec("dataflow")
    ours = spec is not None and spec.origin is not None and Path(spec.origin) == _FOLDER / "__init__.py"
    return importlib.import_module("dataflow" if ours else "dataflow_loader")


library = _find_library()
_old_classes = importlib.import_module(f"{library.__name__}._compat.old_classes")
importlib.import_module(f"{library.__name__}._compat.module_alias").install_alias(__name__, library.__name__)

__all__ = [*library.__all__, *_old_classes.__all__, "dftools"]


def __getattr__(name: str) -> Any:
    return getattr(library, name)
