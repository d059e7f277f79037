"""A pool that several processes may take from: the one that made it and those that are started from it.

That is what ``MultiProcessRunnerZMQ(MultiProcessRunner(df, ...), ...)`` needs. A frame must go to one
reader as a whole, so frames are read one at a time and under a lock.
"""

from __future__ import annotations

import contextlib
import importlib.util
import mmap
import os
import tempfile
import threading
from typing import Any

from .._core.errors import WorkerError
from .connection import Connection
from .descriptors import clear_of_streams, inherited_fd, mapping_of
from .framing import FrameWriter
from .launch import choose_context
from .leases import Leases
from .pool import Job, WorkerPool
from .process_pool import ProcessPool
from .process_worker import ProcessWorker
from .shared_memory import anonymous_file, has_memfd


class RecordLock:
    """A lock between processes that the kernel releases when its holder dies, however it dies.

    A byte that all share says whether the holder was through with what it did.
    """

    def __init__(self, fd: int | None = None) -> None:
        self._fd = _lockable_file() if fd is None else fd
        self._busy = mapping_of(self._fd, mmap.PAGESIZE)

    def __enter__(self) -> None:
        """Wait for the lock.

        Raises:
            WorkerError: a holder died, or was interrupted, in the middle.
        """
        import fcntl

        fcntl.lockf(self._fd, fcntl.LOCK_EX)
        if self._busy[0]:
            fcntl.lockf(self._fd, fcntl.LOCK_UN)
            raise WorkerError("another process that takes from it too ended in the middle of a datapoint")
        self._busy[0] = 1

    def __exit__(self, kind: object, *error: object) -> None:
        """Release it."""
        import fcntl

        self._busy[0] = kind is not None
        fcntl.lockf(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give it up."""
        self._busy.close()
        os.close(self._fd)

    def __reduce__(self) -> Any:
        """Travel to a worker that is being started without fork."""
        return _inherit_lock, (inherited_fd(self._fd),)


def _lockable_file() -> int:
    if has_memfd():
        with contextlib.suppress(OSError):  # a sandbox may refuse it
            return anonymous_file(mmap.PAGESIZE)
    with tempfile.TemporaryFile() as file:  # shared memory by name has no locks everywhere
        file.truncate(mmap.PAGESIZE)
        return clear_of_streams(os.dup(file.fileno()))


def _inherit_lock(fd: Any) -> RecordLock:
    return RecordLock(fd.detach())


class ForeignProcess:
    """A worker that is a child of another process: all that can be known of it here."""

    exitcode = None

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def join(self, timeout: float) -> None:
        """Don't wait: only its parent can."""


class _WholeFrames(FrameWriter):
    """Writes each frame with one call, since other processes write to the same pipe."""

    def _join(self) -> None:
        """Leave the frames apart: what is longer than a pipe takes at once would be cut."""


class SharedPool(ProcessPool):
    """A pool without tasks that can be used in processes forked, or started otherwise, from its own."""

    many_takers = True

    def __init__(
        self, job: Job, code: Any, num: int, *, name: str, start_method: str | None, in_flight: int
    ) -> None:
        context = choose_context(start_method)
        # Without record locks: whoever is killed while holding the lock leaves the others waiting.
        has_record_locks = importlib.util.find_spec("fcntl") is not None
        self._lock: Any = RecordLock() if has_record_locks else context.Lock()
        self._reader = os.getpid()
        super().__init__(job, code, num, name=name, start_method=start_method, in_flight=in_flight)
        self._grant_at = 1  # how much the others have collected is not known

    @property
    def is_running(self) -> bool:
        """Whether it has workers that this process can use: any can."""
        return not self.is_closed

    def check(self) -> None:
        """Raise if the pool can't be used. Unlike others it can be in any process."""
        if self._reader != os.getpid():
            self._reader = os.getpid()
            self._using = threading.RLock()  # a thread that is not here may hold it
            self._inbox.clear()  # what had come when this process was forked is the other's
            self._opened = None
            for worker in self.workers:
                worker.owed = 0
                worker.connection.writer.clear()  # the other's to send
        self._check_open()

    def _receive(self) -> bool:
        """Read one frame, if there is one."""
        with self._lock:
            self.workers.append(self.workers.pop(0))  # another one first next time
            for worker in self.workers:
                if not worker.gone and worker.connection.readable():
                    if worker.connection.reader.read_one():
                        return True
                    self._lost(worker)
        return bool(self._inbox)

    def _drain(self, worker: ProcessWorker) -> None:
        """Do nothing: another taker may hold the lock; the next ``_receive`` finds the end."""

    def _connect(self, ends: Any, leases: Leases | None) -> Connection:
        connection = super()._connect(ends, leases)
        connection.writer = _WholeFrames(ends)
        return connection

    def abandon(self) -> None:
        """Keep everything, as it may be used here too, but in a worker of its own."""
        if self._starting is not None:
            super().abandon()

    def close(self) -> None:
        """End the workers, if this process started them, and give up everything."""
        if not self.is_closed:
            super().close()
            if isinstance(self._lock, RecordLock):
                self._lock.close()

    def __getstate__(self) -> dict[str, Any]:
        """Travel to a worker that is being started without fork."""
        self.check()
        workers = [(w.name, w.process.pid, w.connection.ends, w.results) for w in self.workers]
        return {"name": self.name, "owner": self._owner, "lock": self._lock, "workers": workers}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Arrive there."""
        WorkerPool.__init__(self, state["name"])
        self._owner, self._reader, self._lock = state["owner"], os.getpid(), state["lock"]
        self._set_up(grant_at=1, spin=False)
        for name, pid, ends, results in state["workers"]:
            connection = self._connect(ends, Leases(results) if results is not None else None)
            self._add(ProcessWorker(name, ForeignProcess(pid), connection, results, None))
