"""Worker processes: how they start, what they do first, and how they end.

A worker is no daemonic process of multiprocessing, since it may start workers of its own. It ends with its
parent, however that ends: see ``life_line``. A program's end, and that of a child of multiprocessing, closes
what is still open first.
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
from multiprocessing.context import BaseContext
from typing import Any, Protocol

from .._core.global_streams import Seeds
from .._core.random_state import enter_worker, process_state, seeds_of_worker
from . import inherited
from .child import STATUS_UNKNOWN, ChildProcess, flush_streams
from .descriptors import streams_taken
from .life_line import Parent, die_with
from .sent_code import SentCode
from .sigpipe import forget_sigpipe


class Closeable(Protocol):
    """What must be closed before a process ends."""

    def close(self) -> None:
        """Close it."""

    def abandon(self) -> None:
        """In a process that was forked while it existed: let go of it."""


def check_start_method(start_method: str | None, what: str) -> str | None:
    """Return ``start_method``, of multiprocessing or None.

    Raises:
        ValueError: there is no such start method here. The message begins with ``what``.
    """
    methods = multiprocessing.get_all_start_methods()
    if start_method is not None and start_method not in methods:
        raise ValueError(
            f"{what}: start_method: expected one of {', '.join(methods)} or None, got {start_method!r}"
        )
    return start_method


def choose_context(start_method: str | None) -> BaseContext:
    """Return the multiprocessing context of a start method.

    None chooses: what the program set by ``multiprocessing.set_start_method``; else ``fork`` on Linux,
    unless CUDA or JAX is in use in this process, which do not survive a fork; else ``spawn``.

    Raises:
        ValueError: there is no such start method here.
    """
    check_start_method(start_method, "workers")
    if start_method is None:
        start_method = multiprocessing.get_start_method(allow_none=True)
        if start_method not in multiprocessing.get_all_start_methods():
            # none was set, or that of a library whose worker this is, such as joblib's: it is for its
            # processes
            start_method = "fork" if sys.platform == "linux" else "spawn"
        if start_method == "fork" and (_cuda_in_use() or _jax_in_use()):
            start_method = "spawn"
    return multiprocessing.get_context(start_method)


def _cuda_in_use() -> bool:
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    return bool(cuda is not None and cuda.is_initialized())


def _jax_in_use() -> bool:
    bridge = sys.modules.get("jax._src.xla_bridge")
    return bool(getattr(bridge, "_backends", None))  # its threads, which a fork does not copy, exist


def usable_cores() -> int:
    """Return how many processors this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start_process(
    context: BaseContext,
    index: int,
    entry: Callable[..., None],
    setup: Any,
    code: Any,
    what: str,
    started: Callable[[Any], None],
    stream: int | None = None,
) -> None:
    """Start a worker that runs ``entry(setup, code, index)``, where ``code.value`` is ``code``.

    Args:
        context: of the start method.
        index: the number of the worker in its pool.
        entry: a function of a module.
        setup: inherited by fork, else pickled.
        code: the same, but by cloudpickle, before the process exists: however large it is, nobody waits.
        what: the stage, for messages.
        started: gets the process, a ``multiprocessing.Process``: no Ctrl-C can come between, and leave a
            worker
            that is not recorded.
        stream: number of its random stream, see ``PoolStreams.stream_of``; None for ``index``.
    """
    method = context.get_start_method()
    stream = index if stream is None else stream
    by_main = threading.current_thread() is threading.main_thread()
    parent = Parent(os.getpid(), by_main, method != "forkserver")
    streams = process_state(), stream, seeds_of_worker(stream)
    sent = SentCode(code)
    try:
        with streams_taken():
            if method == "fork":
                inherited.find_libraries()
            else:
                sent.pack(what)
                _start_helpers(method)
            process = ChildProcess(
                method, _run, (parent, streams, index, entry, setup, sent), name=f"{what}-{index}"
            )
            flush_streams()
            with _signals_held_back(), warnings.catch_warnings():
                # Python 3.12 warns of any fork beside threads. The child runs only code that is made for it.
                warnings.filterwarnings("ignore", ".*multi-threaded, use of fork.*", DeprecationWarning)
                process.start()
                started(process)
    finally:
        sent.close()


def _start_helpers(method: str) -> None:
    """Start the processes that multiprocessing itself needs: not while SIGINT is blocked.

    The start of its resource tracker unblocks it, and its fork server would hand the blocking on to all
    that it ever forks.
    """
    if method == "forkserver":
        from multiprocessing import forkserver

        try:
            forkserver.ensure_running()
        except ChildProcessError:  # it is the server of a process that this one was forked from
            _forget_fork_server(forkserver._forkserver)
            forkserver.ensure_running()
    elif method == "spawn" and sys.platform != "win32":
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()


def _forget_fork_server(server: Any) -> None:
    """Have multiprocessing start one for this process."""
    if server._forkserver_alive_fd is not None:
        os.close(server._forkserver_alive_fd)
    server._forkserver_address = server._forkserver_alive_fd = server._forkserver_pid = None


_HELD_BACK = {signal.SIGINT, *({signal.SIGPIPE} if hasattr(signal, "SIGPIPE") else ())}


@contextlib.contextmanager
def _signals_held_back() -> Iterator[None]:
    """Have Ctrl-C wait while a child is made, and no end of the child end this process.

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
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK) if blocks else set()
    try:
        yield
    finally:
        if blocks:
            forget_sigpipe(before)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if ours:
            signal.signal(signal.SIGINT, handler)
        if came and callable(handler):
            handler(*came[0])


def _run(
    parent: Parent,
    streams: tuple[Any, int, Seeds],
    index: int,
    entry: Callable[..., None],
    setup: Any,
    code: SentCode,
) -> None:
    """Be a worker: the first function of every worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group: the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # not the handler of the parent's program
    for name, disposition in (("SIGPIPE", signal.SIG_IGN), ("SIGCHLD", signal.SIG_DFL)):
        if hasattr(signal, name):  # as in a new Python
            signal.signal(getattr(signal, name), disposition)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD_BACK)
    die_with(parent)
    if code.inherited:
        inherited.set_up_anew()
    keep_freed_memory()
    gc.freeze()  # or the first collection would write to, and so copy, every inherited page
    state, stream, seeds = streams
    enter_worker(state, stream, seeds)
    try:
        code.received(seeds)
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


_to_close: set[Closeable] = set()
_hooked = False
_finalizer_of = -1  # the process in which multiprocessing knows close_all


def close_at_exit(thing: Closeable) -> None:
    """Have ``thing.close()`` called before this process ends, unless ``closed`` comes first.

    It is kept alive until then: workers that nobody refers to any more, as after a Ctrl-C in the wrong
    moment, would keep the program from ending. In a forked process ``thing.abandon()`` is called.

    Exit hooks run last in, first out, and multiprocessing's own waits for all children: ours must come later
    than that, so it is registered after its import. A child of multiprocessing runs no exit hooks but those
    that multiprocessing knows.
    """
    global _hooked, _finalizer_of
    _to_close.add(thing)
    from multiprocessing import util  # registers its hook

    if _finalizer_of != os.getpid():
        _finalizer_of = os.getpid()
        util.Finalize(None, close_all, exitpriority=100)
    if not _hooked:
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
    if code == STATUS_UNKNOWN:
        return "ended; the program took its status itself (does it handle or ignore SIGCHLD?)"
    if code < 0:
        try:
            return f"was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"was killed by signal {-code}"
    return f"exited with status {code}"
