"""The end of a worker whose parent is gone, however that ended and whatever the worker is doing.

On Linux the kernel ends the worker, also in the middle of a long call of C code, which no thread of Python's
would survive to notice. Elsewhere a thread of the worker waits for the end of the parent.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import threading
from multiprocessing import process as mp_process
from typing import NamedTuple


class Parent(NamedTuple):
    """What a worker must know of the process that started it."""

    pid: int
    by_main_thread: bool
    direct: bool
    """Whether the worker is its child; not so with a fork server."""


def die_with(parent: Parent) -> None:
    """End this process as soon as the parent is gone."""
    if sys.platform == "linux":
        by_thread = parent.direct and parent.by_main_thread and _die_with_thread()
        by_line = _die_with_line()
        if by_thread and os.getppid() != parent.pid:
            os._exit(1)
        if by_thread or by_line:
            return
    threading.Thread(target=_wait_for_end, args=(parent,), name="parent-watch", daemon=True).start()


def _die_with_thread() -> bool:
    """Have the kernel kill this process when the thread that started it ends: so only for a main thread."""
    pr_set_pdeathsig = 1
    return bool(ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL) == 0)


def _die_with_line() -> bool:
    """Have the kernel kill this process when the write end of its life line is closed.

    The life line is a pipe that a process of multiprocessing has anyway, to know its parent's end. The kernel
    can send a signal when there is something to read: here, the end.
    """
    import fcntl

    line = _life_line()
    if line < 0:
        return False
    f_setsig = 10
    try:
        fcntl.fcntl(line, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(line, f_setsig, signal.SIGKILL)
        fcntl.fcntl(line, fcntl.F_SETFL, fcntl.fcntl(line, fcntl.F_GETFL) | os.O_ASYNC)
    except OSError:
        return False
    if _is_over(line):
        os._exit(1)
    return True


def _life_line() -> int:
    sentinel = getattr(mp_process.parent_process(), "_sentinel", None)
    return sentinel if isinstance(sentinel, int) else -1


def _is_over(line: int) -> bool:
    poll = select.poll()
    poll.register(line, select.POLLIN)
    return bool(poll.poll(0))


def _wait_for_end(parent: Parent) -> None:
    mp_parent = mp_process.parent_process()
    while mp_parent is not None and mp_parent.is_alive():
        mp_parent.join(0.5)
        if parent.direct and hasattr(os, "getppid") and os.getppid() != parent.pid:
            break
    os._exit(1)
