"""Run parallel pipelines for a long time, with workers killed and raising at random, and check everything.

    python benchmarks/soak.py --seconds 300

Every round builds a pipeline of random shape, runs it, and checks what came: counts, sums, the content of
every array. In some rounds a worker is killed, exits or raises at a random moment: then the round must end in
the right error, soon. In the end as many processes, descriptors and threads exist as in the beginning, and
memory has not grown. The exit status is 0 if all is well. A stall prints the stacks of all threads and ends
the program.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import faulthandler
import gc
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import psutil

from dataflow.base import DataFlow, WorkerError
from dataflow.parallel import MultiProcessRunner, MultiProcessRunnerZMQ, MultiThreadRunner
from dataflow.parallel_map import MultiProcessMapAndBatchData, MultiProcessMapData, MultiThreadMapData

STALL = 60.0
"""Seconds after which a round counts as stalled."""
GROWTH = 32 << 20
"""Bytes of growth, from the least memory in the first third to the least in the last, that are noise."""


class Trouble(Exception):
    """What a worker raises on purpose."""


class Numbers(DataFlow):
    """[0, array], [1, array] ...: an array of ``size`` numbers that follow from the first component."""

    def __init__(self, n: int, size: int) -> None:
        self.n, self.size = n, size

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[Any]:
        for i in range(self.n):
            yield [i, np.full(self.size, i, np.int64)] if self.size else [i]


class Work:
    """Adds 1; raises, exits or dies at datapoint ``bad`` if there is one."""

    def __init__(self, bad: int, how: str) -> None:
        self.bad, self.how = bad, how

    def __call__(self, dp: Any) -> Any:
        if dp[0] == self.bad:
            if self.how == "raise":
                raise Trouble(self.bad)
            if self.how == "exit":
                os._exit(3)
            os.kill(os.getpid(), signal.SIGKILL)
        return [dp[0], *(a + 1 for a in dp[1:])]


class Tally:
    """What arrived."""

    def __init__(self) -> None:
        self.rounds = self.faults = self.small = self.large = self.bytes = 0

    def check(self, dp: Any, added: int) -> int:
        """Check one datapoint and return its number."""
        if len(dp) == 1:
            self.small += 1
        else:
            self.large += 1
            self.bytes += dp[1].nbytes
            if not (dp[1] == dp[0] + added).all():
                raise AssertionError(f"datapoint {dp[0]} arrived with another's array")
        return int(dp[0])


def one_round(rng: random.Random, tally: Tally) -> None:
    """Build a pipeline, run it, check it."""
    size = rng.choice([0, 0, 0, 100, 5_000, 50_000, 500_000])
    n = rng.choice([1, 7, 100, 40_000 if not size else 200 if size < 100_000 else 30])
    method = rng.choice(["fork"] * 18 + ["spawn", "forkserver"])
    fault = rng.choice(["", "", "", "raise", "exit", "die", "kill"])
    work = Work(rng.randrange(n) if fault in ("raise", "exit", "die") else -1, fault)
    workers, bound = rng.randint(1, 4), rng.choice([1, 3, 10, 200] if n < 1000 else [50, 1000])
    ds = Numbers(n, size)
    shape = rng.choice(SHAPES)
    tally.rounds += 1
    try:
        shape(rng, tally, ds, work, workers, bound, method, fault == "kill")
    except Trouble as e:
        if fault != "raise" or e.args != (work.bad,) or "Traceback" not in str(e.__cause__):
            raise
        tally.faults += 1
    except WorkerError as e:
        if not (fault in ("die", "kill") and "SIGKILL" in str(e)) and not (
            fault == "exit" and "status 3" in str(e)
        ):
            raise
        tally.faults += 1


@contextlib.contextmanager
def running(df: Any, kill: bool, rng: random.Random) -> Iterator[Any]:
    """Start it, have a worker killed if that is wanted, and close it: by name, or by forgetting it."""
    df.reset_state()
    timer = None
    if kill and not isinstance(df, MultiThreadMapData | MultiThreadRunner):
        pid = rng.choice(df._pool.workers).process.pid
        timer = threading.Timer(rng.random() * 0.05, _kill, (pid,))
        timer.start()
    try:
        yield df
    finally:
        if timer is not None:
            timer.cancel()
            timer.join()
        if rng.random() < 0.7:
            df.close()


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def strict_mapper(rng: random.Random, tally: Tally, ds: Numbers, work: Work, *options: Any) -> None:
    """Exact passes of a mapper over processes or threads, some broken off."""
    workers, bound, method, kill = options
    ordered = rng.random() < 0.3
    if work.bad < 0 and rng.random() < 0.2:
        df: Any = MultiThreadMapData(ds, workers, work, bound, True, ordered=ordered)
    else:
        df = MultiProcessMapData(ds, workers, work, bound, True, ordered=ordered, start_method=method)
    with running(df, kill, rng):
        for _ in range(rng.randint(1, 4)):
            stop = rng.choice([None, None, rng.randrange(ds.n + 1)])
            got = [tally.check(dp, 1) for dp in islice(df, stop)]
            if ordered and got != list(range(len(got))):
                raise AssertionError("not in order")
            if stop is None and sorted(got) != list(range(ds.n)):
                raise AssertionError(f"a pass of {ds.n} gave {len(got)}, {len(set(got))} distinct")


def endless_mapper(rng: random.Random, tally: Tally, ds: Numbers, work: Work, *options: Any) -> None:
    """The stream of a mapper that is not strict."""
    workers, bound, method, kill = options
    df = MultiProcessMapData(ds, workers, work, bound, start_method=method)
    with running(df, kill, rng):
        counts = np.zeros(ds.n, int)
        for dp in islice(df, 3 * ds.n):
            counts[tally.check(dp, 1)] += 1
        if counts.sum() != 3 * ds.n or abs(counts - 3).sum() > 2 * min(bound, 3 * ds.n):
            raise AssertionError(f"not a reordering of passes: {counts}")


def batches(rng: random.Random, tally: Tally, ds: Numbers, work: Work, *options: Any) -> None:
    """Batches made by the workers."""
    workers, bound, method, kill = options
    size = min(ds.n, 5)
    df = MultiProcessMapAndBatchData(ds, workers, work, size, max(bound, size), start_method=method)
    with running(df, kill, rng):
        for batch in islice(df, 2 * len(ds) // size):
            for i, number in enumerate(batch[0]):
                tally.check([number, *(a[i] for a in batch[1:])], 1)


def nested(rng: random.Random, tally: Tally, ds: Numbers, work: Work, *options: Any) -> None:
    """A mapper inside a runner."""
    workers, bound, method, kill = options
    inner = MultiProcessMapData(ds, workers, work, bound, True, start_method=method)
    with running(MultiProcessRunnerZMQ(inner, 1, bound, start_method=method), kill, rng) as df:
        for _ in range(2):
            got = [tally.check(dp, 1) for dp in df]
            if sorted(got) != list(range(ds.n)):
                raise AssertionError("a pass through two stages is not exact")


def runners(rng: random.Random, tally: Tally, ds: Numbers, work: Work, *options: Any) -> None:
    """A runner inside another; or threads."""
    workers, bound, method, kill = options
    if rng.random() < 0.2:
        with running(MultiThreadRunner(lambda: ds, bound, workers), False, rng) as df:
            for dp in df:
                tally.check(dp, 0)
        return
    inner = MultiProcessRunner(ds, bound, 1, start_method=method)
    with contextlib.ExitStack() as stack:
        stack.callback(inner.close)
        df = stack.enter_context(
            running(MultiProcessRunnerZMQ(inner, workers, bound, start_method=method), kill, rng)
        )
        counts = np.zeros(ds.n, int)
        for _ in range(3):
            for dp in df:
                counts[tally.check(dp, 0)] += 1
        if counts.sum() != 3 * ds.n:
            raise AssertionError("datapoints are missing")


SHAPES: list[Callable[..., None]] = [strict_mapper, strict_mapper, endless_mapper, batches, nested, runners]


def has() -> dict[str, Any]:
    """Return what this process has."""
    own = psutil.Process()
    alive = [p for p in own.children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]
    return {"children": len(alive), "descriptors": own.num_fds(), "threads": threading.active_count()}


def used() -> int:
    """Return the memory of this process, without what the C library merely has not given back."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)
    return int(psutil.Process().memory_info().rss)


def wait_for_same(before: dict[str, Any]) -> dict[str, Any]:
    """Return what this process has, as soon as that is what it had, or after two seconds."""
    deadline = time.monotonic() + 2
    while True:
        gc.collect()
        after = has()
        if after == before or time.monotonic() > deadline:
            return after
        time.sleep(0.02)


def soak(seconds: float, seed: int) -> int:
    """Run for so long; return the exit status."""
    tally = Tally()
    for method in ("fork", "spawn", "forkserver"):  # what multiprocessing starts once
        with MultiProcessMapData(Numbers(3, 0), 1, Work(-1, ""), 3, True, start_method=method) as df:
            df.reset_state()
            list(df)
    del df
    before = wait_for_same({})
    start = time.monotonic()
    memory: list[tuple[float, int]] = []
    while time.monotonic() - start < seconds:
        faulthandler.dump_traceback_later(STALL, exit=True)
        try:
            one_round(random.Random(f"{seed}, {tally.rounds}"), tally)
        except BaseException:
            print(f"round {tally.rounds} of seed {seed} failed", file=sys.stderr)
            raise
        finally:
            faulthandler.cancel_dump_traceback_later()
        gc.collect()
        memory.append((time.monotonic() - start, used()))
    after = wait_for_same(before)
    first = min(rss for at, rss in memory if at < seconds / 3 or at == memory[0][0])
    last = min(rss for at, rss in memory if at > seconds * 2 / 3 or at == memory[-1][0])
    print(
        f"{tally.rounds} rounds, {tally.faults} faults; {tally.small:,} small and {tally.large:,} large "
        f"datapoints, {tally.bytes / 1e9:.1f} GB; "
        f"memory {first >> 20} MB at first, {last >> 20} MB in the end"
    )
    if after != before:
        print(f"left behind: {before} before, {after} after", file=sys.stderr)
        return 1
    if last > first + GROWTH:
        print("memory grows", file=sys.stderr)
        return 1
    return 0


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sys.exit(soak(arguments.seconds, arguments.seed))


if __name__ == "__main__":
    main()
