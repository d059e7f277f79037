"""Sockets of one process, opened and closed together.

A link has a ZeroMQ context of its own, so it shares nothing with other parts of a program, or with forked
children.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from .._core.errors import DataFlowTerminated
from .._core.optional import require
from .curve import Curve
from .watch import Watch

_STOP_CHECK = 100  # ms between two looks at a stop event, which can't be waited for together with a socket


class Message(NamedTuple):
    """A received message: the index of its socket, its first part, and the number of its parts."""

    socket: int
    first: Any
    parts: int

    def peer(self) -> str:
        """Return the address that it came from, as far as that is known."""
        try:
            address: str = self.first.get("Peer-Address")
        except require("zmq", None).ZMQError:  # not every transport knows
            return "unknown"
        return address


class Link:
    """Sockets of one kind, opened together.

    Args:
        kind: PULL or PUSH, by its name.
        addresses: one for each socket.
        hwm: how many messages each may hold, per peer.
        curve: the keys, None for no encryption.
        attach: binds or connects a socket: called with it and its address.
        bound: whether that binds.
    """

    def __init__(
        self,
        kind: str,
        addresses: list[str],
        hwm: int,
        curve: Curve | None,
        attach: Callable[[Any, str], None],
        bound: bool,
    ) -> None:
        zmq = self._zmq = require("zmq", None)
        self.pid = os.getpid()
        self._connects = not bound
        self._lock = threading.RLock()  # held while the sockets are used, by whichever thread
        self._closed = False
        self._refused = ""
        self._next = 0
        self._context = zmq.Context()
        self._watch = Watch(self._context, curve.client_keys if curve else None, self._on_refused)
        self._wake_read, self._wake_write = socket.socketpair()  # ends a wait for messages
        self._sockets: list[Any] = []
        self._poller = zmq.Poller()
        self._poller.register(self._wake_read, zmq.POLLIN)
        try:
            for address in addresses:
                new = self._new_socket(getattr(zmq, kind), hwm, curve)
                self._watch.add(new, address)
                attach(new, address)
                self._poller.register(new, zmq.POLLIN if kind == "PULL" else zmq.POLLOUT)
        except BaseException:
            self._watch.close()
            for used in self._sockets:
                used.close(0)
            self._context.term()
            self._close_wake()
            raise
        self._watch.start()

    def _new_socket(self, kind: int, hwm: int, curve: Curve | None) -> Any:
        new = self._context.socket(kind)
        self._sockets.append(new)
        new.linger = 0
        new.sndhwm = new.rcvhwm = hwm
        # the kernel finds out that a machine is gone; ZeroMQ's own heartbeats would cut off a busy receiver
        new.tcp_keepalive, new.tcp_keepalive_idle, new.tcp_keepalive_intvl = 1, 60, 10
        if curve is not None:
            curve.apply(new)
        return new

    # ---- messages

    def receive(self) -> Message:
        """Wait for a message; the sockets take turns.

        Raises:
            DataFlowTerminated: the link was closed.
            ConnectionRefusedError: the other end does not want us, and will not.
        """
        zmq, count = self._zmq, len(self._sockets)
        with self._lock:
            while True:
                self._check()
                try:
                    for i in range(self._next, self._next + count):
                        try:
                            frame = self._sockets[i % count].recv(zmq.NOBLOCK, copy=False)
                        except zmq.Again:
                            continue
                        self._next = (i + 1) % count
                        return self._whole(i % count, frame)
                    self._poller.poll()
                except zmq.ZMQError:
                    self._check()  # closed by a signal handler, while we were waiting
                    raise

    def _whole(self, number: int, frame: Any) -> Message:
        parts, last = 1, frame
        while last.more:
            last = self._sockets[number].recv(copy=False)  # never blocks: parts arrive together
            parts += 1
        return Message(number, frame, parts)

    def send(self, data: bytes, stop: Any = None) -> bool:
        """Hand over a message, waiting for room; return False if ``stop.is_set()`` before there was any.

        Raises:
            ConnectionRefusedError: the other end does not want us, and will not.
        """
        [out] = self._sockets
        with self._lock:
            while True:
                try:
                    # let pyzmq copy the data: without copying it would start a thread
                    out.send(data, self._zmq.NOBLOCK)
                    return True
                except self._zmq.Again:
                    self._check()
                if stop is not None and stop.is_set():
                    return False
                self._poller.poll(None if stop is None else _STOP_CHECK)

    def _check(self) -> None:
        if self._closed:
            raise DataFlowTerminated("the connection was closed while datapoints were being received")
        if self._refused:
            raise ConnectionRefusedError(self._refused)

    def _on_refused(self, reason: str) -> None:
        if self._connects:  # ZeroMQ does not try again
            self._refused = reason
            self._wake()

    # ---- the end

    def close(self, linger: float = 0) -> bool:
        """Close everything. Can be called again; does nothing in a forked child.

        Args:
            linger: wait up to so many seconds until all that was handed over is on its way.

        Returns:
            Whether it is, or was not waited for.
        """
        if self._closed or self.pid != os.getpid():
            return True
        self._closed = True
        self._wake()
        start = time.monotonic()
        with self._lock:  # whoever waits for messages has left
            for used in self._sockets:
                used.close(int(linger * 1000))
            try:
                self._context.term()  # also ends the watch; waits for what lingers, or for Ctrl-C
            finally:
                self._watch.join()
                self._close_wake()
        return not linger or time.monotonic() - start < 0.95 * linger  # ZeroMQ's clock is not as exact

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # closed
            self._wake_write.send(b"!")

    def _close_wake(self) -> None:
        self._wake_read.close()
        self._wake_write.close()
