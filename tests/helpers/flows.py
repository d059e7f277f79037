"""Small dataflows that many tests use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from dataflow import DataFlow, DataFromList


def flow(n: int, start: int = 0) -> DataFromList:
    """Return a dataflow of [start], [start + 1], ...: n datapoints, not shuffled."""
    return DataFromList([[start + i] for i in range(n)], shuffle=False)


def values(df: Iterable[Any], n: int | None = None) -> list[Any]:
    """Return the first components of the first n datapoints, or of all."""
    return [dp[0] for dp in islice(df, n)]


class NoLength(DataFlow):
    """The same datapoints as ``flow(n)``, but without a length; counts resets and open iterators."""

    def __init__(self, n: int = 3) -> None:
        self.n = n
        self.resets = 0
        self.open = 0

    def reset_state(self) -> None:
        self.resets += 1

    def __iter__(self) -> Iterator[Any]:
        self.open += 1
        try:
            for i in range(self.n):
                yield [i]
        finally:
            self.open -= 1


class Broken(NoLength):
    """Raises before datapoint number ``bad``, but only the first time it gets there."""

    def __init__(self, n: int, bad: int) -> None:
        super().__init__(n)
        self.bad: int | None = bad

    def __iter__(self) -> Iterator[Any]:
        for dp in super().__iter__():
            if dp[0] == self.bad:
                self.bad = None
                raise OSError("cable pulled")
            yield dp


class StartsOver:
    """An iterator of [0], [1], ... that starts over when it has ended, as users write them."""

    def __init__(self, n: int = 3) -> None:
        self.n = n
        self.next = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> list[int]:
        if self.next == self.n:
            self.next = 0
            raise StopIteration
        self.next += 1
        return [self.next - 1]
