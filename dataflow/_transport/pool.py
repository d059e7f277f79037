"""The face of a pool of workers: the same over processes, over threads, and in this process."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, NamedTuple

from .._core.errors import DataFlowTerminated, text_of

CLOSE_TIMEOUT = 1.0
"""Seconds that ``close`` waits for workers to end by themselves, for all together."""

Task = tuple[int, Any]
"""The number of a task and its datapoint."""

Job = Callable[..., Iterator[Any]]
"""What a worker does. ``job(code)`` yields datapoints. With tasks, ``job(tasks, code, empty)`` takes tasks,
and None at the end of a pass, and yields once for each: ``(numbers, value)``. ``numbers`` says which tasks
are settled now, an int for one and a tuple for any other count; ``value`` is what came of them, or
``NO_VALUE``.
``empty(shape, dtype)`` returns an array for the next value."""


class _NoValue:
    """The type of ``NO_VALUE``, which stays one object when it is pickled."""

    def __repr__(self) -> str:
        return "NO_VALUE"

    def __reduce__(self) -> str:
        return "NO_VALUE"


NO_VALUE = _NoValue()
"""In place of a value: the tasks are settled, and nothing came of them."""


class Worker:
    """What a pool knows of one of its workers."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.outstanding = 0  # tasks given to it and not settled

    def current(self) -> tuple[int, float] | None:
        """Return the number of the task that the worker is on and since when, or None if it is on none.

        The time is that of ``time.monotonic()``.
        """
        return None


class Result(NamedTuple):
    """What a worker sent."""

    worker: Worker
    numbers: tuple[int, ...]
    """The tasks that it settles: several for a batch, none for a worker without tasks."""
    value: Any
    """What came of them, or ``NO_VALUE``."""


class Phase(Enum):
    """Where a pool is in its life."""

    RUNNING = "running"
    WAITING = "waiting"  # running, and blocked in a wait: an exception now leaves no frame half read
    CLOSED = "closed"
    FAILED = "failed"


class WorkerPool(ABC):
    """Workers that each do a job.

    With tasks: ``submit`` and ``collect``. Without, each worker makes datapoints as long as few enough are on
    their way.

    Args:
        name: the stage of the pipeline, for messages.
    """

    reads_ahead = True
    """Whether the source of the tasks is read by a thread, while the workers are busy."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pending = 0
        """Tasks submitted and not settled."""
        self._waiting = False
        self._end: Phase | None = None  # set once: another thread may close the pool at any moment
        self._reason = ""  # of the failure
        self._owner = os.getpid()

    def prepare(self, value: Any) -> Any:
        """Return what ``submit`` takes for a datapoint. The datapoint may change after that.

        It is called by the thread that reads the source.
        """
        return value

    @abstractmethod
    def submit(self, number: int, items: deque[Any], count: int) -> None:
        """Give the workers ``count`` tasks off the left of ``items``, numbered from ``number`` on."""

    @abstractmethod
    def finish(self) -> None:
        """Have each worker settle what it holds back, when it has done what was submitted before."""

    def discard(self, below: int) -> None:  # noqa: B027  # to do nothing is right
        """Say that tasks with a number below ``below`` are of no use any more: they may be done or not."""

    @abstractmethod
    def collect(self) -> Iterator[Result]:
        """Yield the results that have come. Wait for the first, but not if somebody calls ``wake``.

        An iterator that is not exhausted loses nothing: the next one goes on.

        Raises:
            WorkerError: a worker died, or raised something that can't be raised here.
            Exception: what a worker raised, with its traceback as the cause.
            RuntimeError: the pool failed before, or is another process's.
            DataFlowTerminated: the pool was closed.
        """

    @abstractmethod
    def wake(self) -> None:
        """Have the thread that waits in ``collect``, or the next that would, return. From any thread."""

    @abstractmethod
    def close(self) -> None:
        """End the workers and give up everything. Can be called again, and from any thread."""

    @abstractmethod
    def abandon(self) -> None:
        """In a process that was forked while the pool existed: let go of it, unless it can be used there."""

    @property
    def phase(self) -> Phase:
        """Where the pool is in its life."""
        return self._end or (Phase.WAITING if self._waiting else Phase.RUNNING)

    @property
    def is_at_rest(self) -> bool:
        """Whether all tasks are settled, and no worker has anything to say of one."""
        return not self.pending

    @property
    def is_closed(self) -> bool:
        """Whether it was closed, after a failure or without."""
        return self._end is not None

    @property
    def is_running(self) -> bool:
        """Whether it has workers that this process can use."""
        return not self.is_closed and os.getpid() == self._owner

    def interrupted(self, error: BaseException) -> None:
        """Say that ``error`` ended the use of the pool, perhaps at any point of its code, like a Ctrl-C.

        What was half read or half written then can't be made good: unless the pool was waiting, it is closed.
        """
        phase, self._waiting = self.phase, False
        if phase is Phase.RUNNING:
            self._fail("interrupted", error)
        elif phase is Phase.CLOSED and isinstance(error, Exception):
            raise DataFlowTerminated(f"{self.name} was closed while it was in use") from error

    def recovered(self) -> None:
        """Say that the error that comes next is not of the pool: it can be used after it."""
        self._waiting = True

    def check(self) -> None:
        """Raise if the pool can't be used: see ``collect``."""
        if os.getpid() != self._owner:
            raise RuntimeError(
                f"{self.name} was started by process {self._owner} and can't be used in a forked one "
                f"({os.getpid()}): call its reset_state() after the fork, in the process that iterates"
            )
        self._check_open()

    def _check_open(self) -> None:
        if self._end is Phase.FAILED:
            raise RuntimeError(f"{self.name} stopped after an error and can't go on: {self._reason}")
        if self._end is Phase.CLOSED:
            raise DataFlowTerminated(f"{self.name} was closed")

    def _begin_close(self) -> bool:
        """Enter the phase CLOSED; return False if it is closed already."""
        if self.is_closed:
            return False
        self._end = Phase.CLOSED
        return True

    def _fail(self, where: str, error: BaseException) -> None:
        """Close after an error, and remember it for whoever tries again."""
        reason = f"{where}: {type(error).__name__}: {text_of(error)}"
        self.close()
        self._end, self._reason = Phase.FAILED, reason
