"""Slots of shared memory: never two owners, never lost."""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow._transport.codec import decode, encode
from dataflow._transport.leases import Leases
from dataflow._transport.shared_memory import PAGE, Arena, Memory
from tests.helpers.parallel import nothing_left, wait_until, within


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


def test_slots_of_arrays_that_a_forked_process_has_too_come_back_when_that_is_gone(memory: Memory) -> None:
    arena, leases = Arena(memory, 2, 0), Leases(memory)
    (a, b) = arena.put([filled(1, PAGE), filled(2, PAGE)]) or ()
    views = {a: leases.view(a, PAGE), b: leases.view(b, PAGE)}
    del views[b]
    assert leases.has_ended
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(write)
        os.read(read, 1)  # the parent is through
        status = 0 if not leases.has_ended and not leases.some_out and bytes(views[a][:1]) == b"\1" else 1
        os._exit(status)
    os.close(read)
    del views[a]
    assert leases.returned(1) == [b]
    assert leases.returned(10) == [~a]
    arena.release(b)
    arena.retire(a)
    assert arena.put([filled(3, PAGE)]) == [b]
    assert a not in (arena.put([filled(3, PAGE), filled(3, PAGE)]) or ())
    assert not leases.has_ended
    os.close(write)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    wait_until(lambda: leases.has_ended)
    assert leases.returned(10) == [a]
    arena.release(a)
    assert a in (arena.put([filled(4, PAGE)]) or ())
    assert not leases.has_ended


def test_slots_come_back_from_processes_that_run_another_program(memory: Memory) -> None:
    leases = Leases(memory)
    view: Any = leases.view(0, PAGE)
    pid = os.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        del view
        assert wait_until(lambda: leases.has_ended) and set(leases.returned(10)) <= {0, ~0}
        wait_until(lambda: not leases._shared or (leases.has_ended and leases.returned(10) == [0]))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_many_forks_leave_nothing(memory: Memory) -> None:
    leases = Leases(memory)
    with nothing_left():
        for _ in range(20):
            view: Any = leases.view(0, PAGE)
            for _ in range(3):
                pid = os.fork()
                if pid == 0:
                    os._exit(0)
                os.waitpid(pid, 0)
            del view
            assert leases.returned(10) == [0]


def resident(memory: Memory) -> int:
    """Return how many bytes of the memory exist."""
    return os.fstat(memory._fd).st_blocks * 512


def test_a_closed_pool_keeps_the_pages_of_live_arrays_only(memory: Memory) -> None:
    leases = Leases(memory)
    memory.bytes[: 100 * PAGE] = 7
    small, large = leases.view(10 * PAGE, 5), leases.view(20 * PAGE, 3 * PAGE)
    garbage: Any = leases.view(0, PAGE)
    del garbage
    assert resident(memory) == 100 * PAGE
    leases.close()
    assert bytes(small) == b"\7" * 5 and set(large) == {7}
    assert resident(memory) == 4 * PAGE
    del large
    assert resident(memory) == PAGE
    assert bytes(small) == b"\7" * 5
    del small
    assert resident(memory) == 0


def test_pages_that_forked_processes_read_stay(memory: Memory) -> None:
    leases = Leases(memory)
    memory.bytes[: 10 * PAGE] = 7
    view: Any = leases.view(2 * PAGE, PAGE)
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(write)
        leases.close()  # which is its parent's to do, in whatever order the hooks of a fork run
        os.read(read, 1)
        os._exit(set(view) != {7})
    os.close(read)
    del view
    leases.close()
    assert resident(memory) == PAGE
    os.close(write)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_signals_do_not_keep_memory_from_being_reserved(memory: Memory) -> None:
    came = []
    before = signal.signal(signal.SIGALRM, lambda *args: came.append(1))
    signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
    try:
        with within(5):
            assert memory.reserve(0, 32 << 20)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert came


def test_a_system_that_refuses_files_in_memory(monkeypatch: Any) -> None:
    def refuse(*args: Any) -> int:
        raise PermissionError("no")

    monkeypatch.setattr(os, "memfd_create", refuse)
    with nothing_left():
        memory = Memory()
        memory.bytes[:3] = 1
        memory.close()
        del memory


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
