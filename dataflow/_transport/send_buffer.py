"""What a worker has to send: at once, or together when it comes fast."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from .bundle import Large, compact, dumps
from .connection import BUNDLE, DATA, Connection, note

TOGETHER = 64
"""Datapoints in a bundle at most: twice as many would gain a few percent."""

_FAST = 20e-6
"""Seconds to make a datapoint from which on bundles are of no use."""

_BURST = 16
"""Fast datapoints in a row that are sent at once before others are kept for a bundle."""

_PATIENCE = 1e-3
"""Seconds after which a datapoint need not wait for others that were expected."""


class ConsumerGoneError(Exception):
    """The consumer closed the connection: there is nothing left to do."""


class Outbox:
    """The sending side of a worker.

    A datapoint is written at once, unless it is one of many that take no time to make. Those are kept until
    there are enough of them, the worker has to wait for something, or ``_PATIENCE`` is over: a thread sees to
    that, since the next datapoint may take an hour. It starts with the first that is kept.

    Args:
        connection: where to.
        together: how many small datapoints can travel together; 1 to send each alone.
    """

    def __init__(self, connection: Connection, together: int) -> None:
        self._connection, self._together = connection, min(together, TOGETHER)
        # Both grow at the end only, ``_numbers`` last, and are cut at the start only: what the thread sends
        # is what both have.
        self._items: list[Any] = []
        self._numbers: list[int] = []
        self._sent = 0  # datapoints
        self._writing = threading.Lock()
        self._keeping = False  # whether they come fast, and the thread looks after them
        self._thread_on = threading.Event()
        self._has_thread = self._closed = False
        self._in_a_row = 0  # fast datapoints
        self._since = 0.0  # when the making of the next one began

    def put(self, value: Any, number: int) -> None:
        """Send a datapoint."""
        item = compact(value)
        if type(item) is Large:
            self.send(self._connection.pack_encoded(DATA, number, *item))
        else:
            self.add(item, number)

    def add(self, item: Any, number: int) -> None:
        """Send what ``compact`` made of a small datapoint, or None if a task has no result."""
        self._items.append(item)
        self._numbers.append(number)
        if not self._keeping:
            self._add_slowly()
        elif len(self._items) >= self._together:
            self.send()

    def _add_slowly(self) -> None:
        """Send at once what was added; begin to keep the next ones if they come fast."""
        fast = time.perf_counter() - self._since < _FAST
        self._in_a_row = self._in_a_row + 1 if fast else 0
        self.send()
        if self._in_a_row >= _BURST and self._together > 1:
            self._in_a_row = 0
            self._keeping = True
            if not self._has_thread:
                self._has_thread = True
                threading.Thread(target=self._look_after, name="outbox", daemon=True).start()
            self._thread_on.set()

    def _look_after(self) -> None:
        """Be the thread: send what is kept for too long."""
        with contextlib.suppress(ConsumerGoneError):
            while self._thread_on.wait() and not self._closed:
                made, since = self._sent, time.perf_counter()
                time.sleep(_PATIENCE)
                self.send()
                if self._sent - made < (time.perf_counter() - since) / _FAST:
                    self._thread_on.clear()
                    self._keeping = False
                    self.send()  # what was kept just before that

    def send(self, pieces: Sequence[bytes | memoryview] = ()) -> None:
        """Write what is kept, then ``pieces``.

        Raises:
            ConsumerGoneError: nobody is there any more.
        """
        connection = self._connection
        with self._writing:
            bundle = self._bundle()
            connection.sent += bool(bundle) + bool(pieces)
            frames = [*bundle, *pieces]
            if connection.has_releases:
                frames.append(connection.releases())
            if frames:
                try:
                    connection.write(frames)
                except ConnectionError:
                    raise ConsumerGoneError from None
        self.resume()

    def resume(self) -> None:
        """Say that the worker begins to make a datapoint: what was before is not counted."""
        self._since = time.perf_counter()

    def close(self) -> None:
        """Send nothing any more."""
        self._closed = True
        self._thread_on.set()

    def _bundle(self) -> list[bytes]:
        count = len(self._numbers)
        if not count:
            return []
        body = dumps(self._numbers[:count], self._items[:count])
        del self._items[:count], self._numbers[:count]
        self._sent += count
        return [note(BUNDLE, count, body)]


def queue_tasks(connection: Connection, number: int, items: deque[Any], count: int) -> None:
    """Queue ``count`` tasks off ``items``, numbered from ``number`` on, small ones together."""
    compacted = [compact(items.popleft()) for _ in range(count)]
    together = 1 if Large in map(type, compacted) else TOGETHER
    for start in range(0, count, together):
        some = compacted[start : start + together]
        if type(some[0]) is Large:
            connection.queue(connection.pack_encoded(DATA, number + start, *some[0]))
        else:
            numbers = list(range(number + start, number + start + len(some)))
            connection.queue([note(BUNDLE, len(some), dumps(numbers, some))])
