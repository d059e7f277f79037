"""What a worker process sees: a port to put datapoints into and to get tasks from."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from .channel import DATA, DROPPED, END, ERROR, Connection, Ends, Frame, note
from .failure import describe_failure
from .shm import Arena, Leases, Memory


class Port(Protocol):
    """The face of a port, the same in a process and in a thread."""

    def put(self, value: Any, number: int = 0) -> None:
        """Send a datapoint, as soon as the consumer has room for it."""

    def drop(self, number: int) -> None:
        """Say that a task, or ``number`` tasks where they are counted, has no result."""

    def empty(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
        """Return an array for the next datapoint that is put; it must not be used after that."""

    def get(self) -> tuple[int, Any] | None:
        """Return the number and the value of the next task, or None if the consumer says END."""

    def end(self) -> None:
        """Say that everything before an END of the consumer's is done."""


Entry = Callable[[Port, Any, int], None]
"""What a worker runs, with its port, what it works with, and its index: it need not return."""


class Setup(NamedTuple):
    """What a worker process gets to start with."""

    entry: Entry
    ends: Ends
    results: Memory | None
    jobs: Memory | None
    in_flight: int
    slack: int
    credits: int | None
    name: str


class _ConsumerGoneError(Exception):
    """The consumer closed the connection: there is nothing left to do."""


class ProcessPort:
    """The port of a worker process."""

    def __init__(self, setup: Setup) -> None:
        arena = Arena(setup.results, setup.in_flight, setup.slack) if setup.results is not None else None
        leases = Leases(setup.jobs) if setup.jobs is not None else None
        self._connection = Connection(setup.ends, arena, leases)
        self._credits = setup.credits

    def put(self, value: Any, number: int = 0) -> None:
        """Send a datapoint, as soon as the consumer has room for it."""
        if self._credits is not None:
            if not self._credits:
                self._credits = self._next()[2]
            self._credits -= 1
        self._write(self._connection.pack(DATA, number, value))

    def empty(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
        """Return an array for the next datapoint: in shared memory if there is room."""
        return self._connection.empty(shape, dtype)

    def drop(self, number: int) -> None:
        """Say that a task has no result."""
        self._write([note(DROPPED, number)])

    def end(self) -> None:
        """Say that everything before an END is done."""
        self._write([note(END, 0)])

    def get(self) -> tuple[int, Any] | None:
        """Return the number and the value of the next task, or None if the consumer says END."""
        frame = self._next()
        return None if frame[1] == END else (frame[2], self._connection.unpack(frame))

    def fail(self, e: BaseException, name: str) -> None:
        """Send what went wrong."""
        self._write(self._connection.pack(ERROR, 0, tuple(describe_failure(e, name))))

    def linger(self) -> None:
        """Wait until the consumer ends this process: if it closed a socket first, last words may be lost."""
        while self._connection.read():
            self._connection.inbox.clear()

    def close(self) -> None:
        """Close the connection. What was sent still arrives."""
        self._connection.close()

    def _next(self) -> Frame:
        connection = self._connection
        while not connection.inbox:
            if connection.has_releases:
                self._write([])
            if not connection.read():
                raise _ConsumerGoneError
        return connection.inbox.popleft()

    def _write(self, pieces: list[bytes | memoryview]) -> None:
        connection = self._connection
        if connection.has_releases:
            pieces.append(connection.releases())
        try:
            connection.write(pieces)
        except ConnectionError:
            raise _ConsumerGoneError from None


def work(setup: Setup, code: Any, index: int) -> None:
    """Be a worker process: run the entry, and let the consumer know what goes wrong."""
    port = ProcessPort(setup)
    with contextlib.suppress(_ConsumerGoneError):
        try:
            setup.entry(port, code.value, index)
        except _ConsumerGoneError:
            pass
        except BaseException as e:
            port.fail(e, setup.name)
            port.linger()
    port.close()
