"""What a worker sends goes out at once, in order, and together only when it comes fast."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import numpy as np
import pytest

from dataflow._transport import send_buffer
from dataflow._transport.bundle import loads
from dataflow._transport.connection import BUNDLE, DATA, END, Connection, note
from dataflow._transport.pipes import connected_ends
from dataflow._transport.send_buffer import ConsumerGoneError, Outbox, queue_tasks
from tests.helpers.parallel import wait_until


class Line:
    """A connection to this same process."""

    def __init__(self, together: int) -> None:
        self.near, self.far = connected_ends()
        self.far.dont_wait()
        self.sender = Connection(self.near, None, None)
        self.outbox = Outbox(self.sender, together)
        self.reader = Connection(self.far, None, None)
        self.sizes: list[int] = []
        self.came: list[Any] = []

    def read(self) -> list[Any]:
        """Return all that has come so far."""
        while self.reader.readable() and self.reader.read():
            while self.reader.inbox:
                frame = self.reader.inbox.popleft()
                if frame[1] == BUNDLE:
                    messages = list(loads(frame[4]))
                    self.sizes.append(len(messages))
                    self.came += [(kind, number, value) for _, kind, number, value in messages]
                else:
                    value = self.reader.unpack(frame) if frame[1] & 0xFF == DATA else None
                    self.sizes.append(0)
                    self.came.append((frame[1] & 0xFF, frame[2], value))
        return self.came

    def close(self) -> None:
        self.outbox.close()
        self.sender.close()
        self.reader.close()


@pytest.fixture
def fast(monkeypatch: Any) -> None:
    """However slow this machine is, datapoints come fast, and the thread does nothing."""
    monkeypatch.setattr(send_buffer, "_FAST", 60.0)
    monkeypatch.setattr(send_buffer, "_PATIENCE", 60.0)


@pytest.mark.usefixtures("fast")
def test_the_first_go_alone_and_then_many_together() -> None:
    line = Line(10)
    line.outbox.resume()
    for i in range(100):
        line.outbox.put([i], i)
    line.read()
    assert line.sizes == [1] * 16 + [10] * 8
    line.outbox.send()
    assert line.read() == [(DATA, i, [i]) for i in range(100)]
    line.close()


@pytest.mark.usefixtures("fast")
def test_order_is_kept_whatever_is_sent() -> None:
    line = Line(10)
    for i in range(60):
        line.outbox.put([i] if i % 7 else np.full(3_000, i, np.uint16), i)
        line.read()
    line.outbox.add(None, 60)
    line.outbox.send([note(END, 0)])
    assert [number for _, number, _ in line.read()] == [*range(61), 0]
    assert line.came[-1][0] == END
    assert all((value == i).all() for _, i, value in line.came[:60:7])
    line.close()


def test_slow_ones_go_at_once(monkeypatch: Any) -> None:
    monkeypatch.setattr(send_buffer, "_FAST", 0.0)
    line = Line(10)
    for i in range(50):
        line.outbox.put(i, i)
        assert len(line.read()) == i + 1
    line.close()


def test_one_at_a_time() -> None:
    line = Line(1)
    for i in range(50):
        line.outbox.put(i, i)
        assert len(line.read()) == i + 1
    line.close()


def test_nothing_waits_for_more_than_a_moment(monkeypatch: Any) -> None:
    """The thread sends what is kept, also after it has rested."""
    monkeypatch.setattr(send_buffer, "_FAST", 60.0)
    line, n = Line(10**6), 0
    for _ in range(3):
        for _ in range(40):
            line.outbox.put([n], n)
            n += 1
        wait_until(lambda n=n: len(line.read()) == n, 2.0)
        wait_until(lambda: not line.outbox._keeping, 2.0)
    line.close()


def test_what_comes_while_the_thread_sends_is_not_lost() -> None:
    line = Line(10**6)
    end, n = time.monotonic() + 0.5, 0
    while time.monotonic() < end:
        line.outbox.put([n], n)
        n += 1
        if n % 100 == 0:
            line.read()
    line.outbox.send()
    assert [value for _, _, value in line.read()] == [[i] for i in range(n)]
    line.close()


def test_nobody_there() -> None:
    line = Line(1)
    line.reader.close()
    with pytest.raises(ConsumerGoneError):
        line.outbox.put(1, 0)
    line.close()


@pytest.mark.parametrize("n", [1, 63, 64, 65, 200])
def test_tasks_are_numbered(n: int) -> None:
    line = Line(1)
    tasks: Any = deque([i] if i % 50 else np.full(3_000, i, np.uint16) for i in range(n + 3))
    queue_tasks(line.sender, 1000, tasks, n)
    line.sender.flush()
    assert [number for _, number, _ in line.read()] == list(range(1000, 1000 + n))
    assert all(np.all(np.asarray(value) == number - 1000) for _, number, value in line.came)
    assert len(tasks) == 3
    line.close()
