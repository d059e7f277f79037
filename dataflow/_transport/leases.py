"""Which slots of shared memory are in use: those that a live array is in, here or in a forked process.

A slot is wrapped in a buffer. Its lease ends when the buffer, and so every array made from it, is garbage.
"""

from __future__ import annotations

import os
import time
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any

from .._core.lease import Lease, lend
from .forks import ForkedChild, watch_forks

if TYPE_CHECKING:
    from .shared_memory import Memory


class Leases:
    """The reader's side: which slots live arrays are in."""

    _LOOK_EVERY = 2e-3  # seconds, whether forked processes are gone

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self._live: dict[int, Lease] = {}  # also those that have ended, until they are returned
        self._ended: deque[Lease] = deque()
        self._shared: list[Lease] = []  # that have ended here, and not in forked processes
        self._looked = 0.0
        self._owner = os.getpid()
        watch_forks(self)

    def view(self, offset: int, nbytes: int) -> memoryview:
        """Return the bytes of a slot. The lease ends when they and all that is made of them are garbage."""
        array = self.memory.bytes[offset : offset + nbytes]
        self._live[offset], data = lend(array, (offset, nbytes), self._ended)
        return data

    @property
    def some_out(self) -> bool:
        """Whether there are slots that were not returned."""
        return bool(self._live)

    @property
    def has_ended(self) -> bool:
        """Whether there are slots to be returned."""
        if not self._ended and self._shared and time.monotonic() - self._looked > self._LOOK_EVERY:
            self._take_from_the_gone()
        return bool(self._ended)

    def _take_from_the_gone(self) -> None:
        for lease in self._shared:
            if all(child.is_gone for child in lease.shared_with):
                self._live[lease.lent[0]] = lease
                self._ended.append(lease)
        self._shared = [lease for lease in self._shared if lease.lent[0] not in self._live]
        self._looked = time.monotonic()

    def returned(self, most: int) -> list[int]:
        """Return offsets of slots that are free again, at most so many.

        They are negative (``~offset``) for those that must not be reused until they are returned once more.
        """
        offsets: list[int] = []
        while self._ended and len(offsets) < most:
            lease = self._ended.popleft()
            offset = lease.lent[0]
            del self._live[offset]
            if not lease.shared_with or all(child.is_gone for child in lease.shared_with):
                offsets.append(offset)
            else:
                offsets.append(~offset)
                self._shared.append(lease)
        return offsets

    def close(self, alone: bool = True) -> None:
        """Give back all pages but those of arrays that live. Nobody may write to the memory any more.

        Args:
            alone: whether no processes but forked ones have arrays in it.
        """
        if not alone or os.getpid() != self._owner:
            return
        leases = [*self._live.values(), *self._shared]
        held = [a for a in leases if a() is not None or not all(child.is_gone for child in a.shared_with)]
        self.memory.keep_only(lease.lent for lease in held)
        _to_discard[:] = [ref for ref in _to_discard if ref() is not None]
        for lease in held:
            array = lease()
            if array is not None and not lease.shared_with:
                discarding = self.memory.discard_with(array, lease.lent[0])
                if discarding is not None:
                    _to_discard.append(discarding)

    @property
    def lends(self) -> bool:
        """Whether there are arrays."""
        return bool(self._live)

    def share(self, child: ForkedChild) -> None:
        """Note that ``child`` has all arrays too that exist now."""
        for lease in list(self._live.values()):
            if child not in lease.shared_with and lease() is not None:
                lease.shared_with = (*(c for c in lease.shared_with if not c.is_gone), child)

    def inherited(self) -> None:
        """In a forked process: return no slot that is leased now."""
        self._live.clear()
        self._ended.clear()
        self._shared.clear()


_to_discard: list[weakref.ref[Any]] = []
"""The pages of arrays that outlive their pool: to be given back with them."""
