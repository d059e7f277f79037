"""What the tests of the parallel dataflows and of the transport share.

Spawned workers import this module: it must stay light, so pytest, psutil and the like are imported by tests.
"""

from __future__ import annotations

import contextlib
import ctypes
import enum
import faulthandler
import gc
import itertools
import mmap
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dataflow._core.random_state import get_rng, reseed_in_children
from dataflow.base import DataFlow, RNGDataFlow

METHODS = ["fork", "spawn", "forkserver"]
ROOT = str(Path(__file__).resolve().parents[2])
LIMIT = 2.0
"""Seconds in which every fault must have ended in an error, and everything must be gone."""

multiprocessing.set_forkserver_preload(["dataflow.parallel_map", "tests.helpers.parallel"])

# ---- dataflows and functions


class Count(DataFlow):
    """[start], [start + 1], ...; each with an array if ``array`` bytes are wanted."""

    def __init__(self, n: int, array: int = 0) -> None:
        self.n, self.array = n, array

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[Any]:
        for i in range(self.n):
            yield [i, np.full(self.array, i % 251, np.uint8)] if self.array else [i]


class Unsized(DataFlow):
    """The same without a length."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __iter__(self) -> Iterator[Any]:
        for i in range(self.n):
            yield [i]


class Sleepy(DataFlow):
    """Yields some datapoints, then sleeps a minute."""

    def __init__(self, n: int = 10) -> None:
        self.n = n

    def __iter__(self) -> Iterator[Any]:
        for i in range(self.n):
            yield [i]
        time.sleep(60)


class Counting(DataFlow):
    """Yields numbers as fast as can be, and counts them where forked processes see it."""

    def __init__(self) -> None:
        self.made = np.frombuffer(mmap.mmap(-1, mmap.PAGESIZE), np.int64)[:1]

    def __iter__(self) -> Iterator[Any]:
        for i in itertools.count():
            self.made[0] += 1
            yield [i]


class Log:
    """Counts across processes of any start method: a byte for each ``add``, in a file."""

    def __init__(self, path: Any) -> None:
        self.path = str(path)
        Path(self.path).touch()

    def add(self) -> None:
        fd = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        os.write(fd, b".")
        os.close(fd)

    def __len__(self) -> int:
        return os.stat(self.path).st_size

    def __bool__(self) -> bool:
        return True


class Logged(DataFlow):
    """Yields [i, pid] n times (None: for ever), and logs each reset and each datapoint made."""

    def __init__(self, folder: Any, n: int | None = None, array: int = 0) -> None:
        self.made, self.resets = Log(Path(folder) / "made"), Log(Path(folder) / "resets")
        self.n, self.array = n, array

    def reset_state(self) -> None:
        self.resets.add()

    def __iter__(self) -> Iterator[Any]:
        i = 0
        while self.n is None or i < self.n:
            self.made.add()
            yield [i, os.getpid(), np.full(self.array, i % 251, np.uint8)]
            i += 1


class Rebuilt:
    """Pickles well, but can't be rebuilt where ``DATAFLOW_TEST_NO_REBUILD`` is set."""

    def __reduce__(self) -> Any:
        return _rebuild, ()


def _rebuild() -> Rebuilt:
    if in_main_process():
        raise ValueError("can't be rebuilt")
    return Rebuilt()


class Color(enum.Enum):
    RED = 1


@dataclass
class Point:
    x: int
    y: Any


class UnfriendlyError(Exception):
    """An exception that can't be rebuilt from its arguments."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a} and {b}")


class LockedError(Exception):
    """An exception that can't be pickled."""

    def __init__(self) -> None:
        super().__init__("with a lock inside")
        self.lock = threading.Lock()


def in_main_process() -> bool:
    return multiprocessing.parent_process() is None


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def segfault() -> None:
    faulthandler.disable()
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.string_at(0)


def out_of_memory() -> None:
    raise MemoryError("no more")


def raise_key_error() -> None:
    raise KeyError("the key")


def raise_unfriendly() -> None:
    raise UnfriendlyError(1, 2)


def raise_locked() -> None:
    raise LockedError


def exit_3() -> None:
    os._exit(3)


def sys_exit() -> None:
    sys.exit("enough")


def leave_child_and_die() -> None:
    """Die while a child of one's own holds all descriptors open."""
    if os.fork() == 0:
        time.sleep(20)
        os._exit(0)
    os._exit(3)


FAULTS: dict[str, tuple[Callable[[], None], str, str]] = {
    # what happens: (who does it, type of the error, part of its text)
    "raises": (raise_key_error, "KeyError", "the key"),
    "raises MemoryError": (out_of_memory, "MemoryError", "no more"),
    "raises what its arguments don't make": (raise_unfriendly, "UnfriendlyError", "1 and 2"),
    "raises what can't be pickled": (raise_locked, "LockedError", "with a lock inside"),
    "sys.exit": (sys_exit, "WorkerError", "SystemExit: enough"),
    "SIGKILL": (kill_self, "WorkerError", "was killed by SIGKILL"),
    "os._exit(3)": (exit_3, "WorkerError", "exited with status 3"),
    "segfault": (segfault, "WorkerError", "was killed by SIGSEGV"),
}


class FaultyFlow(DataFlow):
    """[0], [1], [2], then the fault."""

    def __init__(self, fault: Callable[[], None]) -> None:
        self.fault = fault

    def __iter__(self) -> Iterator[Any]:
        for i in range(3):
            yield [i]
        self.fault()


class FaultyReset(DataFlow):
    """The fault is in reset_state."""

    def __init__(self, fault: Callable[[], None]) -> None:
        self.fault = fault

    def reset_state(self) -> None:
        self.fault()

    def __iter__(self) -> Iterator[Any]:
        yield [0]


class FaultyMap:
    """Identity, but the fault comes with datapoint ``at``."""

    def __init__(self, fault: Callable[[], None], at: int = 3) -> None:
        self.fault, self.at = fault, at

    def __call__(self, dp: Any) -> Any:
        if dp[0] == self.at:
            self.fault()
        return dp


def identity(dp: Any) -> Any:
    return dp


def double(dp: Any) -> Any:
    return [dp[0] * 2]


def odd(dp: Any) -> Any:
    return dp if dp[0] % 2 else None


def with_pid(dp: Any) -> Any:
    time.sleep(0.002)
    return [dp[0], os.getpid()]


class Random(RNGDataFlow):
    """Numbers of its own random state, of numpy's, and of an augmentor's; with the process that made them."""

    def __init__(self, n: int = 20) -> None:
        self.n = n
        self.augmentor = Augmentor()

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[Any]:
        for _ in range(self.n):
            numbers = self.rng.randint(2**31), np.random.randint(2**31), self.augmentor.rng.randint(2**31)
            yield [os.getpid(), *map(int, numbers)]


class Augmentor:
    """Anything with a random state that is not reset by a dataflow."""

    def __init__(self) -> None:
        self.reset_state()
        reseed_in_children(self)

    def reset_state(self) -> None:
        self.rng = get_rng(self)

    def __setstate__(self, state: Any) -> None:
        self.__dict__.update(state)
        reseed_in_children(self)

    def __call__(self, dp: Any) -> Any:
        time.sleep(0.002)
        return [os.getpid(), int(self.rng.randint(2**31)), int(np.random.randint(2**31))]


# ---- waiting, and what is left


def wait_until(condition: Callable[[], Any], timeout: float = LIMIT, what: str = "") -> Any:
    """Return the first true value of ``condition()``; fail if there is none in ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what or condition}")
        time.sleep(0.005)
    return value


@contextlib.contextmanager
def within(seconds: float = LIMIT) -> Iterator[None]:
    """Fail if the block takes longer."""
    start = time.monotonic()
    yield
    taken = time.monotonic() - start
    assert taken < seconds, f"took {taken:.2f} s, {seconds} s are allowed"


def is_alive(pid: int) -> bool:
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_gone(pids: list[int], timeout: float = LIMIT) -> None:
    """Wait until processes are gone; kill those that are left, and fail."""
    try:
        wait_until(lambda: not any(map(is_alive, pids)), timeout, "processes are left")
    except AssertionError:
        for pid in filter(is_alive, pids):
            os.kill(pid, signal.SIGKILL)
        raise


def snapshot() -> dict[str, Any]:
    """Return what this process has: children, descriptors, threads, shared memory."""
    import psutil

    own = psutil.Process()
    children = [c.pid for c in own.children(recursive=True) if is_alive(c.pid)]
    mappings = [m for m in Path("/proc/self/maps").read_text().splitlines() if "memfd:" in m or "/psm_" in m]
    return {
        "children": sorted(children),
        "descriptors": own.num_fds(),
        "threads": sorted(t.name for t in threading.enumerate()),
        "shared memory": sorted(p.name for p in Path("/dev/shm").glob("psm_*")),
        "mappings": len(mappings),
    }


def start_helpers() -> None:
    """Start what multiprocessing starts once and leaves until the end."""
    from multiprocessing import forkserver, resource_tracker

    resource_tracker.ensure_running()
    forkserver.ensure_running()


@contextlib.contextmanager
def nothing_left(timeout: float = LIMIT) -> Iterator[None]:
    """Fail if, ``timeout`` seconds after the block, something of it is still there."""
    start_helpers()
    gc.collect()
    before = snapshot()
    yield
    deadline = time.monotonic() + timeout
    while True:
        gc.collect()
        left = _added(before, snapshot())
        if not left or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    assert not left, f"left behind: {left}"


def _added(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return what is there now and was not before. Less is no fault: a thread of an earlier test ended."""
    added = {
        key: list((Counter(now) - Counter(before[key])).elements())
        if isinstance(now, list)
        else max(0, now - before[key])
        for key, now in after.items()
    }
    return {key: value for key, value in added.items() if value}


# ---- programs


class Program:
    """A Python program in a process, and a session, of its own."""

    def __init__(self, path: Path, code: str, *args: str, env: dict[str, str] | None = None) -> None:
        path.write_text(textwrap.dedent(code))
        self.process = subprocess.Popen(
            [sys.executable, str(path), *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": ROOT, **(env or {})},
        )
        self.pids: list[int] = []
        self.err = self.out = ""

    def line(self) -> str:
        """Return the next line that it prints."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.end()
            raise AssertionError(f"the program ended: {self.process.returncode} {self.err}")
        return line.rstrip("\n")

    def read_pids(self) -> None:
        """Read a line of process ids: those must be gone in the end."""
        self.pids = [int(word) for word in self.line().split()]

    def end(self, timeout: float = 20.0) -> int:
        """Wait for its end, and for that of its processes; return the exit status."""
        try:
            self.out, self.err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.out, self.err = self.process.communicate(timeout=5)
            for pid in filter(is_alive, self.pids):
                os.kill(pid, signal.SIGKILL)
            raise AssertionError(f"the program did not end in {timeout} s: {self.err}") from None
        wait_gone(self.pids)
        return self.process.returncode


# ---- equality


def same(a: Any, b: Any) -> bool:
    """Say whether b is what a was: types, values (NaN is NaN), dtypes; arrays writable and owning."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return (
            a.dtype == b.dtype
            and a.shape == b.shape
            and b.flags.writeable
            and (a.size == 0 or a.dtype.hasobject or a.tobytes() == b.tobytes())
            and (not a.dtype.hasobject or a.dtype.names is not None or all(map(same, a.flat, b.flat)))
        )
    if isinstance(a, np.generic):
        return a.dtype == b.dtype and a.tobytes() == b.tobytes()
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(map(repr, a)) == list(map(repr, b)) and all(map(same, a.values(), b.values()))
    if isinstance(a, float):
        return a == b or (a != a and b != b)
    if isinstance(a, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    return bool(a == b)
