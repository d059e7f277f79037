"""What runs in a worker process: tasks in, results out."""

from __future__ import annotations

import contextlib
import pickle
import time
from array import array
from collections.abc import Iterator
from typing import Any, NamedTuple

from .board import BEGUN, IDLE, NEVER, SINCE, TAKEN_FROM, TAKEN_TO, Board
from .bundle import loads
from .connection import Connection
from .failure import describe_failure
from .framing import BUNDLE, END, ERROR, SKIPPED, Frame, note
from .leases import Leases
from .packing import Packer, Unpacker
from .pipes import Ends, wait_for
from .pool import NO_VALUE, Job, Task
from .send_buffer import TOGETHER, ConsumerGoneError, SendBuffer
from .shared_memory import Arena, Memory


class Setup(NamedTuple):
    """What a worker process is started with."""

    job: Job
    has_tasks: bool
    ends: Ends
    results: Memory | None
    tasks: Memory | None
    board: Board | None
    share: int  # datapoints that it may have on their way
    slack: int  # bytes of slots beyond those
    spin: bool  # look again and again before a wait, instead of sleeping at once
    many_takers: bool  # several processes take from it
    name: str

    @property
    def together(self) -> int:
        """How many small datapoints may travel together."""
        if self.has_tasks:
            return TOGETHER
        return 1 if self.many_takers else max(1, self.share // 2)  # or one gets what others wait for


class WorkerSide:
    """The worker's side of a connection."""

    def __init__(self, setup: Setup, index: int) -> None:
        slots = max(1, setup.share)
        arena = Arena(setup.results, slots, setup.slack) if setup.results is not None else None
        leases = Leases(setup.tasks) if setup.tasks is not None else None
        # with many takers nobody knows which of them holds a slot
        packer = Packer(arena, None if setup.many_takers else self._wait_for_slot)
        self._connection = Connection(setup.ends, packer, Unpacker(leases))
        self._buffer = SendBuffer(self._connection, setup.together)
        self._credits = None if setup.has_tasks else setup.share
        self._spin = setup.spin
        self._row = setup.board.row(index) if setup.board is not None else memoryview(array("q", _NO_ROW))

    def tasks(self) -> Iterator[Task | None]:
        """Yield tasks as they come, and None at the end of a pass."""
        row, clock, count = self._row, time.monotonic_ns, 0
        connection = self._connection
        while True:
            frame = self._next()
            _, kind, number, _, body = frame
            if kind == END:
                yield None
            elif kind == BUNDLE:
                for number, value in zip(*loads(body), strict=True):
                    count += 1
                    row[BEGUN] = count
                    row[SINCE] = clock()
                    if count >= row[TAKEN_FROM] and count < row[TAKEN_TO]:
                        self._buffer.send([note(SKIPPED, number)])
                        continue
                    yield number, value
            else:
                count += 1
                row[BEGUN] = count
                row[SINCE] = clock()
                if count >= row[TAKEN_FROM] and count < row[TAKEN_TO]:
                    self._buffer.send([note(SKIPPED, number)])  # its slot is another worker's now
                    continue
                value = connection.unpacker.unpack(frame)
                del frame, body
                yield number, value
                del value  # or it would keep the slot until the next task

    def fail(self, e: BaseException, name: str) -> None:
        """Send what went wrong."""
        stream = pickle.dumps(tuple(describe_failure(e, name)))
        self._buffer.send(self._connection.packer.frame(ERROR, 0, stream, ()))

    def linger(self) -> None:
        """Wait until the consumer ends this process: a socket closed first may lose its last frames."""
        while self._connection.reader.read():
            self._connection.inbox.clear()

    def close(self) -> None:
        """Close the connection. What was sent still arrives."""
        self._buffer.close()
        self._connection.close()

    def run(self, job: Job, code: Any) -> None:
        """Do the job, to its end or until the consumer is gone."""
        put = self._buffer.put
        if self._credits is not None:
            credits = self._credits
            for dp in job(code):
                while not credits:
                    credits = self._next()[2]
                credits -= 1
                put(dp, ())
            return
        for numbers, value in job(self.tasks(), code, self._connection.packer.empty):
            if value is not NO_VALUE:
                put(value, numbers)
            elif numbers != ():
                self._buffer.add(None, numbers)

    def _wait_for_slot(self) -> bool:
        return self._connection.wait_for_slot()

    def _next(self) -> Frame:
        connection = self._connection
        if not connection.inbox:
            self._buffer.send()
            self._row[IDLE] = 1
        while not connection.inbox:
            if self._spin:
                wait_for([connection.ends.fds[0]], [], 0, spin=True)
            if not connection.reader.read():
                raise ConsumerGoneError
        self._row[SINCE] = time.monotonic_ns()  # first, or it would seem to be stuck in its last task
        self._row[IDLE] = 0
        self._buffer.resume()
        return connection.inbox.popleft()


_NO_ROW = (0, 0, 0, NEVER, 0)


def work(setup: Setup, code: Any, index: int) -> None:
    """Be a worker process: do the job, and let the consumer know what goes wrong."""
    side = WorkerSide(setup, index)
    with contextlib.suppress(ConsumerGoneError):
        try:
            side.run(setup.job, code.value)
        except ConsumerGoneError:
            pass
        except BaseException as e:
            side.fail(e, setup.name)
            side.linger()
    side.close()
