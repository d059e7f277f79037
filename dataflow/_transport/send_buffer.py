"""What a worker has to send: at once, or together when it comes fast."""

from __future__ import annotations

import contextlib
import marshal
import threading
import time
from collections.abc import Sequence
from typing import Any

from .bundle import Large, compact, dumps
from .connection import Connection
from .framing import BUNDLE, DATA, NUMBERS, SEVERAL, note

TOGETHER = 64
"""Datapoints in a bundle at most: twice as many would gain a few percent."""

_FAST = 20e-6
"""Seconds to make a datapoint from which on bundles are of no use."""

_BURST = 16
"""Fast datapoints in a row that are sent at once before others are kept for a bundle."""

_KEPT_AT_MOST = 1e-3
"""Seconds after which a datapoint need not wait for others that were expected."""


class ConsumerGoneError(Exception):
    """The consumer closed the connection: there is nothing left to do."""


class SendBuffer:
    """The sending side of a worker.

    A datapoint is written at once, unless it is one of many that take no time to make. Those are kept until
    there are enough of them, the worker has to wait for something, or ``_KEPT_AT_MOST`` is over: a thread
    sees to that, since the next datapoint may take an hour. It starts with the first that is kept.

    Args:
        connection: where to.
        together: how many small datapoints can travel together; 1 to send each alone.
    """

    def __init__(self, connection: Connection, together: int) -> None:
        self._connection, self._together = connection, min(together, TOGETHER)
        # Both grow at the end only, ``_numbers`` last, and are cut at the start only: what the thread sends
        # is what both have.
        self._items: list[Any] = []
        self._numbers: list[Any] = []
        self._sent = 0  # datapoints
        self._writing = threading.Lock()
        self._keeping = False  # whether they come fast, and the thread looks after them
        self._thread_on = threading.Event()
        self._has_thread = self._closed = False
        self._in_a_row = 0  # fast datapoints
        self._since = 0.0  # when the making of the next one began

    def put(self, value: Any, numbers: Any) -> None:
        """Send a datapoint, with the number or the tuple of numbers that it settles."""
        item = compact(value)
        if type(item) is not Large:
            self.add(item, numbers)
            return
        frame = self._connection.packer.frame
        if type(numbers) is int:
            self.send(frame(DATA, numbers, *item))
        elif not numbers:
            self.send(frame(DATA, -1, *item))
        else:  # a head has room for one number
            several = note(NUMBERS, numbers[0], marshal.dumps(numbers))
            self.send([several, *frame(DATA | SEVERAL, numbers[0], *item)])

    def add(self, item: Any, numbers: Any) -> None:
        """Send what ``compact`` made of a small datapoint, or None for ``NO_VALUE``."""
        self._items.append(item)
        self._numbers.append(numbers)
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
                threading.Thread(target=self._look_after, name="send-buffer", daemon=True).start()
            self._thread_on.set()

    def _look_after(self) -> None:
        """Be the thread: send what is kept for too long."""
        with contextlib.suppress(ConsumerGoneError):
            while self._thread_on.wait() and not self._closed:
                made, since = self._sent, time.perf_counter()
                time.sleep(_KEPT_AT_MOST)
                self.send()
                if self._sent - made < (time.perf_counter() - since) / _FAST:
                    self._thread_on.clear()
                    self._keeping = False
                    self.send()  # what was kept just before that

    def send(self, pieces: Sequence[bytes | memoryview] = ()) -> None:
        """Write what is kept, then ``pieces``: a frame.

        Raises:
            ConsumerGoneError: nobody is there any more.
        """
        connection = self._connection
        with self._writing:
            bundle = self._bundle()
            connection.sent += bool(bundle) + bool(pieces)
            frames = [*bundle, *pieces]
            if connection.unpacker.has_releases:
                frames.append(connection.unpacker.releases())
            if frames:
                try:
                    connection.writer.write(frames)
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
