"""A child process, as ``multiprocessing`` makes them, that fits into any program.

multiprocessing's own ``start()`` refuses to run in daemonic processes, sends the process what it needs
through a pipe whose other end nobody may read, and takes a child that somebody else waited for to be running
for ever. So a ``ChildProcess`` starts itself, by the same means; all else is inherited from there, and the
new process knows no difference.

Its life line is a pipe that nobody writes to: the child holds the read end, only this process the write end.
When this process ends, however it does, the kernel closes that.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import time
import weakref
from collections.abc import Callable
from multiprocessing import get_all_start_methods, reduction
from multiprocessing import process as mp_process
from multiprocessing.connection import wait
from typing import Any

from .descriptors import clear_of_streams, close_quietly, new_pipe, pidfd_of

STATUS_UNKNOWN = 256
"""Exit status of a child that somebody else in the program waited for. Real ones are smaller."""

_NO_HANG = getattr(os, "WNOHANG", 0)
_LOOK_AGAIN = 0.01  # seconds, where the end of a process has to be asked for


class ChildProcess(mp_process.BaseProcess):
    """A process that runs ``target(*args)``.

    Args:
        method: how it starts: a start method of multiprocessing.
        target: a function of a module.
        args: inherited by fork, else pickled.
        name: of the process.
    """

    def __init__(self, method: str, target: Callable[..., object], args: tuple[Any, ...], name: str) -> None:
        super().__init__(target=target, args=args, name=name, daemon=False)
        self._start_method = method  # what multiprocessing is set to in the child

    @property
    def daemon(self) -> bool:
        """Whether it ends with its parent: multiprocessing ends it with the program. It may have children."""
        return os.getpid() == self._parent_pid  # type: ignore[attr-defined,no-any-return]

    @daemon.setter
    def daemon(self, value: bool) -> None:
        self._config["daemon"] = value  # type: ignore[attr-defined]

    def start(self) -> None:
        """Start it.

        Raises:
            OSError: there are no more processes, memory or descriptors.
        """
        self._popen = _start(self, self._start_method)
        self._sentinel = self._popen.sentinel
        del self._target, self._args, self._kwargs  # type: ignore[attr-defined]  # may be large
        mp_process._children.add(self)  # type: ignore[attr-defined]

    def close(self) -> None:
        """Give up all that this process has of it. It should have ended. Can be called again."""
        mp_process._children.discard(self)  # type: ignore[attr-defined]
        if self._popen is not None:
            self._popen.close()


def flush_streams() -> None:
    """Write what was printed, or a forked child has it too. It may wait: for who reads it, or for a lock."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()


def _start(process: ChildProcess, method: str) -> Any:
    if sys.platform == "win32":
        from multiprocessing.popen_spawn_win32 import Popen

        return Popen(process)
    return {"fork": _Forked, "spawn": _Spawned, "forkserver": _Served}[method](process)


class _Running:
    """What multiprocessing calls a Popen: a process that was started."""

    method: str
    DupFd: Any
    sentinel = -1
    returncode: int | None = None

    def __init__(self, process: ChildProcess) -> None:
        self._owner = os.getpid()
        self._fds: list[int] = []  # that the child inherits
        self._life_line = self._pidfd = -1
        try:
            self.pid = self._start(process)
        except BaseException:
            close_quietly(self._life_line)
            raise
        self._pidfd = pidfd_of(self.pid)
        if self.sentinel < 0:
            self.sentinel = self._pidfd
        _running.add(self)

    def _start(self, process: ChildProcess) -> int:
        """Start the process, set ``_life_line`` and ``sentinel``, and return the process's id."""
        raise NotImplementedError

    def _pickled(self, process: ChildProcess) -> memoryview:
        """Return what ``multiprocessing.spawn`` reads in the child, and collect what that inherits."""
        from multiprocessing import context, spawn

        data = io.BytesIO()
        context.set_spawning_popen(self)  # type: ignore[arg-type]
        try:
            preparation = spawn.get_preparation_data(process._name)  # type: ignore[attr-defined]
            if preparation.get("start_method") not in get_all_start_methods():
                preparation["start_method"] = self.method  # not one that joblib has in its own workers
            reduction.dump(preparation, data)
            reduction.dump(process, data)
        finally:
            context.set_spawning_popen(None)
        return data.getbuffer()

    def _send(self, data: memoryview) -> None:
        """Send the child what it reads first. If it ends before, that is seen elsewhere."""
        with contextlib.suppress(BrokenPipeError):
            while data:
                data = data[os.write(self._life_line, data) :]

    def poll(self, flag: int = _NO_HANG) -> int | None:
        """Return the exit status, None while it runs."""
        if self.returncode is None and os.getpid() == self._owner:
            try:
                pid, status = os.waitpid(self.pid, flag)
            except ChildProcessError:  # it ended, but somebody else waited for it
                self.returncode = STATUS_UNKNOWN
            else:
                if pid == self.pid:
                    self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for the end, ``timeout`` seconds at most; return the exit status, None if it runs."""
        if timeout is None:
            return self.poll(0)
        if self.sentinel >= 0:
            if self.returncode is None and not wait([self.sentinel], timeout):
                return None
            return self.poll(0)
        deadline = time.monotonic() + timeout
        while self.poll() is None and time.monotonic() < deadline:
            time.sleep(_LOOK_AGAIN)
        return self.returncode

    def terminate(self) -> None:
        """Ask it to end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            if self._pidfd >= 0:  # the number may be another process's by now
                signal.pidfd_send_signal(self._pidfd, number)
            else:
                os.kill(self.pid, number)

    def close(self) -> None:
        """Give up the descriptors."""
        fds = {self._life_line, self._pidfd, self.sentinel}
        self._life_line = self._pidfd = self.sentinel = -1
        _running.discard(self)
        close_quietly(*fds)


class _Forked(_Running):
    method = "fork"

    def duplicate_for_child(self, fd: int) -> int:
        return fd

    def _start(self, process: ChildProcess) -> int:
        read, self._life_line = new_pipe()
        try:
            pid = os.fork()
            if not pid:
                status = 1
                try:
                    os.close(self._life_line)
                    status = process._bootstrap(parent_sentinel=read)  # type: ignore[attr-defined]
                finally:
                    os._exit(status)
        finally:
            os.close(read)
        return pid


class _Spawned(_Running):
    method = "spawn"

    class DupFd:
        """A descriptor that has the same number in the child."""

        def __init__(self, fd: int) -> None:
            self.fd = fd

        def detach(self) -> int:
            return self.fd

    def duplicate_for_child(self, fd: int) -> int:
        self._fds.append(fd)
        return fd

    def _start(self, process: ChildProcess) -> int:
        from multiprocessing import resource_tracker, spawn, util

        tracker = resource_tracker.getfd()
        data = self._pickled(process)
        read, self._life_line = new_pipe()
        try:
            command = spawn.get_command_line(tracker_fd=tracker, pipe_handle=read)
            fds = [*self._fds, read, *([] if tracker is None else [tracker])]
            executable: Any = spawn.get_executable()
            pid = util.spawnv_passfds(executable, command, sorted(set(fds)))
        finally:
            os.close(read)
        self._send(data)
        return int(pid)


class _Served(_Running):
    method = "forkserver"

    class DupFd:
        """A descriptor that the fork server hands on."""

        def __init__(self, index: int) -> None:
            self.index = index

        def detach(self) -> int:
            from multiprocessing import forkserver

            return (forkserver.get_inherited_fds() or [])[self.index]

    def duplicate_for_child(self, fd: int) -> int:
        self._fds.append(fd)
        return len(self._fds) - 1

    def _start(self, process: ChildProcess) -> int:
        from multiprocessing import forkserver

        data = self._pickled(process)
        status, line = forkserver.connect_to_new_process(self._fds)
        self.sentinel, self._life_line = clear_of_streams(status), clear_of_streams(line)
        self._send(data)
        return int(forkserver.read_signed(self.sentinel))

    def poll(self, flag: int = _NO_HANG) -> int | None:
        """Return the exit status, which the fork server sends, None while it runs."""
        from multiprocessing import forkserver

        is_known = self.returncode is not None or self.sentinel < 0 or os.getpid() != self._owner
        if not is_known and wait([self.sentinel], 0 if flag else None):
            try:
                self.returncode = forkserver.read_signed(self.sentinel)
            except (OSError, EOFError):  # the server itself ended
                self.returncode = STATUS_UNKNOWN
        return self.returncode


_running: weakref.WeakSet[_Running] = weakref.WeakSet()


def _abandon_all() -> None:
    """In a forked process: hold no life line of a child of the parent, and know none of them."""
    for process in list(mp_process._children):  # type: ignore[attr-defined]
        if isinstance(process, ChildProcess):
            mp_process._children.discard(process)  # type: ignore[attr-defined]
    for running in list(_running):
        running.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)
