"""Names that a module has, but that are loaded only when somebody asks for one."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


def late_names(module: str, source: str, *names: str) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for a module (PEP 562) that takes some names from another.

    Args:
        module: the module that has them.
        source: the module that defines them, by its full name.
        *names: the names.
    """

    def getter(name: str) -> Any:
        if name in names:
            return getattr(importlib.import_module(source), name)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return getter
