"""Look at the first datapoints of a dataflow."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from .._compat.old_attributes import OldAttribute
from .._compat.renamed import renamed_arguments
from ..base import ProxyDataFlow
from ..utils import logger

__all__ = ["PrintData", "describe_datapoint"]

_INDENT = "   "
_LONGEST = 80  # characters shown of a number or string


class PrintData(ProxyDataFlow[Any]):
    """Yield the same datapoints, and print shapes and ranges of the first few: good for debugging.

    Place it anywhere in a pipeline. After each ``reset_state()``, the first ``num`` datapoints are printed as
    they pass::

        [0110 09:22:21 @_print.py:67] DataFlow Info:
        datapoint 0<2 with 4 components consists of
           0: float with value 0.0816501893251
           1: ndarray:int32 of shape (64,) in range [0, 10]
           2: ndarray:float32 of shape (64, 64) in range [-1.2248, 1.2177]
           3: list of len 50
              0: ndarray:int32 of shape (64, 64) in range [-128, 80]
              1: ndarray:float32 of shape (64, 64) in range [-0.6845, 0.8400]
              ...

    It takes any datapoint. Of a value that can't be shown it prints the type.

    Args:
        ds: the dataflow.
        num: the number of datapoints to print.
        name: printed in the headline, to tell several ``PrintData`` apart.
        max_depth: how many levels to show of components inside components.
        max_list: how many items to show of a list, tuple or dict inside a datapoint.
    """

    _printed = 0
    cnt = OldAttribute("_printed")

    @renamed_arguments(label="name")
    def __init__(
        self, ds: Iterable[Any], num: int = 1, name: str | None = None, max_depth: int = 3, max_list: int = 3
    ) -> None:
        super().__init__(ds)
        self.num = num
        self.name = name
        self.max_depth = max_depth
        self.max_list = max_list

    def reset_state(self) -> None:
        """Reset the wrapped dataflow, and print again."""
        super().reset_state()
        self._printed = 0

    def __iter__(self) -> Iterator[Any]:
        """Yield the datapoints of the wrapped dataflow."""
        for dp in self.ds:
            if self._printed < self.num:
                self._show(dp)
            yield dp

    def _show(self, dp: Any) -> None:
        if not self._printed:
            logger.info("DataFlow Info%s:", f" ({self.name})" if self.name else "")
        _print(self._get_msg(dp))
        self._printed += 1

    def _get_msg(self, dp: Any) -> str:
        """Return the text to print for a datapoint. Subclasses override it."""
        lines = describe_datapoint(dp, self.max_depth, self.max_list)
        lines[0] = f"datapoint {self._printed}<{self.num} {lines[0]}"
        return "\n".join(lines)


def describe_datapoint(dp: Any, max_depth: int = 3, max_list: int = 3) -> list[str]:
    """Return lines that tell what a datapoint is made of, the first one ``with n components consists of``.

    Args:
        dp: any object.
        max_depth: how many levels to show of components inside components.
        max_list: how many items to show of a list, tuple or dict inside the datapoint.
    """
    if not isinstance(dp, list | tuple | dict):
        return [
            "is not a list, tuple or dict, but",
            *(_INDENT + line for line in _describe(dp, max_depth, max_list)),
        ]
    try:
        head = f"with {len(dp)} components consists of"
        return [head, *_describe_items(dp, max_depth, max_list, len(dp))]
    except Exception:  # a class of the user's may raise anything
        return [f"is of type {type(dp).__name__}"]


def _describe(value: Any, levels: int, max_list: int) -> list[str]:
    """Return the lines for a value: first what it is, then, indented, what it contains."""
    kind = type(value).__name__
    try:
        if isinstance(value, np.ndarray):
            return [f"{kind}:{value.dtype} of shape {value.shape}{_range(value)}"]
        if isinstance(value, list | tuple | dict):
            return [f"{kind} of len {len(value)}", *_describe_items(value, levels - 1, max_list, max_list)]
        if isinstance(value, str | bytes):
            length = f" of len {len(value)}" if len(value) > _LONGEST else ""
            start = value[:_LONGEST]
            text = start if isinstance(start, str) and start.isprintable() else repr(start)
            return [f"{kind}{length} with value {text}{'...' if length else ''}"]
        if isinstance(value, int | float | complex | np.generic):
            text = str(value)
            return [f"{kind} with value {text[:_LONGEST]}{'...' if len(text) > _LONGEST else ''}"]
    except Exception:  # a class of the user's may raise anything
        pass
    return [kind]


def _describe_items(
    value: list[Any] | tuple[Any, ...] | dict[Any, Any], levels: int, max_list: int, limit: int
) -> list[str]:
    """Return the lines for the first ``limit`` items of a container."""
    if levels <= 0:
        return [_INDENT + "..."]
    lines = []
    for key, item in islice(value.items() if isinstance(value, dict) else enumerate(value), limit):
        first, *rest = _describe(item, levels, max_list)
        lines += [f"{_INDENT}{key}: {first}", *(_INDENT + line for line in rest)]
    if len(value) > limit:
        lines.append(_INDENT + "...")
    return lines


def _range(array: np.ndarray) -> str:
    """Return the range of an array in words; nothing if it has no smallest and largest value."""
    if array.dtype.kind not in "biufmM" or not array.size:
        return ""
    nans = ""
    if array.dtype.kind in "fmM":
        missing = np.isnan(array) if array.dtype.kind == "f" else np.isnat(array)
        if missing.all():
            return ", all nan"
        if missing.any():
            nans = f", {np.count_nonzero(missing)} nan"
            array = array[~missing]
    return f" in range [{_number(array.min())}, {_number(array.max())}]{nans}"


def _number(value: Any) -> str:
    """Return a number with 4 decimals if it is a float; in scientific notation if 4 decimals are too few."""
    if not isinstance(value, np.floating):
        return str(value)
    number = float(value)
    return f"{number:.4f}" if number == 0 or 1e-4 <= abs(number) < 1e16 else f"{number:.4e}"


def _print(text: str) -> None:
    """Print, with escapes for characters that the terminal can't show."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))
