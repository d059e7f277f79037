"""A connection: numbers of tasks, slots on their way back, and who waits for whom."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from dataflow._transport.codec import encode
from dataflow._transport.connection import Connection
from dataflow._transport.framing import DATA, KIND, NUMBERS, SEVERAL, note
from dataflow._transport.leases import Leases
from dataflow._transport.packing import Packer, Unpacker
from dataflow._transport.pipes import connected_ends
from dataflow._transport.shared_memory import Arena, Memory
from tests.helpers.parallel import same, within

SIZE = 50_000


class Line:
    """Both sides of a connection in this process: a writer that waits for slots, and a reader."""

    def __init__(self, slots: int) -> None:
        self.near, self.far = connected_ends()
        self.memory = Memory()
        # to wait for a slot is to wait for the connection, which is made with the packer
        packer = Packer(Arena(self.memory, slots, 0), lambda: self.writer.wait_for_slot())
        self.writer = Connection(self.near, packer, Unpacker(None))
        self.reader = Connection(self.far, Packer(None), Unpacker(Leases(self.memory)))

    def send(self, value: Any, number: int = 0) -> int:
        """Write a datapoint; return how many bytes of it did not go through a slot."""
        frame = self.pack(value, number)
        self.writer.sent += 1
        self.writer.writer.write(frame)
        return sum(map(len, frame))

    def pack(self, value: Any, number: int = 0) -> list[Any]:
        return self.writer.packer.pack(*encode(value)).frame(DATA, number)

    def send_arrays(self, n: int) -> None:
        """Send n arrays, of 0, 1, ...; the end of the connection is no error."""
        with contextlib.suppress(ConnectionError):
            for i in range(n):
                self.send(np.full(SIZE, i, np.uint8), i)

    def receive(self) -> Any:
        while not self.reader.inbox:
            assert self.reader.reader.read()
        return self.reader.unpack(self.reader.inbox.popleft())[1]

    def give_back(self) -> None:
        self.reader.writer.write([self.reader.unpacker.releases()])

    def close(self) -> None:
        self.reader.close()
        self.writer.close()
        self.memory.close()


@pytest.fixture(params=["pipes", "sockets"])
def line(request: Any, monkeypatch: Any) -> Iterator[Line]:
    if request.param == "sockets":
        monkeypatch.setenv("DATAFLOW_SOCKETS", "1")
    line = Line(1)  # which makes two slots
    yield line
    line.close()


@pytest.mark.parametrize("numbers", [(), (0,), (5,), (7, 8), tuple(range(1000, 1, -7))])
def test_a_frame_says_which_tasks_it_settles(line: Line, numbers: tuple[int, ...]) -> None:
    import marshal

    value = np.arange(10_000)
    packed = line.writer.packer.pack(*encode(value))
    if len(numbers) > 1:
        pieces = [
            note(NUMBERS, numbers[0], marshal.dumps(numbers)),
            *packed.frame(DATA | SEVERAL, numbers[0]),
        ]
    else:
        pieces = packed.frame(DATA, numbers[0] if numbers else -1)
    line.writer.writer.write(pieces)
    while not line.reader.inbox:
        assert line.reader.reader.read()
    frame = line.reader.inbox.popleft()
    assert frame[0] is line.reader and frame[1] & KIND == DATA
    got, arrived = line.reader.unpack(frame)
    assert got == numbers and same(value, arrived)


def test_several_connections_share_an_inbox() -> None:
    lines = [Line(1), Line(1)]
    inbox = lines[0].reader.inbox
    lines[1].reader = Connection(lines[1].far, Packer(None), Unpacker(None), inbox)
    for k, line in enumerate(lines):
        line.send([k], k)
        assert line.reader.readable() and line.reader.reader.read() and not line.reader.readable()
    assert [(f[0], f[0].unpack(f)) for f in inbox] == [
        (line.reader, ((k,), [k])) for k, line in enumerate(lines)
    ]
    for line in lines:
        line.close()


@pytest.mark.parametrize("ending", ["a slot comes back", "the reader waits", "the reader is gone"])
def test_a_writer_waits_for_a_slot_but_not_for_a_reader_that_waits_for_it(line: Line, ending: str) -> None:
    done = threading.Event()
    thread = threading.Thread(target=lambda: (line.send_arrays(3), done.set()), daemon=True)
    assert line.reader.starved() == b"", "there is nothing to wait for"
    thread.start()
    kept = [line.receive(), line.receive()]
    assert not done.wait(0.1), "it waits for the third slot"
    if ending == "a slot comes back":
        del kept[0]
        line.give_back()
    elif ending == "the reader waits":
        line.reader.writer.write([line.reader.starved()])
        assert line.reader.starved() == b"", "once is enough"
    else:
        line.reader.close()
    assert done.wait(2.0)
    if ending != "the reader is gone":
        assert (line.receive() == 2).all()
        assert [array[0] for array in kept] == ([1] if ending == "a slot comes back" else [0, 1])
    thread.join()


def test_a_starved_reader_of_yesterday_is_of_no_account(line: Line) -> None:
    kept = []
    for i in range(2):
        line.send(np.full(SIZE, i, np.uint8))
        kept.append(line.receive())
        if i == 0:
            line.reader.writer.write([line.reader.starved()])  # then the second came
    timer = threading.Timer(0.1, lambda: (kept.clear(), line.give_back()))
    timer.start()
    before = time.monotonic()
    assert line.send(np.full(SIZE, 2, np.uint8)) < 1000, "through a slot"
    assert time.monotonic() - before > 0.05
    timer.join()


def test_nobody_waits_for_slots_where_none_are_out(line: Line, monkeypatch: Any) -> None:
    monkeypatch.setattr(line.memory, "reserve", lambda offset, size: False)  # the memory is full
    with within(1.0):
        assert sum(map(len, line.pack(np.zeros(SIZE, np.uint8)))) > SIZE
    monkeypatch.undo()
    draft = line.writer.packer.empty((SIZE,), np.uint8)
    draft[:] = 1
    monkeypatch.setattr(line.memory, "reserve", lambda offset, size: False)
    with within(1.0):
        assert sum(map(len, line.pack([draft, np.zeros(SIZE, np.uint8)]))) > SIZE, (
            "its own draft is no reason"
        )


def test_a_closed_connection_neither_reads_nor_writes(line: Line) -> None:
    line.reader.writer.queue(note(DATA, 1))
    line.reader.close()
    line.reader.close()
    assert line.reader.writer.flush()
    assert not line.reader.reader.read()
    with pytest.raises(ConnectionError):
        line.reader.writer.write([b"x"])
    assert not line.writer.reader.read()


def test_arrays_outlive_the_connection(line: Line) -> None:
    line.send(np.full(SIZE, 9, np.uint8))
    array = line.receive()
    line.close()
    array += 1
    assert (array == 10).all()
