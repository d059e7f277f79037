"""What the pools promise beyond what dataflows show of them."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from dataflow._transport import launch, shared_pool
from dataflow._transport.connection import DATA, END
from dataflow._transport.launch import choose_context, pidfd_of
from dataflow._transport.process_pool import ProcessPool
from dataflow._transport.shared_pool import RecordLock
from dataflow._transport.thread_pool import ThreadPool
from dataflow.base import DataFlowTerminated, WorkerError
from dataflow.parallel import MultiProcessRunner
from tests.helpers.parallel import Count, Unsized, nothing_left, wait_until, within


def echo(port: Any, code: Any, index: int) -> None:
    while True:
        task = port.get()
        if task is None:
            port.end()
        elif task[1] is None:
            port.drop(task[0])
        else:
            time.sleep(task[1])
            port.put((index, task[1]), task[0])


def process_pool(n: int) -> Any:
    return ProcessPool(echo, None, n, name="test", in_flight=10, tasks=True)


def thread_pool(n: int) -> Any:
    return ThreadPool(echo, [lambda: None] * n, name="test")


both = pytest.mark.parametrize("make", [process_pool, thread_pool])


def collect(pool: Any, n: int) -> list[Any]:
    got: list[Any] = []
    while len(got) < n:
        for _, kind, number, value in pool.collect():
            got.append((kind, number, value and value[1]))
            if len(got) == n:
                break
    return got


@both
def test_tasks_results_drops_and_ends(make: Any) -> None:
    with nothing_left():
        pool = make(2)
        pool.submit(5, deque([0, None, 0.01, 0]), 4)
        got = collect(pool, 4)
        assert sorted(number for _, number, _ in got) == [5, 6, 7, 8]
        assert sum(kind == DATA for kind, _, _ in got) == 3
        pool.submit_end()
        assert [kind for kind, _, _ in collect(pool, 2)] == [END, END]
        pool.close()
        with pytest.raises(DataFlowTerminated):
            collect(pool, 1)
        del pool


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


def test_a_late_call_of_wake_does_not_make_it_spin() -> None:
    pool = process_pool(1)
    pool._wake_theirs.write(b"w")  # as if it had been on its way when the last wait ended
    pool.submit(0, deque([0.5]), 1)
    before = time.process_time()
    assert len(collect(pool, 1)) == 1
    assert time.process_time() - before < 0.2
    pool.close()


def test_workers_are_closed_at_the_end_even_if_nobody_refers_to_the_pool() -> None:
    """As after a Ctrl-C between the start of the workers and its return."""
    pool = process_pool(2)
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
    pool = process_pool(2)
    before = signal.signal(signal.SIGUSR1, lambda *args: pool.close())
    try:
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        with within(), pytest.raises(DataFlowTerminated):
            while True:
                list(pool.collect())
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("close", ["close", "drop"])
def test_a_closed_pool_keeps_no_shared_memory(close: str) -> None:
    df = MultiProcessRunner(Count(50, 1_000_000), 10, 1)
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
        with launch._sigint_deferred():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            assert not came
        wait_until(lambda: came)
        assert callable(signal.getsignal(signal.SIGINT))
        os.kill(os.getpid(), signal.SIGINT)
        wait_until(lambda: len(came) == 2)
    finally:
        signal.signal(signal.SIGINT, before)
