"""Slots of shared memory: never two owners, never lost."""

from __future__ import annotations

import gc
import os
import random
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow._transport.codec import decode, encode
from dataflow._transport.shared_memory import PAGE, Arena, Leases, Memory
from tests.helpers.parallel import nothing_left


@pytest.fixture(params=[False, True])
def memory(request: Any, monkeypatch: Any) -> Any:
    if request.param:
        monkeypatch.setenv("DATAFLOW_NO_MEMFD", "1")
    made = Memory()
    yield made
    made.close()


def filled(value: int, size: int) -> memoryview:
    return memoryview(bytes([value]) * size)


def test_a_lease_ends_with_the_last_array_over_it(memory: Memory) -> None:
    arena, leases = Arena(memory, 2, 0), Leases(memory)
    array = np.arange(50_000)
    stream, buffers = encode([array])
    offsets = arena.put(list(buffers))
    assert offsets is not None
    (got,) = decode(stream, [leases.view(o, b.nbytes) for o, b in zip(offsets, buffers, strict=True)])
    derived = [got[5:10], got.reshape(2, -1).T, np.asarray(got).view(np.uint8)[::2], np.frombuffer(got, "u1")]
    del got
    while derived:
        gc.collect()
        assert not leases.has_ended
        derived.pop(random.randrange(len(derived)))
    gc.collect()
    assert leases.returned(10) == offsets
    assert leases.returned(10) == []


def test_the_end_of_a_lease_runs_no_code(memory: Memory) -> None:
    """A signal handler that raises there would raise in vain."""
    leases = Leases(memory)
    called = []
    view: Any = leases.view(0, PAGE)
    sys.setprofile(lambda frame, event, arg: called.append(event) if event == "call" else None)
    del view
    sys.setprofile(None)
    assert called == []
    assert leases.returned(10) == [0]


def test_slots_of_arrays_that_a_forked_process_has_too_are_not_used_again(memory: Memory) -> None:
    arena, leases = Arena(memory, 2, 0), Leases(memory)
    (a, b) = arena.put([filled(1, PAGE), filled(2, PAGE)]) or ()
    views = {a: leases.view(a, PAGE), b: leases.view(b, PAGE)}
    del views[b]
    assert leases.has_ended
    pid = os.fork()
    if pid == 0:
        status = 0 if not leases.has_ended and not leases._live and bytes(views[a][:1]) == b"\1" else 1
        os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    del views[a]
    assert leases.returned(1) == [b]
    assert leases.returned(10) == [~a]
    arena.release(b)
    arena.retire(a)
    assert arena.put([filled(3, PAGE)]) == [b]
    assert a not in (arena.put([filled(3, PAGE), filled(3, PAGE)]) or ())


def test_the_bound_holds_and_no_room_is_no_error(memory: Memory) -> None:
    arena = Arena(memory, 3, 0)
    first = [arena.put([filled(1, 10 * PAGE)]) for _ in range(3)]
    assert None not in first
    assert arena.put([filled(1, 10 * PAGE)]) is None
    assert arena.put([filled(1, 5 * PAGE), filled(1, 5 * PAGE)]) is None
    arena.release(first[1][0])  # type: ignore[index]
    assert arena.put([filled(1, 5 * PAGE), filled(1, 5 * PAGE)]) is not None, "cut out of the free one"
    assert arena.put([filled(1, memory.size + 1)]) is None if memory.size < 1 << 20 else True


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 5)), max_size=40), st.integers(0, 10_000))
def test_no_two_slots_overlap_and_all_that_is_put_stays(steps: list[tuple[int, int]], slack: int) -> None:
    memory = Memory()
    arena = Arena(memory, 3, slack * 10)
    out: dict[int, tuple[int, int]] = {}
    for value, (size, drop) in enumerate(steps):
        got = arena.put([filled(value % 256, size * 1500)])
        if got is not None:
            assert got[0] not in out
            out[got[0]] = size * 1500, value % 256
        for offset in list(out)[:drop]:
            arena.release(offset)
            del out[offset]
        end = -1
        for offset, (length, v) in sorted(out.items()):
            assert offset >= end
            end = offset + length
            assert (memory.bytes[offset:end] == v).all()
    memory.close()


def test_it_has_no_name_and_leaves_nothing(monkeypatch: Any) -> None:
    for no_memfd in ("", "1"):
        monkeypatch.setenv("DATAFLOW_NO_MEMFD", no_memfd)
        with nothing_left():
            memory = Memory()
            assert memory.reserve(0, 1 << 20)
            assert not memory.reserve(memory.size, 1)
            memory.bytes[:5] = 7
            memory.close()
            memory.close()
            assert (memory.bytes[:5] == 7).all(), "the bytes stay as long as somebody looks at them"
            del memory
