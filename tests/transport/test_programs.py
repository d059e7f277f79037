"""Whole programs: how they end, and that nothing of them stays."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.parallel import LIMIT, METHODS, Program, wait_gone, within

pytestmark = pytest.mark.slow

HEAD = """
import os, sys, time
import numpy as np
import psutil
from dataflow import DataFromList
from dataflow.base import DataFlow
from dataflow.parallel import MultiProcessRunner, MultiProcessRunnerZMQ, MultiThreadRunner
from dataflow.parallel_map import MultiProcessMapAndBatchData, MultiProcessMapData, MultiThreadMapData

method = sys.argv[1]

class Spin(DataFlow):
    "pure Python"
    def __iter__(self):
        yield [0]
        while True:
            pass

class Sleep(DataFlow):
    def __iter__(self):
        yield [0]
        time.sleep(60)

class Fill(DataFlow):
    "blocked on a full pipe, as soon as nobody reads"
    def __iter__(self):
        while True:
            yield ["x" * 10_000] * 20

def slow(dp):
    time.sleep(60 if dp[0] else 0)
    return dp

def consume(iterator):
    try:
        for dp in iterator:
            pass
    except BaseException as e:
        assert type(e).__name__ == "DataFlowTerminated", e

flow = DataFromList([[i] for i in range(100)], shuffle=False)

def report():
    "Print the ids of all that was started."
    time.sleep(0.1)
    print(*[p.pid for p in psutil.Process().children(recursive=True)], flush=True)
"""

STAGES = {
    "spin": "MultiProcessRunnerZMQ(Spin(), 2, start_method=method)",
    "sleep": "MultiProcessRunner(Sleep(), 10, 2, start_method=method)",
    "full pipe": "MultiProcessRunnerZMQ(Fill(), 2, 1000, start_method=method)",
    "mapper": "MultiProcessMapData(flow, 2, slow, 50, True, start_method=method)",
    "batches": "MultiProcessMapAndBatchData(flow, 2, slow, 1, start_method=method)",
    "nested": "MultiProcessRunnerZMQ("
    "MultiProcessMapData(flow, 2, slow, 50, True, start_method=method), 1, start_method=method)",
    "nested runners": "MultiProcessRunnerZMQ("
    "MultiProcessRunner(Fill(), 10, 1, start_method=method), 2, start_method=method)",
}


@pytest.fixture
def program(tmp_path: Path) -> Any:
    """Start programs; kill what is left of them afterwards."""
    programs: list[Program] = []

    def start(code: str, *args: str, env: dict[str, str] | None = None) -> Program:
        started = Program(tmp_path / f"program{len(programs)}.py", HEAD + code, *args, env=env)
        programs.append(started)
        return started

    yield start
    for started in programs:
        if started.process.poll() is None:
            os.killpg(started.process.pid, signal.SIGKILL)
            started.process.communicate(timeout=5)
        wait_gone(started.pids)


Start = Callable[..., Program]


def cases() -> list[tuple[str, str]]:
    few = ("spin", "full pipe", "nested", "nested runners")
    return [(s, "fork") for s in STAGES] + [(s, m) for m in METHODS[1:] for s in few]


@pytest.mark.parametrize(("stage", "method"), cases())
def test_the_parent_is_killed(program: Start, stage: str, method: str) -> None:
    started = program(
        f"""
if __name__ == "__main__":
    df = {STAGES[stage]}
    df.reset_state()
    iterator = iter(df)
    next(iterator)
    report()
    time.sleep(60)
""",
        method,
    )
    started.read_pids()
    assert len(started.pids) >= 2
    started.process.kill()
    started.process.communicate()
    wait_gone(started.pids, LIMIT)


@pytest.mark.parametrize("method", METHODS)
def test_the_parent_is_killed_where_neither_kernel_nor_pidfd_help(program: Start, method: str) -> None:
    """Workers that a thread has started, which has ended; and no pidfd."""
    started = program(
        f"""
if __name__ == "__main__":
    import threading
    df = {STAGES["nested"]}
    thread = threading.Thread(target=df.reset_state)
    thread.start()
    thread.join()
    next(iter(df))
    report()
    time.sleep(60)
""",
        method,
        env={"DATAFLOW_NO_PIDFD": "1"},
    )
    started.read_pids()
    started.process.kill()
    started.process.communicate()
    wait_gone(started.pids, LIMIT + 1)


@pytest.mark.parametrize(("stage", "method"), cases())
def test_ctrl_c(program: Start, stage: str, method: str) -> None:
    """One clean KeyboardInterrupt, within 2 s, and no word of the workers."""
    started = program(
        f"""
if __name__ == "__main__":
    df = {STAGES[stage]}
    df.reset_state()
    iterator = iter(df)
    next(iterator)
    report()
    for dp in iterator:
        time.sleep(0.001)
""",
        method,
    )
    started.read_pids()
    with within(LIMIT + 0.5):  # half a second is the interpreter's own
        os.killpg(started.process.pid, signal.SIGINT)
        started.end()
    assert started.process.returncode == -signal.SIGINT
    check_one_traceback(started.err)


def check_one_traceback(err: str) -> None:
    assert err.count("Traceback (most recent call last)") == 1, err
    assert err.rstrip().endswith("KeyboardInterrupt"), err


@pytest.mark.parametrize("method", METHODS)
def test_ctrl_c_while_the_workers_start(program: Start, method: str) -> None:
    """At any moment of the start: no traceback but one, and nothing is left."""
    for delay in (0.0, 0.01, 0.05, 0.1, 0.2):
        started = program(
            """
if __name__ == "__main__":
    # what Python's own helpers do with Ctrl-C is not tested, nor what numpy prints when its import is cut off
    import multiprocessing
    multiprocessing.set_forkserver_preload(["numpy.random"])
    np.random.rand()
    other = multiprocessing.get_context(method).Process(target=int)
    other.start()
    other.join()
    print("ready", flush=True)
    df = MultiProcessMapData(flow, 3, slow, 50, True, start_method=method)
    df.reset_state()
    for dp in df:
        pass
""",
            method,
        )
        started.line()
        time.sleep(delay)
        with within(LIMIT + 1.0):
            os.killpg(started.process.pid, signal.SIGINT)
            started.end()
        assert started.process.returncode == -signal.SIGINT
        check_one_traceback(started.err)


ENDS = {
    "a global, in the middle": "",
    "a global, closed": "df.close()",
    "sys.exit in the loop": "sys.exit(0)",
    "an iterator in a cycle": "df.me = df; df.it = iterator",
    "another thread consumes": (
        "import threading; threading.Thread(target=consume, args=(iterator,), daemon=True).start(); "
        "time.sleep(0.1)"
    ),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    "stage", ["spin", "full pipe", "mapper", "nested", "batches", "threads", "thread mapper"]
)
def test_the_program_ends_with_a_dataflow_in_a_global(program: Start, stage: str, end: str) -> None:
    make = {
        **STAGES,
        "threads": "MultiThreadRunner(lambda: Fill(), 10, 2)",
        "thread mapper": "MultiThreadMapData(flow, 2, slow, 50, True)",
    }[stage]
    started = program(
        f"""
if __name__ == "__main__":
    df = {make}
    df.reset_state()
    iterator = iter(df)
    next(iterator)
    report()
    {ENDS[end]}
""",
        "fork",
    )
    started.read_pids()
    with within(2 * LIMIT):
        assert started.end() == 0
    assert started.err == ""


@pytest.mark.parametrize("method", METHODS[1:])
def test_the_program_ends_with_other_start_methods(program: Start, method: str) -> None:
    started = program(
        f"""
if __name__ == "__main__":
    df = {STAGES["nested"]}
    other = {STAGES["nested runners"]}
    for d in (df, other):
        d.reset_state()
    iterators = [iter(df), iter(other)]
    for it in iterators:
        next(it)
    report()
""",
        method,
    )
    started.read_pids()
    with within(2 * LIMIT):
        assert started.end() == 0
    assert started.err == ""


def test_a_program_without_a_main_guard(program: Start) -> None:
    code = """
df = MultiProcessMapData(flow, 2, lambda dp: [dp[0] + 1], 50, True, start_method=method)
df.reset_state()
print(sum(dp[0] for dp in df))
df.close()
"""
    started = program(code, "fork")
    assert started.line() == "5050"
    assert started.end() == 0 and started.err == ""
    started = program(code, "spawn")
    with pytest.raises(AssertionError, match="the program ended: 1"):
        started.line()
    assert "WorkerError" in started.err and "freeze_support" in started.err


@pytest.mark.parametrize("method", METHODS)
def test_types_of_the_main_file_are_the_same_on_both_sides(program: Start, method: str) -> None:
    started = program(
        """
from dataclasses import dataclass

class Trouble(Exception):
    pass

@dataclass
class Point:
    x: int

def func(dp):
    if dp[0] == 50:
        raise Trouble("fifty")
    return [Point(dp[0])]

if __name__ == "__main__":
    df = MultiProcessMapData(flow, 1, func, 10, True, start_method=method)
    df.reset_state()
    got = []
    try:
        for dp in df:
            got.append(dp)
    except Trouble as e:
        print("Trouble", e, got == [[Point(i)] for i in range(50)])
""",
        method,
    )
    assert started.line() == "Trouble fifty True"
    assert started.end() == 0 and started.err == ""


def test_an_error_in_the_loop_and_one_in_a_worker_print_one_traceback_each(program: Start) -> None:
    started = program(
        """
def bad(dp):
    raise KeyError("in the worker")

if __name__ == "__main__":
    df = MultiProcessMapData(flow, 1, bad, 10, True)
    df.reset_state()
    list(df)
""",
        "fork",
    )
    assert started.end() == 1
    assert "WorkerTraceback" in started.err and "MultiProcessMapDataZMQ, worker 0" in started.err
    assert 'raise KeyError("in the worker")' in started.err
    assert started.err.rstrip().splitlines()[-1].startswith(("KeyError", "raised in"))
