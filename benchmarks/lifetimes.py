"""What is measured in milliseconds: starting, stopping, importing, and one datapoint at a time.

Each function yields figures for ever.
"""

from __future__ import annotations

import queue
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import psutil

Running = Callable[[], AbstractContextManager[Iterator[Any]]]
"""Makes a context: it gives an iterator over what new processes produce, and ends those in the end."""


def starts(running: Running) -> Iterator[float]:
    """Yield the milliseconds from nothing to the first datapoint."""
    while True:
        start = time.perf_counter()
        with running() as iterator:
            next(iterator)
            passed = time.perf_counter() - start
            del iterator
        yield passed * 1e3


def stops(running: Running) -> Iterator[float]:
    """Yield the milliseconds from full queues until no process is left."""
    while True:
        with running() as iterator:
            next(iterator)
            time.sleep(0.15)  # nobody takes, so all that can be full is full
            workers = [p for p in psutil.Process().children(recursive=True) if not _stays(p)]
            del iterator
            start = time.perf_counter()
        while any(map(_lives, workers)):
            time.sleep(0.0002)
        yield (time.perf_counter() - start) * 1e3


def _stays(process: psutil.Process) -> bool:
    """Say whether it is a helper that the standard library keeps for the whole life of a program."""
    try:
        return any("resource_tracker" in part or "forkserver" in part for part in process.cmdline())
    except psutil.Error:
        return False


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def latencies(mapped: Callable[[Iterator[Any]], Iterator[Any]]) -> Iterator[float]:
    """Yield the median milliseconds from when a datapoint exists until it comes back; all is idle before."""
    given: queue.SimpleQueue[Any] = queue.SimpleQueue()
    results = mapped(iter(given.get, None))
    while True:
        passed = []
        for _ in range(20):
            time.sleep(0.005)
            start = time.perf_counter()
            given.put([1, 2])
            next(results)
            passed.append(time.perf_counter() - start)
        yield statistics.median(passed) * 1e3


_IMPORT = """
import numpy, time
def resident(): return int(open("/proc/self/statm").read().split()[1]) * 4096
memory, start = resident(), time.perf_counter()
{}
print((time.perf_counter() - start) * 1e3, (resident() - memory) / 1e6)
"""


def imports(statement: str, position: int) -> Iterator[float]:
    """Yield what a statement takes in a new interpreter that has NumPy: milliseconds, or MB (position 1)."""
    while True:
        code = _IMPORT.format(statement)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        yield float(done.stdout.split()[-2 + position])
