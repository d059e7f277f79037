"""A pool of workers that are threads of this process."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import Any, NoReturn

import numpy as np

from .connection import DATA, DROPPED, END, ERROR
from .failure import describe_failure, explain
from .launch import close_at_exit, closed
from .pool import CLOSE_TIMEOUT, Message, Worker, WorkerPool
from .worker_side import Entry

_WAKE = -1  # kind of the message that ``wake`` leaves


class _PoolClosedError(Exception):
    """The pool was closed: the thread shall end."""


class ThreadPort:
    """The port of a worker thread. It does not know the pool, so that the pool can become garbage."""

    def __init__(
        self,
        all_threads: Worker,
        jobs: SimpleQueue[Any],
        results: SimpleQueue[Message],
        room: threading.Semaphore | None,
    ) -> None:
        self._all = all_threads
        self._jobs, self._results, self._room = jobs, results, room
        self.closed = False

    def put(self, value: Any, number: int = 0) -> None:
        """Hand a datapoint over, as soon as the consumer has room for it."""
        if self._room is not None:
            self._room.acquire()
        if self.closed:
            raise _PoolClosedError
        self._results.put((self._all, DATA, number, value))

    def empty(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
        """Return an array for the next datapoint."""
        return np.empty(shape, dtype)

    def drop(self, number: int) -> None:
        """Say that a task has no result."""
        self._results.put((self._all, DROPPED, number, None))

    def end(self) -> None:
        """Say that everything before an END is done."""
        self._results.put((self._all, END, 0, None))

    def get(self) -> tuple[int, Any] | None:
        """Return the number and the value of the next task, or None if the consumer says END."""
        job: tuple[int, Any] | None = self._jobs.get()
        if self.closed:
            raise _PoolClosedError
        return job

    def fail(self, e: BaseException, name: str) -> None:
        """Hand over what went wrong."""
        self._results.put((self._all, ERROR, 0, (e, name)))


class ThreadPool(WorkerPool):
    """Workers that are threads.

    Args:
        entry: what each runs: it puts datapoints into its port, and gets tasks from it.
        codes: for each worker what it works with, made in the worker by calling it.
        name: the stage of the pipeline, for messages.
        in_flight: how many datapoints may wait to be taken, if the workers get no tasks; else None.
    """

    def __init__(
        self, entry: Entry, codes: Sequence[Callable[[], Any]], *, name: str, in_flight: int | None = None
    ) -> None:
        super().__init__(name)
        self._jobs: SimpleQueue[Any] = SimpleQueue()
        self._results: SimpleQueue[Message] = SimpleQueue()
        self._room = threading.Semaphore(in_flight) if in_flight is not None else None
        self._all = Worker()  # the threads share one queue of tasks
        self._woken = False
        self._ports: list[ThreadPort] = []
        self._threads: list[threading.Thread] = []
        close_at_exit(self)
        try:
            for index, code in enumerate(codes):
                port = ThreadPort(self._all, self._jobs, self._results, self._room)
                args = (entry, port, code, index, f"{name}, thread {index}")
                thread = threading.Thread(target=_work, args=args, name=f"{name}-{index}", daemon=True)
                self._ports.append(port)
                thread.start()
                self._threads.append(thread)
        except BaseException:
            self.close()
            raise

    def submit(self, number: int, items: deque[Any], count: int) -> None:
        """Give the threads ``count`` tasks off ``items``."""
        put = self._jobs.put
        for task in range(number, number + count):
            put((task, items.popleft()))

    def submit_end(self) -> None:
        """Send every thread an END."""
        for _ in self._threads:
            self._jobs.put(None)

    def collect(self) -> Iterator[Message]:
        """Yield the messages that have come; wait for the first, unless woken."""
        results, room = self._results, self._room
        if results.empty():
            self.check()
        more = True
        while more:
            message = results.get()
            kind = message[1]
            if kind == _WAKE:
                self._woken = False
                return
            if kind == ERROR:
                self._fail(*message[3])
            if room is not None:
                room.release()
            yield message
            more = not results.empty()

    def wake(self) -> None:
        """Have the thread that waits in ``collect``, or the next that would, return."""
        if not self._woken:
            self._woken = True
            self._results.put((self._all, _WAKE, 0, None))

    def _fail(self, error: BaseException, name: str) -> NoReturn:
        self._stop(name, error)
        raise explain(error, describe_failure(error, name))

    def abandon(self) -> None:
        """In a process that was forked while the pool existed: its threads are not there."""
        while not self._results.empty():
            self._results.get()

    def close(self) -> None:
        """Have the threads end. One that is inside of the user's code ends when that returns."""
        if self._closed:
            return
        self._closed = True
        closed(self)
        if os.getpid() != self._owner:  # the threads are not there, their locks may be held for ever
            return
        for port in self._ports:
            port.closed = True
        for _ in self._ports:
            self._jobs.put(None)
            if self._room is not None:
                self._room.release()
        self._results.put((self._all, _WAKE, 0, None))
        deadline = time.monotonic() + CLOSE_TIMEOUT
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))


def _work(entry: Entry, port: ThreadPort, code: Callable[[], Any], index: int, name: str) -> None:
    """Be a worker thread: run the entry, and let the consumer know what goes wrong."""
    try:
        entry(port, code(), index)
    except _PoolClosedError:
        pass
    except BaseException as e:
        port.fail(e, name)
