"""What each worker is on, in memory that the workers share with the parent.

A worker counts the tasks that it begins, and looks, each time, whether the parent took that one back. The
parent sees at any time, also of a worker that is stuck or dead, which task was begun last, and when. So a
worker that sleeps in its function loses the tasks behind that to others, without being asked.

Both sides only load and store whole words, without a lock. The parent marks the tasks that it takes, waits
for ``GRACE`` and looks again. If the worker has begun no other task, it will see the mark before it does. If
it has, it may have seen the mark or not: it sends the number of each task that it skips, so the parent learns
which.
"""

from __future__ import annotations

import mmap
import os
from typing import Any

from .descriptors import inherited_fd, mapping_of
from .shared_memory import anonymous_file

BEGUN, SINCE, IDLE, TAKEN_FROM, TAKEN_TO = range(5)
"""Words of a row. BEGUN: how many tasks the worker has begun. SINCE: when it began the last one, in
nanoseconds of ``time.monotonic_ns()``. Tasks whose count is from TAKEN_FROM on and below TAKEN_TO were taken
back: the worker skips them. IDLE: 1 while it waits for tasks."""

NEVER = 1 << 62

GRACE = 1e-4
"""Seconds after which a word that one processor stored is seen by all: a thousand times what it takes."""

_ROW = 8  # words: a cache line of its own for each worker


class Board:
    """A row of words for each worker.

    Args:
        rows: how many.

    Raises:
        OSError: there is no memory to be had that processes can share.
    """

    def __init__(self, rows: int) -> None:
        self._fd = -1
        size = -(-rows * _ROW * 8 // mmap.PAGESIZE) * mmap.PAGESIZE
        fd = anonymous_file(size)
        try:
            self._map(fd, size)
        except OSError:
            os.close(fd)
            raise
        for k in range(rows):
            row = self.row(k)
            row[TAKEN_FROM] = NEVER

    def _map(self, fd: int, size: int) -> None:
        self._fd, self._size = fd, size
        self._words = memoryview(mapping_of(fd, size)).cast("q")

    def row(self, k: int) -> memoryview:
        """Return the words of worker ``k``."""
        return self._words[k * _ROW : (k + 1) * _ROW]

    def close(self) -> None:
        """Give up the descriptor. The words stay as long as a row is in use."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __reduce__(self) -> Any:
        """Travel to a worker that is being started without fork."""
        return _attach, (inherited_fd(self._fd), self._size)


def _attach(fd: Any, size: int) -> Board:
    board = Board.__new__(Board)
    board._map(fd.detach(), size)
    return board
