"""A pool of workers that are threads of this process."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from queue import SimpleQueue
from typing import Any, NoReturn

import numpy as np

from .._core.random_state import PoolStreams, enter_thread, process_state
from .codec import with_own_arrays
from .failure import describe_failure, explain
from .launch import close_at_exit, closed
from .pool import CLOSE_TIMEOUT, Job, Result, Task, Worker, WorkerPool


class _PoolClosedError(Exception):
    """The pool was closed: the thread shall end."""


class _Failure:
    """In place of a result: what a thread raised."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class _Results:
    """What the threads have made.

    It does not know the pool. A wait for results takes nothing, so a Ctrl-C in a wait loses nothing.
    """

    def __init__(self) -> None:
        self.items: deque[tuple[Any, ...]] = deque()
        self.is_awaited = False
        self._signal: SimpleQueue[None] = SimpleQueue()

    def put(self, item: tuple[Any, ...]) -> None:
        """Add what a thread has made."""
        self.items.append(item)
        if self.is_awaited:
            self.signal()

    def signal(self) -> None:
        """End the wait, or the next one."""
        self.is_awaited = False
        self._signal.put(None)

    def wait(self) -> None:
        """Wait until there may be items, or somebody has called ``signal``."""
        self.is_awaited = True
        if not self.items:
            self._signal.get()


class ThreadWorker(Worker):
    """A worker thread. It does not know the pool, so the pool can become garbage while it runs."""

    def __init__(
        self,
        name: str,
        tasks: SimpleQueue[Task | None] | None,
        results: _Results,
        room: threading.Semaphore | None,
    ) -> None:
        super().__init__(name)
        self.closed = False
        self._tasks, self._results, self._room = tasks, results, room
        self._task: Task | None = None
        self._since = 0.0

    def current(self) -> tuple[int, float] | None:
        """Return the number of the task that it is on and since when; see ``Worker.current``."""
        task = self._task
        return None if task is None else (task[0], self._since)

    def work(self, job: Job, code: Any, random_state: Any, stream: int) -> None:
        """Be the thread: do the job, and let the consumer know what goes wrong."""
        results = self._results
        put, append = results.put, results.items.append
        enter_thread(random_state, stream)
        try:
            if self._tasks is None:
                for dp in job(code):
                    self._wait_for_room()
                    put((self, (), dp))
                return
            for numbers, value in job(self._taken(self._tasks), code, np.empty):
                if type(numbers) is int:  # put(), written out: it is called for each datapoint
                    append((self, (numbers,), value))
                    if results.is_awaited:
                        results.signal()
                elif numbers:
                    put((self, numbers, value))
        except _PoolClosedError:
            pass
        except BaseException as e:
            put((self, (), _Failure(e)))

    def _taken(self, tasks: SimpleQueue[Task | None]) -> Iterator[Task | None]:
        get, clock = tasks.get, time.monotonic
        while True:
            self._task = task = None  # or it would live until the next one comes
            task = get()
            if self.closed:
                raise _PoolClosedError
            self._since = clock()
            self._task = task
            yield task

    def _wait_for_room(self) -> None:
        if self._room is not None:
            self._room.acquire()
        if self.closed:
            raise _PoolClosedError


class ThreadPool(WorkerPool):
    """Workers that are threads.

    Args:
        job: what each does: see ``pool.Job``.
        codes: for each worker what it works with.
        name: the stage of the pipeline, for messages.
        in_flight: how many datapoints may wait to be taken, if the workers get no tasks.
        tasks: whether they get tasks. All take them from one queue.
    """

    def __init__(self, job: Job, codes: Sequence[Any], *, name: str, in_flight: int, tasks: bool) -> None:
        super().__init__(name)
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._results = _Results()
        self._room = None if tasks else threading.Semaphore(in_flight)
        self._woken = False
        self._streams = PoolStreams(plain=not tasks)
        self.workers: list[ThreadWorker] = []
        self._threads: list[threading.Thread] = []
        close_at_exit(self)
        try:
            for index, code in enumerate(codes):
                worker = ThreadWorker(
                    f"{name}, thread {index}", self._tasks if tasks else None, self._results, self._room
                )
                thread = threading.Thread(
                    target=worker.work,
                    args=(job, code, process_state(), self._streams.stream_of(index)),
                    name=f"{name}-{index}",
                    daemon=True,
                )
                self.workers.append(worker)
                thread.start()
                self._threads.append(thread)
        except BaseException:
            self.close()
            raise

    prepare = staticmethod(with_own_arrays)  # the source may fill the same arrays again

    def submit(self, number: int, items: deque[Any], count: int) -> None:
        """Give the threads ``count`` tasks off ``items``."""
        put = self._tasks.put
        self.pending += count
        for task in range(number, number + count):
            put((task, items.popleft()))

    def finish(self) -> None:
        """Have each thread settle what it holds back: nothing, as all take from one queue."""

    def collect(self) -> Iterator[Result]:
        """Yield the results that have come; wait for the first, unless woken."""
        items, room = self._results.items, self._room
        while not items:
            self.check()
            if self._woken:
                self._woken = False
                return
            self._waiting = True
            self._results.wait()
            self._waiting = False
        settled = 0
        try:
            while items:
                result = items.popleft()
                worker, numbers, value = result
                if type(value) is _Failure:
                    self._raise(worker, value.error)
                settled += len(numbers)
                if room is not None:
                    room.release()
                yield result  # type: ignore[misc]  # a plain tuple: a Result takes time to make
        finally:
            self.pending -= settled

    def wake(self) -> None:
        """Have the thread that waits in ``collect``, or the next that would, return."""
        if not self._woken:
            self._woken = True
            self._results.signal()

    def _raise(self, worker: ThreadWorker, error: BaseException) -> NoReturn:
        self._fail(worker.name, error)
        raise explain(error, describe_failure(error, worker.name))

    def abandon(self) -> None:
        """In a process that was forked while the pool existed: its threads are not there."""
        self._results.items.clear()

    def close(self) -> None:
        """Have the threads end. One that is inside of the user's code ends when that returns."""
        if not self._begin_close():
            return
        closed(self)
        self._streams.close()
        if os.getpid() != self._owner:  # the threads are not there, their locks may be held for ever
            return
        for worker in self.workers:
            worker.closed = True
        for _ in self.workers:
            self._tasks.put(None)
            if self._room is not None:
                self._room.release()
        self._results.signal()
        deadline = time.monotonic() + CLOSE_TIMEOUT
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
