"""The source of a mapper, iterated over in a thread of its own.

The consumer must not wait for a slow source while results are ready, so it can't call ``next`` on it. The
thread does just that and nothing else: datapoints go into ``items``, and the consumer submits them.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from typing import Any

from .._transport.pool import CLOSE_TIMEOUT

MAX_EMPTY = 100
"""Passes in a row without a datapoint after which a source that is read for ever is declared empty."""


class PassEnded:
    """The last item of a pass: ``error`` is what the source raised, None if it is complete."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Pass:
    """A pass over a source, or endless passes: at most ``room`` datapoints read and not done.

    Args:
        source: what is iterated over.
        endless: begin again when it ends.
        room: how many datapoints may be read and not ``done``.
        again_at: when there was no room, read on when this few are not done.
        pending: how many of an earlier pass are not done yet: they take room too.
        wake: called, from the thread, when there are items again. All must be taken then.
    """

    def __init__(
        self,
        source: Iterable[Any],
        endless: bool,
        room: int,
        again_at: int,
        pending: int,
        wake: Callable[[], None],
    ) -> None:
        self.items: deque[Any] = deque()
        self._source, self._endless = source, endless
        self._room, self._again_at, self._wake = room, again_at, wake
        self._read = pending
        self.taken = 0
        """Datapoints that have left the mapper. Only its thread counts them, only ours those read."""
        self.blocked = False
        """Whether the thread waits for room."""
        self._cancelled = False
        self._signal: SimpleQueue[None] = SimpleQueue()

    def done(self, count: int = 1) -> None:
        """Say that datapoints have left the mapper."""
        self.taken += count
        if self.blocked and self._read - self.taken <= self._again_at:
            self.blocked = False
            self._signal.put(None)

    def cancel(self) -> None:
        """Break it off as soon as the source returns."""
        self._cancelled = True
        self._room = 0  # makes the thread look
        self._signal.put(None)

    def run(self) -> None:
        """Do it, in the thread."""
        error = None
        try:
            empty = 0
            while not self._cancelled:
                before = self._read
                self._read_once()
                if not self._endless:
                    break
                empty = empty + 1 if self._read == before else 0
                if empty == MAX_EMPTY:
                    raise RuntimeError(f"the source is empty: {MAX_EMPTY} passes gave no datapoint")
        except BaseException as e:
            error = e
        self.items.append(PassEnded(error))
        self._wake()

    def _read_once(self) -> None:
        iterator = iter(self._source)
        try:
            if self._wait_for_room():
                for item in iterator:
                    self._read += 1
                    self.items.append(item)
                    if len(self.items) == 1:  # else somebody is about to take all
                        self._wake()
                    if self._read - self.taken >= self._room and not self._wait_for_room():
                        break
        finally:
            if isinstance(iterator, Iterator) and hasattr(iterator, "close"):
                iterator.close()

    def _wait_for_room(self) -> bool:
        """Wait until there is room; return False if cancelled."""
        while self._read - self.taken >= self._room and not self._cancelled:
            self.blocked = True
            if self._read - self.taken >= self._room and not self._cancelled:
                self._signal.get()
        return not self._cancelled


class Feed:
    """The thread that runs passes, one after the other."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: threading.Thread | None = None
        self._passes: SimpleQueue[Pass | None] = SimpleQueue()

    def start(self, a_pass: Pass) -> None:
        """Run a pass, when those before have ended."""
        if self._thread is None:
            thread = threading.Thread(
                target=_run, args=(self._passes,), name=f"{self._name}-source", daemon=True
            )
            thread.start()
            self._thread = thread  # only now: an interrupted start can't be joined
        self._passes.put(a_pass)

    def close(self) -> None:
        """End the thread when the pass it is in has ended. Cancel that before."""
        self._passes.put(None)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(CLOSE_TIMEOUT / 2)


def _run(passes: SimpleQueue[Pass | None]) -> None:
    while True:
        a_pass = passes.get()
        if a_pass is None:
            return
        a_pass.run()
        del a_pass  # it holds the source
