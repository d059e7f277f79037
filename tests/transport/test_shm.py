"""Slots of shared memory, and the leases of the arrays in them."""

from __future__ import annotations

import gc
import os
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dataflow._transport.shm import PAGE, Arena, Leases, Memory


@pytest.fixture(params=["memfd", "posix shared memory"])
def memory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    if request.param != "memfd":
        monkeypatch.setenv("DATAFLOW_NO_MEMFD", "1")
    memory = Memory()
    yield memory
    memory.close()


def buffer(n: int, value: int = 1) -> memoryview:
    return memoryview(bytes([value]) * n)


def test_put_and_view(memory: Memory) -> None:
    arena, leases = Arena(memory, 2, 0), Leases(memory)
    offsets = arena.put([buffer(100, 7), buffer(PAGE + 1, 8)])
    assert offsets is not None
    assert leases.view(offsets[0], 100).tolist() == [7] * 100
    assert set(leases.view(offsets[1], PAGE + 1).tolist()) == {8}


def test_a_lease_ends_with_the_last_array(memory: Memory) -> None:
    leases = Leases(memory)
    view = leases.view(PAGE, 64)
    image = np.frombuffer(view, np.float32).reshape(4, 4)
    corner = image[1:, 1:]
    del view, image
    gc.collect()
    assert not leases.returned
    corner[:] = 3  # still there, and writable
    del corner
    gc.collect()
    assert list(leases.returned) == [PAGE]


def test_a_slot_that_came_back_last_goes_out_first(memory: Memory) -> None:
    arena = Arena(memory, 8, 0)
    a, b, c = ((arena.put([buffer(PAGE)]) or [-1])[0] for _ in range(3))
    arena.release(a)
    arena.release(c)
    assert arena.put([buffer(PAGE)]) == [c]
    assert arena.put([buffer(PAGE)]) == [a]
    assert b not in (a, c)


def test_no_room_is_said_and_changes_nothing(memory: Memory) -> None:
    arena = Arena(memory, 1, 0)  # three messages of the largest size
    taken = [arena.put([buffer(PAGE), buffer(PAGE)]) for _ in range(3)]
    assert None not in taken
    assert arena.put([buffer(PAGE), buffer(PAGE)]) is None
    arena.release((taken[0] or [])[0])
    assert arena.put([buffer(PAGE), buffer(PAGE)]) is None
    assert arena.put([buffer(PAGE)]) == [(taken[0] or [])[0]]


def test_free_slots_of_other_sizes_are_used(memory: Memory) -> None:
    arena = Arena(memory, 0, 0)  # two messages
    (large,) = arena.put([buffer(4 * PAGE)]) or [-1]
    arena.put([buffer(4 * PAGE)])
    arena.release(large)
    small = [arena.put([buffer(PAGE)]) for _ in range(4)]
    assert sorted(o for offsets in small for o in offsets or ()) == [large + k * PAGE for k in range(4)]
    for offsets in small:
        arena.release((offsets or [])[0])
    assert arena.put([buffer(4 * PAGE)]) == [large]


def test_a_retired_slot_is_made_up_for(memory: Memory) -> None:
    arena = Arena(memory, 0, 0)
    (first,) = arena.put([buffer(PAGE)]) or [-1]
    arena.put([buffer(PAGE)])
    arena.retire(first)
    (third,) = arena.put([buffer(PAGE)]) or [-1]
    assert third not in (first, -1)


def test_a_draft_is_sent_from_where_it_was_made(memory: Memory) -> None:
    arena, leases = Arena(memory, 2, 0), Leases(memory)
    draft = arena.draft((3, PAGE), np.dtype(np.uint8))
    other = arena.draft((PAGE,), np.dtype(np.uint8))
    assert draft is not None
    assert other is not None
    draft[:] = 5
    offsets = arena.put([buffer(PAGE, 6), draft.reshape(-1).data])
    assert offsets is not None
    draft[0, 0] = 9  # no copy was made
    assert leases.view(offsets[1], 3 * PAGE)[:2].tolist() == [9, 5]
    assert leases.view(offsets[0], PAGE)[0] == 6
    again = arena.draft((PAGE,), np.dtype(np.uint8))  # the draft that was not sent was given up
    assert again is not None
    assert again.ctypes.data == other.ctypes.data


def test_a_draft_outlasts_a_put_without_room(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    arena = Arena(memory, 4, 0)
    draft = arena.draft((2 * PAGE,), np.dtype(np.uint8))
    assert draft is not None
    draft[:] = 4
    with monkeypatch.context() as patch:
        patch.setattr(memory, "reserve", lambda offset, size: False)
        assert arena.put([draft.data, buffer(PAGE)]) is None
        assert arena.put([buffer(2 * PAGE, 9)]) is None  # not into the slot of the draft
    assert set(draft.tolist()) == {4}
    offsets = arena.put([draft.data, buffer(PAGE)])
    assert offsets is not None
    assert memory.bytes[offsets[0]] == 4


def test_a_forked_process_keeps_what_it_sees(memory: Memory) -> None:
    leases = Leases(memory)
    view = leases.view(0, 16)
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    del view
    gc.collect()
    assert list(leases.returned) == [~0]  # not to be written again: the child might look at it


def test_too_little_memory_is_no_crash(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, offset: int, size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    assert Arena(memory, 4, 1 << 20).put([buffer(PAGE)]) is None


class ArenaMachine(RuleBasedStateMachine):
    """Whatever is put and released in whatever order, slots that are out hold their bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = Memory()
        self.arena = Arena(self.memory, 2, 2 * PAGE)
        self.out: dict[int, tuple[int, int]] = {}
        self.count = 0

    @rule(pages=st.lists(st.integers(1, 5), min_size=1, max_size=3))
    def put(self, pages: list[int]) -> None:
        self.count += 1
        value = self.count % 251
        offsets = self.arena.put([buffer(n * PAGE - 7, value) for n in pages])
        for offset, n in zip(offsets or (), pages, strict=False):
            self.out[offset] = n * PAGE - 7, value

    @rule(which=st.integers(0, 100))
    def release(self, which: int) -> None:
        if self.out:
            offset = sorted(self.out)[which % len(self.out)]
            del self.out[offset]
            self.arena.release(offset)

    @invariant()
    def bytes_are_there(self) -> None:
        end = 0
        for offset in sorted(self.out):
            size, value = self.out[offset]
            assert offset >= end
            end = offset + size
            part = self.memory.bytes[offset:end]
            assert part[0] == part[-1] == value

    def teardown(self) -> None:
        self.memory.close()


TestArena = ArenaMachine.TestCase
