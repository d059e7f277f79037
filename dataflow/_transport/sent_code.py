"""What a worker works with, on its way to it: a dataflow or a function, however large."""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import sys
import tempfile
from multiprocessing import context as mp_context
from typing import Any

from .._core.global_streams import Seeds
from .._core.random_state import reseed
from .codec import dumps_code, loads_code
from .descriptors import clear_of_streams, close_quietly, inherited_fd


class SentCode:
    """What a worker works with: inherited by fork, else pickled before the start and loaded when asked for.

    A large one travels in a file without a name: a pipe would fill up until the worker reads, which may end
    first.
    """

    _INLINE = 1 << 14

    def __init__(self, value: Any) -> None:
        self._value = value
        self._data: bytes | None = None
        self._file: Any = -1  # a descriptor; on its way what becomes one
        self._fds: list[Any] = []  # what is in it refers to: of a multiprocessing.Value, a connection
        self._seeds: Seeds | None = None

    def pack(self, what: str) -> None:
        """Pickle it, to be sent: as multiprocessing does, which lets more go to a process that it starts."""
        if sys.platform == "win32":  # handles are duplicated for a process that exists
            self._data = dumps_code(self._value, what)
            return
        heir = _Heir()
        mp_context.set_spawning_popen(heir)  # type: ignore[arg-type]
        try:
            self._data = dumps_code(self._value, what)
        finally:
            mp_context.set_spawning_popen(None)
        self._fds = heir.fds
        if len(self._data) > self._INLINE:
            self._file = _file_of(self._data)
            self._data = None

    def close(self) -> None:
        """Give up the file."""
        close_quietly(self._file)

    def received(self, seeds: Seeds) -> None:
        """Say, in the worker, that it has come, and what torch is seeded with if it comes with the code."""
        self._seeds = seeds
        if self._file != -1 and self._data is None:
            self._file = self._file.detach()
        self._fds = [fd.detach() for fd in self._fds]

    @property
    def inherited(self) -> bool:
        """Whether this process was forked by the one that has it."""
        return self._data is None and self._file == -1

    @property
    def value(self) -> Any:
        """What it is."""
        if self._data is not None or self._file >= 0:
            global _inherited_fds
            _inherited_fds = self._fds
            self._value = self._load()
            close_quietly(*self._fds, self._file)
            self._data, self._file, _inherited_fds = None, -1, []
            if self._seeds is not None:
                self._seeds.enter_torch()
            reseed()  # augmentors in it came with the random state of the parent
        return self._value

    def _load(self) -> Any:
        if self._data is not None:
            return loads_code(self._data)
        with mmap.mmap(self._file, 0, access=mmap.ACCESS_READ) as data:
            return pickle.load(data)

    def __getstate__(self) -> dict[str, Any]:
        """Travel to a worker that is being started without fork."""
        return vars(self) | {
            "_value": None,
            "_file": inherited_fd(self._file) if self._file >= 0 else -1,
            "_fds": [inherited_fd(fd) for fd in self._fds],
        }


class _Heir:
    """Stands for a process to be started while code is pickled for it: knows what that will inherit."""

    class DupFd:
        """A descriptor that the process inherits: the ``index``-th of those of its code."""

        def __init__(self, index: int) -> None:
            self.index = index

        def detach(self) -> int:
            return os.dup(_inherited_fds[self.index])

    def __init__(self) -> None:
        self.fds: list[int] = []

    def duplicate_for_child(self, fd: int) -> int:
        self.fds.append(fd)
        return len(self.fds) - 1


_inherited_fds: list[int] = []


def _file_of(data: bytes) -> int:
    """Return a descriptor of a file without a name that has ``data``: in memory if it can be."""
    with contextlib.suppress(OSError, AttributeError):
        fd = clear_of_streams(os.memfd_create("dataflow", os.MFD_CLOEXEC))
        try:
            with open(fd, "wb", closefd=False) as file:
                file.write(data)
        except BaseException:
            os.close(fd)
            raise
        return fd
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return clear_of_streams(os.dup(file.fileno()))
