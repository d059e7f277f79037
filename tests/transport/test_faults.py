"""Real faults in workers: every one ends in a clear error, soon, and leaves nothing."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
import traceback
from itertools import islice
from typing import Any

import pytest

from dataflow._transport import process_pool, shared_memory
from dataflow.base import WorkerError
from dataflow.parallel import MultiProcessRunner, MultiProcessRunnerZMQ, MultiThreadRunner
from dataflow.parallel_map import MultiProcessMapAndBatchData, MultiProcessMapData, MultiThreadMapData
from tests.helpers.parallel import (
    FAULTS,
    LIMIT,
    METHODS,
    ROOT,
    Count,
    FaultyFlow,
    FaultyMap,
    FaultyReset,
    Sleepy,
    identity,
    leave_child_and_die,
    nothing_left,
    raise_key_error,
    within,
)

pytestmark = pytest.mark.slow


def runner_zmq(fault: Any, method: str) -> Any:
    return MultiProcessRunnerZMQ(FaultyFlow(fault), 1, start_method=method)


def runner(fault: Any, method: str) -> Any:
    return MultiProcessRunner(FaultyFlow(fault), 10, 1, start_method=method)


def mapper(fault: Any, method: str) -> Any:
    return MultiProcessMapData(Count(200), 2, FaultyMap(fault), 20, True, start_method=method)


def batcher(fault: Any, method: str) -> Any:
    return MultiProcessMapAndBatchData(Count(200), 2, FaultyMap(fault), 2, start_method=method)


def nested(fault: Any, method: str) -> Any:
    return MultiProcessRunnerZMQ(mapper(fault, method), 1, start_method=method)


def in_reset(fault: Any, method: str) -> Any:
    return MultiProcessRunnerZMQ(FaultyReset(fault), 2, start_method=method)


STAGES = [runner_zmq, runner, mapper, batcher, nested, in_reset]


def cases() -> list[Any]:
    """Return every fault of every class with fork and spawn, and a choice with forkserver."""
    both = [(make, fault, m) for m in ("fork", "spawn") for make in STAGES for fault in FAULTS]
    chosen = [(make, fault, "forkserver") for make in (mapper, runner_zmq) for fault in FAULTS]
    few = [(make, fault, "forkserver") for make in (runner, batcher) for fault in ("raises", "SIGKILL")]
    return [pytest.param(*case, id=f"{case[0].__name__}-{case[1]}-{case[2]}") for case in both + chosen + few]


@pytest.mark.parametrize(("make", "fault", "method"), cases())
def test_a_worker_that_fails(make: Any, fault: str, method: str) -> None:
    what, error, text = FAULTS[fault]
    with nothing_left():
        df = make(what, method)
        df.reset_state()
        with pytest.raises(BaseException) as caught:
            for _ in df:
                start = time.monotonic()  # of the fault, or before
        if make not in (in_reset, nested):
            assert time.monotonic() - start < LIMIT
        e: Any = caught.value
        assert type(e).__name__ == error
        assert text in str(e)
        if error != "WorkerError":
            # the worker's traceback, with the line, and the stage and the worker
            cause = str(e.__cause__)
            assert what.__name__ in cause and "Traceback" in cause
            assert "worker" in cause and "MultiProcess" in cause
        else:
            assert "worker 0" in str(e) or "worker 1" in str(e)
            assert "MultiProcess" in str(e)
            if "killed" in str(e) or "exited" in str(e):
                assert "(pid " in str(e)
        with within(), pytest.raises(RuntimeError, match="stopped after an error"):
            list(df)
        del df, caught, e


@pytest.mark.parametrize("fault", [f for f in FAULTS if f.startswith(("raises", "sys"))])
@pytest.mark.parametrize("where", ["source", "reset", "map"])
def test_a_thread_that_fails(where: str, fault: str) -> None:
    what, _, text = FAULTS[fault]
    with nothing_left():
        df: Any
        if where == "map":
            df = MultiThreadMapData(Count(200), 3, FaultyMap(what), 20, True)
        else:
            flow = FaultyFlow if where == "source" else FaultyReset
            df = MultiThreadRunner(lambda: flow(what), 10, 2)
        df.reset_state()
        with within(), pytest.raises(BaseException) as caught:
            for _ in df:
                pass
        e: Any = caught.value
        assert type(e).__name__ in (
            "KeyError",
            "MemoryError",
            "UnfriendlyError",
            "LockedError",
            "WorkerError",
        )
        assert text.split(": ")[-1] in str(e)
        assert "thread" in str(e.__cause__) and what.__name__ in str(e.__cause__)
        with within(), pytest.raises(RuntimeError, match="stopped after an error"):
            list(df)
        del df, caught, e


def test_an_error_does_not_wait_for_slow_threads() -> None:
    def slow(dp: Any) -> Any:
        if dp[0] == 3:
            raise KeyError("the key")
        time.sleep(3 if dp[0] < 3 else 0)
        return dp

    df = MultiThreadMapData(Count(20), 4, slow, 20, True)
    df.reset_state()
    with within(), pytest.raises(KeyError):
        list(df)


@pytest.mark.parametrize("method", METHODS)
def test_what_came_before_the_fault_is_delivered(method: str) -> None:
    for fault in ("raises", "SIGKILL"):
        df = runner_zmq(FAULTS[fault][0], method)
        df.reset_state()
        got = []
        with pytest.raises((KeyError, WorkerError)):
            for dp in df:
                got.append(dp)
        assert got == [[0], [1], [2]]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("array", [0, 100_000])
def test_killed_at_any_moment_from_outside(method: str, array: int) -> None:
    for _ in range(5 if method == "fork" else 1):
        df = MultiProcessRunnerZMQ(Count(10**6, array), 2, start_method=method)
        df.reset_state()
        iterator = iter(df)
        next(iterator)
        pid = df._pool.workers[0].process.pid
        threading.Timer(0.02, os.kill, (pid, signal.SIGKILL)).start()
        start = time.monotonic()
        with pytest.raises(WorkerError, match=rf"worker 0 \(pid {pid}\) was killed by SIGKILL"):
            for i, *arrays in iterator:
                assert all((a == i % 251).all() for a in arrays)
        assert time.monotonic() - start < LIMIT + 0.02


@pytest.mark.parametrize("no_pidfd", ["", "1"])
def test_a_worker_that_leaves_a_child_with_all_its_descriptors(monkeypatch: Any, no_pidfd: str) -> None:
    """The end of the pipe never comes: the end of the process must be seen by itself."""
    monkeypatch.setenv("DATAFLOW_NO_PIDFD", no_pidfd)
    for make in (runner_zmq, mapper):
        df = make(leave_child_and_die, "fork")
        df.reset_state()
        with within(), pytest.raises(WorkerError, match="exited with status 3"):
            for _ in df:
                pass


def test_a_program_that_ignores_its_children() -> None:
    """SIGCHLD ignored: the kernel drops the exit status, and nobody can wait for it."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        df = mapper(FAULTS["SIGKILL"][0], "fork")
        df.reset_state()
        with within(), pytest.raises(WorkerError, match="worker"):
            list(df)
        df = mapper(identity, "fork")
        df.reset_state()
        next(iter(df))
        with within():
            df.close()
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_a_worker_that_ignores_sigterm_is_killed() -> None:
    def deaf(dp: Any) -> Any:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return dp

    df = MultiProcessMapData(Count(100), 4, deaf, 20, True)
    df.reset_state()
    list(df)
    with within(), nothing_left_but(df):
        df.close()


def nothing_left_but(df: Any) -> Any:
    pids = [w.process.pid for w in df._pool.workers]

    class Check:
        def __enter__(self) -> None:
            pass

        def __exit__(self, *error: Any) -> None:
            for pid in pids:
                with pytest.raises(ProcessLookupError):
                    os.kill(pid, 0)

    return Check()


# ---- interruptions


class _Interrupted(Exception):
    pass


@pytest.mark.parametrize("error", [KeyboardInterrupt, _Interrupted])
@pytest.mark.parametrize("array", [0, 60_000])
@pytest.mark.parametrize("make", ["runner", "mapper", "ordered", "endless", "thread", "batches"])
def test_interrupted_at_any_point_it_goes_on_or_says_so(
    make: str, array: int, error: type[BaseException]
) -> None:
    """What a signal handler raises comes up at any point of the code: never a hang, never wrong data."""

    def on_alarm(*args: Any) -> None:
        raise error("alarm")

    def build() -> Any:
        if make == "runner":
            df: Any = MultiProcessRunnerZMQ(Unsized_with(array), 2, 20)
        elif make == "thread":
            df = MultiThreadMapData(Count(300, array), 2, identity, 20, True)
        elif make == "batches":
            df = MultiProcessMapAndBatchData(Count(300, array), 1, identity, 3, 30)
        else:
            df = MultiProcessMapData(
                Count(300, array), 2, identity, 20, make != "endless", ordered=make == "ordered"
            )
        df.reset_state()
        return df

    def check(dps: Any) -> int:
        n = 0
        for dp in dps:
            n += 1
            if array:
                i, a = dp
                assert ((i % 251) == a.T).all()
        return n

    before = signal.signal(signal.SIGUSR1, on_alarm)
    me = threading.get_ident()
    df = build()
    outcomes = set()
    try:
        for i in range(40):
            alarm = threading.Timer(0.0005 + i * 0.00045, signal.pthread_kill, (me, signal.SIGUSR1))
            try:
                iterator = iter(df)
                alarm.start()
                for dp in iterator:
                    check([dp])
                while True:  # not signal.pause(): the signal may come just before it
                    time.sleep(0.01)
            except (KeyboardInterrupt, _Interrupted):
                pass
            del iterator
            try:
                with within(5.0):
                    if make in ("runner", "endless"):
                        assert check(islice(df, 30)) == 30
                    else:
                        assert check(df) == (100 if make == "batches" else 300)
                outcomes.add("goes on")
            except RuntimeError as e:
                assert "stopped after an error" in str(e) and "alarm" in str(e), e
                outcomes.add("says so")
                df.close()
                df = build()
    finally:
        signal.signal(signal.SIGUSR1, before)
        df.close()
    assert outcomes


class Unsized_with(Count):
    """Endless in one pass."""

    def __init__(self, array: int) -> None:
        super().__init__(0, array)

    def __len__(self) -> int:
        raise NotImplementedError

    def __iter__(self) -> Any:
        self.n = 10**9
        return super().__iter__()


# ---- forced fallbacks


@pytest.fixture(params=["DATAFLOW_NO_MEMFD", "DATAFLOW_SOCKETS", "DATAFLOW_NO_PIDFD", "no memory", "all"])
def fallback(request: Any, monkeypatch: Any) -> str:
    for name in ("DATAFLOW_NO_MEMFD", "DATAFLOW_SOCKETS", "DATAFLOW_NO_PIDFD"):
        if request.param in (name, "all"):
            monkeypatch.setenv(name, "1")
    if request.param in ("no memory", "all"):
        monkeypatch.setattr(process_pool, "new_memory", lambda: None)
    return str(request.param)


@pytest.mark.parametrize("method", METHODS)
def test_all_the_same_with_fallbacks(fallback: str, method: str) -> None:
    with nothing_left():
        for size in (100, 30_000, 2_000_000):
            n = 12
            if method != "fork" and size != 30_000:
                continue
            with MultiProcessMapData(
                Count(n, size), 2, lambda dp: [dp[0], dp[1] + 1], 6, True, ordered=True, start_method=method
            ) as df:
                df.reset_state()
                for _ in range(2):
                    kept = list(df)
                    assert [i for i, _ in kept] == list(range(n))
                    assert all(a.flags.writeable and a.size == size and (a == i + 1).all() for i, a in kept)
                pid = df._pool.workers[1].process.pid
                os.kill(pid, signal.SIGKILL)
                with within(), pytest.raises(WorkerError, match="SIGKILL"):
                    while True:
                        kept = list(df)
        inner = MultiProcessRunner(Count(n, 30_000), 4, 1, start_method=method)
        with inner, MultiProcessRunnerZMQ(inner, 2, start_method=method) as outer:
            outer.reset_state()
            kept = [dp for _ in range(5) for dp in outer]
            assert len(kept) == 5 * n
            assert all(a.flags.writeable and (a == i).all() for i, a in kept)
        del df, inner, outer, kept


@pytest.mark.parametrize("size", [1 << 20, 100 << 20])
def test_a_limit_on_the_size_of_files(size: int, caplog: Any, monkeypatch: Any) -> None:
    """Too little shared memory, or none: it falls back, and says so once."""
    from dataflow.utils import argtools

    monkeypatch.setattr(argtools, "_logged", set())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        with MultiProcessRunnerZMQ(Count(30, 5_000_000), 1, 20) as df:
            df.reset_state()
            kept = list(df)
            assert all((a == i).all() for i, a in kept)
        with MultiProcessMapData(Count(30, 5_000_000), 2, identity, 20, True) as df:
            df.reset_state()
            kept = list(df)
            assert len(kept) == 30 and all((a == i).all() for i, a in kept)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    if size < shared_memory._SMALLEST:
        assert caplog.text.count("no shared memory") <= 1


def can_unshare() -> bool:
    try:
        return subprocess.run(["unshare", "-rm", "true"], capture_output=True, timeout=10).returncode == 0
    except OSError:
        return False


def test_dev_shm_is_full(tmp_path: Any) -> None:
    """A real /dev/shm of 1 MB: nothing dies of SIGBUS, all arrives, one warning a process."""
    if not can_unshare():
        pytest.skip("can't mount a small /dev/shm here")
    code = """
    import numpy as np
    from dataflow import DataFromList
    from dataflow.parallel import MultiProcessRunnerZMQ

    ds = DataFromList([[i, np.full(300_000, i, np.uint8)] for i in range(20)], shuffle=False)
    for method in ("fork", "spawn"):
        if __name__ == "__main__":
            df = MultiProcessRunnerZMQ(ds, 1, start_method=method)
            df.reset_state()
            kept = list(df)
            assert all((a == i).all() and a.size == 300_000 for i, a in kept)
            df.close()
    """
    path = tmp_path / "program.py"
    import textwrap

    path.write_text(textwrap.dedent(code))
    mount = f"mount -t tmpfs -o size=1m tmpfs /dev/shm && exec {sys.executable} {path}"
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount],
        env={**os.environ, "PYTHONPATH": ROOT, "DATAFLOW_NO_MEMFD": "1"},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert 1 <= done.stdout.count("shared memory is full") <= 2, done.stdout


def test_out_of_descriptors_leaves_nothing() -> None:
    import psutil

    own, limit = psutil.Process(), resource.getrlimit(resource.RLIMIT_NOFILE)
    failed = 0
    for room in range(40):
        df = MultiProcessMapData(Count(5), 2, identity, 5, True)
        before, leaked_by_python = own.num_fds(), 0
        resource.setrlimit(resource.RLIMIT_NOFILE, (before + room, limit[1]))
        try:
            df.reset_state()
            assert len(list(df)) == 5
        except OSError as e:
            assert "Too many open files" in str(e)
            failed += 1
            if traceback.extract_tb(e.__traceback__)[-1].name == "_launch":
                leaked_by_python = 2  # the first pipe, if multiprocessing can't have the second
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        df.close()
        assert own.num_fds() <= before + leaked_by_python
    assert failed > 10


# ---- cycles


@pytest.mark.timeout(120)
def test_200_cycles_leave_nothing() -> None:
    def one(i: int) -> None:
        size = (0, 50_000)[i % 2]
        how = i % 5
        if how == 0:
            df: Any = MultiProcessRunnerZMQ(Count(20, size), 2)
        elif how == 1:
            df = MultiProcessRunner(Count(20, size), 5, 2)
        elif how == 2:
            df = MultiProcessMapData(Count(20, size), 2, identity, 5, i % 3 == 0)
        elif how == 3:
            df = MultiProcessMapAndBatchData(Count(20, size), 2, identity, 5)
        else:
            df = MultiThreadMapData(Count(20, size), 2, identity, 5, i % 3 == 0)
        df.reset_state()
        iterator = iter(df)
        for _ in islice(iterator, i % 20):
            pass
        if i % 4 < 2:
            df.close()
        if i % 4 == 3:
            iterator.close()

    one(0)
    with nothing_left():
        for i in range(200):
            one(i)


def test_the_last_words_of_many_that_die() -> None:
    for i in range(30):
        df = MultiProcessRunnerZMQ(FaultyFlow(raise_key_error), 1 + i % 3)
        df.reset_state()
        with pytest.raises(KeyError):
            for _ in range(100):
                list(df)


def test_sleepy_workers_end_with_the_pool() -> None:
    with nothing_left():
        df = MultiProcessMapData(Count(10), 2, lambda dp: time.sleep(60), 10, True)
        df.reset_state()
        with within():
            df.close()
        df = MultiProcessRunnerZMQ(Sleepy(), 2)
        df.reset_state()
        next(iter(df))
        with within():
            df.close()
        del df
