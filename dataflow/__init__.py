"""Composable data loading in plain Python: a drop-in for tensorpack's DataFlow.

>>> from dataflow import BatchData, DataFromList, MapData
>>> df = MapData(DataFromList([[1], [2], [3], [4]], shuffle=False), lambda dp: [dp[0] * 10])
>>> df = BatchData(df, 2)
>>> df.reset_state()
>>> [batch.tolist() for [batch] in df]
[[10, 20], [30, 40]]

The public names stand in ``__init__.pyi``, once. A name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ._compat.old_names import old_names

__version__ = "1.0.0.dev0"

# From lines ``from .module import Name as Name``: in a tenth of the time that a parser takes for the stub.
_STUB = Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8")
_LINES = [line.split() for line in _STUB.splitlines()]
_MODULE_OF = {words[3]: words[1] for words in _LINES if words[:1] == ["from"]}
__all__ = sorted(_MODULE_OF)
_old_name = old_names(__name__)

__path__.append(f"{__path__[0]}/_compat/old_modules")  # dataflow.prefetch and others are found there


def __getattr__(name: str) -> Any:
    """Load a public name, a public module, or a name of an earlier release (PEP 562)."""
    if _MODULE_OF.get(name, ".") != ".":
        value = getattr(importlib.import_module(_MODULE_OF[name], __name__), name)
    elif not name.startswith("_") and find_spec(f"{__name__}.{name}"):
        return importlib.import_module(f"{__name__}.{name}")  # which sets the attribute
    else:
        value = _old_name(name)
    setattr(sys.modules[__name__], name, value)  # the next access is a plain attribute
    return value


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return sorted({*__all__, "__version__"})
