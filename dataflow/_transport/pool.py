"""The face of a pool of workers: the same over processes and over threads."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from typing import Any

from .._core.errors import DataFlowTerminated

CLOSE_TIMEOUT = 1.0
"""Seconds that ``close`` waits for workers to end by themselves, for all together."""


class Worker:
    """What a pool knows of one of its workers."""

    name: str
    outstanding = 0
    """Tasks submitted and not done. ``submit`` adds one; whoever collects subtracts what is done."""


Message = tuple[Worker, int, int, Any]
"""What a worker sent: who, the kind (DATA, DROPPED or END), a number, and the datapoint if there is one."""


class WorkerPool(ABC):
    """Workers that each run ``entry(port, code, index)``.

    With tasks: ``submit`` and ``collect``. Without, each worker puts datapoints as long as few enough are on
    their way.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.at_rest = False
        """Whether an exception that comes up now leaves nothing half done."""
        self._owner = os.getpid()
        self._stopped = ""
        self._closed = False

    @abstractmethod
    def submit(self, number: int, items: deque[Any], count: int) -> None:
        """Give the workers ``count`` tasks off the left of ``items``, numbered from ``number`` on."""

    @abstractmethod
    def submit_end(self) -> None:
        """Send every worker an END. Each answers with one when all that it got before is done."""

    @abstractmethod
    def collect(self) -> Iterator[Message]:
        """Yield the messages that have come. Wait for the first, but not if somebody calls ``wake``.

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

    def interrupted(self, error: BaseException) -> None:
        """Say that ``error`` ended the use of the pool, perhaps at any point of its code, like a Ctrl-C.

        What was half read or half written then can't be made good: the pool is closed unless ``at_rest``.
        """
        if not self.at_rest and not self._closed:
            self._stop("interrupted", error)
        elif self._closed and not self._stopped and isinstance(error, Exception):
            raise DataFlowTerminated(f"{self.name} was closed while it was in use") from error
        self.at_rest = False

    def is_running(self) -> bool:
        """Say whether it has workers that this process can use."""
        return not self._closed and os.getpid() == self._owner

    def check(self) -> None:
        """Raise if the pool can't be used: see ``collect``."""
        if os.getpid() != self._owner:
            raise RuntimeError(
                f"{self.name} was started by process {self._owner} and can't be used in a forked one "
                f"({os.getpid()}): call its reset_state() after the fork, in the process that iterates"
            )
        self._check_open()

    def _check_open(self) -> None:
        if self._stopped:
            raise RuntimeError(f"{self.name} stopped after an error and can't go on: {self._stopped}")
        if self._closed:
            raise DataFlowTerminated(f"{self.name} was closed")

    def _stop(self, where: str, error: BaseException) -> None:
        """Close after an error, and remember it for whoever tries again."""
        self._stopped = f"{where}: {type(error).__name__}: {error}"
        self.close()
