"""Shared memory: slots that one process writes, leased to the arrays that live in them in the other.

A memory is one large sparse mapping, so a slot is just an offset. The writer's ``Arena`` hands slots out and
takes them back; the most recently returned slot goes out first, so as few pages as possible are ever touched
and those are warm. The reader's ``Leases`` know which slots are in use.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import math
import mmap
import os
import secrets
import signal
import sys
import weakref
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..utils.argtools import log_once
from .descriptors import clear_of_streams, inherited_fd, mapping_of, streams_taken

PAGE = mmap.PAGESIZE
_LARGEST = 1 << 36 if sys.maxsize > 2**32 else 1 << 28  # addresses, not memory: pages exist once touched
_SMALLEST = 1 << 26


class Memory:
    """Bytes that this process shares with a worker. They have no name, and go with their last user.

    Raises:
        OSError: there is none to be had.
    """

    def __init__(self) -> None:
        self._fd, self._tag = -1, ""
        if sys.platform == "win32":
            self._tag = "dataflow-" + secrets.token_hex(16)
            self.size = 1 << 28  # Windows promises all of it at once
            self.bytes = self._map()
            return
        self.size = _LARGEST
        while True:  # a limit on addresses (ulimit -v) or file size may not allow the largest
            try:
                self._fd = anonymous_file(self.size)
                self.bytes = self._map()
                return
            except OSError:
                self.close()
                self.size //= 4
                if self.size < _SMALLEST:
                    raise

    def _map(self) -> np.ndarray[Any, Any]:
        if sys.platform == "win32":
            mapping = mmap.mmap(-1, self.size, tagname=self._tag)
        else:
            mapping = mapping_of(self._fd, self.size)
        self._mapping = mapping
        return np.frombuffer(mapping, np.uint8)

    def reserve(self, offset: int, size: int) -> bool:
        """Have pages behind a range before its first use, and say whether there are any.

        A write to a page that can't be had would kill the process (SIGBUS) instead of raising.
        """
        if offset + size > self.size:
            return False
        if self._fd >= 0 and hasattr(os, "posix_fallocate"):
            # A signal breaks it off, and what it has done is undone: a timer could do so for ever.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            try:
                os.posix_fallocate(self._fd, offset, size)
            except OSError as e:
                if e.errno is None:  # a TimeoutError, say, of a signal handler
                    raise
                return False
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return True

    def keep_only(self, slots: Iterable[tuple[int, int]]) -> None:
        """Give all pages back to the system but those of ``slots``: (offset, size). Their bytes become 0."""
        start = 0
        for offset, size in (*sorted(slots), (self.size, 0)):
            if offset > start:
                self._discard(start, offset - start)
            start = offset + _pages(size)

    def _discard(self, start: int, size: int) -> None:
        if hasattr(mmap, "MADV_REMOVE"):
            with contextlib.suppress(OSError):  # not on each file system
                self._mapping.madvise(mmap.MADV_REMOVE, start, size)

    def discard_with(self, array: np.ndarray[Any, Any], offset: int) -> weakref.ref[Any] | None:
        """Have the pages of ``array``, at ``offset``, given back with it, as long as the result is kept.

        As in ``lend`` no code of ours runs then. ``next`` ignores what a weak reference hands it.
        """
        if not hasattr(mmap, "MADV_REMOVE"):
            return None
        size = _pages(array.nbytes)
        discard = map(self._mapping.madvise, (mmap.MADV_REMOVE,), (offset,), (size,))
        return weakref.ref(array, functools.partial(next, discard))

    def close(self) -> None:
        """Give up the handle. The bytes stay as long as an array lives in them."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __reduce__(self) -> Any:
        """Travel to a worker that is being started without fork."""
        fd = inherited_fd(self._fd) if self._fd >= 0 else None
        return _attach, (fd, self._tag, self.size)


def _attach(fd: Any, tag: str, size: int) -> Memory:
    memory = Memory.__new__(Memory)
    memory._fd, memory._tag, memory.size = (fd.detach() if fd is not None else -1), tag, size
    memory.bytes = memory._map()
    return memory


def has_memfd() -> bool:
    """Say whether files in memory need no name from the start."""
    return hasattr(os, "memfd_create") and not os.environ.get("DATAFLOW_NO_MEMFD")


def anonymous_file(size: int) -> int:
    """Return a descriptor of a file of ``size`` zeros in memory, without a name.

    Raises:
        OSError: it can't be had.
    """
    fd = _memory_file()
    if fd >= 0:
        try:
            os.ftruncate(fd, size)
        except BaseException:
            os.close(fd)
            raise
        return fd
    from multiprocessing.shared_memory import SharedMemory

    with streams_taken():
        named = SharedMemory(create=True, size=size)
        try:
            return os.dup(named._fd)  # type: ignore[attr-defined]  # there is no public way to its descriptor
        finally:
            named.unlink()
            named.close()


def _memory_file() -> int:
    """Return a descriptor of an empty file in memory, or -1 if the system has or allows none."""
    if has_memfd():
        # Not subject to the size of /dev/shm, which is 64 MB in many containers.
        try:
            return clear_of_streams(os.memfd_create("dataflow", os.MFD_CLOEXEC))
        except OSError as e:
            if e.errno in (errno.EMFILE, errno.ENFILE):  # the other way takes more descriptors, not fewer
                raise
            # else an old kernel, or a sandbox
    return -1


def new_memory() -> Memory | None:
    """Return a memory, or None, with one warning in the life of the process, if there is none to be had."""
    try:
        return Memory()
    except OSError as e:
        log_once(f"no shared memory ({e}): large arrays are copied through pipes, which is slower", "warning")
        return None


class Arena:
    """The writer's side: which slots are free.

    Args:
        memory: where they are.
        in_flight: how many messages can be on their way at a time.
        slack: bytes beyond ``in_flight`` messages of the largest size seen, for a reader that holds on to
            many; not if they are larger than a quarter of it.
    """

    def __init__(self, memory: Memory, in_flight: int, slack: int) -> None:
        self._memory = memory
        self._messages = max(2, in_flight)  # one may be consumed while another is written
        self._slack = slack
        self._largest = 0
        self._top = 0  # everything beyond was never used
        self._lost: dict[int, int] = {}  # slots that forked processes may read: offset, size
        self._sizes: dict[int, int] = {}  # of the slots that are out
        self._free: dict[int, list[int]] = {}  # size: offsets, last returned last
        self._drafts: dict[int, int] = {}  # address: offset, of slots that arrays are being made in

    def draft(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any] | None:
        """Return an array in a slot, to be filled and then given to ``put``, or None if there is no room.

        The next ``put`` sends it without a copy. Drafts that the next ``put`` does not contain are freed.
        """
        size = _pages(math.prod(shape) * dtype.itemsize)
        self._largest = max(self._largest, size)
        offset = self._take(size)
        if offset < 0:
            return None
        array: np.ndarray[Any, Any] = np.ndarray(shape, dtype, self._memory.bytes, offset)
        self._drafts[_address(array)] = offset
        return array

    def put(self, buffers: Sequence[memoryview]) -> list[int] | None:
        """Copy each buffer into a slot and return their offsets, or None: no room, send them otherwise."""
        self._largest = max(self._largest, sum(_pages(b.nbytes) for b in buffers))
        offsets: list[int] = []
        sent, target = set(), self._memory.bytes
        for buffer in buffers:
            source = np.frombuffer(buffer, np.uint8)
            offset = self._drafts.get(_address(source), -1) if self._drafts else -1
            if offset >= 0:
                sent.add(offset)
            else:
                offset = self._take(_pages(len(source)))
                if offset < 0:  # the drafts stay: what is in them is still to be sent
                    for taken in offsets:
                        if taken not in sent:
                            self.release(taken)
                    return None
                np.copyto(target[offset : offset + len(source)], source)
            offsets.append(offset)
        for offset in self._drafts.values():
            if offset not in sent:
                self.release(offset)
        self._drafts.clear()
        return offsets

    def _take(self, size: int) -> int:
        free = self._free.get(size)
        if free:
            offset = free.pop()
        else:
            offset = self._grow(size)
            if offset < 0:
                offset = self._fit(size)
            if offset < 0:
                return -1
        self._sizes[offset] = size
        return offset

    def _grow(self, size: int) -> int:
        limit = self._messages * self._largest + sum(self._lost.values())
        if self._largest <= self._slack // 4:
            limit += self._slack
        if self._top + size > limit:
            return -1
        if not self._memory.reserve(self._top, size):
            log_once(
                "shared memory is full: large arrays are copied through pipes, which is slower", "warning"
            )
            return -1
        offset, self._top = self._top, self._top + size
        return offset

    def _fit(self, size: int) -> int:
        """Cut a slot out of free ones of other sizes; neighbours are merged first."""
        merged: list[list[int]] = []
        for offset, length in sorted((o, s) for s, offsets in self._free.items() for o in offsets):
            if merged and sum(merged[-1]) == offset:
                merged[-1][1] += length
            else:
                merged.append([offset, length])
        found = -1
        self._free = {}
        for offset, length in merged:
            if found < 0 and length >= size:
                found, offset, length = offset, offset + size, length - size
            if length:
                self._free.setdefault(length, []).append(offset)
        return found

    @property
    def some_out(self) -> bool:
        """Whether there are slots to come back: not those of drafts."""
        return len(self._sizes) > len(self._drafts)

    def release(self, offset: int) -> None:
        """Take a slot back, perhaps one that was retired."""
        size = self._lost.pop(offset, 0) or self._sizes.pop(offset)
        self._free.setdefault(size, []).append(offset)

    def retire(self, offset: int) -> None:
        """Do not use a slot until it is released: a forked process may still read it."""
        self._lost[offset] = self._sizes.pop(offset)


def _pages(nbytes: int) -> int:
    return -(-nbytes // PAGE) * PAGE


def _address(array: np.ndarray[Any, Any]) -> int:
    return int(array.__array_interface__["data"][0])
