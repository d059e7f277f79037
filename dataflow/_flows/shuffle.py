"""Shuffle a dataflow that is too long, or too slow to access at random, to be shuffled as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any

import numpy as np

from .._compat.old_attributes import SharedQueue, SharedQueueAttribute
from .._compat.renamed import renamed_arguments
from .._core.checks import whole_number
from ..base import RNGDataFlow, length_of
from .repeat import RepeatedData
from .stateful import StatefulProxy

__all__ = ["LocallyShuffleData"]

_NOTHING = object()


class LocallyShuffleData(StatefulProxy, RNGDataFlow[Any]):
    """Shuffle the datapoints within a buffer.

    1. Datapoints are taken from ``ds``, each ``num_reuse`` times, into a queue of fixed size.
    2. Once the queue is full, each datapoint added at its end pushes out the first one, which is yielded.
    3. The queue is shuffled after every ``shuffle_interval`` datapoints that were taken from ``ds``.

    Datapoints of different passes through ``ds`` are mixed. So an iterator never ends, and the next iterator
    continues where the last one stopped. ``len()`` is still ``len(ds) * num_reuse``.

    Args:
        ds: the dataflow.
        buffer_size: the size of the queue, in datapoints.
        num_reuse: how many times each datapoint is used. A larger number reads less, but repeated datapoints
            may harm the training of a model.
        shuffle_interval: shuffle after this many datapoints from ``ds``. A shuffle takes time in proportion
            to ``buffer_size``. Default: a third of ``buffer_size``.

    Raises:
        ValueError: a number is less than 1.
        RuntimeError: raised by a pass: ``ds`` yields nothing.
    """

    _state = ("_source", "_copies", "_count", "_queue")
    _queue: _Queue | SharedQueue  # no value in the class: with one, each access would take Python's slow way
    q = SharedQueueAttribute("_queue")

    @renamed_arguments(cache_size="buffer_size", nr_reuse="num_reuse")
    def __init__(
        self, ds: Iterable[Any], buffer_size: int, num_reuse: int = 1, shuffle_interval: int | None = None
    ) -> None:
        super().__init__(ds)
        self.buffer_size = whole_number(buffer_size, 1, "LocallyShuffleData: buffer_size")
        self.num_reuse = whole_number(num_reuse, 1, "LocallyShuffleData: num_reuse")
        if shuffle_interval is None:
            shuffle_interval = max(1, self.buffer_size // 3)
        self.shuffle_interval = whole_number(shuffle_interval, 1, "LocallyShuffleData: shuffle_interval")

    def reset_state(self) -> None:
        """Reset the wrapped dataflow, make ``rng`` anew and empty the queue."""
        super().reset_state()
        RNGDataFlow.reset_state(self)

    def __len__(self) -> int:
        """Return ``num_reuse`` times the length of the dataflow."""
        return length_of(self.ds) * self.num_reuse

    def _forget(self) -> None:
        self._source: Iterator[Any] = iter(())
        self._copies: Iterator[Any] = iter(())  # uses of the last datapoint that are not in the queue yet
        self._count = 0  # datapoints since the last shuffle
        self._queue = _Queue(self.buffer_size)

    def _share_queue(self, items: Iterable[Any] | None) -> SharedQueue:
        queue = getattr(self, "_queue", ())
        if not isinstance(queue, SharedQueue) or items is not None:
            self._queue = queue = SharedQueue(queue if items is None else items, self.buffer_size, _NOTHING)
        return queue

    def _iterate(self) -> Iterator[Any]:
        # every step is stored in self before the next yield, so a pass can stop anywhere and lose nothing
        while True:
            for dp in self._copies:
                first = self._queue.push(dp)
                if first is not _NOTHING:
                    yield first
            dp = next(self._source, _NOTHING)
            if dp is _NOTHING:  # at the very start, or it raised an exception in an earlier pass
                self._source = iter(RepeatedData(self.ds, -1))
                continue
            self._count = (self._count + 1) % self.shuffle_interval
            if not self._count:
                self._queue.shuffle(self.rng)
            self._copies = repeat(dp, self.num_reuse)


class _Queue:
    """A queue of fixed size that can be shuffled fast."""

    def __init__(self, size: int) -> None:
        # The queue is items[order[head]], items[order[head + 1]], ... around to items[order[head - 1]]. A
        # new item takes the slot of the item it pushes out, so a shuffle moves indices only.
        self._size = size
        self._items: list[Any] = []
        self._order = np.arange(size)
        self._places = self._order.data  # the same, but faster to read one by one
        self._head = 0

    def push(self, item: Any) -> Any:
        """Add an item at the end. If the queue is full, take out the first one and return it."""
        items, head = self._items, self._head
        if len(items) < self._size:
            items.append(item)
            return _NOTHING
        place = self._places[head]
        self._head = (head + 1) % self._size
        first, items[place] = items[place], item
        return first

    def __iter__(self) -> Iterator[Any]:
        """Yield the items, the first one first."""
        for place in np.roll(self._order, -self._head)[: len(self._items)]:
            yield self._items[place]

    def shuffle(self, rng: np.random.RandomState) -> None:
        """Shuffle as ``rng.shuffle`` shuffles a list of the items in the queue, draw for draw."""
        self._order[:] = np.roll(self._order, -self._head)
        self._head = 0
        rng.shuffle(self._order[: len(self._items)])
