"""What a worker sends goes out at once, in order, and together only when it comes fast."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from dataflow._transport import send_buffer
from dataflow._transport.bundle import loads
from dataflow._transport.connection import Connection
from dataflow._transport.framing import BUNDLE, DATA, END, KIND, note
from dataflow._transport.packing import Packer, Unpacker
from dataflow._transport.pipes import connected_ends
from dataflow._transport.pool import NO_VALUE
from dataflow._transport.send_buffer import ConsumerGoneError, SendBuffer
from tests.helpers.parallel import wait_until


class Line:
    """A connection to this same process."""

    def __init__(self, together: int) -> None:
        near, far = connected_ends()
        far.dont_wait()
        self.sender = Connection(near, Packer(None), Unpacker(None))
        self.buffer = SendBuffer(self.sender, together)
        self.reader = Connection(far, Packer(None), Unpacker(None))
        self.sizes: list[int] = []
        """Of the bundles that came; 0 for a frame that is none."""
        self.came: list[Any] = []
        """(numbers, value)."""

    def read(self) -> list[Any]:
        """Return all that has come so far."""
        while self.reader.readable() and self.reader.reader.read():
            while self.reader.inbox:
                frame = self.reader.inbox.popleft()
                if frame[1] == BUNDLE:
                    numbers, values = loads(frame[4])
                    self.sizes.append(frame[2])
                    self.came += zip(numbers, values, strict=True)
                else:
                    self.sizes.append(0)
                    self.came.append(self.reader.unpack(frame) if frame[1] & KIND == DATA else frame[1])
        return self.came

    def close(self) -> None:
        self.buffer.close()
        self.sender.close()
        self.reader.close()


@pytest.fixture
def fast(monkeypatch: Any) -> None:
    """However slow this machine is, datapoints come fast, and the thread does nothing."""
    monkeypatch.setattr(send_buffer, "_FAST", 60.0)
    monkeypatch.setattr(send_buffer, "_KEPT_AT_MOST", 60.0)


@pytest.mark.usefixtures("fast")
def test_the_first_go_alone_and_then_many_together() -> None:
    line = Line(10)
    line.buffer.resume()
    for i in range(100):
        line.buffer.put([i], i)
    line.read()
    assert line.sizes == [1] * 16 + [10] * 8
    line.buffer.send()
    assert line.read() == [(i, [i]) for i in range(100)]
    line.close()


@pytest.mark.usefixtures("fast")
def test_order_is_kept_whatever_is_sent() -> None:
    line = Line(10)
    for i in range(60):
        line.buffer.put([i] if i % 7 else np.full(3_000, i, np.uint16), i if i % 5 else (i, -i))
        line.read()
    line.buffer.add(None, 60)
    line.buffer.send([note(END, 0)])
    line.read()
    numbers = [n if isinstance(n, tuple) else (n,) for n, _ in line.came[:-1]]
    assert numbers == [(i,) if i % 5 else (i, -i) for i in range(60)] + [(60,)]
    assert line.came[-2][1] is NO_VALUE and line.came[-1] == END
    assert all((value == i).all() for i, (_, value) in enumerate(line.came[:60]) if i % 7 == 0)
    line.close()


def test_slow_ones_go_at_once(monkeypatch: Any) -> None:
    monkeypatch.setattr(send_buffer, "_FAST", 0.0)
    line = Line(10)
    for i in range(50):
        line.buffer.put(i, i)
        assert len(line.read()) == i + 1
    line.close()


def test_one_at_a_time() -> None:
    line = Line(1)
    for i in range(50):
        line.buffer.put(i, i)
        assert len(line.read()) == i + 1
    line.close()


def test_nothing_waits_for_more_than_a_moment(monkeypatch: Any) -> None:
    """The thread sends what is kept, also after it has rested."""
    monkeypatch.setattr(send_buffer, "_FAST", 60.0)
    line, n = Line(10**6), 0
    for _ in range(3):
        for _ in range(40):
            line.buffer.put([n], n)
            n += 1
        wait_until(lambda n=n: len(line.read()) == n, 2.0)
    line.close()


def test_what_comes_while_the_thread_sends_is_not_lost() -> None:
    line = Line(10**6)
    end, n = time.monotonic() + 0.5, 0
    while time.monotonic() < end:
        line.buffer.put([n], n)
        n += 1
        if n % 100 == 0:
            line.read()
    line.buffer.send()
    assert line.read() == [(i, [i]) for i in range(n)]
    line.close()


def test_nobody_there() -> None:
    line = Line(1)
    line.reader.close()
    with pytest.raises(ConsumerGoneError):
        line.buffer.put(1, 0)
    line.close()
