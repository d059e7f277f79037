"""The source of a mapper, read ahead in a thread of its own.

The consumer must not wait for a slow source while results are ready, so it can't call ``next`` on it. The
thread does just that, and prepares each datapoint at once, since a source may use its arrays again. What it
has read goes into ``items``, and the consumer submits it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import chain
from queue import Empty, SimpleQueue
from typing import Any

from .._transport.pool import CLOSE_TIMEOUT, WorkerPool
from .callers_context import CallersContext
from .jobs import MAX_EMPTY

_END = object()


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
        low_water: a blocked reader goes on when this many datapoints, or fewer, are not done.
        pool: prepares the datapoints. It is woken when there are items again: all must be taken then. What it
            has not settled yet takes room, too.
    """

    def __init__(
        self, source: Iterable[Any], endless: bool, room: int, low_water: int, pool: WorkerPool
    ) -> None:
        self.items: deque[Any] = deque()
        self._source, self._endless = source, endless
        self._room, self._low_water = room, low_water
        self._prepare, self._wake = pool.prepare, pool.wake
        self._in_thread = pool.reads_ahead
        self._pending = pool.pending
        self._read = self._pending
        self.taken = 0
        """Datapoints that have left the mapper. Written by the consumer only, as ``_read`` is by the reader
        only, so neither needs a lock."""
        self.blocked = False
        """Whether the reader waits for room."""
        self.passes = 0
        """Passes over the source that are complete."""
        self._cancelled = False
        self._signal: SimpleQueue[None] = SimpleQueue()
        self._passes = self._open_passes()
        self._datapoints = chain.from_iterable(self._passes)

    @property
    def read(self) -> int:
        """Datapoints read."""
        return self._read - self._pending

    def done(self, count: int = 1) -> None:
        """Count datapoints that have left the mapper."""
        self.taken += count
        if self.blocked and self._read - self.taken <= self._low_water:
            self.blocked = False
            self._signal.put(None)

    def cancel(self) -> None:
        """Break it off as soon as the source returns."""
        self._cancelled = True
        if not self._in_thread:
            self._passes.close()
        self._room = 0  # makes the reader look
        self._signal.put(None)

    def run(self) -> None:
        """Read the source to its end: in a thread, where ``step`` is not called."""
        error, items, prepare = None, self.items, self._prepare
        try:
            if self._wait_for_room():
                for datapoints in self._passes:
                    for item in datapoints:
                        self._read += 1
                        items.append(prepare(item))
                        if len(items) == 1:  # else somebody is about to take all
                            self._wake()
                        if self._read - self.taken >= self._room and not self._wait_for_room():
                            break
            self._passes.close()
        except BaseException as e:
            error = e
        self.items.append(PassEnded(error))
        self._wake()

    def step(self) -> None:
        """Read one datapoint, if there is room, in the thread of the consumer."""
        if self._read - self.taken >= self._room:
            return
        try:
            item = next(self._datapoints, _END)
        except BaseException as e:
            self.items.append(PassEnded(e))
            return
        if item is _END:
            self.items.append(PassEnded(None))
        else:
            self._read += 1
            self.items.append(self._prepare(item))

    def _open_passes(self) -> Generator[Iterator[Any], None, None]:
        """Yield an iterator for each pass, and close it before the next."""
        empty = 0
        while empty < MAX_EMPTY and not self._cancelled:
            before = self._read
            iterator = iter(self._source)
            try:
                yield iterator
            finally:
                if isinstance(iterator, Iterator) and hasattr(iterator, "close"):
                    iterator.close()
            if not self._endless:
                return
            self.passes += 1
            empty = empty + 1 if self._read == before else 0
        if not self._cancelled:
            raise RuntimeError(f"the source is empty: {MAX_EMPTY} passes in a row gave no datapoint")

    def _wait_for_room(self) -> bool:
        """Wait until there is room; return False if cancelled."""
        while self._read - self.taken >= self._room and not self._cancelled:
            self.blocked = True
            if self._read - self.taken >= self._room and not self._cancelled:
                self._signal.get()
        return not self._cancelled


class SourceReader:
    """The thread in which a source is reset, read and closed: some sources know only one thread.

    Args:
        name: the stage of the pipeline.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: threading.Thread | None = None
        self._todo: SimpleQueue[Callable[[], object] | None] = SimpleQueue()

    def start(self, a_pass: Pass) -> None:
        """Run a pass, when what was asked for before has ended."""
        self._do(a_pass.run)

    def call(self, func: Callable[[], None], timeout: float | None = None) -> None:
        """Have the thread call ``func``, and wait for that, ``timeout`` seconds at most.

        Raises:
            Exception: what the function raised.
        """
        answer: SimpleQueue[BaseException | None] = SimpleQueue()

        def answered() -> None:
            try:
                func()
            except BaseException as e:
                answer.put(e)
            else:
                answer.put(None)

        self._do(answered)
        try:
            error = answer.get(timeout=timeout)
        except Empty:  # the thread is in the user's code: it does this later
            return
        if error is not None:
            raise error

    def _do(self, func: Callable[[], object]) -> None:
        if self._thread is None:
            thread = threading.Thread(
                target=_run, args=(self._todo,), name=f"{self._name}-source", daemon=True
            )
            thread.start()
            self._thread = thread  # only now: an interrupted start can't be joined
        context = CallersContext()
        self._todo.put(lambda: context.run(func))

    def close(self) -> None:
        """End the thread when it has done what was asked for. Cancel a pass before."""
        self._todo.put(None)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(CLOSE_TIMEOUT / 2)


def _run(todo: SimpleQueue[Callable[[], object] | None]) -> None:
    while True:
        func = todo.get()
        if func is None:
            return
        func()
        del func  # it holds the source
