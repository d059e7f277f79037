"""The ends of a connection between two processes, and waiting for them."""

from __future__ import annotations

# signal's own functions make enumerations, which takes as long as a write
import _signal  # type: ignore[import-not-found]
import functools
import os
import pickle
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from typing import Any, NoReturn

from .descriptors import clear_of_streams, close_quietly, inherited_fd, new_pipe
from .sigpipe import sigpipe_blocked

_IGNORED = int(signal.SIG_IGN)
_SPIN = 60e-6
"""Seconds to look again and again before a wait: about what it takes to wake a process."""


class Pipes:
    """What one side has of two one-way pipes: the end where it reads and the end where it writes."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self.fds = (read_fd, write_fd)
        self.read: Callable[[int], bytes] = functools.partial(os.read, read_fd)
        self.write: Callable[[Any], int] = functools.partial(os.write, write_fd)  # a worker ignores SIGPIPE

    def read_into(self, buffer: memoryview) -> int:
        """Read at least one byte into ``buffer``, none at the end."""
        return os.readv(self.fds[0], [buffer]) if self.fds[0] >= 0 else _closed()

    def dont_wait(self) -> None:
        """Have reads and writes raise ``BlockingIOError`` instead of waiting."""
        for fd in self.fds:
            os.set_blocking(fd, False)
        self.write = functools.partial(_write, self.fds[1])  # this is the parent's side

    def close(self) -> None:
        """Close both. Can be called again."""
        fds, self.fds = self.fds, (-1, -1)
        self.read = self.write = _closed  # the numbers may soon be somebody else's
        for fd in fds:
            if fd >= 0:
                os.close(fd)

    def __reduce__(self) -> Any:
        """Travel to a worker that is being started without fork."""
        return _inherit_pipes, (inherited_fd(self.fds[0]), inherited_fd(self.fds[1]))


def _write(fd: int, data: Any) -> int:
    """Write as ``os.write``, with an error where SIGPIPE would end a program that has it at its default."""
    if sys.platform == "win32" or _signal.getsignal(signal.SIGPIPE) == _IGNORED:
        return os.write(fd, data)
    with sigpipe_blocked():
        return os.write(fd, data)


class Socket:
    """The same over one socket, where pipes can't be polled (Windows)."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.fds = (sock.fileno(), sock.fileno())
        self.read: Callable[[int], bytes] = sock.recv
        self.write: Callable[[Any], int] = lambda data: sock.send(data, getattr(socket, "MSG_NOSIGNAL", 0))

    def read_into(self, buffer: memoryview) -> int:
        """Read at least one byte into ``buffer``, none at the end."""
        return self._sock.recv_into(buffer) if self.fds[0] >= 0 else _closed()

    def dont_wait(self) -> None:
        """Have reads and writes raise ``BlockingIOError`` instead of waiting."""
        self._sock.setblocking(False)

    def close(self) -> None:
        """Close it. Can be called again."""
        self._sock.close()
        self.fds = (-1, -1)
        self.read = self.write = _closed

    def __reduce__(self) -> Any:
        """Travel to a worker that is being started without fork."""
        return _inherit_socket, (bytes(ForkingPickler.dumps(self._sock)),)


def _closed(*args: Any) -> NoReturn:
    """Stand in for reading and writing at ends that were closed."""
    raise ConnectionAbortedError("the connection was closed on this side")


def _inherit_socket(pickled: bytes) -> Socket:
    return Socket(pickle.loads(pickled))


def _inherit_pipes(read: Any, write: Any) -> Pipes:
    return Pipes(read.detach(), write.detach())


Ends = Pipes | Socket


def connected_ends() -> tuple[Ends, Ends]:
    """Return the two sides of a new connection."""
    if sys.platform == "win32" or os.environ.get("DATAFLOW_SOCKETS"):
        ours, theirs = map(_clear_of_streams, socket.socketpair())
        return Socket(ours), Socket(theirs)
    down_read, down_write = new_pipe()
    try:
        up_read, up_write = new_pipe()
    except OSError:  # no more descriptors
        close_quietly(down_read, down_write)
        raise
    return Pipes(up_read, down_write), Pipes(down_read, up_write)


def _clear_of_streams(sock: socket.socket) -> socket.socket:
    if sys.platform == "win32" or sock.fileno() > 2:
        return sock
    return socket.socket(fileno=clear_of_streams(sock.detach()))


def readable(fd: int, timeout: float | None) -> bool:
    """Wait until there is something to read, or ``timeout`` seconds, None for ever; say whether there is."""
    return bool(wait_for([fd], [], timeout))


def wait_for(reads: list[int], writes: list[int], timeout: float | None, spin: bool = False) -> set[int]:
    """Wait until a descriptor is ready, or ``timeout`` seconds, None for ever; return those that are.

    Args:
        reads: to read from.
        writes: to write to.
        timeout: seconds.
        spin: do not let this process sleep at once: to wake it takes the time of a hundred small datapoints.
    """
    if not hasattr(select, "poll"):
        ready, writable, _ = select.select(reads, writes, [], timeout)
        return {*ready, *writable}
    poll = select.poll()  # select() can't have descriptors above 1023
    for fd in reads:
        poll.register(fd, select.POLLIN)
    for fd in writes:
        poll.register(fd, select.POLLOUT | (select.POLLIN if fd in reads else 0))
    if spin:
        until = time.perf_counter() + _SPIN
        while time.perf_counter() < until:
            if events := poll.poll(0):
                return {fd for fd, _ in events}
            if hasattr(os, "sched_yield"):
                os.sched_yield()
    return {fd for fd, _ in poll.poll(None if timeout is None else timeout * 1000)}
