"""Shared memory: slots that one process writes, leased to the arrays that live in them in the other.

A memory is one large sparse mapping, so a slot is just an offset. The writer's ``Arena`` hands slots out and
takes them back; the most recently returned slot goes out first, so as few pages as possible are ever touched
and those are warm. The reader's ``Leases`` wrap a slot in a buffer and notice when it, and so every
array made from it, is garbage.
"""

from __future__ import annotations

import math
import mmap
import os
import secrets
import sys
import weakref
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._core.lease import Lease, lend
from ..utils.argtools import log_once
from .launch import inherited_fd

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
            mapping = mmap.mmap(self._fd, self.size)
        return np.frombuffer(mapping, np.uint8)

    def reserve(self, offset: int, size: int) -> bool:
        """Have pages behind a range before its first use, and say whether there are any.

        A write to a page that can't be had would kill the process (SIGBUS) instead of raising.
        """
        if offset + size > self.size:
            return False
        if self._fd >= 0 and hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(self._fd, offset, size)
            except OSError:
                return False
        return True

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
    if has_memfd():
        # Not subject to the size of /dev/shm, which is 64 MB in many containers.
        fd = os.memfd_create("dataflow", os.MFD_CLOEXEC)
        try:
            os.ftruncate(fd, size)
        except BaseException:
            os.close(fd)
            raise
        return fd
    from multiprocessing.shared_memory import SharedMemory

    named = SharedMemory(create=True, size=size)
    try:
        return os.dup(named._fd)  # type: ignore[attr-defined]  # there is no public way to its descriptor
    finally:
        named.unlink()
        named.close()


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
        self._lost = 0
        self._sizes: dict[int, int] = {}  # of the slots that are out
        self._free: dict[int, list[int]] = {}  # size: offsets, last returned last
        self._drafts: dict[int, int] = {}  # address: offset, of slots that arrays are being made in

    def draft(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any] | None:
        """Return an array in a slot, to be filled and then given to ``put``, or None if there is no room.

        The next ``put`` sends it without a copy. What it does not contain is given up.
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
        limit = self._messages * self._largest + self._lost
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
        """Take a slot back."""
        self._free.setdefault(self._sizes.pop(offset), []).append(offset)

    def retire(self, offset: int) -> None:
        """Never use a slot again: a forked process may still read it."""
        self._lost += self._sizes.pop(offset)


def _pages(nbytes: int) -> int:
    return -(-nbytes // PAGE) * PAGE


def _address(array: np.ndarray[Any, Any]) -> int:
    return int(array.__array_interface__["data"][0])


class Leases:
    """The reader's side: which slots live arrays are in."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self._live: dict[int, Lease] = {}  # also those that have ended, until they are returned
        self._ended: deque[Lease] = deque()
        _all_leases.add(self)
        _hook_fork()

    def view(self, offset: int, nbytes: int) -> memoryview:
        """Return the bytes of a slot. The lease ends when they and all that is made of them are garbage."""
        self._live[offset], data = lend(self.memory.bytes[offset : offset + nbytes], offset, self._ended)
        return data

    @property
    def some_out(self) -> bool:
        """Whether there are slots that were not returned."""
        return bool(self._live)

    @property
    def has_ended(self) -> bool:
        """Whether there are slots to be returned."""
        return bool(self._ended)

    def returned(self, most: int) -> list[int]:
        """Return offsets of slots that are free again, at most so many, each once.

        They are negative (``~offset``) for those that must not be reused.
        """
        offsets: list[int] = []
        while self._ended and len(offsets) < most:
            lease = self._ended.popleft()
            del self._live[lease.of]
            offsets.append(~lease.of if lease.pinned else lease.of)
        return offsets

    def pin(self) -> None:
        """Have the slots of all arrays that exist now never be reused."""
        for lease in list(self._live.values()):
            if lease() is not None:
                lease.pinned = True

    def forget(self) -> None:
        """Return no slot that is leased now."""
        self._live.clear()
        self._ended.clear()


_all_leases: weakref.WeakSet[Leases] = weakref.WeakSet()
_fork_hooked = False


def _hook_fork() -> None:
    global _fork_hooked
    if not _fork_hooked and hasattr(os, "register_at_fork"):
        # also before: no lease may end in between
        os.register_at_fork(before=_pin_leased, after_in_parent=_pin_leased, after_in_child=_forget_leased)
        _fork_hooked = True


def _pin_leased() -> None:
    """At a fork the child gets the arrays too: their slots can't be written again."""
    for leases in list(_all_leases):
        leases.pin()


def _forget_leased() -> None:
    for leases in list(_all_leases):
        leases.forget()
