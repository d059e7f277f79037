"""``dumps`` and ``loads`` by the module that had them until 0.9.9."""

from __future__ import annotations

import importlib

__all__ = ["dumps", "loads"]

_serialize = importlib.import_module(f"{__name__.partition('.')[0]}.utils.serialize")
dumps = _serialize.dumps
loads = _serialize.loads
