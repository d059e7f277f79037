"""The body of a frame that carries an object: its large buffers in slots of shared memory, or inline.

The body is: where each buffer is (``_PLACE``: its slot, or -1 for "inline", and its size), the inline
buffers, and the pickle.
"""

from __future__ import annotations

import math
import pickle
import struct
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .codec import OUT_OF_BAND, decode
from .framing import HEAD, RELEASE, Frame, note
from .leases import Leases
from .shared_memory import Arena

_PLACE = struct.Struct("<qq")
_OFFSET = struct.Struct("<q")
_INLINE = -1
_ALIGN = 16
_STREAM_IN_BUFFER = 0x8000  # flag of the kind: the pickle itself is the last buffer

MAX_RELEASES = 500
"""Slots that one frame gives back: what a pipe takes at once or not at all, with several who write to it."""


class Packed(NamedTuple):
    """An object that is ready to be sent: any number of times, under any number."""

    flags: int
    n_buffers: int
    length: int
    pieces: list[bytes | memoryview]

    def frame(self, kind: int, number: int) -> list[bytes | memoryview]:
        """Return the pieces of a frame."""
        return _frame(kind, number, self)


def _frame(
    kind: int, number: int, packed: tuple[int, int, int, list[bytes | memoryview]]
) -> list[bytes | memoryview]:
    flags, n_buffers, length, pieces = packed
    if length >= 1 << 32:
        raise ValueError(f"a datapoint of {length} bytes is too large to be sent: 4 GB is the limit")
    return [HEAD.pack(length, n_buffers, kind | flags, number), *pieces]


class Packer:
    """Puts large buffers into slots, and takes slots back.

    Args:
        arena: the slots, None to send all inline.
        wait_for_slot: called when there is no free slot; returns whether it is worth another try.
    """

    def __init__(self, arena: Arena | None, wait_for_slot: Callable[[], bool] | None = None) -> None:
        self._arena, self._wait_for_slot = arena, wait_for_slot
        self._lock = threading.Lock()  # one thread may pack while another takes slots back

    @property
    def some_out(self) -> bool:
        """Whether there are slots to come back."""
        return self._arena is not None and self._arena.some_out

    def pack(self, stream: bytes, buffers: Sequence[memoryview]) -> Packed:
        """Return what ``encode`` returned, packed. The buffers may change after that."""
        return Packed._make(self._packed(stream, buffers, True))

    def frame(
        self, kind: int, number: int, stream: bytes, buffers: Sequence[memoryview]
    ) -> list[bytes | memoryview]:
        """Return the pieces of a frame with what ``encode`` returned; it is to be sent at once."""
        return _frame(kind, number, self._packed(stream, buffers, False))

    def _packed(
        self, stream: bytes, buffers: Sequence[memoryview], keep: bool
    ) -> tuple[int, int, int, list[bytes | memoryview]]:
        flags = 0
        if len(stream) >= OUT_OF_BAND:
            buffers = [*buffers, memoryview(stream)]
            stream, flags = b"", _STREAM_IN_BUFFER
        if not buffers:
            return flags, 0, len(stream), [stream]
        n, offsets = len(buffers), self._put(buffers)
        if offsets is not None:
            places = b"".join([_PLACE.pack(o, b.nbytes) for o, b in zip(offsets, buffers, strict=True)])
            return flags, n, len(places) + len(stream), [places, stream]
        places = b"".join([_PLACE.pack(_INLINE, b.nbytes) for b in buffers])
        padded = [piece for b in buffers for piece in (b, bytes(-b.nbytes % _ALIGN))]
        length = len(places) + sum([b.nbytes + -b.nbytes % _ALIGN for b in buffers]) + len(stream)
        pieces = [places, *padded, stream]
        return flags, n, length, [b"".join(pieces)] if keep else pieces

    def _put(self, buffers: Sequence[memoryview]) -> list[int] | None:
        if self._arena is None:
            return None
        while True:
            with self._lock:
                offsets = self._arena.put(buffers)
            if offsets is not None or self._wait_for_slot is None or not self._wait_for_slot():
                return offsets

    def empty(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
        """Return an array to fill and to ``pack`` next, which then need not copy it: not to be used after."""
        dtype = np.dtype(dtype)
        large = math.prod(shape) * dtype.itemsize >= OUT_OF_BAND and not dtype.hasobject
        draft = self._arena.draft(shape, dtype) if large and self._arena is not None else None
        return np.empty(shape, dtype) if draft is None else draft

    def drop(self, packed: Packed) -> None:
        """Take back the slots of what will not be sent, or was not unpacked."""
        places = packed.pieces[0]
        if self._arena is not None and len(packed.pieces) == 2 and packed.n_buffers:
            with self._lock:
                for offset, _ in _PLACE.iter_unpack(places):
                    self._arena.release(offset)

    def take_back(self, body: memoryview) -> None:
        """Take back the slots that a RELEASE frame names."""
        if self._arena is None:
            return
        with self._lock:
            for (offset,) in _OFFSET.iter_unpack(body):
                if offset >= 0:
                    self._arena.release(offset)
                else:
                    self._arena.retire(~offset)


class Unpacker:
    """Makes objects of frames: their arrays live in slots that are leased as long as an array needs them.

    Args:
        leases: the slots, None if all comes inline.
    """

    def __init__(self, leases: Leases | None) -> None:
        self._leases = leases

    @property
    def has_releases(self) -> bool:
        """Whether there are slots to give back."""
        return self._leases is not None and self._leases.has_ended

    @property
    def holds_slots(self) -> bool:
        """Whether there are slots that were not given back."""
        return self._leases is not None and self._leases.some_out

    def releases(self) -> bytes:
        """Return a frame that gives slots back, if not too many all of them; empty if there are none."""
        if self._leases is None or not self._leases.has_ended:
            return b""
        offsets = self._leases.returned(MAX_RELEASES)
        return note(RELEASE, len(offsets), b"".join(map(_OFFSET.pack, offsets)))

    def close(self, alone: bool) -> None:
        """Give back all memory but that of arrays that live. Nobody may write to it any more.

        Args:
            alone: whether no processes but forked ones have arrays in it.
        """
        if self._leases is not None:
            self._leases.close(alone)

    def unpack(self, frame: Frame) -> Any:
        """Return what the frame carries."""
        _, kind, _, n_buffers, body = frame
        if not n_buffers:
            return pickle.loads(body)
        start = _PLACE.size * n_buffers
        places = list(_PLACE.iter_unpack(body[:start]))
        buffers: list[Any] = []
        if places[0][0] == _INLINE:
            if body.readonly:  # a part of a chunk; the arrays shall be writable, and own their bytes
                body = memoryview(bytearray(body))
            for _, size in places:
                buffers.append(body[start : start + size])
                start += size + -size % _ALIGN
        elif self._leases is not None:
            buffers.extend(self._leases.view(offset, size) for offset, size in places)
        stream: Any = body[start:]
        if kind & _STREAM_IN_BUFFER:
            stream = buffers.pop()
        return decode(stream, buffers)
