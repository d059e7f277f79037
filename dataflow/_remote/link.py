"""Sockets of one process, and the thread that watches over them.

A link has a ZeroMQ context of its own, so it shares nothing with other parts of a program, or with forked
children. Its thread reads what ZeroMQ reports about handshakes, and answers for authentication: both must
go on while the program is busy with a datapoint, and neither is in the way of the datapoints.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from .._errors import DataFlowTerminated
from ..utils import logger
from ..utils._optional import require
from .curve import Curve

_STOP_CHECK = 100  # ms between two looks at a stop event, which can't be waited for together with a socket


class Message(NamedTuple):
    """A message that has come: by which socket, its first part, and how many parts there were."""

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
        self._zmq = require("zmq", None)
        self.pid = os.getpid()
        self._addresses = addresses
        self._bound = bound
        self._lock = threading.RLock()  # held while the sockets are used, by whichever thread
        self._closed = False
        self._refused = ""
        self._next = 0
        self._context = self._zmq.Context()
        self._wake_read, self._wake_write = socket.socketpair()  # ends a wait for messages
        self._sockets: list[Any] = []
        self._reports: dict[Any, str] = {}  # socket that reports on another -> address of that
        self._door: Any = None
        self._allowed: frozenset[bytes] = frozenset()  # clients that may come in, if the door is guarded
        try:
            if curve is not None and curve.client_keys is not None:
                self._allowed = curve.client_keys
                self._door = self._context.socket(self._zmq.REP)
                self._door.linger = 0
                self._door.bind("inproc://zeromq.zap.01")
            for address in addresses:
                self._open(getattr(self._zmq, kind), address, hwm, curve, attach)
        except BaseException:
            for used in (*self._reports, *self._sockets, *filter(None, [self._door])):
                used.close(0)
            self._context.term()
            self._close_wake()
            raise
        self._poller = self._zmq.Poller()
        for data_socket in self._sockets:
            self._poller.register(data_socket, self._zmq.POLLIN if kind == "PULL" else self._zmq.POLLOUT)
        self._poller.register(self._wake_read, self._zmq.POLLIN)
        self._thread = threading.Thread(target=self._watch, name="remote-watch", daemon=True)
        self._thread.start()

    def _open(
        self, kind: int, address: str, hwm: int, curve: Curve | None, attach: Callable[[Any, str], None]
    ) -> None:
        new = self._context.socket(kind)
        self._sockets.append(new)
        new.linger = 0
        new.sndhwm = new.rcvhwm = hwm
        new.ipv6 = "[" in address
        # the kernel finds out that a machine is gone; ZeroMQ's own heartbeats would cut off a busy receiver
        new.tcp_keepalive, new.tcp_keepalive_idle, new.tcp_keepalive_intvl = 1, 60, 10
        if curve is not None:
            curve.apply(new)
        name = f"inproc://report-{len(self._sockets)}"
        zmq = self._zmq
        new.monitor(
            name,
            zmq.EVENT_HANDSHAKE_FAILED_AUTH
            | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
            | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
        )
        report = self._context.socket(zmq.PAIR)
        report.linger = 0
        report.connect(name)
        self._reports[report] = address
        attach(new, address)

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
            last = self._sockets[number].recv(copy=False)  # has come: parts of a message come together
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
                    out.send(
                        data, self._zmq.NOBLOCK
                    )  # copied: uncopied, pyzmq needs a thread for the garbage
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
                self._context.term()  # also ends the thread; waits for what lingers, or for Ctrl-C
            finally:
                self._thread.join()
                self._close_wake()
        return not linger or time.monotonic() - start < linger

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # closed
            self._wake_write.send(b"!")

    def _close_wake(self) -> None:
        self._wake_read.close()
        self._wake_write.close()

    # ---- the thread

    def _watch(self) -> None:
        zmq = self._zmq
        poller = zmq.Poller()
        for used in (*self._reports, *filter(None, [self._door])):
            poller.register(used, zmq.POLLIN)
        said: set[str] = set()
        try:
            while True:
                for ready, _ in poller.poll():
                    text = self._let_in() if ready is self._door else self._hear(ready)
                    if text and text not in said:
                        said.add(text)
                        logger.error(text)
        except zmq.ZMQError as e:
            if e.errno not in (zmq.ETERM, zmq.ENOTSOCK):
                raise
        finally:
            for used in (*self._reports, *filter(None, [self._door])):
                used.close(0)

    def _let_in(self) -> str:
        """Answer whether a client may come in; return what there is to say."""
        version, request, _, address, _, _, key, *_ = self._door.recv_multipart()
        name = require("zmq.utils.z85", None).encode(key)
        welcome = name in self._allowed
        self._door.send_multipart(
            [version, request, *((b"200", b"OK") if welcome else (b"400", b"No")), b"", b""]
        )
        if welcome:
            return ""
        return f"refused {address.decode()}: its public key {name.decode()} is not one of client_keys"

    def _hear(self, report: Any) -> str:
        """Read a report; return what there is to say."""
        zmq = self._zmq
        event = require("zmq.utils.monitor", None).parse_monitor_message(report.recv_multipart())
        address = self._reports[report]
        kind, value = event["event"], event["value"]
        if kind == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            if self._door is not None:
                return ""  # it was us, and _let_in said so
            text = f"{address}: refused us: our public key is not one of its client_keys"
        elif value == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
            text = f"{address}: one end encrypts and the other does not: no connection"
        else:
            # as a client with a wrong key of the server we hear no more than that
            return f"{address}: a handshake failed: wrong keys, or the other end is no dataflow"
        if not self._bound:  # ZeroMQ does not try again
            self._refused = text
            self._wake()
        return text
