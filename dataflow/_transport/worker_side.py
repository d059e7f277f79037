"""What a worker process sees: a port to put datapoints into and to get tasks from."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from .bundle import loads
from .connection import BUNDLE, END, ERROR, Connection, Frame, note
from .failure import describe_failure
from .pipes import Ends, wait_for
from .send_buffer import ConsumerGoneError, Outbox
from .shared_memory import Arena, Leases, Memory


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
    together: int
    spin: bool
    name: str


class ProcessPort:
    """The port of a worker process."""

    def __init__(self, setup: Setup) -> None:
        arena = Arena(setup.results, setup.in_flight, setup.slack) if setup.results is not None else None
        leases = Leases(setup.jobs) if setup.jobs is not None else None
        self._connection = Connection(setup.ends, arena, leases)
        self._connection.patient = True
        self._outbox = Outbox(self._connection, setup.together)
        self._credits, self._spin = setup.credits, setup.spin
        self._tasks: Iterator[tuple[Any, int, int, Any]] = iter(())  # of the bundle that came last

    def put(self, value: Any, number: int = 0) -> None:
        """Send a datapoint, as soon as the consumer has room for it."""
        if self._credits is not None:
            if not self._credits:
                self._credits = self._next()[2]
            self._credits -= 1
        self._outbox.put(value, number)

    def empty(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
        """Return an array for the next datapoint: in shared memory if there is room."""
        return self._connection.empty(shape, dtype)

    def drop(self, number: int) -> None:
        """Say that a task has no result."""
        self._outbox.add(None, number)

    def end(self) -> None:
        """Say that everything before an END is done."""
        self._outbox.send([note(END, 0)])

    def get(self) -> tuple[int, Any] | None:
        """Return the number and the value of the next task, or None if the consumer says END."""
        for _, _, number, value in self._tasks:
            return number, value
        frame = self._next()
        _, kind, number, _, body = frame
        if kind == END:
            return None
        if kind == BUNDLE:
            self._tasks = loads(body)
            return self.get()
        return number, self._connection.unpack(frame)

    def fail(self, e: BaseException, name: str) -> None:
        """Send what went wrong."""
        self._outbox.send(self._connection.pack(ERROR, 0, tuple(describe_failure(e, name))))

    def linger(self) -> None:
        """Wait until the consumer ends this process: if it closed a socket first, last words may be lost."""
        while self._connection.read():
            self._connection.inbox.clear()

    def close(self) -> None:
        """Close the connection. What was sent still arrives."""
        self._outbox.close()
        self._connection.close()

    def _next(self) -> Frame:
        connection = self._connection
        if not connection.inbox:
            self._outbox.send()
        while not connection.inbox:
            if self._spin:
                wait_for([connection.ends.fds[0]], [], 0, spin=True)
            if not connection.read():
                raise ConsumerGoneError
        self._outbox.resume()
        return connection.inbox.popleft()


def work(setup: Setup, code: Any, index: int) -> None:
    """Be a worker process: run the entry, and let the consumer know what goes wrong."""
    port = ProcessPort(setup)
    with contextlib.suppress(ConsumerGoneError):
        try:
            setup.entry(port, code.value, index)
        except ConsumerGoneError:
            pass
        except BaseException as e:
            port.fail(e, setup.name)
            port.linger()
    port.close()
