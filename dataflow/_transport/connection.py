"""A connection between two processes: frames over two pipes, large buffers through shared memory.

Nobody waits for anybody by asking: a frame is written as soon as there is one, and the reader takes all that
has come at once, so small frames travel together just when the reader is the slower side.

A frame is a head (``_HEAD``: length of the body, number of large buffers, kind, a number), then where each
buffer is (``_PLACE``: its slot, or -1 for "inline", and its size), the inline buffers, and the pickle.
"""

from __future__ import annotations

import math
import pickle
import struct
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from .codec import OUT_OF_BAND, decode, encode
from .pipes import Ends, readable
from .shared_memory import Arena, Leases

_HEAD = struct.Struct("<IHHq")
_PLACE = struct.Struct("<qq")
_OFFSET = struct.Struct("<q")
_CHUNK = 1 << 18
_MAX_RELEASES = 500
"""Slots that one frame gives back: what a pipe takes at once or not at all, with several who write to it."""
_ANY = -1

_INLINE = -1
_ALIGN = 16
_STREAM_IN_BUFFER = 0x8000  # flag of the kind: the pickle itself is the last buffer

DATA, DROPPED, END, CREDIT, RELEASE, BUNDLE, HUNGRY, ERROR = range(8)
"""Kinds of frames. From ERROR on they mean the end of the pool."""


Frame = tuple["Connection", int, int, int, memoryview]
"""A frame that has come and is not decoded yet: where, its kind, number, number of buffers, and body."""


class Connection:
    """One side of a connection: packs, writes, reads and unpacks frames, and looks after the slots.

    Args:
        ends: where to read and write.
        arena: where large buffers go out, None to send them inline.
        leases: where large buffers come in, None if the other side sends them inline.
        inbox: where frames go; several connections may share one.
    """

    def __init__(
        self, ends: Ends, arena: Arena | None, leases: Leases | None, inbox: deque[Frame] | None = None
    ) -> None:
        self.ends = ends
        self.owed = 0  # datapoints collected since the last grant
        self.shared = False  # whether other processes write to it as well
        self.patient = False  # whether it may wait for a slot to come back
        self.sent = 0  # frames, as far as the other side counts them
        self._received = 0  # the same of the other side
        self._told = -1  # how many were received when the other side was told last that we wait
        self._hungry_at: int | None = None  # what the other side has told us so
        self.inbox: deque[Frame] = deque() if inbox is None else inbox
        self._arena, self._leases = arena, leases
        self.memory = leases.memory if leases is not None else None
        self._rest = b""  # of a frame whose end has not come
        self._large: memoryview | None = None  # the same for a large one: its body, to be filled
        self._filled = 0
        self._large_head: tuple[int, int, int] = (0, 0, 0)
        self._backlog: deque[bytes | memoryview] = deque()

    # ---- out

    def pack(self, kind: int, number: int, obj: Any) -> list[bytes | memoryview]:
        """Return the pieces of a frame that carries ``obj``."""
        return self.pack_encoded(kind, number, *encode(obj))

    def pack_encoded(
        self, kind: int, number: int, stream: bytes, buffers: Sequence[memoryview]
    ) -> list[bytes | memoryview]:
        """Return the pieces of a frame that carries what ``encode`` returned."""
        if len(stream) >= OUT_OF_BAND:
            buffers = [*buffers, memoryview(stream)]
            stream, kind = b"", kind | _STREAM_IN_BUFFER
        if not buffers:
            return [_HEAD.pack(len(stream), 0, kind, number) + stream]
        offsets = self._put(buffers)
        if offsets is None:
            places = [(_INLINE, b.nbytes) for b in buffers]
            buffers = [piece for b in buffers for piece in (b, memoryview(bytes(-b.nbytes % _ALIGN)))]
            length = _PLACE.size * len(places) + sum(b.nbytes for b in buffers) + len(stream)
            if length >= 1 << 32:
                raise ValueError(f"a datapoint of {length} bytes is too large to be sent: 4 GB is the limit")
        else:
            places = [(o, b.nbytes) for o, b in zip(offsets, buffers, strict=True)]
            buffers = []
            length = _PLACE.size * len(places) + len(stream)
        head = _HEAD.pack(length, len(places), kind, number)
        return [head, *(_PLACE.pack(*p) for p in places), *buffers, stream]

    def empty(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
        """Return an array to fill and to ``pack`` next, which then need not copy it: not to be used after."""
        dtype = np.dtype(dtype)
        large = math.prod(shape) * dtype.itemsize >= OUT_OF_BAND and not dtype.hasobject
        draft = self._arena.draft(shape, dtype) if large and self._arena is not None else None
        return np.empty(shape, dtype) if draft is None else draft

    def _put(self, buffers: Sequence[memoryview]) -> list[int] | None:
        """Copy buffers into slots, once there is room.

        A patient one waits for that, unless the other side waits for it in turn: then that keeps what it
        has, and the buffers have to go without slots.
        """
        if self._arena is None:
            return None
        offsets = self._arena.put(buffers)
        while offsets is None and (self.readable() or self._can_wait()) and self.read():
            offsets = self._arena.put(buffers)
        return offsets

    def _can_wait(self) -> bool:
        some_out = self._arena is not None and self._arena.some_out
        return self.patient and some_out and self._hungry_at not in (self.sent, _ANY)

    def hungry(self) -> bytes:
        """Return a frame that says that this side waits for one; empty if the other side need not know."""
        if self._leases is None or self._told == self._received:
            return b""
        if not self._leases.some_out and not self.shared:  # nothing that the other side could wait for
            return b""
        self._told = self._received
        return note(HUNGRY, _ANY if self.shared else self._received)

    def readable(self) -> bool:
        """Say whether ``read`` would not have to wait."""
        return readable(self.ends.fds[0], 0)

    @property
    def has_releases(self) -> bool:
        """Whether there are slots to give back."""
        return self._leases is not None and self._leases.has_ended

    def releases(self) -> bytes:
        """Return a frame that gives slots back, if not too many all of them; empty if there are none."""
        if self._leases is None or not self._leases.has_ended:
            return b""
        offsets = self._leases.returned(_MAX_RELEASES)
        return note(RELEASE, len(offsets), b"".join(map(_OFFSET.pack, offsets)))

    def write(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Write all of it, waiting as long as it takes."""
        for piece in _joined(pieces):
            written = self.ends.write(piece)
            while written < len(piece):  # a large piece, or a signal came
                piece = memoryview(piece)[written:]
                written = self.ends.write(piece)

    def queue(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Write later, when ``flush`` is called."""
        self._backlog.extend(pieces)

    def flush(self) -> bool:
        """Write what is queued as far as it goes without waiting; say whether all went out."""
        backlog = self._backlog
        if len(backlog) > 1 and not self.shared and sum(map(len, backlog)) < _CHUNK:
            joined = b"".join(backlog)  # hundreds of small tasks with one system call
            backlog.clear()
            backlog.append(joined)
        while backlog:
            try:
                written = self.ends.write(backlog[0])
            except BlockingIOError:
                return False
            except ConnectionError:
                backlog.clear()  # nobody is there any more: reading will tell
                return True
            if written == len(backlog[0]):
                backlog.popleft()
            else:
                backlog[0] = memoryview(backlog[0])[written:]
        return True

    # ---- in

    def read(self) -> bool:
        """Add to ``inbox`` what has come. Return False if the other side closed the connection.

        Raises:
            BlockingIOError: nothing has come, and ``ends`` don't wait.
        """
        if self._large is not None:
            return self._read_large(self._large)
        try:
            data = self.ends.read(_CHUNK)
        except ConnectionError:
            return False
        if not data:
            return False
        if self._rest:
            data = self._rest + data
        view, position, end, inbox = memoryview(data), 0, len(data), self.inbox
        while end - position >= _HEAD.size:
            length, n_buffers, kind, number = _HEAD.unpack_from(data, position)
            start = position + _HEAD.size
            if length > end - start:
                if length > _CHUNK:
                    self._large_head = kind, number, n_buffers
                    self._large = np.empty(length, np.uint8).data
                    self._filled = end - start
                    self._large[: self._filled] = view[start:]
                    position = end
                break
            position = start + length
            if kind == RELEASE:
                self._take_back(view[start:position])
            elif kind == HUNGRY:
                self._hungry_at = number
            else:
                self._received += 1
                inbox.append((self, kind, number, n_buffers, view[start:position]))
        self._rest = data[position:]
        return True

    def _read_large(self, body: memoryview) -> bool:
        try:
            n = self.ends.read_into(body[self._filled :])
        except ConnectionError:
            return False
        self._filled += n
        if self._filled == len(body):
            self._large = None
            self._received += 1
            self.inbox.append((self, *self._large_head, body))
        return n > 0

    def read_one(self) -> bool:
        """Add one whole frame to ``inbox`` and read nothing beyond it. Return False as ``read``."""
        head = memoryview(bytearray(_HEAD.size))
        if not self._read_exactly(head):
            return False
        length, n_buffers, kind, number = _HEAD.unpack(head)
        body = np.empty(length, np.uint8).data
        if not self._read_exactly(body):
            return False
        self._received += 1
        self.inbox.append((self, kind, number, n_buffers, body))
        return True

    def _read_exactly(self, buffer: memoryview) -> bool:
        while buffer:
            try:
                n = self.ends.read_into(buffer)
            except BlockingIOError:
                readable(self.ends.fds[0], None)
                continue
            except ConnectionError:
                return False
            if not n:
                return False
            buffer = buffer[n:]
        return True

    def _take_back(self, offsets: memoryview) -> None:
        if self._arena is not None:
            for (offset,) in _OFFSET.iter_unpack(offsets):
                if offset >= 0:
                    self._arena.release(offset)
                else:
                    self._arena.retire(~offset)

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

    def forget_unsent(self) -> None:
        """In a forked process: what is queued is the other's to send."""
        self.owed = 0
        self._backlog.clear()

    def close(self) -> None:
        """Close this side and let go of the shared memory: arrays that live in it keep what they need."""
        self.ends.close()
        self._backlog.clear()
        self._arena = self._leases = self.memory = self._large = None


def note(kind: int, number: int, body: bytes = b"") -> bytes:
    """Return a frame without an object."""
    return _HEAD.pack(len(body), 0, kind, number) + body


def _joined(pieces: Sequence[bytes | memoryview]) -> Sequence[bytes | memoryview]:
    """Join small pieces: one system call is dearer than their copy."""
    if len(pieces) == 1:
        return pieces
    if sum(map(len, pieces)) < OUT_OF_BAND:
        return (b"".join(pieces),)
    return pieces
