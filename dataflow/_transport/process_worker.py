"""What the parent has of one worker process: the process, the connection, and the tasks that it was given."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter, deque
from typing import Any

from .board import BEGUN, IDLE, NEVER, SINCE, TAKEN_FROM, TAKEN_TO
from .bundle import dumps
from .connection import Connection
from .descriptors import pidfd_of
from .framing import BUNDLE, DATA, note
from .packing import Packed
from .pipes import readable
from .pool import CLOSE_TIMEOUT, Worker
from .send_buffer import TOGETHER
from .shared_memory import Memory

_STATUS_TIMEOUT = 0.2
"""Seconds after the end of a process in which its exit status comes: a fork server has to send it."""


class _Given:
    """Tasks that were given together, and not settled when it was looked last."""

    def __init__(self, count: int, order: int, numbers: list[int], items: list[Any]) -> None:
        self.count = count  # of the first one, as the worker counts
        self.end = order + len(numbers)  # among the tasks that were not taken back
        self.numbers, self.items = numbers, items


class ProcessWorker(Worker):
    """A worker process, seen from the parent.

    Args:
        name: for messages.
        process: its ``multiprocessing.Process``.
        connection: the parent's side.
        results: the memory in which its datapoints come. It is closed with the worker.
        row: its row of the board, None if there is no board.
    """

    def __init__(
        self, name: str, process: Any, connection: Connection, results: Memory | None, row: memoryview | None
    ) -> None:
        super().__init__(name)
        self.process, self.connection = process, connection
        self.pidfd = pidfd_of(process.pid)
        self.gone = False
        self.owed = 0
        """Datapoints collected, for which it may put others."""
        self.results, self._row = results, row
        self._given: deque[_Given] = deque()
        self._count = 0  # tasks given, as the worker counts: also those that were taken back
        self._order = self._settled = 0  # tasks given and not taken back; those that are settled
        self.taken: Counter[int] = Counter()
        """Tasks taken back, until it says that it skipped them. One may be given and taken again."""
        self._marked_from = 0

    # ---- tasks

    def give(self, numbers: list[int], items: list[Any]) -> None:
        """Queue tasks for it, small ones together."""
        self._given.append(_Given(self._count + 1, self._order, numbers, items))
        self._count += len(numbers)
        self._order += len(numbers)
        self.outstanding += len(numbers)
        queue = self.connection.writer.queue
        together = 1 if Packed in map(type, items) else TOGETHER
        for start in range(0, len(items), together):
            some = items[start : start + together]
            if type(some[0]) is Packed:
                queue(*some[0].frame(DATA, numbers[start]))
            else:
                queue(note(BUNDLE, len(some), dumps(numbers[start : start + together], some)))
        while self._given[0].end <= self._settled:
            self._given.popleft()

    def settle(self, count: int) -> None:
        """Count tasks that it has settled. It does the tasks in the order in which it got them."""
        self.outstanding -= count
        self._settled += count

    def is_idle(self) -> bool:
        """Return whether it waits for tasks."""
        return self._row is not None and bool(self._row[IDLE]) and self._row[BEGUN] == self._count

    def not_begun(self) -> int:
        """Return how many tasks it has not begun, those taken back not counted."""
        if self._row is None or not self.outstanding:
            return 0
        return self._count + 1 - self._first_free()

    def seconds_on_task(self) -> float:
        """Return how long ago it began the task that it is on, 0 if it is on none."""
        row = self._row
        return 0.0 if row is None or row[IDLE] else (time.monotonic_ns() - row[SINCE]) / 1e9

    def _first_free(self) -> int:
        """Return the count of the first task that it has not begun and that was not taken back."""
        row = self._row
        if row is None:
            return self._count + 1
        first = row[BEGUN] + 1
        return max(first, row[TAKEN_TO]) if row[TAKEN_FROM] != NEVER else first

    def mark(self) -> None:
        """Have it skip the tasks that it has not begun. Call ``take_back`` after ``GRACE`` seconds."""
        row = self._row
        self._marked_from = first = self._first_free()
        if row is None or first > self._count:
            return
        if row[BEGUN] + 1 >= row[TAKEN_TO]:  # it is past those taken back before, if any
            row[TAKEN_FROM] = NEVER  # or it would skip others, while the next word is new and this one old
            row[TAKEN_TO] = self._count + 1
            row[TAKEN_FROM] = first
        else:
            row[TAKEN_TO] = self._count + 1

    def take_back(self) -> tuple[list[int], list[Any]]:
        """Return the tasks that were marked and that it will skip: their numbers, and what they are."""
        numbers: list[int] = []
        items: list[Any] = []
        if self._row is None:
            return numbers, items
        first = max(self._marked_from, self._row[BEGUN] + 1)
        while self._given and self._given[-1].count + len(self._given[-1].numbers) > first:
            given = self._given[-1]
            kept = max(0, first - given.count)
            numbers[:0], items[:0] = given.numbers[kept:], given.items[kept:]
            given.end -= len(given.numbers) - kept
            del given.numbers[kept:], given.items[kept:]
            if kept:
                break
            self._given.pop()
        self._order -= len(numbers)
        self.outstanding -= len(numbers)
        self.taken.update(numbers)
        return numbers, items

    def skipped(self, number: int) -> tuple[list[int], list[Any]]:
        """Count a task that it says it skipped; return it as ``take_back`` does, if that has not."""
        if number in self.taken:
            self.taken[number] -= 1
            if not self.taken[number]:
                del self.taken[number]
            return [], []
        self.settle(1)
        item = next(i for g in self._given for n, i in zip(g.numbers, g.items, strict=True) if n == number)
        return [number], [item]

    def current(self) -> tuple[int, float] | None:
        """Return the number of the task that it is on and since when; see ``Worker.current``."""
        row = self._row
        if row is None or row[IDLE]:
            return None
        begun, since = row[BEGUN], row[SINCE]
        for given in self._given:
            if given.count <= begun < given.count + len(given.numbers):
                return given.numbers[begun - given.count], since / 1e9
        return None

    # ---- the process

    def has_ended(self) -> bool:
        """Return whether the process has ended."""
        return self.process.exitcode is not None

    def wait_ended(self, timeout: float) -> bool:
        """Wait until the process has ended, ``timeout`` seconds at most; return whether it has."""
        if self.has_ended():
            return True
        if self.pidfd < 0:
            self.process.join(timeout)
            return self.has_ended()
        # not by join(), which waits for a pipe that children of the worker may hold open
        if not readable(self.pidfd, timeout):
            return False
        if not self.has_ended():
            self.process.join(_STATUS_TIMEOUT)
        return True

    def end(self, deadline: float) -> None:
        """Wait until the process has ended; after ``deadline`` kill it."""
        if not self.wait_ended(max(0.0, deadline - time.monotonic())):
            self.process.kill()
            self.wait_ended(CLOSE_TIMEOUT)
        with contextlib.suppress(ValueError):  # its status went to somebody else, or it can't be killed
            self.process.close()

    def close(self) -> None:
        """Give up everything but the process."""
        self.connection.close()
        self._given.clear()
        self._row = None
        if self.results is not None:
            self.results.close()
            self.results = None  # or a closed pool would keep its addresses
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1
