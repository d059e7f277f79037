"""A pool of workers that are processes.

There is no thread and no queue in the parent: it reads and writes inside ``collect`` only, never waits for
a single worker, and waits for all of them together: their pipes and their ends.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, NoReturn

from .._core.errors import WorkerError
from .bundle import loads
from .connection import BUNDLE, CREDIT, DATA, END, ERROR, Connection, Frame, note
from .failure import Failure, rebuild
from .launch import choose_context, close_at_exit, closed, describe_end, pidfd_of, start_process, usable_cores
from .pipes import connected_ends, readable, wait_for
from .pool import CLOSE_TIMEOUT, Message, Worker, WorkerPool
from .send_buffer import TOGETHER, queue_tasks
from .shared_memory import Arena, Leases, Memory, new_memory
from .worker_side import Entry, Setup, work

_SLACK = 24 << 20
"""Bytes of shared memory, over all workers, that the consumer may keep of small datapoints."""

_LOOK_AROUND = 0.1
"""Seconds after which to look whether workers have ended that there is no pidfd of."""

_STATUS_TIMEOUT = 0.2
"""Seconds after the end of a process in which its exit status comes: a fork server has to send it."""

_GONE = 0xFF  # kind of the last frame of a worker: put in by the parent when the worker has ended


class ProcessWorker(Worker):
    """What the parent has of a worker process."""

    def __init__(self, name: str, process: Any, connection: Connection, memories: list[Memory]) -> None:
        self.name = name
        self.process = process
        self.connection = connection
        self.pidfd = pidfd_of(process.pid)
        self.gone = False
        self._memories = memories

    def has_ended(self) -> bool:
        """Say whether the process has ended."""
        return self.process.exitcode is not None

    def wait_ended(self, timeout: float) -> bool:
        """Wait until the process has ended, ``timeout`` seconds at most; say whether it has."""
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
        # The start of a process fails in Python 3.10 if another one is closed meanwhile, as in a collection.
        if sys.version_info >= (3, 11):
            with contextlib.suppress(ValueError):  # its status went to somebody else, or it can't be killed
                self.process.close()

    def close(self) -> None:
        """Give up everything but the process."""
        self.connection.close()
        for memory in self._memories:
            memory.close()
        self._memories.clear()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1


class ProcessPool(WorkerPool):
    """Workers that are processes.

    Args:
        entry: a function of a module. It puts datapoints into its port, and gets tasks from it.
        code: what it works with: a dataflow, a function. Inherited by fork, else sent by cloudpickle.
        num: how many workers.
        name: the stage of the pipeline, for messages.
        start_method: of multiprocessing, None for the default of the platform.
        in_flight: how many datapoints may be on their way in one direction, over all workers.
        tasks: whether the workers get tasks (``submit``). If not, each puts datapoints as long as fewer
            than its share of ``in_flight`` are not collected.
    """

    bundles = True
    """Whether small datapoints may travel together."""

    def __init__(
        self,
        entry: Entry,
        code: Any,
        num: int,
        *,
        name: str,
        start_method: str | None = None,
        in_flight: int,
        tasks: bool = False,
    ) -> None:
        super().__init__(name)
        context = choose_context(start_method)
        self._set_up(tasks, max(1, in_flight // num // 4), spin=num <= usable_cores())
        close_at_exit(self)
        try:
            for index in range(num):
                share = max(1, in_flight // num + (index < in_flight % num))
                self._start(context, entry, code, index, share, _SLACK // num)
        except BaseException:
            self.close()
            raise

    def _set_up(self, tasks: bool, grant_at: int, spin: bool) -> None:
        self.workers: list[ProcessWorker] = []
        self._by_connection: dict[Connection, ProcessWorker] = {}
        self._starting: Connection | None = None
        self._inbox: deque[Frame] = deque()
        self._opened: tuple[Connection, int, Iterator[Message]] | None = None  # what is being yielded
        self._tasks, self._spin = tasks, spin
        self._grant_at = grant_at
        self._waiting = self._woken = False
        self._using = threading.RLock()  # the descriptors of the workers: nobody may close them meanwhile
        self._waking = threading.RLock()  # the same for that of wake()
        self._wake_ours, self._wake_theirs = connected_ends()
        self._wake_ours.dont_wait()
        self._wake_theirs.dont_wait()

    def _add(self, worker: ProcessWorker) -> None:
        self.workers.append(worker)
        self._by_connection[worker.connection] = worker

    def _start(self, context: Any, entry: Entry, code: Any, index: int, share: int, slack: int) -> None:
        results = new_memory()
        jobs = new_memory() if self._tasks else None
        memories = [m for m in (results, jobs) if m is not None]
        try:
            ours, theirs = connected_ends()
        except OSError:  # no more descriptors
            for memory in memories:
                memory.close()
            raise
        ours.dont_wait()
        name = f"{self.name}, worker {index}"
        connection = Connection(
            ours,
            Arena(jobs, share, slack) if jobs is not None else None,
            Leases(results) if results is not None else None,
            self._inbox,
        )
        together = TOGETHER if self._tasks else share // 2 if self.bundles else 1
        credits = None if self._tasks else share
        setup = Setup(entry, theirs, results, jobs, share, slack, credits, together, self._spin, name)
        self._starting = connection  # so that the worker can close what it inherits of it
        try:
            start_process(
                context,
                index,
                work,
                setup,
                code,
                self.name,
                lambda process: self._add(ProcessWorker(name, process, connection, memories)),
            )
        except BaseException:
            if connection not in self._by_connection:  # else close() will see to it
                connection.close()
                for memory in memories:
                    memory.close()
            raise
        finally:
            self._starting = None
            theirs.close()

    # ---- tasks

    def submit(self, number: int, items: deque[Any], count: int) -> None:
        """Give the workers ``count`` tasks off ``items``, so that they have as many each as can be."""
        level = -(-(sum(w.outstanding for w in self.workers) + count) // len(self.workers))
        with self._using:
            for worker in self.workers:
                share = min(count, level - worker.outstanding)
                if share > 0:
                    connection = worker.connection
                    queue_tasks(connection, number, items, share)
                    number += share
                    count -= share
                    worker.outstanding += share
                    connection.flush()

    def submit_end(self) -> None:
        """Send every worker an END. Each answers with one when all that it got before is done."""
        with self._using:
            for worker in self.workers:
                worker.connection.queue([note(END, 0)])
                worker.connection.flush()

    # ---- results

    def collect(self) -> Iterator[Message]:
        """Yield the messages that have come; wait for the first, unless woken."""
        if not self._inbox and self._opened is None:
            self._fill()
        while self._opened is not None or self._inbox:
            if self._opened is None:
                self._opened = self._open(self._inbox.popleft())
            connection, count, messages = self._opened
            yield from messages  # no generator: if this one is dropped, the next goes on
            self._opened = None
            self._collected(connection, count)

    def _open(self, frame: Frame) -> tuple[Connection, int, Iterator[Message]]:
        """Return where a frame is from, how many of its datapoints are to be counted yet, and its messages.

        The datapoints of a bundle are counted when all were yielded. That saves a third of the time for each.
        """
        connection, kind, number, _, body = frame
        if kind & 0xFF >= ERROR:
            self._fail(frame)
        worker = self._by_connection[connection]
        if kind == BUNDLE:
            if number == 1:
                self._collected(connection, 1)
            return connection, number - (number == 1), loads(body, worker)
        self._collected(connection, 1)
        value = connection.unpack(frame) if kind & 0xFF == DATA else None
        return connection, 0, iter([(worker, kind & 0xFF, number, value)])

    def _collected(self, connection: Connection, count: int) -> None:
        """Count datapoints of a worker that were collected. It is told now and then, or before a wait."""
        if not self._tasks:
            connection.owed += count
            if connection.owed >= self._grant_at:
                with self._using:
                    self._grant(connection)
                    connection.flush()

    def wake(self) -> None:
        """Have the thread that waits in ``collect``, or the next that would, return. From any thread."""
        self._woken = True
        if self._waiting:
            self._waiting = False
            with self._waking, contextlib.suppress(OSError):  # full of calls, or closed
                self._wake_theirs.write(b"w")

    def _fill(self) -> None:
        """Wait until there is something in the inbox, or until woken."""
        while not self._inbox:
            self.check()
            with self._using:
                if not self._receive() and self._wait():
                    return

    def _receive(self) -> bool:
        """Read what has come, without waiting; say whether something has."""
        some = False
        for worker in self.workers:
            if worker.gone:
                continue
            try:
                if worker.connection.read():
                    some = True
                else:
                    self._lost(worker)
            except BlockingIOError:
                continue
        return some or bool(self._inbox)

    def _wait(self) -> bool:
        """Send what is due, then wait until something happens; say whether it was a call of ``wake``."""
        reads, writes, watched = [self._wake_ours.fds[0]], [], True
        for worker in self.workers:
            if worker.gone:
                continue
            connection = worker.connection
            if connection.owed:
                self._grant(connection)
            elif connection.has_releases:
                connection.queue([connection.releases()])
            if hungry := connection.hungry():  # after the slots, which may be all that it waits for
                connection.queue([hungry])
            reads.append(connection.ends.fds[0])
            if worker.pidfd >= 0:
                reads.append(worker.pidfd)
            else:
                watched = False
            if not connection.flush():
                writes.append(connection.ends.fds[1])
        self._waiting = True  # from here on, wake() writes to the pipe; before, it only leaves a note
        if not self._woken:
            self.at_rest = True
            ended = wait_for(reads, writes, None if watched else _LOOK_AROUND, self._spin)
            self.at_rest = False
            if self._closed:  # meanwhile, by a signal handler
                return True
            for worker in self.workers:
                if not worker.gone and (worker.pidfd in ended if worker.pidfd >= 0 else worker.has_ended()):
                    self._drain(worker)
        self._waiting = False
        woken, self._woken = self._woken, False
        with contextlib.suppress(BlockingIOError):  # also when not woken: a call may have come late
            self._wake_ours.read(4096)
        return woken

    def _grant(self, connection: Connection) -> None:
        """Let a worker put as many more as were collected."""
        connection.queue([connection.releases(), note(CREDIT, connection.owed)])
        connection.owed = 0

    # ---- ends

    def _drain(self, worker: ProcessWorker) -> None:
        """Read the last words of a worker that has ended."""
        with contextlib.suppress(BlockingIOError):
            while worker.connection.read():
                pass
        self._lost(worker)

    def _lost(self, worker: ProcessWorker) -> None:
        worker.gone = True
        self._inbox.append((worker.connection, _GONE, 0, 0, memoryview(b"")))

    def _fail(self, frame: Frame) -> NoReturn:
        """Close the pool and raise what a frame says."""
        self._check_open()  # if it was closed, that is why workers have ended
        connection, kind, *_ = frame
        worker = self._by_connection[connection]
        if kind == _GONE:
            worker.wait_ended(1.0)
            how = describe_end(worker.process)
            error: BaseException = WorkerError(f"{worker.name} (pid {worker.process.pid}) {how}")
        else:
            error = rebuild(Failure(*connection.unpack(frame)))
        self._stop(worker.name, error)
        raise error

    def abandon(self) -> None:
        """In a process that was forked while the pool existed: give up what was inherited of it."""
        if self._starting is not None:
            self._starting.ends.close()  # but not its memory: this may be the worker that is being started
        self._give_up()

    def close(self) -> None:
        """End the workers and give up everything. Can be called again, and from any thread."""
        if self._closed:
            return
        self._closed = True
        closed(self)
        if self._owner != os.getpid():
            self._give_up()
            return
        for worker in self.workers:
            worker.process.terminate()
        deadline = time.monotonic() + CLOSE_TIMEOUT
        for worker in self.workers:
            worker.end(deadline)
        self.wake()
        unused = self._using.acquire(timeout=CLOSE_TIMEOUT)
        with self._waking:
            self._give_up()
        if unused:
            self._using.release()

    def _give_up(self) -> None:
        for worker in self.workers:
            worker.close()
        self._wake_ours.close()
        self._wake_theirs.close()
        self._inbox.clear()
        self._opened = None
