"""Read Caffe's messages Datum and BlobProto from protobuf's wire format, without protobuf."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

__all__ = ["BlobProto", "BlobShape", "Datum", "Message"]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Message:
    """A message with the ``FIELDS`` that a subclass lists.

    Each field is an attribute: 0, False, b"" or an empty list if the message lacks it.
    """

    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {}
    """Number -> name, type: int, bool, bytes, [dtype] for repeated numbers, or the class of a message."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        for name, kind in self.FIELDS.values():
            setattr(self, name, [] if isinstance(kind, list) else kind())

    def ParseFromString(self, data: bytes) -> int:
        """Fill the fields from a serialized message and return its length. Unknown fields are skipped.

        Raises:
            ValueError: the bytes are no such message.
        """
        self._clear()
        for number, wire_type, value in _fields(memoryview(data)):
            name, kind = self.FIELDS.get(number, ("", None))
            if kind is None:
                continue
            try:
                self._set(name, kind, wire_type, value)
            except (struct.error, TypeError, ValueError) as e:
                raise ValueError(f"not a {type(self).__name__}: field {name}: {e}") from e
        for name, kind in self.FIELDS.values():
            if isinstance(kind, list):
                setattr(self, name, _joined(getattr(self, name), kind[0]))
        return len(data)

    def _set(self, name: str, kind: Any, wire_type: int, value: Any) -> None:
        if isinstance(kind, list):  # repeated: packed, or one at a time
            packed = wire_type == _BYTES
            getattr(self, name).append(_numbers(value, kind[0]) if packed else [_number(value, kind[0])])
        elif isinstance(value, int) != (kind in (int, bool)):
            raise ValueError(f"wire type {wire_type}")
        elif kind in (int, bool, bytes):
            setattr(self, name, kind(value))
        else:
            getattr(self, name).ParseFromString(bytes(value))


def _joined(parts: list[Any], dtype: str) -> list[Any]:
    return np.concatenate([np.asarray(part, dtype) for part in parts]).tolist() if parts else []


def _numbers(data: memoryview, dtype: str) -> Any:
    """Return the numbers of a packed field."""
    if dtype != "<i8":
        return np.frombuffer(data, dtype)
    numbers, at = [], 0
    while at < len(data):
        number, at = _varint(data, at)
        numbers.append(number)
    return numbers


def _number(value: Any, dtype: str) -> Any:
    return value if isinstance(value, int) else np.frombuffer(value, dtype)[0]


def _fields(data: memoryview) -> Iterator[tuple[int, int, Any]]:
    """Yield number, wire type and value of each field: an int, or bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        wire_type = tag & 7
        if wire_type == _VARINT:
            value, at = _varint(data, at)
            yield tag >> 3, wire_type, value
            continue
        if wire_type == _BYTES:
            size, at = _varint(data, at)
        elif wire_type in (_FIXED32, _FIXED64):
            size = 4 if wire_type == _FIXED32 else 8
        else:
            raise ValueError(f"not a protobuf message: wire type {wire_type}")
        if size < 0 or at + size > len(data):
            raise ValueError("not a protobuf message, or cut short")
        yield tag >> 3, wire_type, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Return the signed 64-bit number at a position, and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            value &= 2**64 - 1
            return (value - 2**64 if value >= 2**63 else value), at
    raise ValueError("not a protobuf message: a number without end")


class Datum(Message):
    """One image and its label."""

    channels: int
    height: int
    width: int
    data: bytes
    label: int
    float_data: list[float]
    encoded: bool

    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {
        1: ("channels", int),
        2: ("height", int),
        3: ("width", int),
        4: ("data", bytes),
        5: ("label", int),
        6: ("float_data", ["<f4"]),
        7: ("encoded", bool),
    }


class BlobShape(Message):
    """The shape of a blob."""

    dim: list[int]

    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("dim", ["<i8"])}


class BlobProto(Message):
    """An array, such as a mean image."""

    num: int
    channels: int
    height: int
    width: int
    data: list[float]
    diff: list[float]
    shape: BlobShape
    double_data: list[float]
    double_diff: list[float]

    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {
        1: ("num", int),
        2: ("channels", int),
        3: ("height", int),
        4: ("width", int),
        5: ("data", ["<f4"]),
        6: ("diff", ["<f4"]),
        7: ("shape", BlobShape),
        8: ("double_data", ["<f8"]),
        9: ("double_diff", ["<f8"]),
    }
