"""Dataflows that repeat another, or its datapoints, or cut it to size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, repeat
from typing import Any

from .._compat.old_attributes import OldAttribute
from .._compat.renamed import renamed_arguments
from .._core.checks import whole_number
from ..base import InfiniteLengthError, ProxyDataFlow, length_of
from .stateful import StatefulProxy

__all__ = ["FixedSizeData", "RepeatedData", "RepeatedDataPoint"]

_END = object()


class RepeatedData(ProxyDataFlow[Any]):
    """Go through another dataflow several times: dp1, dp2, ... dpn, dp1, dp2, ... dpn, ...

    >>> from dataflow import DataFromList
    >>> list(RepeatedData(DataFromList(["dp1", "dp2"], shuffle=False), 2))
    ['dp1', 'dp2', 'dp1', 'dp2']

    Args:
        ds: the dataflow.
        num: how many times to go through it; -1 to repeat without end.

    Raises:
        ValueError: ``num`` is less than -1.
    """

    @renamed_arguments(nr="num")
    def __init__(self, ds: Iterable[Any], num: int) -> None:
        super().__init__(ds)
        self.num = whole_number(num, -1, "RepeatedData: num")

    def __len__(self) -> int:
        """Return ``num`` times the length of the dataflow.

        Raises:
            ValueError: ``num`` is -1 (``InfiniteLengthError``, which is a ``NotImplementedError`` as well).
        """
        if self.num == -1:
            raise InfiniteLengthError("RepeatedData(num=-1) has no length: it never ends")
        return length_of(self.ds) * self.num

    def __iter__(self) -> Iterator[Any]:
        """Yield the datapoints of each pass.

        Raises:
            RuntimeError: ``num`` is -1, and a pass had no datapoint at all.
        """
        for _ in repeat(None) if self.num == -1 else range(self.num):
            datapoints = iter(self.ds)
            first = next(datapoints, _END)
            if first is not _END:
                yield first
                yield from datapoints
            elif self.num == -1:
                raise RuntimeError(
                    f"a pass through {type(self.ds).__name__} had no datapoint, so there is nothing to repeat"
                )


class RepeatedDataPoint(ProxyDataFlow[Any]):
    """Yield each datapoint several times: dp1, dp1, ..., dp2, dp2, ...

    >>> from dataflow import DataFromList
    >>> list(RepeatedDataPoint(DataFromList(["dp1", "dp2"], shuffle=False), 2))
    ['dp1', 'dp1', 'dp2', 'dp2']

    Args:
        ds: the dataflow.
        num: how many times to yield each datapoint: the same object, not copies.

    Raises:
        ValueError: ``num`` is less than 1.
    """

    @renamed_arguments(nr="num")
    def __init__(self, ds: Iterable[Any], num: int) -> None:
        super().__init__(ds)
        self.num = whole_number(num, 1, "RepeatedDataPoint: num")

    def __len__(self) -> int:
        """Return ``num`` times the length of the dataflow."""
        return length_of(self.ds) * self.num

    def __iter__(self) -> Iterator[Any]:
        """Yield the datapoints."""
        for dp in self.ds:
            yield from repeat(dp, self.num)


class FixedSizeData(StatefulProxy):
    """Yield a fixed number of datapoints in each pass, whatever the length of the wrapped dataflow.

    If ``ds`` yields 1, 2, 3, 4, 5; 1, 2, 3, 4, 5; ..., then the passes are::

        FixedSizeData(ds, 3, True):  1, 2, 3; 4, 5, 1; 2, 3, 4; ...
        FixedSizeData(ds, 3, False): 1, 2, 3; 1, 2, 3; ...
        FixedSizeData(ds, 6, False): 1, 2, 3, 4, 5, 1; 1, 2, 3, 4, 5, 1; ...

    Args:
        ds: the dataflow.
        size: the number of datapoints of each pass.
        keep_state: whether a pass continues where the last one stopped, even if that one was stopped early.
            If not, each pass starts ``ds`` anew.

    Raises:
        ValueError: ``size`` is negative.
        RuntimeError: raised by a pass: ``ds`` yields nothing.
    """

    _state = ("_itr",)
    _itr: Iterator[Any] | None = None
    itr = OldAttribute("_itr")

    def __init__(self, ds: Iterable[Any], size: int, keep_state: bool = True) -> None:
        super().__init__(ds)
        self._size = whole_number(size, 0, "FixedSizeData: size")
        self.keep_state = keep_state

    def __len__(self) -> int:
        """Return ``size``."""
        return self._size

    def _forget(self) -> None:
        self._itr = iter(RepeatedData(self.ds, -1))  # nothing is taken from ds before a pass does

    def _iterate(self) -> Iterator[Any]:
        left = self._size
        try:
            while left:
                for dp in islice(self._itr or (), left):
                    left -= 1
                    yield dp
                if left:  # the endless iterator ended: it had raised an exception in an earlier pass
                    self._forget()
        finally:
            if not self.keep_state:
                self._forget()
