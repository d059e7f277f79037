"""Frames over pipes and sockets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from dataflow._transport.channel import DATA, ERROR, Connection, connected_ends, note
from dataflow._transport.shm import Arena, Leases, Memory


@pytest.fixture(params=["pipes", "sockets"])
def ends(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    if request.param == "sockets":
        monkeypatch.setenv("DATAFLOW_SOCKETS", "1")
    ours, theirs = connected_ends()
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture(params=[True, False], ids=["shared memory", "inline"])
def pair(request: pytest.FixtureRequest, ends: Any) -> Iterator[tuple[Connection, Connection]]:
    memory = Memory() if request.param else None
    sender = Connection(ends[0], Arena(memory, 4, 0) if memory else None, None)
    receiver = Connection(ends[1], None, Leases(memory) if memory else None)
    yield sender, receiver
    sender.close()
    receiver.close()
    if memory:
        memory.close()


def receive(connection: Connection) -> Any:
    while not connection.inbox:
        assert connection.read()
    return connection.unpack(connection.inbox.popleft())


def send_meanwhile(connection: Connection, *values: Any) -> threading.Thread:
    def send() -> None:
        for number, value in enumerate(values):
            connection.write(connection.pack(DATA, number, value))

    thread = threading.Thread(target=send)
    thread.start()
    return thread


@pytest.mark.parametrize(
    "value",
    [
        [1, "a"],
        [np.arange(10)],
        [np.arange(300_000), np.ones((5, 70_000), np.float32), "x"],
        [b"x" * 1_000_000],
        [np.arange(20_001, dtype=np.uint8), np.arange(30_000.0)],  # the second one aligned all the same
    ],
    ids=["plain", "small array", "large arrays", "large bytes", "odd sizes"],
)
def test_a_datapoint_arrives(pair: tuple[Connection, Connection], value: list[Any]) -> None:
    sender, receiver = pair
    thread = send_meanwhile(sender, value)
    got = receive(receiver)
    thread.join()
    assert len(got) == len(value)
    for a, b in zip(got, value, strict=True):
        assert type(a) is type(b)
        assert np.array_equal(a, b)
        if isinstance(a, np.ndarray):
            assert a.flags.writeable
            assert a.flags.aligned


def test_many_small_frames_come_with_one_read(pair: tuple[Connection, Connection]) -> None:
    sender, receiver = pair
    for i in range(100):
        sender.write(sender.pack(DATA, i, [i]))
    assert receiver.read()
    assert [(frame[2], receiver.unpack(frame)) for frame in receiver.inbox] == [(i, [i]) for i in range(100)]


def test_later_frames_change_no_array_that_was_kept(pair: tuple[Connection, Connection]) -> None:
    sender, receiver = pair
    values = [[np.full(20_000, i, np.int32)] for i in range(40)]
    thread = send_meanwhile(sender, *values)
    kept = [receive(receiver) for _ in values]
    thread.join()
    assert all((a[0] == b[0]).all() for a, b in zip(kept, values, strict=True))


def test_slots_are_given_back(ends: Any) -> None:
    memory = Memory()
    sender, receiver = (
        Connection(ends[0], Arena(memory, 1, 0), None),
        Connection(ends[1], None, Leases(memory)),
    )
    addresses = set()
    for i in range(20):
        sender.write(sender.pack(DATA, i, [np.full(50_000, i, np.uint8)]))
        got = receive(receiver)
        addresses.add(got[0].ctypes.data)
        del got
        assert receiver.has_releases
        receiver.write([receiver.releases()])
        assert sender.read()
    assert len(addresses) == 1
    sender.close()
    receiver.close()
    memory.close()


def test_any_cut_of_the_stream_is_put_together(pair: tuple[Connection, Connection]) -> None:
    sender, receiver = pair
    data = b"".join(
        bytes(piece) for i in range(5) for piece in sender.pack(DATA, i, [i, "x" * i, np.arange(i)])
    )
    for i in range(0, len(data), 7):
        sender.ends.write(data[i : i + 7])
        assert receiver.read()
    assert [receiver.unpack(f)[0] for f in receiver.inbox] == list(range(5))


def test_the_end_of_the_connection(pair: tuple[Connection, Connection]) -> None:
    sender, receiver = pair
    sender.write([note(ERROR, 3)])
    sender.close()
    assert receiver.read()
    assert receiver.inbox[0][1:3] == (ERROR, 3)
    assert not receiver.read()


def test_queue_and_flush_do_not_wait(ends: Any) -> None:
    sender, receiver = Connection(ends[0], None, None), Connection(ends[1], None, None)
    sender.ends.dont_wait()
    value = [np.arange(1_000_000)]
    sender.queue(sender.pack(DATA, 0, value))
    sender.queue(sender.pack(DATA, 1, [1]))
    assert not sender.flush()  # a pipe does not hold 8 MB
    while len(receiver.inbox) < 2:
        assert receiver.read()
        sender.flush()
    assert sender.flush()
    assert np.array_equal(receiver.unpack(receiver.inbox[0])[0], value[0])
    assert receiver.unpack(receiver.inbox[1]) == [1]
    sender.close()
    receiver.close()
