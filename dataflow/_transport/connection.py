"""A connection between two processes: frames over two pipes, large buffers through shared memory.

Nobody waits for anybody by asking: a frame is written as soon as there is one, and the reader takes all that
has come at once, so small frames travel together just when the reader is the slower side.

The one exception is a full memory. A worker without a free slot waits until one comes back. The consumer
tells it (STARVED) when it waits for data itself: then it frees no slot, and the worker sends inline.
"""

from __future__ import annotations

import marshal
from collections import deque
from typing import Any

from .framing import RELEASE, SEVERAL, STARVED, Frame, FrameReader, FrameWriter, note
from .packing import Packer, Unpacker
from .pipes import Ends, readable


class Connection:
    """One side of a connection: what it reads and writes, what it packs and unpacks.

    Args:
        ends: where to read and write.
        packer: for the objects that go out.
        unpacker: for the objects that come in.
        inbox: where frames go; several connections may share one.
    """

    def __init__(
        self, ends: Ends, packer: Packer, unpacker: Unpacker, inbox: deque[Frame] | None = None
    ) -> None:
        self.ends, self.packer, self.unpacker = ends, packer, unpacker
        self.inbox: deque[Frame] = deque() if inbox is None else inbox
        self.writer = FrameWriter(ends)
        self.reader = FrameReader(ends, self, self.inbox)
        self.sent = 0
        """Frames written that the other side counts as received."""
        self._several: dict[int, tuple[int, ...]] = {}  # by the first, the numbers of frames to come
        self._told_at = -1  # frames received when the other side was told last that this one is starved
        self._starved_at: int | None = None  # frames that the other side had when it told this one so

    def control(self, kind: int, number: int, body: memoryview) -> None:
        """Take a frame that is for the connection itself."""
        if kind == RELEASE:
            self.packer.take_back(body)
        elif kind == STARVED:
            self._starved_at = number
        else:
            self._several[number] = marshal.loads(body)

    def unpack(self, frame: Frame) -> tuple[tuple[int, ...], Any]:
        """Return the numbers of the tasks that a DATA frame settles, perhaps none, and its value."""
        _, kind, number, _, _ = frame
        if kind & SEVERAL:
            return self._several.pop(number), self.unpacker.unpack(frame)
        return (number,) if number >= 0 else (), self.unpacker.unpack(frame)

    def readable(self) -> bool:
        """Return whether a read would not have to wait."""
        return readable(self.ends.fds[0], 0)

    def starved(self) -> bytes:
        """Return a frame that says that this side waits for data; empty if the other side need not know."""
        received = self.reader.received
        if self._told_at == received or not self.unpacker.holds_slots:
            return b""  # it knows, or there is no slot that it could wait for
        self._told_at = received
        return note(STARVED, received)

    def wait_for_slot(self) -> bool:
        """Wait until something came, perhaps a slot; return False if the buffers must go inline."""
        can_wait = self.packer.some_out and not self.is_starved(self.sent)
        return (self.readable() or can_wait) and self.reader.read()

    def is_starved(self, sent: int) -> bool:
        """Return whether the other side waits for data, having received all ``sent`` frames."""
        return self._starved_at == sent

    def close(self) -> None:
        """Close this side and let go of the shared memory: arrays that live in it keep what they need."""
        self.ends.close()
        self.writer.clear()
        self.packer, self.unpacker = Packer(None), Unpacker(None)
