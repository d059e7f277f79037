"""Senders, and what tests do with receivers."""

from __future__ import annotations

import contextlib
import itertools
import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any

from dataflow import DataFlow, RemoteDataZMQ, send_dataflow_zmq


class Counting(DataFlow):
    """[0], [1], ... without end; says how many it gave. Can be told apart from others by a tag."""

    def __init__(self, *tag: Any, size: int = 0) -> None:
        self.tag = tag
        self.size_of_each = size
        self.given = 0

    def __iter__(self) -> Iterator[Any]:
        while True:
            self.given += 1
            yield [self.given - 1, *self.tag, *([bytes(self.size_of_each)] if self.size_of_each else [])]


def take(df: RemoteDataZMQ, n: int) -> list[Any]:
    """Return the next n datapoints, of a new iterator."""
    iterator = iter(df)
    try:
        return list(itertools.islice(iterator, n))
    finally:
        iterator.close()  # type: ignore[attr-defined]


class Sender(threading.Thread):
    """Run ``send_dataflow_zmq`` in a thread that can be stopped, and keep what comes of it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(daemon=True)
        self.stop = threading.Event()
        self.args, self.kwargs = args, {"stop": self.stop, "linger": 0.1, **kwargs}
        self.sent: int | None = None
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.sent = send_dataflow_zmq(*self.args, **self.kwargs)
        except BaseException as e:
            self.error = e

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop.set()
        self.join(20)
        assert not self.is_alive()


def free_address() -> str:
    """Return an address of this machine that nobody uses."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{s.getsockname()[1]}"


@contextlib.contextmanager
def logged() -> Iterator[list[str]]:
    """Collect what is logged."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("dataflow")
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
