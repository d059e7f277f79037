"""The thread that watches over sockets, while the program is busy with a datapoint."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from .._core.optional import require
from ..utils import logger


class Watch:
    """Logs failed handshakes, and decides who may come in. It ends when the context is terminated.

    Args:
        context: the ZeroMQ context of the sockets.
        allowed: public keys of the clients that may come in; None if the sockets are no CURVE servers.
        on_refused: called, in the thread, with the reason when no connection will ever be made.
    """

    def __init__(
        self, context: Any, allowed: frozenset[bytes] | None, on_refused: Callable[[str], None]
    ) -> None:
        self._zmq = require("zmq", None)
        self._context = context
        self._allowed = allowed or frozenset()
        self._on_refused = on_refused
        self._reports: dict[Any, str] = {}  # socket that reports on another -> address of that
        self._door: Any = None
        if allowed is not None:
            self._door = context.socket(self._zmq.REP)
            self._door.linger = 0
            self._door.bind("inproc://zeromq.zap.01")  # ZeroMQ's authentication requests
        self._thread = threading.Thread(target=self._run, name="remote-watch", daemon=True)

    def add(self, socket: Any, address: str) -> None:
        """Watch over a socket. Before it is bound or connected, and before ``start``."""
        zmq = self._zmq
        name = f"inproc://report-{len(self._reports)}"
        failures = zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
        socket.monitor(name, failures | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)
        report = self._context.socket(zmq.PAIR)
        report.linger = 0
        report.connect(name)
        self._reports[report] = address

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the thread, after the context was terminated."""
        self._thread.join()

    def close(self) -> None:
        """Close what it uses: to be called if it was not started."""
        for used in (*self._reports, *filter(None, [self._door])):
            used.close(0)

    def _run(self) -> None:
        zmq = self._zmq
        poller = zmq.Poller()
        for used in (*self._reports, *filter(None, [self._door])):
            poller.register(used, zmq.POLLIN)
        said: set[str] = set()
        try:
            while True:
                for ready, _ in poller.poll():
                    text = self._answer() if ready is self._door else self._hear(ready)
                    if text and text not in said:
                        said.add(text)
                        logger.error(text)
        except zmq.ContextTerminated:
            pass
        finally:
            self.close()

    def _answer(self) -> str:
        """Tell ZeroMQ whether a client may connect; return a text to log, or an empty one."""
        version, request, _, address, _, _, key, *_ = self._door.recv_multipart()
        name = require("zmq.utils.z85", None).encode(key)
        welcome = name in self._allowed
        answer = (b"200", b"OK") if welcome else (b"400", b"unknown key")
        self._door.send_multipart([version, request, *answer, b"", b""])
        if welcome:
            return ""
        return f"refused {address.decode()}: its public key {name.decode()} is not one of client_keys"

    def _hear(self, report: Any) -> str:
        """Read the report of a socket; return a text to log, or an empty one."""
        zmq = self._zmq
        event = require("zmq.utils.monitor", None).parse_monitor_message(report.recv_multipart())
        address = self._reports[report]
        if event["event"] == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            if self._door is not None:
                return ""  # this end refused it, and _answer has logged that
            text = f"{address}: refused us: our public key is not one of its client_keys"
        elif event["value"] == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
            text = f"{address}: one end encrypts and the other does not: no connection"
        else:  # a client that has a wrong server key is told nothing more precise
            return f"{address}: a handshake failed: wrong keys, or the other end is no dataflow"
        self._on_refused(text)
        return text
