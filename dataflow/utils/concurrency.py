"""Threads that can be stopped, processes that end with their parent, results in order."""

from __future__ import annotations

import atexit
import bisect
import ctypes
import importlib
import multiprocessing as mp
import os
import queue
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any

from . import logger
from .argtools import log_once

__all__ = [
    "LoopThread",
    "ShareSessionThread",
    "StoppableThread",
    "ensure_proc_terminate",
    "start_proc_mask_signal",
]

_POLL = 5.0  # seconds; how long a stoppable thread may take to notice
_PR_SET_PDEATHSIG = 1


class DIE:
    """End marker: put into a queue, this class says that no more items follow."""


class StoppableThread(threading.Thread):
    """A thread with a flag that asks it to stop.

    Args:
        evt: the ``threading.Event`` to use as the flag; by default a new one.
    """

    def __init__(self, evt: threading.Event | None = None) -> None:
        super().__init__()
        self._stop_evt = threading.Event() if evt is None else evt

    def stop(self) -> None:
        """Ask the thread to stop."""
        self._stop_evt.set()

    def stopped(self) -> bool:
        """Return whether it was asked to stop."""
        return self._stop_evt.is_set()

    def queue_put_stoppable(self, q: Any, obj: Any) -> None:
        """Put ``obj`` into a queue, or give up when asked to stop."""
        while not self.stopped():
            try:
                q.put(obj, timeout=_POLL)
                return
            except queue.Full:
                pass

    def queue_get_stoppable(self, q: Any) -> Any:
        """Return the next object of a queue, or None when asked to stop."""
        while not self.stopped():
            try:
                return q.get(timeout=_POLL)
            except queue.Empty:
                pass
        return None


class LoopThread(StoppableThread):
    """A daemon thread that calls a function again and again until it is stopped.

    Args:
        func: called without arguments.
        pausable: whether ``pause()`` and ``resume()`` can be used.
    """

    def __init__(self, func: Callable[[], Any], pausable: bool = True) -> None:
        super().__init__()
        self.daemon = True
        self._func = func
        self._pausable = pausable
        self._running = threading.Event()
        self._running.set()

    def run(self) -> None:
        """Call the function until stopped."""
        self._running.wait()
        while not self.stopped():
            self._func()
            self._running.wait()

    def stop(self) -> None:
        """Ask the thread to stop, paused or not."""
        super().stop()
        self._running.set()

    def pause(self) -> None:
        """Pause the thread after the current call, until ``resume()``.

        Raises:
            RuntimeError: it is not pausable.
        """
        self._check_pausable()
        self._running.clear()

    def resume(self) -> None:
        """Let it go on after ``pause()``.

        Raises:
            RuntimeError: it is not pausable.
        """
        self._check_pausable()
        self._running.set()

    def _check_pausable(self) -> None:
        if not self._pausable:
            raise RuntimeError("this LoopThread can't be paused: it was made with pausable=False")


class ShareSessionThread(threading.Thread):
    """Not available: it shared a TensorFlow session between threads."""

    def __init__(self, th: threading.Thread | None = None) -> None:
        raise RuntimeError(
            "ShareSessionThread shares a TensorFlow session, and there is none; use threading.Thread"
        )


def is_main_thread() -> bool:
    """Return whether this is the main thread of the process."""
    return threading.current_thread() is threading.main_thread()


def ensure_proc_terminate(proc: BaseProcess | Iterable[BaseProcess]) -> None:
    """Terminate and join processes when this program exits, if they are still alive.

    Args:
        proc: a ``multiprocessing.Process`` or several.
    """
    # multiprocessing's own exit hook joins all children; hooks run last registered first, so it must be there
    importlib.import_module("multiprocessing.util")
    for p in _processes(proc):
        atexit.register(_terminate, weakref.ref(p), os.getpid())


def _terminate(ref: weakref.ref[BaseProcess], owner: int) -> None:
    proc = ref()
    if proc is not None and os.getpid() == owner and proc.is_alive():  # a fork runs this too
        proc.terminate()
        proc.join()


def _processes(proc: BaseProcess | Iterable[BaseProcess]) -> list[BaseProcess]:
    return [proc] if isinstance(proc, BaseProcess) else list(proc)


@contextmanager
def mask_sigint() -> Iterator[bool]:
    """Ignore Ctrl-C in a ``with`` block, so that processes started in it ignore it too.

    Yields:
        True in the main thread; False elsewhere, where signals can't be set and nothing is done.
    """
    if not is_main_thread():
        yield False
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield True
    finally:
        # None: the handler was not set from Python and can't be set again from here
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)


def start_proc_mask_signal(proc: BaseProcess | Iterable[BaseProcess]) -> None:
    """Start processes that ignore Ctrl-C, if called from the main thread.

    Args:
        proc: a ``multiprocessing.Process`` or several, not started yet.
    """
    processes = _processes(proc)
    with mask_sigint():
        for p in processes:
            # a Process of a context names its method; a plain one uses the default
            if (getattr(p, "_start_method", None) or mp.get_start_method()) == "fork":
                log_once(
                    "Starting a process by fork: threads and open connections of this process do not "
                    "survive in it. Start it early, or use another start method.",
                    "warning",
                )
            p.start()


def enable_death_signal(_warn: bool = True) -> None:
    """Ask the kernel to send this process SIGHUP when the thread that started it ends. Linux only.

    Args:
        _warn: log a warning, once, where that is not possible.

    Raises:
        OSError: the kernel refuses.
    """
    if not sys.platform.startswith("linux"):
        if _warn:
            log_once(f"enable_death_signal() does nothing on {sys.platform}", "warning")
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGHUP, 0, 0, 0) != 0:
        error = os.strerror(ctypes.get_errno())
        raise OSError(f"enable_death_signal: prctl(PR_SET_PDEATHSIG) failed: {error}")
    parent = mp.parent_process()
    if parent is not None and not parent.is_alive():  # the parent ended before the signal was set up
        os.kill(os.getpid(), signal.SIGHUP)


def subproc_call(cmd: str | Sequence[str], timeout: float | None = None) -> tuple[bytes, int]:
    """Run a command and return what it printed. Failures are logged, not raised.

    Args:
        cmd: a string for the shell; or a list of a program and its arguments, which are run without one.
        timeout: seconds after which it is killed, and on POSIX what it has started.

    Returns:
        The bytes of stdout and stderr together, and the exit status: -1 after a timeout, -2 if it could
        not be run.
    """
    try:
        process = subprocess.Popen(
            cmd if isinstance(cmd, str) else list(cmd),
            shell=isinstance(cmd, str),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError) as e:
        logger.warning("Command %r could not be run: %s", cmd, e, stacklevel=2)
        return b"", -2
    with process:
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            _kill_group(process)
            output, _ = process.communicate()
            logger.warning("Command %r timed out after %s seconds", cmd, timeout, stacklevel=2)
            return output, -1
        except BaseException:  # Ctrl-C does not reach it: it has a session of its own
            _kill_group(process)
            raise
    if process.returncode != 0:
        logger.warning("Command %r failed with status %d", cmd, process.returncode, stacklevel=2)
        logger.warning("%s", output.decode(errors="replace"), stacklevel=2)
    return output, process.returncode


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that leads a session, and all processes of its group."""
    if hasattr(os, "killpg") and process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


class OrderedContainer:
    """Accepts (rank, value) pairs in any order and returns them in the order start, start + 1, ...

    Args:
        start: the first rank.
    """

    def __init__(self, start: int = 0) -> None:
        self._waiting: list[tuple[int, Any]] = []  # sorted by rank
        self._next = start

    def put(self, rank: int, val: Any) -> None:
        """Take a value.

        Args:
            rank: its place. No two may be the same.
            val: the value.
        """
        bisect.insort(self._waiting, (rank, val), key=lambda pair: pair[0])

    def has_next(self) -> bool:
        """Return whether the value that comes next is here."""
        return bool(self._waiting) and self._waiting[0][0] == self._next

    def get(self) -> tuple[int, Any]:
        """Return the next (rank, value).

        Raises:
            RuntimeError: it is not here yet; see ``has_next()``.
        """
        if not self.has_next():
            raise RuntimeError(f"OrderedContainer: the value of rank {self._next} is not here yet")
        self._next += 1
        return self._waiting.pop(0)


class OrderedResultGatherProc(mp.Process):
    """A process that puts the (rank, data) pairs of several producers in order.

    Args:
        data_queue: a multiprocessing queue of pairs. Each producer puts ``DIE`` when it has no more.
        nr_producer: how many producers there are.
        start: the first rank.
    """

    def __init__(self, data_queue: Any, nr_producer: int, start: int = 0) -> None:
        super().__init__()
        self.data_queue = data_queue
        self.nr_producer = nr_producer
        self.start_rank = start
        self.result_queue: Any = mp.Queue()

    def run(self) -> None:
        """Gather until every producer has ended, then pass on one ``DIE``."""
        ordered = OrderedContainer(self.start_rank)
        ended = 0
        while ended < self.nr_producer:
            task = self.data_queue.get()
            if task is DIE:
                ended += 1
                continue
            ordered.put(*task)
            while ordered.has_next():
                self.result_queue.put(ordered.get())
        self.result_queue.put(DIE)

    def get(self) -> Any:
        """Return the next (rank, data), or ``DIE`` when there are no more."""
        return self.result_queue.get()
