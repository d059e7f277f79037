"""What the pools promise beyond what dataflows show of them."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataflow._parallel.engines import open_pool
from dataflow._transport import launch, shared_pool
from dataflow._transport.descriptors import pidfd_of
from dataflow._transport.launch import choose_context
from dataflow._transport.pool import NO_VALUE
from dataflow._transport.shared_pool import RecordLock
from dataflow.base import DataFlowTerminated, WorkerError
from dataflow.parallel import MultiProcessRunner
from dataflow.parallel_map import MultiProcessMapData
from tests.helpers.parallel import Count, Unsized, identity, nothing_left, wait_until, within


def echo(tasks: Any, code: Any, empty: Any) -> Iterator[Any]:
    """Be a worker: sleep as long as a task says; None is dropped."""
    for task in tasks:
        if task is None:
            yield (), NO_VALUE
            continue
        number, value = task
        if isinstance(value, float):
            time.sleep(value)
        yield number, NO_VALUE if value is None else value


def pairs(tasks: Any, code: Any, empty: Any) -> Iterator[Any]:
    """Be a worker that makes pairs, and at the end of a pass perhaps a single."""
    held: list[Any] = []
    for task in tasks:
        held += [task] if task is not None else []
        if len(held) == 2 or (task is None and held):
            yield tuple(n for n, _ in held), [v for _, v in held]
            held = []
        else:
            yield (), NO_VALUE


def processes(n: int, job: Any = echo) -> Any:
    return open_pool("processes", job, None, n, name="test", in_flight=10, tasks=True, start_method="fork")


def threads(n: int, job: Any = echo) -> Any:
    return open_pool("threads", job, [None] * n, n, name="test", in_flight=10, tasks=True)


def this_process(n: int, job: Any = echo) -> Any:
    return open_pool("processes", job, None, 0, name="test", in_flight=10, tasks=True)


both = pytest.mark.parametrize("make", [processes, threads])
every_pool = pytest.mark.parametrize("make", [processes, threads, this_process])


def submit(pool: Any, number: int, *tasks: Any) -> None:
    pool.submit(number, deque(map(pool.prepare, tasks)), len(tasks))


def collect(pool: Any) -> dict[tuple[int, ...], Any]:
    """Return by numbers what came of all that was submitted."""
    got: dict[tuple[int, ...], Any] = {}
    while pool.pending:
        for _, numbers, value in pool.collect():
            assert numbers not in got
            got[numbers] = value
    return got


@every_pool
def test_each_task_is_settled_once_by_its_result_or_by_nothing(make: Any) -> None:
    with nothing_left():
        pool = make(2)
        array = np.arange(10_000)
        submit(pool, 5, 0.0, None, 0.01, "x", array)
        assert pool.pending == 5 and not pool.is_at_rest
        got = collect(pool)
        assert [got[k,] for k in (5, 6, 7, 8)] == [0.0, NO_VALUE, 0.01, "x"]
        assert (got[9,] == array).all() and len(got) == 5
        assert pool.is_at_rest
        pool.finish()
        submit(pool, 0, "again")
        assert collect(pool) == {(0,): "again"}
        pool.close()
        assert pool.is_closed and not pool.is_running
        with pytest.raises(DataFlowTerminated):
            list(pool.collect())
        pool.close()
        del pool, got


@pytest.mark.parametrize("make", [processes, this_process])
def test_a_result_may_settle_several_tasks(make: Any) -> None:
    pool = make(1, pairs)
    for _ in range(2):
        submit(pool, 0, "a", "b", "c", np.zeros(10_000))
        submit(pool, 4, "e")
        pool.finish()
        got = collect(pool)
        assert sorted(got) == [(0, 1), (2, 3), (4,)]
        assert got[0, 1] == ["a", "b"] and got[4,] == ["e"] and got[2, 3][0] == "c"
    pool.close()


@every_pool
def test_tasks_of_no_use_any_more_are_settled_too(make: Any) -> None:
    """Whoever counts what is on its way must get to 0: done, or forgotten at once, or settled by nothing."""
    pool = make(2)
    submit(pool, 0, 0.1, *[0.0] * 9)
    pool.discard(10)
    left = pool.pending
    submit(pool, 10, *[0.0] * 9)
    got = collect(pool)
    assert len(got) == left + 9 and all((number,) in got for number in range(10, 19))
    assert pool.is_at_rest
    pool.close()


@every_pool
def test_an_iterator_that_is_dropped_loses_nothing(make: Any) -> None:
    pool = make(2)
    submit(pool, 0, *range(10))
    got: list[int] = []
    while len(got) < 10:
        for _, (number,), value in pool.collect():
            assert number == value
            got.append(number)
            break
    assert sorted(got) == list(range(10)) and not pool.pending
    pool.close()


@every_pool
def test_an_error_ends_the_pool_and_is_remembered(make: Any) -> None:
    def fail(tasks: Any, code: Any, empty: Any) -> Iterator[Any]:
        for number, value in tasks:
            yield number, 1 // value

    pool = make(1, fail)
    submit(pool, 0, 1, 0, 1)
    with pytest.raises(ZeroDivisionError):
        collect(pool)
    assert pool.is_closed
    with pytest.raises(RuntimeError, match=r"stopped after an error and can't go on: .*ZeroDivisionError"):
        list(pool.collect())


@both
def test_it_is_known_which_task_a_worker_is_on(make: Any) -> None:
    pool = make(2)
    started = time.monotonic()
    submit(pool, 70, 0.3, 0.3)
    wait_until(lambda: all(worker.current() for worker in pool.workers))
    numbers, since = zip(*(worker.current() for worker in pool.workers), strict=True)
    assert set(numbers) == {70, 71}
    assert all(started - 0.01 <= s <= time.monotonic() for s in since)
    collect(pool)
    wait_until(lambda: not any(worker.current() for worker in pool.workers))
    pool.close()


@both
def test_wake_before_and_during_a_wait_and_many_times(make: Any) -> None:
    pool = make(1)
    for delay in (0.0, 0.05):
        threading.Timer(delay, pool.wake).start()
        with within(1.0):
            time.sleep(0.02 if not delay else 0)
            assert list(pool.collect()) == []
    for _ in range(100_000):
        pool.wake()  # never blocks
    list(pool.collect())
    pool.close()
    pool.wake()


@every_pool
def test_in_a_forked_process_it_says_so(make: Any) -> None:
    pool = make(1)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            assert not pool.is_running
            list(pool.collect())
        except RuntimeError as e:
            status = "call its reset_state() after the fork" not in str(e)
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    submit(pool, 0, 1)
    assert collect(pool) == {(0,): 1}
    pool.close()


def test_workers_are_closed_at_the_end_even_if_nobody_refers_to_the_pool() -> None:
    """As after a Ctrl-C between the start of the workers and its return."""
    pool = processes(2)
    pids = [w.process.pid for w in pool.workers]
    del pool
    gc.collect()
    assert len(launch._to_close) >= 1
    launch.close_all()
    assert not launch._to_close
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_signal_handler_that_closes_the_pool_while_it_waits() -> None:
    pool = processes(2)
    before = signal.signal(signal.SIGUSR1, lambda *args: pool.close())
    try:
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        with within(), pytest.raises(DataFlowTerminated):
            while True:
                list(pool.collect())
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("close", ["close", "drop"])
@pytest.mark.parametrize("kind", ["runner", "mapper"])
def test_a_closed_pool_keeps_no_shared_memory(kind: str, close: str) -> None:
    source = Count(50, 1_000_000)
    df: Any = MultiProcessRunner(source, 10, 1)
    if kind == "mapper":
        df.close()
        df = MultiProcessMapData(source, 1, identity, 10, strict=True)
        df.reset_state()
    for _ in df:
        pass
    del _
    maps = Path("/proc/self/maps")
    assert "memfd:dataflow" in maps.read_text()
    if close == "close":
        df.close()
    else:
        del df
    gc.collect()
    assert "memfd:dataflow" not in maps.read_text()


# ---- several takers


def test_a_lock_is_released_when_its_holder_dies_and_what_it_did_is_known() -> None:
    lock = RecordLock()
    for dies_inside in (False, True):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            if dies_inside:
                lock.__enter__()
            else:
                with lock:
                    pass
            os.write(write, b"x")
            time.sleep(30)
        os.read(read, 1)
        os.close(read)
        os.close(write)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with within():
            if dies_inside:
                with pytest.raises(WorkerError, match="in the middle of a datapoint"), lock:
                    pass
            else:
                with lock:
                    pass
    lock.close()


def test_without_memfd_the_lock_is_a_file(monkeypatch: Any) -> None:
    monkeypatch.setenv("DATAFLOW_NO_MEMFD", "1")
    with nothing_left():
        lock = RecordLock()
        with lock:
            pass
        lock.close()
        del lock


def test_without_record_locks_there_is_another(monkeypatch: Any) -> None:
    monkeypatch.setattr(shared_pool.importlib.util, "find_spec", lambda name: None)
    with MultiProcessRunner(Count(20, 50_000), 5, 2) as df:
        for _ in range(3):
            assert len(list(df)) == 20


def test_many_takers_at_once_get_each_datapoint_once() -> None:
    with MultiProcessRunner(Unsized(10**6), 7, 1) as df:
        pids, pipes = [], []
        for _ in range(4):
            read, write = os.pipe()
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    mine = [dp[0] for dp, _ in zip(df, range(500), strict=False)]
                    os.write(write, b",".join(str(i).encode() for i in mine))
                    status = 0
                finally:
                    os._exit(status)
            os.close(write)
            pids.append(pid)
            pipes.append(read)
        got: list[int] = []
        for pid, read in zip(pids, pipes, strict=True):
            got += map(int, os.read(read, 1 << 16).split(b","))
            os.close(read)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert len(got) == len(set(got)) == 2000
        assert max(got) < 2000 + 4 * 2 + 7


# ---- processes


def test_the_start_method_is_chosen_and_checked(monkeypatch: Any) -> None:
    import multiprocessing
    import sys
    import types

    monkeypatch.setattr(multiprocessing, "get_start_method", lambda allow_none: None)
    assert choose_context(None).get_start_method() == "fork"
    assert choose_context("spawn").get_start_method() == "spawn"
    with pytest.raises(ValueError, match="expected one of fork, spawn, forkserver or None, got 'x'"):
        choose_context("x")
    torch = types.SimpleNamespace(cuda=types.SimpleNamespace(is_initialized=lambda: True))
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert choose_context(None).get_start_method() == "spawn"
    monkeypatch.setattr(multiprocessing, "get_start_method", lambda allow_none: "forkserver")
    assert choose_context(None).get_start_method() == "forkserver"


def test_pidfd(monkeypatch: Any) -> None:
    fd = pidfd_of(os.getpid())
    assert fd >= 0
    os.close(fd)
    assert pidfd_of(2**22 + 5) == -1
    monkeypatch.setenv("DATAFLOW_NO_PIDFD", "1")
    assert pidfd_of(os.getpid()) == -1


def test_ctrl_c_in_a_thread_that_starts_workers_is_not_lost() -> None:
    """SIGINT during a start comes up after it, in the main thread."""
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda *args: came.append(1))
    try:
        with launch._signals_held_back():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            assert not came
        wait_until(lambda: came)
        assert callable(signal.getsignal(signal.SIGINT))
        os.kill(os.getpid(), signal.SIGINT)
        wait_until(lambda: len(came) == 2)
    finally:
        signal.signal(signal.SIGINT, before)
