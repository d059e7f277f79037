"""Objects in frames: their large buffers in slots or inline, and the way of the slots back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

from dataflow._transport.codec import encode
from dataflow._transport.framing import DATA, HEAD, KIND, Frame
from dataflow._transport.leases import Leases
from dataflow._transport.packing import Packed, Packer, Unpacker
from dataflow._transport.shared_memory import Arena, Memory
from tests.helpers.parallel import same

DPS: list[Any] = [
    [1, "a"],
    "x" * 100_000,
    [np.arange(30_000), np.zeros((3, 3)), {"k": np.arange(20_000)[::2]}],
    b"y" * 3_000_000,
    [np.full(5_000_000, 7, np.uint8)],
    {"big": np.arange(10_000, dtype=">i8"), "none": None},
    [],
]


class Sides(NamedTuple):
    packer: Packer
    unpacker: Unpacker

    def pack(self, value: Any) -> Packed:
        return self.packer.pack(*encode(value))

    def frame(self, value: Any) -> list[Any]:
        return self.packer.frame(DATA, 0, *encode(value))

    def give_back(self) -> None:
        while frame := self.unpacker.releases():
            assert len(frame) <= 4096, "a pipe takes it whole, or not at all: others may write to it too"
            self.packer.take_back(memoryview(frame)[HEAD.size :])


def as_frame(packed: Packed | list[Any], number: int = 0) -> Frame:
    data = b"".join(packed.frame(DATA, number) if isinstance(packed, Packed) else packed)
    length, n_buffers, kind, number = HEAD.unpack_from(data)
    assert length == len(data) - HEAD.size
    assert kind & KIND == DATA
    return None, kind, number, n_buffers, memoryview(data)[HEAD.size :]


@pytest.fixture
def memory() -> Iterator[Memory]:
    memory = Memory()
    yield memory
    memory.close()


def sides(memory: Memory | None, in_flight: int = 20, slack: int = 0) -> Sides:
    if memory is None:
        return Sides(Packer(None), Unpacker(None))
    return Sides(Packer(Arena(memory, in_flight, slack)), Unpacker(Leases(memory)))


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("dp", DPS)
def test_what_is_packed_comes_out(memory: Memory, shared: bool, keep: bool, dp: Any) -> None:
    both = sides(memory if shared else None)
    frame = as_frame(both.pack(dp) if keep else both.frame(dp))
    assert same(dp, both.unpacker.unpack(frame))
    assert (len(frame[4]) < 1000) == (shared or len(dp) == 0 or dp == DPS[0])


@pytest.mark.parametrize("shared", [False, True])
def test_what_is_kept_may_change_before_it_is_sent(memory: Memory, shared: bool) -> None:
    both = sides(memory if shared else None)
    array = np.zeros(30_000)
    packed = both.pack(array)
    array[:] = 1
    assert not both.unpacker.unpack(as_frame(packed)).any()


def test_slots_come_back_also_many_of_them(memory: Memory) -> None:
    both = sides(memory, 2000)
    kept = [both.unpacker.unpack(as_frame(both.pack(np.zeros(17_000, np.uint8)))) for _ in range(1200)]
    assert both.packer.some_out and both.unpacker.holds_slots and not both.unpacker.has_releases
    assert both.unpacker.releases() == b""
    kept.clear()
    assert both.unpacker.has_releases
    both.give_back()
    assert not both.packer.some_out and not both.unpacker.holds_slots and not both.unpacker.has_releases


def test_a_slot_is_not_used_while_an_array_lives_in_it(memory: Memory) -> None:
    both = sides(memory, 2)
    first = both.unpacker.unpack(as_frame(both.pack(np.full(5_000, 1))))
    for i in range(50):
        got = both.unpacker.unpack(as_frame(both.pack(np.full(5_000, i))))
        assert (got == i).all() and (first == 1).all()
        del got
        both.give_back()


def test_what_was_packed_can_be_dropped_unsent(memory: Memory) -> None:
    both = sides(memory)
    for dp in DPS:
        both.packer.drop(both.pack(dp))
        assert not both.packer.some_out
    inline = sides(None)
    inline.packer.drop(inline.pack(DPS[2]))


def test_without_a_free_slot_it_waits_or_goes_inline(memory: Memory) -> None:
    arena, leases = Arena(memory, 1, 0), Leases(memory)  # two slots
    asked: list[bool] = []
    kept: list[Any] = []

    def wait() -> bool:
        asked.append(True)
        if kept:
            kept.clear()
            both.give_back()
            return True
        return False

    both = Sides(Packer(arena, wait), Unpacker(leases))
    kept += [both.unpacker.unpack(as_frame(both.pack(np.full(50_000, i, np.uint8)))) for i in range(2)]
    assert not asked
    frame = as_frame(both.pack(np.full(50_000, 2, np.uint8)))
    assert len(asked) == 1 and len(frame[4]) < 1000, "one came back"
    held = [both.unpacker.unpack(frame), both.pack(np.zeros(50_000, np.uint8))]
    frame = as_frame(both.pack(np.full(50_000, 3, np.uint8)))
    assert len(asked) == 2 and len(frame[4]) > 50_000, "none is to be had"
    assert (both.unpacker.unpack(frame) == 3).all() and (held[0] == 2).all()


def test_an_array_to_fill_travels_without_a_copy(memory: Memory) -> None:
    both = sides(memory)
    array = both.packer.empty((100, 1000), "float32")
    assert array.shape == (100, 1000) and array.dtype == np.float32
    array[:] = 3
    frame = as_frame(both.pack([array, 1]))
    array[0, 0] = 4  # it is the same memory
    got = both.unpacker.unpack(frame)[0]
    assert got[0, 0] == 4 and (got[1:] == 3).all()
    # what is small, or holds objects, or finds no memory, is an array like any other
    for packer, shape, dtype in (
        (both.packer, (3,), int),
        (both.packer, (9999,), object),
        (Packer(None), (9999,), int),
    ):
        assert packer.empty(shape, dtype).shape == shape


def test_drafts_that_are_not_sent_are_free_again(memory: Memory) -> None:
    both = sides(memory)
    draft = both.packer.empty((50_000,), np.uint8)
    draft[:] = 1
    assert not both.packer.some_out, "its own draft is nothing to wait for"
    kept = both.unpacker.unpack(as_frame(both.pack([np.zeros(50_000, np.uint8)])))
    del kept
    both.give_back()
    assert not both.packer.some_out


def test_a_full_memory_is_no_error(memory: Memory, monkeypatch: Any) -> None:
    monkeypatch.setattr(memory, "reserve", lambda offset, size: False)
    waited: list[int] = []
    packer = Packer(Arena(memory, 2, 0), lambda: bool(waited.append(1)))
    frame = as_frame(packer.pack(*encode(np.full(50_000, 5))))
    assert (Unpacker(Leases(memory)).unpack(frame) == 5).all()


def test_too_large_is_an_error() -> None:
    with pytest.raises(ValueError, match="4 GB is the limit"):
        Packed(0, 0, 1 << 32, [b""]).frame(DATA, 0)


def test_arrays_sent_inline_are_aligned_and_apart() -> None:
    both = sides(None)
    a, b = both.unpacker.unpack(as_frame(both.pack([np.full(20_001, 1, np.uint8), np.arange(9_000.0)])))
    a[:] = 9
    assert (b == np.arange(9_000.0)).all() and b.flags.aligned and b.flags.writeable
