"""Frames over the ends of a connection: cutting what comes into frames, and writing what goes out.

A frame is a head (``HEAD``: length of the body, number of large buffers, kind, a number) and a body.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from .codec import OUT_OF_BAND
from .pipes import Ends, readable

HEAD = struct.Struct("<IHHq")
CHUNK = 1 << 18
"""Bytes that one read takes at most."""

RELEASE, STARVED, NUMBERS, DATA, END, CREDIT, BUNDLE, SKIPPED, ERROR = range(9)
"""Kinds of frames. Those up to NUMBERS are for the connection itself. From ERROR on they mean the end of the
pool."""

SEVERAL = 0x4000
"""Flag of the kind DATA: it settles the tasks of the NUMBERS frame before it that has the same number."""

KIND = 0xFF
"""Mask of the kind without flags."""

Frame = tuple[Any, int, int, int, memoryview]
"""A frame that has come and is not decoded yet: whose, its kind, number, number of buffers, and body."""


def note(kind: int, number: int, body: bytes = b"") -> bytes:
    """Return a frame without large buffers."""
    return HEAD.pack(len(body), 0, kind, number) + body


class FrameWriter:
    """Writes frames, at once or later.

    Args:
        ends: where to.
    """

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self._unfinished: tuple[Sequence[bytes | memoryview], list[int]] | None = (
            None  # pieces, bytes written
        )
        self._backlog: deque[bytes | memoryview] = deque()

    def write(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Write all of it, waiting as long as it takes.

        A signal handler may raise at any point of this. Then the next call begins with what is left of this
        one: no frame is ever cut.
        """
        if self._unfinished is not None:
            self._finish()
        pieces = _joined(pieces)
        counts: list[int] = []
        self._unfinished = pieces, counts
        if len(pieces) == 1:
            # A call and the storing of its result are one step for signal handlers only in C, as here.
            counts.extend(map(self._ends.write, pieces))
            if counts[0] == len(pieces[0]):
                self._unfinished = None
                return
        self._finish()

    def _finish(self) -> None:
        if self._unfinished is None:
            return
        pieces, counts = self._unfinished
        done = sum(counts)
        for piece in pieces:
            while done < len(piece):
                counts.extend(map(self._ends.write, (memoryview(piece)[done:],)))
                done += counts[-1]
            done -= len(piece)
        self._unfinished = None

    def queue(self, *pieces: bytes | memoryview) -> None:
        """Write later, when ``flush`` is called."""
        self._backlog.extend(pieces)

    def flush(self) -> bool:
        """Write what is queued as far as it goes without waiting; return whether all went out."""
        backlog = self._backlog
        if len(backlog) > 1:
            self._join()
        while backlog:
            try:
                written = self._ends.write(backlog[0])
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

    def _join(self) -> None:
        """Make one piece of what is queued: hundreds of small tasks go out with one system call."""
        backlog = self._backlog
        if sum(map(len, backlog)) < CHUNK:
            joined = b"".join(backlog)
            backlog.clear()
            backlog.append(joined)

    def clear(self) -> None:
        """Forget what is queued."""
        self._backlog.clear()


def _joined(pieces: Sequence[bytes | memoryview]) -> Sequence[bytes | memoryview]:
    """Join small pieces: one system call is dearer than their copy."""
    if len(pieces) == 1:
        return pieces
    if sum(map(len, pieces)) < OUT_OF_BAND:
        return (b"".join(pieces),)
    return pieces


class FrameReader:
    """Cuts what comes into frames.

    Args:
        ends: where from.
        owner: whose frames they are, for those who read the inbox.
        inbox: where frames go; several readers may share one.
    """

    def __init__(self, ends: Ends, owner: Any, inbox: deque[Frame]) -> None:
        self._ends, self._owner, self._inbox = ends, owner, inbox
        self._rest = b""  # of a frame whose end has not come
        self._large: memoryview | None = None  # the same for a large one: its body, to be filled
        self._filled = 0
        self._large_head: tuple[int, int, int] = (0, 0, 0)
        self.received = 0
        """Frames put into the inbox."""

    def read(self) -> bool:
        """Add to the inbox what has come; return False if the other side closed the connection.

        Raises:
            BlockingIOError: nothing has come, and the ends don't wait.
        """
        if self._large is not None:
            return self._read_large(self._large)
        try:
            data = self._ends.read(CHUNK)
        except ConnectionError:
            return False
        if not data:
            return False
        if self._rest:
            data = self._rest + data
        view, position, end, inbox = memoryview(data), 0, len(data), self._inbox
        while end - position >= HEAD.size:
            length, n_buffers, kind, number = HEAD.unpack_from(data, position)
            start = position + HEAD.size
            if length > end - start:
                if length > CHUNK:
                    self._large_head = kind, number, n_buffers
                    self._large = np.empty(length, np.uint8).data
                    self._filled = end - start
                    self._large[: self._filled] = view[start:]
                    position = end
                break
            position = start + length
            if kind <= NUMBERS:
                self._owner.control(kind, number, view[start:position])
            else:
                self.received += 1
                inbox.append((self._owner, kind, number, n_buffers, view[start:position]))
        self._rest = data[position:]
        return True

    def _read_large(self, body: memoryview) -> bool:
        try:
            n = self._ends.read_into(body[self._filled :])
        except ConnectionError:
            return False
        self._filled += n
        if self._filled == len(body):
            self._large = None
            self.received += 1
            self._inbox.append((self._owner, *self._large_head, body))
        return n > 0

    def read_one(self) -> bool:
        """Add one whole frame to the inbox and read nothing beyond it; return False as ``read`` does."""
        head = memoryview(bytearray(HEAD.size))
        if not self._read_exactly(head):
            return False
        length, n_buffers, kind, number = HEAD.unpack(head)
        body = np.empty(length, np.uint8).data
        if not self._read_exactly(body):
            return False
        self.received += 1
        self._inbox.append((self._owner, kind, number, n_buffers, body))
        return True

    def _read_exactly(self, buffer: memoryview) -> bool:
        while buffer:
            try:
                n = self._ends.read_into(buffer)
            except BlockingIOError:
                readable(self._ends.fds[0], None)
                continue
            except ConnectionError:
                return False
            if not n:
                return False
            buffer = buffer[n:]
        return True
