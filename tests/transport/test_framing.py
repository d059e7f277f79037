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

from dataflow._transport.framing import (
    CREDIT,
    DATA,
    HEAD,
    NUMBERS,
    RELEASE,
    STARVED,
    FrameReader,
    FrameWriter,
    note,
)
from dataflow._transport.pipes import Pipes, connected_ends
from tests.helpers.parallel import nothing_left, within

BODIES = [b"", b"a", b"x" * 100_000, b"y" * 300_000, b"z" * 3_000_000]


class Owner:
    """Takes the frames that are for the connection itself."""

    def __init__(self) -> None:
        self.controls: list[tuple[int, int, bytes]] = []

    def control(self, kind: int, number: int, body: memoryview) -> None:
        self.controls.append((kind, number, bytes(body)))


def reader_of(ends: Any) -> tuple[FrameReader, deque[Any], Owner]:
    inbox: deque[Any] = deque()
    owner = Owner()
    return FrameReader(ends, owner, inbox), inbox, owner


class Choppy:
    """Ends that read pieces of given sizes."""

    fds = (-1, -1)

    def __init__(self, data: bytes, cuts: list[int]) -> None:
        self.data, self.cuts = memoryview(data), deque(cuts)

    def read(self, size: int) -> bytes:
        size = min(size, self.cuts.popleft() if self.cuts else size)
        piece, self.data = bytes(self.data[:size]), self.data[size:]
        return piece

    def read_into(self, buffer: memoryview) -> int:
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


@given(st.lists(st.integers(1, 400_000), max_size=60), st.permutations(range(len(BODIES))))
@settings(max_examples=30)
def test_cut_anywhere(cuts: list[int], order: list[int]) -> None:
    data = b"".join(note(DATA, i, BODIES[i]) for i in order)
    for one_by_one in (False, True):
        reader, inbox, owner = reader_of(Choppy(data, cuts))
        while reader.read_one() if one_by_one else reader.read():
            pass
        assert [(whose, kind, number) for whose, kind, number, _, _ in inbox] == [
            (owner, DATA, i) for i in order
        ]
        assert [bytes(body) for *_, body in inbox] == [BODIES[i] for i in order]
        assert reader.received == len(order)


@pytest.mark.parametrize("body", BODIES)
def test_a_frame_without_its_end_is_no_frame(body: bytes) -> None:
    whole = note(DATA, 0, b"first") + note(DATA, 1, body)
    for missing in {1, HEAD.size + len(body) // 2, HEAD.size + len(body) - 1}:
        for one_by_one in (False, True):
            reader, inbox, _ = reader_of(Choppy(whole[:-missing], []))
            while reader.read_one() if one_by_one else reader.read():
                pass
            assert [number for _, _, number, _, _ in inbox] == [0]


def test_frames_for_the_connection_itself_are_no_datapoints() -> None:
    frames = [
        note(RELEASE, 1, b"r"),
        note(DATA, 2),
        note(STARVED, 3),
        note(NUMBERS, 4, b"n"),
        note(CREDIT, 5),
    ]
    reader, inbox, owner = reader_of(Choppy(b"".join(frames), [7, 3]))
    while reader.read():
        pass
    assert owner.controls == [(RELEASE, 1, b"r"), (STARVED, 3, b""), (NUMBERS, 4, b"n")]
    assert [(kind, number) for _, kind, number, _, _ in inbox] == [(DATA, 2), (CREDIT, 5)]
    assert reader.received == 2, "the other side counts those only"


@pytest.fixture(params=["pipes", "sockets"])
def ends(request: Any, monkeypatch: Any) -> Any:
    if request.param == "sockets":
        monkeypatch.setenv("DATAFLOW_SOCKETS", "1")
    ours, theirs = connected_ends()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_write_waits_until_all_is_out(ends: Any) -> None:
    frames = [note(DATA, i, body) for i, body in enumerate(BODIES * 2)]
    thread = threading.Thread(target=FrameWriter(ends[0]).write, args=(frames,))
    thread.start()
    reader, inbox, _ = reader_of(ends[1])
    while len(inbox) < len(frames):
        assert reader.read()
    thread.join()
    assert [bytes(body) for *_, body in inbox] == BODIES * 2


def test_queued_pieces_go_out_as_far_as_there_is_room(ends: Any) -> None:
    for end in ends:
        end.dont_wait()
    writer = FrameWriter(ends[0])
    reader, inbox, _ = reader_of(ends[1])
    bodies = [bytes([i]) * 200_000 for i in range(10)]
    for i, body in enumerate(bodies):
        writer.queue(note(DATA, i), note(DATA, i, body))
    assert not writer.flush()
    done = False
    with within(5.0):
        while not done or len(inbox) < 20:
            done = writer.flush()
            with contextlib.suppress(BlockingIOError):
                reader.read()
    assert [bytes(body) for *_, body in inbox][1::2] == bodies
    assert writer.flush(), "nothing is left"


def test_what_was_queued_can_be_forgotten(ends: Any) -> None:
    writer = FrameWriter(ends[0])
    writer.queue(note(DATA, 1))
    writer.clear()
    writer.queue(note(DATA, 2))
    assert writer.flush()
    reader, inbox, _ = reader_of(ends[1])
    assert reader.read()
    assert [number for _, _, number, _, _ in inbox] == [2]


def test_read_one_takes_nothing_of_the_next(ends: Any) -> None:
    FrameWriter(ends[0]).write([note(DATA, 1, b"one"), note(DATA, 2, b"two")])
    for k, body in enumerate((b"one", b"two"), 1):
        reader, inbox, _ = reader_of(ends[1])  # another process, say
        assert reader.read_one()
        [(_, _, number, _, got)] = inbox
        assert (number, bytes(got)) == (k, body)


def test_the_end_of_the_other_side_is_no_error(ends: Any) -> None:
    writer = FrameWriter(ends[0])
    writer.write([note(DATA, 1)])
    ends[0].close()
    reader, inbox, _ = reader_of(ends[1])
    while reader.read():
        pass
    assert len(inbox) == 1 and not reader.read_one()
    there = FrameWriter(ends[1])
    there.queue(note(DATA, 1))
    assert there.flush(), "nobody is there any more: reading will tell"
    with pytest.raises(ConnectionError):
        there.write([note(DATA, 1, b"x" * 1_000_000)] * 2)


def test_closed_ends_are_never_used_by_number_again(ends: Any) -> None:
    """The number of a closed descriptor may belong to a file of the user's a moment later."""
    ours, _ = ends
    writer = FrameWriter(ours)
    reader, _, _ = reader_of(ours)
    ours.close()
    ours.close()
    victims = [os.pipe() for _ in range(4)]
    try:
        assert not reader.read()
        assert not reader.read_one()
        writer.queue(note(CREDIT, 1))
        assert writer.flush()
        with pytest.raises(ConnectionError):
            writer.write([b"x"])
        for read, _ in victims:
            os.set_blocking(read, False)
            with pytest.raises(BlockingIOError):
                os.read(read, 1)
    finally:
        for pair in victims:
            for fd in pair:
                os.close(fd)


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
            reader, inbox, _ = reader_of(theirs)
            frame = note(DATA, 5, b"late")
            threading.Timer(0.05, FrameWriter(ours).write, ([frame],)).start()
            assert reader.read_one()
            FrameWriter(ours).write([frame])
            time.sleep(0.01)
            assert reader.read() and len(inbox) == 2
            ours.close()
            theirs.close()
        finally:
            for fd in held:
                os.close(fd)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_views_are_written_like_bytes(ends: Any) -> None:
    large = np.arange(30_000)
    head = HEAD.pack(large.nbytes, 0, DATA, 7)
    thread = threading.Thread(target=FrameWriter(ends[0]).write, args=([head, memoryview(large).cast("B")],))
    thread.start()
    reader, inbox, _ = reader_of(ends[1])
    while not inbox:
        assert reader.read()
    thread.join()
    assert (np.frombuffer(inbox[0][4], large.dtype) == large).all()
