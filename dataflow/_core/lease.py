"""Reuse of memory that no array refers to any more."""

from __future__ import annotations

import math
import weakref
from collections import deque
from typing import Any

import numpy as np


class Lease(weakref.ref):  # type: ignore[type-arg]
    """A weak reference to the first array over some memory; all others hold a memoryview of that array."""

    __slots__ = ("lent", "shared_with")
    lent: Any
    """The memory that is lent."""
    shared_with: tuple[Any, ...]
    """Who has the array too, and may read it even when it is garbage here."""


def lend(array: np.ndarray[Any, Any], lent: Any, ended: deque[Lease]) -> tuple[Lease, memoryview]:
    """Return a lease, and the bytes of ``array``, which nobody else may hold.

    When the bytes, and all arrays made from them, are garbage, the lease is appended to ``ended``, if the
    lease still exists. This may happen at any point, in any thread, inside the garbage collector. So the
    callback is a C function: in Python code, an exception raised by a signal handler would be lost.
    """
    lease = Lease(array, ended.append)
    lease.lent, lease.shared_with = lent, ()
    # Not the array itself: NumPy sets the base of an array made from it to *its* base, the whole memory.
    return lease, array.data


class Recycler:
    """Makes large arrays in memory that earlier arrays no longer use.

    New memory of some megabytes comes from the system page by page, which takes longer than filling it.
    """

    _SMALL = 1 << 20  # bytes below which malloc() is as fast
    _KEPT = 2  # free buffers to keep; one would do while another is in use

    def __init__(self) -> None:
        self._free: list[np.ndarray[Any, Any]] = []  # the most recently used is last
        self._leases: dict[int, Lease] = {}
        self._ended: deque[Lease] = deque()

    def empty(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
        """Return an array with arbitrary contents, as ``np.empty`` does."""
        dtype = np.dtype(dtype)
        size = math.prod(shape) * dtype.itemsize
        if size < self._SMALL or dtype.hasobject:
            return np.empty(shape, dtype)
        while self._ended:
            buffer = self._ended.popleft().lent
            del self._leases[id(buffer)]
            self._free.append(buffer)
        fitting = [b for b in self._free if len(b) == size]
        buffer = fitting[-1] if fitting else np.empty(size, np.uint8)
        self._free = [b for b in self._free if b is not buffer][-self._KEPT :]
        self._leases[id(buffer)], data = lend(buffer[:], buffer, self._ended)
        return np.frombuffer(data, dtype).reshape(shape)
