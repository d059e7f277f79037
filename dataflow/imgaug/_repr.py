"""How augmentors and transforms store and print their constructor arguments."""

from __future__ import annotations

import inspect
import pprint
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


class Described:
    """An object that prints as the call that makes it, from attributes named like constructor arguments."""

    def _init(self, params: Mapping[str, Any]) -> None:
        """Store constructor arguments under their own names.

        Args:
            params: mostly ``locals()`` of ``__init__``. ``self`` and names that begin with ``_`` are not.
        """
        for name, value in params.items():
            if name != "self" and not name.startswith("_"):
                setattr(self, name, value)

    def __repr__(self) -> str:
        """Return ``imgaug.Class(argument=value, ...)`` without the arguments that have their default."""
        cls = type(self)
        shown = []
        if cls.__init__ is not object.__init__:
            for parameter in list(inspect.signature(cls.__init__).parameters.values())[1:]:
                if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or not hasattr(
                    self, parameter.name
                ):
                    return object.__repr__(self)
                value = getattr(self, parameter.name)
                if not _same(value, parameter.default):
                    shown.append(f"{parameter.name}={pprint.pformat(value)}")
        return f"imgaug.{cls.__name__}({', '.join(shown)})"


def bracketed(name: str, items: Iterable[object]) -> str:
    """Return ``imgaug.name([...])`` with one item a line."""
    lines = ",\n".join("  " + repr(item).replace("\n", "\n  ") for item in items)
    return f"imgaug.{name}([\n{lines}])"


def _same(value: Any, default: Any) -> bool:
    # 0 and 0.0 are equal, but not the same as a bound of Clip; an array compares to an array
    if type(value) is not type(default) or isinstance(value, np.ndarray):
        return False
    return bool(value == default)
