"""Datapoints to bytes and back, for files and the network. Reading executes nothing unless you ask for it.

``dumps`` writes msgpack, with arrays as msgpack-numpy lays them out. ``loads`` tells from the first bytes
whether it has msgpack or a pickle of any protocol, so what any earlier release wrote is read whatever the
settings are. Environment variables, read at first use:

- ``TENSORPACK_SERIALIZE``: what ``dumps`` writes, ``msgpack`` (the default) or ``pickle``.
- ``TENSORPACK_ONCE_SERIALIZE``: what ``dumps_once`` writes, ``pickle`` (the default) or ``msgpack``.
- ``DATAFLOW_ALLOW_PICKLE``: 1 lets ``loads`` run pickles of any content, which can execute anything.
"""

from __future__ import annotations

import functools
import os
import pickle
from collections.abc import Callable
from typing import Any, NoReturn

from ._msgpack import LARGE, pack, small_unpacker, unpack
from ._unpickle import UnsafePickleError, loads_pickle

__all__ = [
    "MsgpackSerializer",
    "PickleSerializer",
    "PyarrowSerializer",
    "UnsafePickleError",
    "decoder",
    "dumps",
    "dumps_once",
    "encoding_of",
    "loads",
    "loads_once",
]

_Buffer = bytes | bytearray | memoryview


class MsgpackSerializer:
    """msgpack, with arrays as msgpack-numpy lays them out, and extensions for what it lacks."""

    @staticmethod
    def dumps(obj: Any) -> bytes:
        """Return ``obj`` as bytes.

        Raises:
            TypeError: something in it is of a type that can't be stored.
            ValueError: something in it is longer than 4 GiB.
        """
        return pack(obj)

    @staticmethod
    def loads(buf: _Buffer, *, allow_pickle: bool | None = None) -> Any:
        """Return the object; ``allow_pickle`` and errors as for ``loads``."""
        return unpack(buf, allow_pickle)


class PickleSerializer:
    """Pickle. What it writes is read as plain data only, unless the reader allows more."""

    @staticmethod
    def dumps(obj: Any) -> bytes:
        """Return ``obj`` as a pickle of the highest protocol."""
        return pickle.dumps(obj, pickle.HIGHEST_PROTOCOL)

    @staticmethod
    def loads(buf: _Buffer, *, allow_pickle: bool | None = None) -> Any:
        """Return the object; ``allow_pickle`` and errors as for ``loads``."""
        return loads_pickle(buf, allow_pickle)


class PyarrowSerializer:
    """Gone: pyarrow removed the format that it once had for this."""

    @staticmethod
    def dumps(obj: Any) -> NoReturn:
        """Raise ``RuntimeError``."""
        _pyarrow_is_gone()

    @staticmethod
    def dumps_bytes(obj: Any) -> NoReturn:
        """Raise ``RuntimeError``."""
        _pyarrow_is_gone()

    @staticmethod
    def loads(buf: _Buffer) -> NoReturn:
        """Raise ``RuntimeError``."""
        _pyarrow_is_gone()


def _pyarrow_is_gone() -> NoReturn:
    raise RuntimeError(
        "pyarrow can't serialize Python objects any more: it lost pyarrow.serialize. Use msgpack, the "
        "default; to read old data, convert them once with the release that wrote them"
    )


@functools.cache
def _chosen(variable: str, default: str) -> type[MsgpackSerializer] | type[PickleSerializer]:
    choice = os.environ.get(variable) or default
    if choice == "msgpack":
        return MsgpackSerializer
    if choice == "pickle":
        return PickleSerializer
    if choice == "pyarrow":
        _pyarrow_is_gone()
    raise ValueError(f"{variable}={choice!r}: expected 'msgpack' or 'pickle'")


def dumps(obj: Any) -> bytes:
    """Return ``obj`` as bytes that last: for files and the network.

    >>> loads(dumps([1, "text", (2.5, None)]))
    [1, 'text', (2.5, None)]

    Raises:
        TypeError: something in it is of a type that can't be stored.
        ValueError: something in it is too long; ``TENSORPACK_SERIALIZE`` is unknown.
        RuntimeError: ``TENSORPACK_SERIALIZE=pyarrow``.
    """
    return _chosen("TENSORPACK_SERIALIZE", "msgpack").dumps(obj)


def loads(buf: _Buffer, *, allow_pickle: bool | None = None) -> Any:
    """Return what ``dumps`` of this or any earlier release took. Arrays in it are writable copies.

    Args:
        buf: msgpack, or a pickle of any protocol.
        allow_pickle: True lets pickles execute what they want. Default: as ``DATAFLOW_ALLOW_PICKLE`` says,
            else they are read as plain data: arrays, NumPy scalars, built-in types and containers.

    Raises:
        UnsafePickleError: a pickle names anything else.
        ValueError: the bytes are damaged or of neither encoding.
    """
    return decoder(allow_pickle)(buf)


@functools.cache
def decoder(allow_pickle: bool | None = None) -> Callable[[_Buffer], Any]:
    """Return ``loads`` with ``allow_pickle`` settled: for a loop that decodes many values."""
    unpack_small = small_unpacker(allow_pickle)

    def decode(buf: _Buffer) -> Any:
        if 0 < len(buf) < LARGE and buf[0] > 0x80:
            try:
                return unpack_small(buf)
            except Exception:  # damaged, or old: the careful way tells
                pass
        return _decode(buf, allow_pickle)

    return decode


def _decode(buf: _Buffer, allow_pickle: bool | None) -> Any:
    if _is_pickle(buf):
        if buf[0] < 0x20:  # no pickle begins so: an array or map of Arrow does
            raise ValueError(
                f"neither msgpack nor a pickle: begins with {bytes(buf[:8])!r}. What releases 0.8.1 to 0.9.4 "
                "wrote with pyarrow can't be read any more: convert it with the release that wrote it"
            )
        return loads_pickle(buf, allow_pickle)
    return unpack(buf, allow_pickle)


def encoding_of(buf: _Buffer) -> str:
    """Return the encoding of a value in words, such as ``msgpack`` or ``pickle protocol 2``."""
    if not _is_pickle(buf):
        return "msgpack"
    return f"pickle protocol {buf[1]}" if buf[0] == 0x80 else "pickle protocol 0 or 1"


def _is_pickle(buf: _Buffer) -> bool:
    # In msgpack a first byte up to 0x80 is a whole value: a small number or the empty map. With more bytes
    # after it, it is 0x80 and the protocol, or the first letter of a pickle of protocol 0 or 1.
    return len(buf) > 1 and buf[0] <= 0x80


def dumps_once(obj: Any) -> bytes | memoryview:
    """Return ``obj`` as bytes for another process of the same program, which will call ``loads_once``."""
    if _chosen("TENSORPACK_ONCE_SERIALIZE", "pickle") is MsgpackSerializer:
        return pack(obj)
    from multiprocessing.reduction import ForkingPickler

    return ForkingPickler.dumps(obj)


def loads_once(buf: _Buffer) -> Any:
    """Return what ``dumps_once`` took. The bytes are trusted: they must come from this program."""
    if _chosen("TENSORPACK_ONCE_SERIALIZE", "pickle") is MsgpackSerializer:
        return unpack(buf)
    return pickle.loads(buf)
