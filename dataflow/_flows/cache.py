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
    """Keep the datapoints of the first pass in memory, and yield those from then on.

    The cache is filled by a complete pass only: if the first one is broken off, or raises, the next one
    starts over. ``reset_state()`` empties it. The datapoints are not copied: one that you change stays
    changed.

    Args:
        ds: the dataflow.
        shuffle: whether to shuffle the cache before each pass that comes from it. The first pass is in the
            order of ``ds``.
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
            # the permutation of rng.shuffle(buffer), several times as fast
            self.buffer = [self.buffer[k] for k in self.rng.permutation(len(self.buffer)).data]
        yield from self.buffer
