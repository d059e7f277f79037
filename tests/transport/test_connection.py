"""Frames over pipes and sockets: whole, in order, whatever way they are cut."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow._transport import connection
from dataflow._transport.connection import CREDIT, DATA, RELEASE, Connection, note
from dataflow._transport.pipes import Pipes, connected_ends
from dataflow._transport.shared_memory import Arena, Leases, Memory
from tests.helpers.parallel import nothing_left, same, within


@pytest.fixture(params=["pipes", "sockets"])
def ends(request: Any, monkeypatch: Any) -> Any:
    if request.param == "sockets":
        monkeypatch.setenv("DATAFLOW_SOCKETS", "1")
    ours, theirs = connected_ends()
    yield ours, theirs
    ours.close()
    theirs.close()


DPS: list[Any] = [
    [1, "a"],
    "x" * 100_000,
    [np.arange(30_000), np.zeros((3, 3)), {"k": np.arange(20_000)[::2]}],
    b"y" * 3_000_000,
    [np.full(5_000_000, 7, np.uint8)],
    None,
    [],
]


@pytest.mark.parametrize("shared", [False, True])
def test_what_is_written_arrives(ends: Any, shared: bool) -> None:
    memory = Memory() if shared else None
    writer = Connection(ends[0], Arena(memory, 3, 1 << 20) if memory else None, None)
    reader = Connection(ends[1], None, Leases(memory) if memory else None)

    def write() -> None:
        for i, dp in enumerate(DPS * 3):
            writer.write(writer.pack(DATA, i, dp))
        writer.close()

    thread = threading.Thread(target=write)
    thread.start()
    got = []
    while reader.read():
        while reader.inbox:
            frame = reader.inbox.popleft()
            got.append((frame[2], reader.unpack(frame)))
    thread.join()
    assert [i for i, _ in got] == list(range(3 * len(DPS)))
    assert all(same(DPS[i % len(DPS)], dp) for i, dp in got)
    reader.close()
    if memory:
        memory.close()


class Choppy:
    """Ends that read pieces of given sizes."""

    def __init__(self, data: bytes, cuts: list[int]) -> None:
        self.data, self.cuts = memoryview(data), deque(cuts)
        self.fds = (-1, -1)

    def read(self, size: int) -> bytes:
        size = min(size, self.cuts.popleft() if self.cuts else size)
        piece, self.data = bytes(self.data[:size]), self.data[size:]
        return piece

    def read_into(self, buffer: memoryview) -> int:
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        pass


@given(st.lists(st.integers(1, 400_000), max_size=60), st.permutations(range(len(DPS))))
@settings(max_examples=30)
def test_cut_anywhere(cuts: list[int], order: list[int]) -> None:
    packer = Connection(Choppy(b"", []), None, None)  # type: ignore[arg-type]
    data = b"".join(b"".join(packer.pack(DATA, i, DPS[i])) for i in order)
    for one_by_one in (False, True):
        reader = Connection(Choppy(data, cuts), None, None)  # type: ignore[arg-type]
        while reader.read_one() if one_by_one else reader.read():
            pass
        got = [(f[2], reader.unpack(f)) for f in reader.inbox]
        assert [i for i, _ in got] == list(order)
        assert all(same(DPS[i], dp) for i, dp in got)


@pytest.mark.parametrize("dp", DPS[:4])
def test_a_frame_without_its_end_is_no_frame(dp: Any) -> None:
    packer = Connection(Choppy(b"", []), None, None)  # type: ignore[arg-type]
    whole = b"".join(packer.pack(DATA, 0, [1])) + b"".join(packer.pack(DATA, 1, dp))
    for missing in (1, 3, len(whole) // 2):
        reader = Connection(Choppy(whole[:-missing], []), None, None)  # type: ignore[arg-type]
        while reader.read():
            pass
        assert len(reader.inbox) <= 1
        assert not reader.read()


def test_queued_pieces_go_out_as_far_as_there_is_room(ends: Any) -> None:
    for end in ends:
        end.dont_wait()
    writer, reader = Connection(ends[0], None, None), Connection(ends[1], None, None)
    dps = [np.full(200_000, i, np.uint8) for i in range(10)]
    for i, dp in enumerate(dps):
        writer.queue(writer.pack(DATA, i, dp))
    assert not writer.flush()
    done = False
    with within(5.0):
        while not done or len(reader.inbox) < 10:
            done = writer.flush()
            with contextlib.suppress(BlockingIOError):
                reader.read()
    assert all(same(dps[f[2]], reader.unpack(f)) for f in reader.inbox)


def test_slots_come_back_also_many_of_them(ends: Any) -> None:
    memory = Memory()
    writer, reader = (
        Connection(ends[0], Arena(memory, 2000, 0), None),
        Connection(ends[1], None, Leases(memory)),
    )
    kept = []
    for i in range(1200):
        writer.write(writer.pack(DATA, i, np.zeros(17_000, np.uint8)))
        assert reader.read()
        kept.append(reader.unpack(reader.inbox.popleft()))
    kept.clear()
    arena: Any = writer._arena
    assert len(arena._sizes) == 1200
    while reader.has_releases:
        frame = reader.releases()
        assert len(frame) <= 4096, "a pipe takes it whole, or not at all: others may write to it too"
        reader.write([frame])
        assert writer.read()
    assert not arena._sizes
    memory.close()


def test_closed_ends_are_never_used_by_number_again(ends: Any) -> None:
    """The number of a closed descriptor may belong to a file of the user's a moment later."""
    ours, _ = ends
    connection = Connection(ours, None, None)
    connection.close()
    connection.close()
    victims = [os.pipe() for _ in range(4)]
    try:
        assert connection.read() is False
        connection.queue([note(CREDIT, 1)])
        assert connection.flush() is True
        with pytest.raises(ConnectionError):
            connection.write([b"x"])
        with pytest.raises(ConnectionError):
            ours.read_into(memoryview(bytearray(3)))
        for read, _ in victims:
            os.set_blocking(read, False)
            with pytest.raises(BlockingIOError):
                os.read(read, 1)
    finally:
        for pair in victims:
            for fd in pair:
                os.close(fd)


def test_too_large_is_an_error(monkeypatch: Any, ends: Any) -> None:
    class Huge:
        nbytes = 1 << 32

        def __len__(self) -> int:
            return self.nbytes

    monkeypatch.setattr(connection, "encode", lambda obj: (b"", [Huge()]))
    with pytest.raises(ValueError, match="4 GB is the limit"):
        Connection(ends[0], None, None).pack(DATA, 0, None)


def test_descriptors_above_1023_work() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3000:
        pytest.skip("too few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (3000, hard))
    with nothing_left():
        held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
        try:
            ours, theirs = connected_ends()
            assert isinstance(ours, Pipes) and min(ours.fds) > 1023
            theirs.dont_wait()
            a, b = Connection(ours, None, None), Connection(theirs, None, None)
            assert not b.readable()
            threading.Timer(0.05, a.write, ([note(RELEASE, 0), note(DATA, 5)],)).start()
            assert b.read_one()
            time.sleep(0.1)
            assert b.readable() and b.read_one()
            a.close()
            b.close()
        finally:
            for fd in held:
                os.close(fd)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("ending", ["a slot comes back", "the reader waits", "the reader is gone"])
def test_a_patient_writer_waits_for_a_slot_but_not_for_a_reader_that_waits_for_it(
    ends: Any, ending: str
) -> None:
    memory = Memory()
    writer = Connection(ends[0], Arena(memory, 1, 0), None)  # two slots
    reader = Connection(ends[1], None, Leases(memory))
    writer.patient = True
    done = threading.Event()

    def write() -> None:
        with contextlib.suppress(ConnectionError):
            for i in range(3):
                pieces = writer.pack(DATA, i, np.full(50_000, i, np.uint8))
                writer.sent += 1
                writer.write(pieces)
        done.set()

    thread = threading.Thread(target=write, daemon=True)
    assert reader.hungry() == b"", "there is nothing to wait for"
    thread.start()
    kept = []
    while len(kept) < 2:
        assert reader.read()
        while reader.inbox:
            kept.append(reader.unpack(reader.inbox.popleft()))
    assert not done.wait(0.2), "it waits for the third slot"
    if ending == "a slot comes back":
        del kept[0]
        reader.write([reader.releases()])
    elif ending == "the reader waits":
        reader.write([reader.hungry()])
        assert reader.hungry() == b"", "once is enough"
    else:
        reader.close()
    assert done.wait(2.0)
    if ending != "the reader is gone":
        assert reader.read()
        frame = reader.inbox.popleft()
        assert (reader.unpack(frame) == 2).all()
        assert (len(frame[4]) > 50_000) == (ending == "the reader waits"), "with a slot, or without"
        assert all(
            (array == i).all() for i, array in zip((1,) if len(kept) == 1 else (0, 1), kept, strict=True)
        )
    thread.join()
    reader.close()
    writer.close()
    memory.close()


def test_a_hungry_reader_of_yesterday_is_of_no_account(ends: Any) -> None:
    memory = Memory()
    writer = Connection(ends[0], Arena(memory, 2, 0), None)
    reader = Connection(ends[1], None, Leases(memory))
    writer.patient = True
    kept = []
    for i in range(2):
        writer.write(writer.pack(DATA, i, np.full(50_000, i, np.uint8)))
        writer.sent += 1
        assert reader.read()
        kept.append(reader.unpack(reader.inbox.popleft()))
        if i == 0:
            reader.write([reader.hungry()])  # then the second came
    timer = threading.Timer(0.2, lambda: (kept.clear(), reader.write([reader.releases()])))
    timer.start()
    before = time.monotonic()
    pieces = writer.pack(DATA, 2, np.full(50_000, 2, np.uint8))
    assert time.monotonic() - before > 0.15 and sum(map(len, pieces)) < 1000
    timer.join()
    reader.close()
    writer.close()
    memory.close()


def test_nobody_waits_for_slots_where_none_are_out(ends: Any, monkeypatch: Any) -> None:
    memory = Memory()
    monkeypatch.setattr(memory, "reserve", lambda offset, size: False)  # the memory is full
    writer = Connection(ends[0], Arena(memory, 2, 0), None)
    writer.patient = True
    assert sum(map(len, writer.pack(DATA, 0, np.zeros(50_000)))) > 50_000
    monkeypatch.undo()
    draft = writer.empty((50_000,), np.uint8)
    draft[:] = 1
    monkeypatch.setattr(memory, "reserve", lambda offset, size: False)
    assert sum(map(len, writer.pack(DATA, 0, [draft, np.zeros(50_000)]))) > 50_000, "its own is no reason"
    writer.close()
    memory.close()
