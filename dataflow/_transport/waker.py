"""Wake a thread that waits for descriptors."""

from __future__ import annotations

import contextlib
import threading

from .pipes import connected_ends


class Waker:
    """Lets any thread end, or prevent, a wait of one other thread.

    The waiter calls ``begin_wait``, waits for ``fd`` among others, and calls ``end_wait``.
    """

    def __init__(self) -> None:
        self._reading, self._writing = connected_ends()
        self._reading.dont_wait()
        self._writing.dont_wait()
        self._asked = self._waiting = False
        self._in_use = threading.RLock()  # nobody may close the descriptors meanwhile

    @property
    def fd(self) -> int:
        """Readable when somebody calls ``wake`` during a wait."""
        return self._reading.fds[0]

    def wake(self) -> None:
        """End the wait, or the next one. Never blocks."""
        self._asked = True
        if self._waiting:  # otherwise the flag is enough: no system call
            self._waiting = False
            with self._in_use, contextlib.suppress(OSError):  # full of earlier calls, or closed
                self._writing.write(b"w")

    def begin_wait(self) -> bool:
        """Say that a wait begins; return False if there is no need, as ``wake`` was called."""
        self._waiting = True
        return not self._asked

    def end_wait(self) -> bool:
        """Say that the wait is over; return whether ``wake`` was called."""
        self._waiting = False
        asked, self._asked = self._asked, False
        with contextlib.suppress(BlockingIOError):  # also when not asked: a call may have come late
            self._reading.read(4096)
        return asked

    def close(self, forked: bool = False) -> None:
        """Close the descriptors. Can be called again.

        Args:
            forked: in a forked process, where a thread that is not there may hold the lock.
        """
        if forked:
            self._in_use = threading.RLock()
        with self._in_use:
            self._reading.close()
            self._writing.close()
