"""Worker processes: how they start, what they do first, and how they end, whoever dies how.

A worker is a plain, non-daemonic process, since it may start workers of its own. So that it is never left
behind, it dies with its parent however that dies: on Linux the kernel sees to it, elsewhere (and where the
kernel can't know the parent) a thread in the worker waits for the parent's end.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from multiprocessing import process as mp_process
from multiprocessing import reduction
from multiprocessing.context import BaseContext
from typing import Any, NamedTuple, Protocol

from .._core.random_state import enter_worker, process_state, reseed
from .codec import dumps_code, loads_code


class Closeable(Protocol):
    """What must be closed before a process ends."""

    def close(self) -> None:
        """Close it."""

    def abandon(self) -> None:
        """In a process that was forked while it existed: let go of it."""


def choose_context(start_method: str | None) -> BaseContext:
    """Return the multiprocessing context of a start method.

    None chooses: what the program set by ``multiprocessing.set_start_method``; else ``fork`` on Linux,
    unless CUDA is in use in this process, whose driver does not survive a fork; else ``spawn``.

    Raises:
        ValueError: there is no such start method here.
    """
    methods = multiprocessing.get_all_start_methods()
    if start_method is None:
        start_method = multiprocessing.get_start_method(allow_none=True)
        if start_method is None:
            start_method = "fork" if sys.platform == "linux" else "spawn"
        if start_method == "fork" and _cuda_in_use():
            start_method = "spawn"
    if start_method not in methods:
        raise ValueError(f"start_method: expected one of {', '.join(methods)} or None, got {start_method!r}")
    return multiprocessing.get_context(start_method)


def _cuda_in_use() -> bool:
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    return bool(cuda is not None and cuda.is_initialized())


def usable_cores() -> int:
    """Return how many processors this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def inherited_fd(fd: int) -> Any:
    """Return what, pickled for a process being started, has ``detach()`` that returns ``fd`` there."""
    return reduction.DupFd(fd)


class Parent(NamedTuple):
    """What a worker must know of the process that started it."""

    pid: int
    by_main_thread: bool
    direct: bool  # the worker is its child; not so with a fork server
    rng: Any


class _Code:
    """What a worker works with: inherited by fork, else cloudpickled and loaded when first asked for."""

    def __init__(self, value: Any, what: str) -> None:
        self._value, self._what, self._data = value, what, b""

    @property
    def value(self) -> Any:
        if self._data:
            self._value, self._data = loads_code(self._data), b""
            reseed()  # augmentors in it came with the random state of the parent
        return self._value

    def __reduce__(self) -> Any:
        return _sent, (dumps_code(self._value, self._what),)


def _sent(data: bytes) -> _Code:
    code = _Code(None, "")
    code._data = data
    return code


def start_process(
    context: BaseContext,
    index: int,
    entry: Callable[..., None],
    setup: Any,
    code: Any,
    what: str,
    started: Callable[[Any], None],
) -> None:
    """Start a worker that runs ``entry(setup, code, index)``, where ``code.value`` is ``code``.

    ``started`` gets its ``multiprocessing.Process``: no Ctrl-C can come between, and leave a worker that
    nobody knows.
    """
    method = context.get_start_method()
    _start_helpers(method)
    by_main = threading.current_thread() is threading.main_thread()
    parent = Parent(os.getpid(), by_main, method != "forkserver", process_state())
    process = context.Process(  # type: ignore[attr-defined]
        target=_run, args=(parent, index, entry, setup, _Code(code, what)), name=f"{what}-{index}"
    )
    with _sigint_deferred(), warnings.catch_warnings():
        # Python 3.12 warns of any fork beside threads. The child runs only code that is made for it.
        warnings.filterwarnings("ignore", ".*multi-threaded, use of fork.*", DeprecationWarning)
        process.start()
        started(process)


def _start_helpers(method: str) -> None:
    """Start the processes that multiprocessing itself needs: not while SIGINT is blocked.

    The start of its resource tracker unblocks it, and its fork server would hand the blocking on to all
    that it ever forks.
    """
    if method == "forkserver":
        from multiprocessing import forkserver

        forkserver.ensure_running()
    elif method == "spawn" and sys.platform != "win32":
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()


@contextlib.contextmanager
def _sigint_deferred() -> Iterator[None]:
    """Have Ctrl-C wait while a child is made.

    It is blocked, so that the child begins its life with that and prints no traceback from the middle of its
    start. That is not enough for this process: the kernel gives the signal to any thread that does not block
    it, and Python raises the exception in the main one.
    """
    came: list[Any] = []
    handler = signal.getsignal(signal.SIGINT)
    ours = callable(handler) and threading.current_thread() is threading.main_thread()
    if ours:
        signal.signal(signal.SIGINT, lambda *args: came.append(args))
    blocks = hasattr(signal, "pthread_sigmask")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if blocks else set()
    try:
        yield
    finally:
        if blocks:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if ours:
            signal.signal(signal.SIGINT, handler)
        if came and callable(handler):
            handler(*came[0])


def _run(parent: Parent, index: int, entry: Callable[..., None], setup: Any, code: _Code) -> None:
    """Be a worker: the first function of every worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group: the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # not the handler of the parent's program
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    die_with(parent)
    keep_freed_memory()
    gc.freeze()  # or the first collection would write to, and so copy, every inherited page
    enter_worker(parent.rng, index)
    try:
        entry(setup, code, index)
    finally:
        close_all()


def keep_freed_memory() -> None:
    """Have glibc keep what is freed for the next array instead of giving it back to the system.

    A worker makes arrays of the same few sizes over and over. Fresh pages for each image took 40 % of the
    time of decoding it with OpenCV.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            m_trim_threshold, m_mmap_threshold = -1, -3
            libc.mallopt(m_mmap_threshold, 32 << 20)  # the most that glibc takes
            libc.mallopt(m_trim_threshold, 64 << 20)


def die_with(parent: Parent) -> None:
    """End this process as soon as the parent is gone."""
    if sys.platform == "linux" and parent.direct and parent.by_main_thread:
        # The kernel's signal comes when the *thread* that started us ends: hence only for the main thread.
        pr_set_pdeathsig = 1
        if ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL) == 0:
            if os.getppid() != parent.pid:
                os._exit(1)
            return
    threading.Thread(target=_wait_for_end_of, args=(parent,), name="parent-watch", daemon=True).start()


def _wait_for_end_of(parent: Parent) -> None:
    pidfd = pidfd_of(parent.pid)
    if pidfd >= 0:
        import select

        if not parent.direct or os.getppid() == parent.pid:
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            poll.poll()
    else:
        mp_parent = mp_process.parent_process()
        while mp_parent is not None and mp_parent.is_alive():
            mp_parent.join(0.5)
            if parent.direct and hasattr(os, "getppid") and os.getppid() != parent.pid:
                break
    os._exit(1)


def pidfd_of(pid: int) -> int:
    """Return a descriptor that is readable once the process has ended, or -1 where there is none.

    Unlike a pipe to the process, it is not held open by children of its own.
    """
    if not hasattr(os, "pidfd_open") or os.environ.get("DATAFLOW_NO_PIDFD"):
        return -1
    try:
        return os.pidfd_open(pid)
    except OSError:
        return -1


_to_close: set[Closeable] = set()
_hooked = False


def close_at_exit(thing: Closeable) -> None:
    """Have ``thing.close()`` called before this process ends, unless ``closed`` comes first.

    It is kept alive until then: workers that nobody refers to any more, as after a Ctrl-C in the wrong
    moment, would keep the program from ending. In a forked process ``thing.abandon()`` is called.

    Exit hooks run last in, first out, and multiprocessing's own waits for all children: ours must come later
    than that, so it is registered after its import.
    """
    global _hooked
    _to_close.add(thing)
    if not _hooked:
        import multiprocessing.util  # noqa: F401  # registers its hook

        atexit.register(close_all)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_abandon_all)
        _hooked = True


def closed(thing: Closeable) -> None:
    """Say that ``thing`` need not be closed any more."""
    _to_close.discard(thing)


def close_all() -> None:
    """Close what was given to ``close_at_exit`` and still exists."""
    for thing in list(_to_close):
        thing.close()


def _abandon_all() -> None:
    """In a forked process: what was inherited belongs to the parent."""
    for thing in list(_to_close):
        thing.abandon()
    _to_close.clear()


def describe_end(process: Any) -> str:
    """Return how a process ended: the signal's name or the exit status."""
    code = process.exitcode
    if code is None:
        return "closed its connection"
    if code < 0:
        try:
            return f"was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"was killed by signal {-code}"
    return f"exited with status {code}"
