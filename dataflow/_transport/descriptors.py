"""Descriptors that stay clear of the standard streams.

A program may run with its standard streams closed, as daemons do. The next descriptors then get the numbers
0, 1 and 2, and whatever C code prints goes into them. So ours are never among these.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import threading
from collections.abc import Iterator
from multiprocessing import reduction
from typing import Any

_STREAMS = 3  # descriptors 0, 1 and 2 are standard input, output and errors
_taking = threading.RLock()


def clear_of_streams(fd: int) -> int:
    """Return ``fd``, or in its place another descriptor of the same file, beyond the standard streams."""
    if not 0 <= fd < _STREAMS:
        return fd
    import fcntl  # not on Windows, where descriptors of C code are others

    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _STREAMS)
    finally:
        os.close(fd)


def new_pipe() -> tuple[int, int]:
    """Return the read end and the write end of a new pipe.

    Raises:
        OSError: there are no more descriptors.
    """
    read, write = os.pipe()
    try:
        read = clear_of_streams(read)
    except OSError:
        os.close(write)
        raise
    try:
        return read, clear_of_streams(write)
    except OSError:
        os.close(read)
        raise


def close_quietly(*fds: int) -> None:
    """Close descriptors; those below 0 stand for none."""
    for fd in fds:
        if fd >= 0:
            with contextlib.suppress(OSError):
                os.close(fd)


def pidfd_of(pid: int) -> int:
    """Return a descriptor that is readable once the process has ended, or -1 where there is none.

    Unlike a pipe to the process, it is not held open by children of its own.
    """
    if not hasattr(os, "pidfd_open") or os.environ.get("DATAFLOW_NO_PIDFD"):
        return -1
    try:
        return clear_of_streams(os.pidfd_open(pid))
    except OSError:
        return -1


def mapping_of(fd: int, size: int) -> mmap.mmap:
    """Return a mapping of a file, which has a descriptor of its own."""
    with streams_taken():
        return mmap.mmap(fd, size)


def inherited_fd(fd: int) -> Any:
    """Return what, pickled for a process being started, has ``detach()`` that returns ``fd`` there."""
    return reduction.DupFd(fd)


@contextlib.contextmanager
def streams_taken() -> Iterator[None]:
    """Have all standard streams open, those that are closed on the null device, while processes are started.

    What Python itself opens meanwhile stays clear of them, and so does what the new process opens later.
    """
    with _taking:
        opened: list[int] = []
        try:
            for stream in range(_STREAMS):
                try:
                    os.fstat(stream)
                except OSError:
                    fd = os.open(os.devnull, os.O_RDWR)
                    opened.append(fd)
                    os.set_inheritable(fd, True)
            yield
        finally:
            close_quietly(*opened)


def _renew_lock() -> None:
    global _taking
    _taking = threading.RLock()  # a thread that is not here may hold it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
