"""A pool of workers that are processes.

There is no thread and no queue in the parent: it reads and writes inside ``collect`` only, never waits for
a single worker, and waits for all of them together: their pipes and their ends.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import cycle, repeat
from typing import Any, NoReturn

from .._core.errors import WorkerError
from .._core.random_state import PoolStreams
from .bundle import Large, compact, loads
from .connection import Connection
from .failure import Failure, rebuild
from .framing import BUNDLE, CREDIT, ERROR, KIND, SKIPPED, Frame, note
from .launch import choose_context, close_at_exit, closed, describe_end, start_process, usable_cores
from .leases import Leases
from .packing import Packer, Unpacker
from .pipes import connected_ends, wait_for
from .pool import CLOSE_TIMEOUT, NO_VALUE, Job, Result, WorkerPool
from .process_worker import ProcessWorker
from .shared_memory import new_memory
from .task_sharing import STUCK, TaskSharing
from .waker import Waker
from .worker_side import Setup, work

_SLACK = 24 << 20
"""Bytes of shared memory, over all workers, that the consumer may keep of small datapoints."""

_LOOK_AROUND = 0.1
"""Seconds after which to look whether workers have ended that there is no pidfd of."""
_GONE = 0xFF  # kind of the last frame of a worker: put in by the parent when the worker has ended


class ProcessPool(WorkerPool):
    """Workers that are processes.

    Args:
        job: a function of a module: see ``pool.Job``.
        code: what it works with: a dataflow, a function. Inherited by fork, else sent by cloudpickle.
        num: how many workers.
        name: the stage of the pipeline, for messages.
        start_method: of multiprocessing, None for the default of the platform.
        in_flight: how many datapoints may be on their way in one direction, over all workers.
        tasks: whether the workers get tasks (``submit``). If not, each puts datapoints as long as fewer
            than its share of ``in_flight`` are not collected.
    """

    many_takers = False
    """Whether several processes take from it."""
    _tasks: TaskSharing | None = None  # None: the workers get no tasks
    _next_to_put: Iterator[ProcessWorker] | None = None  # None: each goes on when its own are collected

    def __init__(
        self,
        job: Job,
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
        self._streams = PoolStreams(plain=not tasks)
        self._set_up(max(1, in_flight // num // 4), spin=num <= usable_cores())
        close_at_exit(self)
        try:
            if tasks:
                self._tasks = TaskSharing(num, in_flight, _SLACK)
            for index in range(num):
                # with more workers than datapoints in flight, who may put one is decided anew for each
                share = in_flight // num + (index < in_flight % num)
                self._start(context, job, code, index, share, _SLACK // num)
            if not tasks and in_flight < num:
                self._next_to_put = cycle([*self.workers[in_flight:], *self.workers[:in_flight]])
        except BaseException:
            self.close()
            raise

    def _set_up(self, grant_at: int, spin: bool) -> None:
        self.workers: list[ProcessWorker] = []
        self._by_connection: dict[Connection, ProcessWorker] = {}
        self._starting: Connection | None = None
        self._inbox: deque[Frame] = deque()
        self._opened: tuple[ProcessWorker, int, Iterator[Any]] | None = None  # what is being yielded
        self._spin, self._grant_at = spin, grant_at
        self._using = threading.RLock()  # the descriptors of the workers: nobody may close them meanwhile
        self._waker = Waker()

    def _add(self, worker: ProcessWorker) -> None:
        self.workers.append(worker)
        self._by_connection[worker.connection] = worker

    def _connect(self, ends: Any, leases: Leases | None) -> Connection:
        packer = self._tasks.packer if self._tasks is not None else Packer(None)
        return Connection(ends, packer, Unpacker(leases), self._inbox)

    def _start(self, context: Any, job: Job, code: Any, index: int, share: int, slack: int) -> None:
        results = new_memory()
        try:
            ours, theirs = connected_ends()
        except OSError:  # no more descriptors
            if results is not None:
                results.close()
            raise
        ours.dont_wait()
        name = f"{self.name}, worker {index}"
        connection = self._connect(ours, Leases(results) if results is not None else None)
        board = self._tasks.board if self._tasks is not None else None
        setup = Setup(
            job=job,
            has_tasks=self._tasks is not None,
            ends=theirs,
            results=results,
            tasks=self._tasks.memory if self._tasks is not None else None,
            board=board,
            share=share,
            slack=slack,
            spin=self._spin,
            many_takers=self.many_takers,
            name=name,
        )
        row = board.row(index) if board is not None else None
        self._starting = connection  # so that the worker can close what it inherits of it
        try:
            start_process(
                context,
                index,
                work,
                setup,
                code,
                self.name,
                lambda process: self._add(ProcessWorker(name, process, connection, results, row)),
                self._streams.stream_of(index),
            )
        except BaseException:
            if connection not in self._by_connection:  # else close() will see to it
                connection.close()
                if results is not None:
                    results.close()
            raise
        finally:
            self._starting = None
            theirs.close()

    # ---- tasks

    def prepare(self, value: Any) -> Any:
        """Return a datapoint as it will be sent: encoded, its large arrays copied to shared memory."""
        item = compact(value)
        return self._sharing.packer.pack(*item) if type(item) is Large else item

    @property
    def _sharing(self) -> TaskSharing:
        if self._tasks is None:
            raise RuntimeError(f"{self.name}: its workers take no tasks")
        return self._tasks

    def submit(self, number: int, items: deque[Any], count: int) -> None:
        """Give the workers ``count`` tasks off ``items``, so that all have about the same number."""
        self.pending += count
        numbers = list(range(number, number + count))
        with self._using:
            self._sharing.go_on(self.workers)
            self._sharing.give(self.workers, numbers, [items.popleft() for _ in numbers])

    def finish(self) -> None:
        """Have each worker settle what it holds back, when it has done what was submitted before."""
        with self._using:
            self._sharing.finish(self.workers)

    @property
    def is_at_rest(self) -> bool:
        """Whether all tasks are settled, and no worker has anything to say of one."""
        return not self.pending and not any(worker.taken for worker in self.workers)

    def discard(self, below: int) -> None:
        """Say that tasks with a number below ``below`` are of no use any more: they may be done or not."""
        self._sharing.of_use_from = below

    # ---- results

    def collect(self) -> Iterator[Result]:
        """Yield the results that have come; wait for the first, unless woken."""
        if not self._inbox and self._opened is None:
            self._fill()
        while self._opened is not None or self._inbox:
            if self._opened is None:
                self._opened = self._open(self._inbox.popleft())
            worker, count, results = self._opened
            try:
                yield from results
            except GeneratorExit:  # the next iterator goes on with what is left
                left = list(results)
                unsettled = sum(len(numbers) for _, numbers, _ in left) if self._tasks else len(left)
                self._opened = worker, unsettled, iter(left)
                self._collected(worker, count - unsettled)
                raise
            self._opened = None
            self._collected(worker, count)

    def _open(self, frame: Frame) -> tuple[ProcessWorker, int, Iterator[Any]]:
        """Return whose a frame is, how many datapoints to count when all are yielded, and its results."""
        connection, kind, count, _, body = frame
        if kind & KIND >= ERROR:
            self._raise(frame)
        worker = self._by_connection[connection]
        numbers: Iterable[Any]
        results: Iterator[Any]
        if kind == SKIPPED:
            dropped = self._sharing.give_again(self.workers, *worker.skipped(count))
            return worker, 0, self._dropped(worker, dropped)
        if kind == BUNDLE:
            numbers, values = loads(body)
            if type(numbers[0]) is int:
                numbers = zip(numbers, strict=False)
            elif self._tasks is not None:
                count = sum(map(len, numbers))
            results = zip(repeat(worker), numbers, values)  # repeat() has no end
        else:
            settled, value = connection.unpack(frame)
            results = iter(((worker, settled, value),))
            count = len(settled) if self._tasks is not None else 1
        if count == 1:
            self._collected(worker, 1)
            count = 0
        return worker, count, results

    def _dropped(self, worker: ProcessWorker, numbers: list[int]) -> Iterator[Result]:
        """Settle tasks that are of no use any more: return results that say so."""
        self.pending -= len(numbers)
        return iter([Result(worker, (number,), NO_VALUE) for number in numbers])

    def _collected(self, worker: ProcessWorker, count: int) -> None:
        """Count datapoints of a worker that were collected."""
        if self._tasks is not None:
            worker.settle(count)
            self.pending -= count
            return
        if self._next_to_put is None:
            self._owe(worker, count)
        else:
            for _ in range(count):
                self._owe(next(self._next_to_put), 1)

    def _owe(self, worker: ProcessWorker, count: int) -> None:
        """Let a worker put ``count`` more. It is told now and then, or before a wait."""
        worker.owed += count
        if worker.owed >= self._grant_at:
            with self._using:
                self._grant(worker)
                worker.connection.writer.flush()

    def wake(self) -> None:
        """Have the thread that waits in ``collect``, or the next that would, return. From any thread."""
        self._waker.wake()

    def _fill(self) -> None:
        """Wait until there is something in the inbox, or until woken."""
        while not self._inbox:
            self.check()
            with self._using:
                if not self._receive() and self._wait():
                    return

    def _receive(self) -> bool:
        """Read what has come, without waiting; return whether something has."""
        some = False
        for worker in self.workers:
            if worker.gone:
                continue
            try:
                if worker.connection.reader.read():
                    some = True
                else:
                    self._lost(worker)
            except BlockingIOError:
                continue
        return some or bool(self._inbox)

    def _wait(self) -> bool:
        """Send what is due, then wait until something happens; return whether not to wait on."""
        reads, writes, watched = [self._waker.fd], [], True
        dropped, look_again = self._tasks.rebalance(self.workers) if self._tasks is not None else ([], False)
        if dropped:
            self._opened = self.workers[0], 0, self._dropped(self.workers[0], dropped)
            return True
        for worker in self.workers:
            if worker.gone:
                continue
            self._send_what_is_due(worker)
            reads.append(worker.connection.ends.fds[0])
            if worker.pidfd >= 0:
                reads.append(worker.pidfd)
            else:
                watched = False
            if not worker.connection.writer.flush():
                writes.append(worker.connection.ends.fds[1])
        if self._waker.begin_wait():
            self._waiting = True
            timeout = STUCK if look_again else None if watched else _LOOK_AROUND
            ended = wait_for(reads, writes, timeout, self._spin)
            self._waiting = False
            if self.is_closed:  # meanwhile, by a signal handler
                return True
            for worker in self.workers:
                if not worker.gone and (worker.pidfd in ended if worker.pidfd >= 0 else worker.has_ended()):
                    self._drain(worker)
        return self._waker.end_wait()

    def _send_what_is_due(self, worker: ProcessWorker) -> None:
        connection = worker.connection
        if worker.owed:
            self._grant(worker)
        elif connection.unpacker.has_releases:
            connection.writer.queue(connection.unpacker.releases())
        # after the slots, which may be all that it waits for; with many takers it waits for none
        if not self.many_takers and (starved := connection.starved()):
            connection.writer.queue(starved)

    def _grant(self, worker: ProcessWorker) -> None:
        """Let a worker put as many more as were collected."""
        connection = worker.connection
        connection.writer.queue(connection.unpacker.releases(), note(CREDIT, worker.owed))
        worker.owed = 0

    # ---- ends

    def _drain(self, worker: ProcessWorker) -> None:
        """Read the last frames of a worker that has ended."""
        with contextlib.suppress(BlockingIOError):
            while worker.connection.reader.read():
                pass
        self._lost(worker)

    def _lost(self, worker: ProcessWorker) -> None:
        worker.gone = True
        self._inbox.append((worker.connection, _GONE, 0, 0, memoryview(b"")))

    def _raise(self, frame: Frame) -> NoReturn:
        """Close the pool and raise what a frame says."""
        self._check_open()  # if it was closed, that is why workers have ended
        connection, kind, *_ = frame
        worker = self._by_connection[connection]
        if kind == _GONE:
            worker.wait_ended(1.0)
            how, on = describe_end(worker.process), worker.current()
            how += "" if on is None else f", on datapoint {on[0]}"
            error: BaseException = WorkerError(f"{worker.name} (pid {worker.process.pid}) {how}")
        else:
            error = rebuild(Failure(*connection.unpacker.unpack(frame)))
        self._fail(worker.name, error)
        raise error

    def abandon(self) -> None:
        """In a process that was forked while the pool existed: give up what was inherited of it."""
        if self._starting is not None:
            self._starting.ends.close()  # but not its memory: this may be the worker that is being started
        self._give_up(forked=True)

    def close(self) -> None:
        """End the workers and give up everything. Can be called again, and from any thread."""
        if not self._begin_close():
            return
        closed(self)
        if self._owner != os.getpid():
            self._give_up(forked=True)
            return
        self._streams.close()
        for worker in self.workers:
            worker.process.terminate()
        deadline = time.monotonic() + CLOSE_TIMEOUT
        for worker in self.workers:
            worker.end(deadline)
        self.wake()
        unused = self._using.acquire(timeout=CLOSE_TIMEOUT)
        self._give_up()
        if unused:
            self._using.release()

    def _give_up(self, forked: bool = False) -> None:
        for worker in self.workers:
            worker.connection.unpacker.close(alone=not self.many_takers)
            worker.close()
        if self._tasks is not None and self._starting is None:
            self._tasks.close()
        self._waker.close(forked)
        self._inbox.clear()
        self._opened = None
