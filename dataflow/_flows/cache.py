"""Keep a whole dataflow in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from .._core.random_state import LazyRng, get_rng
from ..base import length_of
from .stateful import StatefulProxy

__all__ = ["CacheData"]


class CacheData(StatefulProxy):
    """Keep the datapoints of the first pass in memory, and yield them in all later passes.

    Only a complete pass fills the cache: if the first pass stops early or raises, the next pass starts over.
    ``reset_state()`` empties the cache. The datapoints are not copied: a change that you make to one is seen
    by all later passes.

    Args:
        ds: the dataflow.
        shuffle: whether to shuffle the cache before each pass that reads it. The first pass keeps the order
            of ``ds``.
    """

    rng: np.random.RandomState = LazyRng()  # type: ignore[assignment]
    buffer: Sequence[Any] = ()
    """The datapoints of a complete first pass; empty before."""

    def __init__(self, ds: Iterable[Any], shuffle: bool = False) -> None:
        super().__init__(ds)
        self.shuffle = shuffle

    def __len__(self) -> int:
        """Return the number of datapoints in the cache, or the length of ``ds`` while it is empty."""
        return len(self.buffer) or length_of(self.ds)

    def _forget(self) -> None:
        self.buffer = []
        if self.shuffle:
            self.rng = get_rng(self)

    def _iterate(self) -> Iterator[Any]:
        if not self.buffer:
            buffer = []
            for dp in self.ds:
                buffer.append(dp)
                yield dp
            self.buffer = buffer
            return
        if self.shuffle:
            # the same permutation as rng.shuffle(buffer), computed several times faster
            self.buffer = [self.buffer[k] for k in self.rng.permutation(len(self.buffer)).data]
        yield from self.buffer
