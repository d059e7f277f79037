"""Datapoints to and from other processes and machines, over ZeroMQ.

One program sends what a dataflow yields, another receives it as a dataflow. Messages that come in are read as
data: nothing in them is executed.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import time
import weakref
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from types import TracebackType
from typing import Any, Protocol

from ._compat.old_names import old_names
from ._core.checks import whole_number
from ._core.describe import printable
from ._core.optional import require
from ._parallel.jobs import MAX_EMPTY
from ._remote.curve import curve_of
from ._remote.link import Link, Message
from ._remote.wire import choose_format
from .base import DataFlow, DataFlowReentrantGuard, reset_all
from .utils import logger
from .utils.concurrency import DIE, ensure_proc_terminate
from .utils.utils import get_tqdm

__all__ = ["RemoteDataZMQ", "dump_dataflow_to_process_queue", "send_dataflow_zmq"]

__getattr__ = old_names(__name__)

_Key = str | bytes
_WITH_PORT = ("tcp://", "udp://", "ws://", "wss://")
_MOST_BLAMED = 100  # peers that are named in the log: a peer can come back under any name
_SHOWN_OF_ERROR = 300  # characters: it may quote the message
_SHOWN = 200  # the progress bar averages over this many sends


class _Event(Protocol):
    def is_set(self) -> bool: ...


def send_dataflow_zmq(
    df: Iterable[Any],
    addr: str,
    hwm: int = 50,
    format: str | None = None,
    bind: bool = False,
    *,
    stop: _Event | None = None,
    linger: float = 10,
    server_publickey: _Key | None = None,
    client_secretkey: _Key | None = None,
    server_secretkey: _Key | None = None,
    client_keys: Collection[_Key] | None = None,
) -> int:
    """Send the datapoints of a dataflow to an address, pass after pass, until stopped.

    The dataflow is reset, and then read over and over. Each datapoint is one message of a PUSH socket. While
    nobody receives, or the receiver is slower, the sender waits. A progress bar shows how many datapoints a
    second are sent, and how many seconds one send takes, on average of the last 200.

    It ends when ``stop`` is set, on Ctrl-C, or when the dataflow raises. Datapoints handed over by then are
    still delivered, if that takes at most ``linger`` seconds; a second Ctrl-C drops them.

    Args:
        df: the dataflow.
        addr: a ZeroMQ address such as ``tcp://192.168.1.2:5555`` or ``ipc:///tmp/socket``.
        hwm: how many datapoints may wait at this end. As many may wait at the other.
        format: how a datapoint is written. None for ``utils.serialize.dumps``, what ``RemoteDataZMQ`` reads
            by default. ``"zmq_ops"`` for a list of arrays, in a layout that other programs read.
        bind: wait at the address for receivers, instead of connecting to one.
        stop: an event of ``threading`` or ``multiprocessing`` that ends it.
        linger: seconds to wait, at the end, for what was handed over to be delivered.
        server_publickey: encrypt: the public key of the other end. Keys are those of ``zmq.curve_keypair()``.
        client_secretkey: goes with it: the secret key of this end. The other must know its public key.
        server_secretkey: encrypt, with this end as the one that decides who may connect: its secret key.
        client_keys: goes with it: the public keys of those who may connect.

    Returns:
        How many datapoints were handed over, when ``stop`` is set.

    Raises:
        OSError: the address can't be used.
        ConnectionRefusedError: the other end does not let us in.
        ValueError: ``addr``, ``format``, ``hwm`` or a key is not valid.
        TypeError: a datapoint can't be written in the format.
        RuntimeError: the dataflow is empty.
    """
    wire = choose_format(format, "send_dataflow_zmq")
    link = Link(
        "PUSH",
        [_address(addr, "addr", bind)],
        whole_number(hwm, 1, "send_dataflow_zmq: hwm"),
        curve_of(server_secretkey, client_keys, server_publickey, client_secretkey),
        partial(_attach, bind=bind),
        bind,
    )
    sent = 0
    seconds: deque[float] = deque(maxlen=_SHOWN)
    try:
        reset_all([df])
        with get_tqdm() as bar:
            for dp in _over_and_over(df):
                if stop is not None and stop.is_set():
                    break
                data = wire.dumps(dp)
                start = time.perf_counter()
                if not link.send(data, stop):
                    break
                seconds.append(time.perf_counter() - start)
                sent += 1
                if sent % _SHOWN == 0:
                    bar.set_description(f"{sum(seconds) / _SHOWN:.3f} s a send", refresh=False)
                bar.update()
    finally:
        delivered = link.close(linger)
        logger.info("send_dataflow_zmq: handed over %d datapoints to %s", sent, addr)
        if not delivered:
            logger.warning("send_dataflow_zmq: dropped the last ones: not delivered in %g seconds", linger)
    return sent


def _over_and_over(df: Iterable[Any]) -> Iterator[Any]:
    nothing, empty = object(), 0
    while empty < MAX_EMPTY:
        dp: Any = nothing
        for dp in df:
            yield dp
        empty = empty + 1 if dp is nothing else 0
    raise RuntimeError(f"send_dataflow_zmq: the dataflow is empty: {empty} passes gave no datapoint")


def _address(addr: Any, what: str, bind: bool) -> str:
    if not isinstance(addr, str):
        raise TypeError(f"{what}: expected an address such as 'tcp://*:5555', got {addr!r}")
    if addr.startswith(_WITH_PORT):
        for end in addr.split(";"):  # there may be a source and a destination
            # ZeroMQ takes any number for a port, and then waits for ever
            port = end.rpartition(":")[2].partition("/")[0]
            is_number = port.isascii() and port.isdigit() and (0 if bind else 1) <= int(port) < 2**16
            if port[:1] in tuple("+-0123456789") and not is_number:
                raise ValueError(
                    f"{what}: there is no port {port}, in {addr!r}: expected one from 1 to 65535"
                )
    return addr


def _attach(socket: Any, addr: str, bind: bool) -> None:
    """Bind or connect a socket.

    Raises:
        ValueError: this is no address.
        OSError: it can't be used.
    """
    zmq = require("zmq", None)
    try:
        (socket.bind if bind else socket.connect)(addr)
    except zmq.ZMQError as e:
        doing = "bind to" if bind else "connect to"
        if e.errno in (errno.EINVAL, errno.EPROTONOSUPPORT):
            raise ValueError(
                f"can't {doing} {addr!r}: expected an address such as 'tcp://*:5555' or 'ipc:///tmp/socket'"
            ) from e
        raise OSError(e.errno, f"can't {doing} the address ({e.strerror})", addr) from e


class RemoteDataZMQ(DataFlow[Any]):
    """Receive datapoints that ``send_dataflow_zmq`` sends, from any number of senders.

    The sockets open at the first iteration, and stay open until ``close()``, the end of a ``with`` block, or
    the end of the object: nothing is dropped between two passes. An iterator never ends by itself. Senders
    may come and go. Datapoints of one sender arrive in the order it sent them, while the connection lasts.

    A message that is no datapoint is counted and dropped, and logged the first time for each peer.

    Args:
        addr1: a ZeroMQ address such as ``tcp://*:5555`` or ``ipc:///tmp/socket``.
        addr2: a second address to receive from, or None. The two take turns.
        hwm: how many datapoints may wait at this end, for each sender.
        bind: wait at the addresses for senders, instead of connecting to them.
        format: how the datapoints are written, as for ``send_dataflow_zmq``. None takes msgpack and pickle.
        server_publickey: as for ``send_dataflow_zmq``, as are the other keys.
        client_secretkey: see there.
        server_secretkey: see there.
        client_keys: see there.

    Raises:
        ValueError: ``format``, ``hwm`` or a key is not valid; while iterating: an address.
        OSError: while iterating: an address can't be used.
        ConnectionRefusedError: while iterating: the other end does not let us in.
        ReentrancyError: while iterating: another iterator is still open.
        DataFlowTerminated: while iterating: it was closed.
    """

    cnt1: int = 0
    """Number of datapoints received at ``addr1`` since ``reset_state()``."""
    cnt2: int = 0
    """The same for ``addr2``."""
    cnt_dropped: int = 0
    """Number of messages since then that were no datapoints."""

    def __init__(
        self,
        addr1: str,
        addr2: str | None = None,
        hwm: int = 50,
        bind: bool = True,
        *,
        format: str | None = None,
        server_secretkey: _Key | None = None,
        client_keys: Collection[_Key] | None = None,
        server_publickey: _Key | None = None,
        client_secretkey: _Key | None = None,
    ) -> None:
        self.addr1 = _address(addr1, "RemoteDataZMQ: addr1", bind)
        self.addr2 = addr2 if addr2 is None else _address(addr2, "RemoteDataZMQ: addr2", bind)
        self.hwm = whole_number(hwm, 1, "RemoteDataZMQ: hwm")
        self.bind = bind
        self.format = format
        choose_format(format, "RemoteDataZMQ")
        self._curve = curve_of(server_secretkey, client_keys, server_publickey, client_secretkey)
        self._guard = DataFlowReentrantGuard()
        self._link: Link | None = None
        self._closer: Callable[[], object] | None = None
        self._blamed: set[str] = set()

    def reset_state(self) -> None:
        """Set the counters to 0."""
        self.cnt1 = self.cnt2 = self.cnt_dropped = 0

    def bind_or_connect(self, socket: Any, addr: str) -> None:
        """Bind or connect a socket, whichever was asked for.

        Raises:
            ValueError: ``addr`` is no address.
            OSError: it can't be used.
        """
        _attach(socket, addr, self.bind)

    def __iter__(self) -> Iterator[Any]:
        """Yield datapoints as they come, for ever."""
        with self._guard:
            link = self._opened()
            loads = choose_format(self.format, "RemoteDataZMQ").loads
            while True:
                message = link.receive()
                try:
                    if message.parts > 1:
                        raise ValueError(f"a message of {message.parts} parts")
                    dp = loads(message.first.buffer)
                except Exception as e:  # any bytes can arrive, and decoding them may raise anything
                    self._drop(message, e)
                    continue
                if message.socket == 0:
                    self.cnt1 += 1
                else:
                    self.cnt2 += 1
                yield dp

    def _opened(self) -> Link:
        """Return the sockets, of this process and not of one that it was forked from."""
        if self._link is None or self._link.pid != os.getpid():
            addresses = [self.addr1] if self.addr2 is None else [self.addr1, self.addr2]
            link = Link("PULL", addresses, self.hwm, self._curve, self.bind_or_connect, self.bind)
            self._link, self._closer = link, weakref.finalize(self, link.close)
        return self._link

    def _drop(self, message: Message, error: Exception) -> None:
        self.cnt_dropped += 1
        peer = message.peer()
        if peer not in self._blamed and len(self._blamed) < _MOST_BLAMED:
            self._blamed.add(peer)
            addr = self.addr2 if message.socket else self.addr1
            logger.error(
                "RemoteDataZMQ(%s): dropped a message from %s that is no datapoint, as further ones: %s",
                addr,
                printable(peer),
                printable(" ".join(str(error)[:_SHOWN_OF_ERROR].split())),
            )

    def close(self) -> None:
        """Close the sockets. Can be called again; a new iterator opens new ones."""
        if self._closer is not None:
            self._closer()
            self._link = self._closer = None

    def __enter__(self) -> RemoteDataZMQ:
        """Return the dataflow itself; leaving the ``with`` block closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without the sockets, which belong to this process."""
        return vars(self) | {"_link": None, "_closer": None}


def dump_dataflow_to_process_queue(
    df: Iterable[Any], size: int, nr_consumer: int
) -> tuple[Any, multiprocessing.Process]:
    """Make a process that reads one pass of a dataflow and puts its datapoints into a queue.

    Args:
        df: the dataflow. It is reset in that process.
        size: how many items the queue holds.
        nr_consumer: how many consumers there are: for each, one item ``(DIE, None)`` comes at the end.

    Returns:
        The queue, whose items are ``(index, datapoint)``, and the process, which is yours to start. It is
        terminated when this program ends. ``DIE`` is in ``utils.concurrency``.
    """
    queue: Any = multiprocessing.Queue(whole_number(size, 1, "dump_dataflow_to_process_queue: size"))
    process = multiprocessing.Process(target=_fill, args=(df, queue, nr_consumer), name="dump-dataflow")
    ensure_proc_terminate(process)
    return queue, process


def _fill(df: Iterable[Any], queue: Any, nr_consumer: int) -> None:
    try:
        reset_all([df])
        for item in enumerate(df):
            queue.put(item)
    finally:  # also after an error: the consumers would wait for ever without it
        for _ in range(nr_consumer):
            queue.put((DIE, None))
