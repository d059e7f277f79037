"""Decode a large msgpack value with one copy of each array.

A msgpack library hands out an array's bytes as an immutable object, and a writable array then needs a second
copy. So a value that is large, and made of a few parts, is taken apart here: arrays are copied once, from the
buffer to where they will live; everything else goes to the library.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy as np

__all__ = ["decode_large"]

# How an array begins: map of 5, "nd": true, "type": short string. What other programs write in another order
# or width is left to the library.
_ARRAY = b"\x85\xc4\x02nd\xc3\xc4\x04type"
_PLAIN_KIND = b"\xc4\x04kind\xc4\x00\xc4\x05shape"
_DATA = b"\xc4\x04data"
_HEADER = 160  # bytes that hold the header of an array: type, shape of up to 15 dimensions
_MAX_HEADERS = 256  # remembered
_LENGTH_SIZES = {
    0xC4: 1,
    0xC5: 2,
    0xC6: 4,
    0xD9: 1,
    0xDA: 2,
    0xDB: 4,
}  # bin and str, by width of their length
_UINT_SIZES = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
_SCALAR_SIZES = {
    0xC0: 0,
    0xC2: 0,
    0xC3: 0,
    0xCA: 4,
    0xCB: 8,
    0xD0: 1,
    0xD1: 2,
    0xD2: 4,
    0xD3: 8,
    **_UINT_SIZES,
}
_EXT_SIZES = {0xC7: 1, 0xC8: 2, 0xC9: 4}
_MAX_ITEMS = 64  # of a list or map: beyond, the library's loop is faster than this one


class _NotForUs(Exception):
    """The value is better decoded by the library: nested, unusual, or damaged."""


def decode_large(
    data: bytes | bytearray | memoryview, tuple_code: int, decode: Callable[[Any], Any]
) -> tuple[bool, Any]:
    """Return whether the value could be decoded here, and the value.

    Args:
        data: the msgpack of a list, a map or a tuple.
        tuple_code: the extension type of tuples.
        decode: decodes a part by the library.
    """
    view = memoryview(data)
    try:
        return True, _container(view, tuple_code, decode)
    except (_NotForUs, IndexError):
        return False, None


def _container(view: memoryview, tuple_code: int, decode: Callable[[Any], Any]) -> Any:
    first = view[0]
    if first in _EXT_SIZES:
        begin = 2 + _EXT_SIZES[first]
        size = int.from_bytes(view[1 : begin - 1], "big")
        if view[begin - 1] != tuple_code or begin + size != len(view):
            raise _NotForUs
        items = _container(view[begin:], tuple_code, decode)
        if type(items) is not list:
            raise _NotForUs
        return tuple(items)
    if 0x90 <= first <= 0x9F:
        items, end = _items(view, 1, first & 15, decode)
        value: Any = items
    elif 0x80 <= first <= 0x8F:
        items, end = _items(view, 1, 2 * (first & 15), decode)
        keys = items[::2]
        if not all(type(key) is str for key in keys):  # other maps may stand for something
            raise _NotForUs
        value = dict(zip(keys, items[1::2], strict=True))
        if "nd" in value:
            raise _NotForUs
    else:
        raise _NotForUs
    if end != len(view):
        raise _NotForUs
    return value


def _items(view: memoryview, begin: int, count: int, decode: Callable[[Any], Any]) -> tuple[list[Any], int]:
    """Return ``count`` values that begin at ``begin``, and where they end."""
    items: list[Any] = []
    for _ in range(count):
        first = view[begin]
        if first < 0x80:
            items.append(first)
            begin += 1
        elif first == 0x85:
            array, begin = _array(view, begin)
            items.append(array)
        else:
            end = _end(view, begin)
            items.append(decode(view[begin:end]))
            begin = end
    return items, begin


class _Header(NamedTuple):
    """What comes before the bytes of an array."""

    length: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    size: int  # of the array, in bytes


_headers: dict[bytes, _Header] = {}  # the arrays of a file mostly have the same one
_last_length = 0


def _array(view: memoryview, begin: int) -> tuple[np.ndarray[Any, Any], int]:
    """Return the array that begins at ``begin``, and where it ends."""
    global _last_length
    header = _headers.get(view[begin : begin + _last_length].tobytes())
    if header is None:
        start = view[begin : begin + _HEADER].tobytes()
        header = _header(start)
        if len(_headers) >= _MAX_HEADERS:
            _headers.clear()
        _headers[start[: header.length]] = header
        _last_length = header.length
    begin += header.length
    end = begin + header.size
    if end > len(view):
        raise _NotForUs
    return np.ndarray(header.shape, header.dtype, view, begin).copy(), end


def _header(start: bytes) -> _Header:
    """Return the header that ``start`` begins with."""
    at = len(_ARRAY)
    if not start.startswith(_ARRAY) or not 0xA0 <= start[at] <= 0xBF:
        raise _NotForUs
    end = at + 1 + (start[at] & 31)
    if not start.startswith(_PLAIN_KIND, end):
        raise _NotForUs
    dtype = np.dtype(start[at + 1 : end].decode("ascii"))
    at = end + len(_PLAIN_KIND)
    dimensions, at = start[at], at + 1
    if not 0x90 <= dimensions <= 0x9F:
        raise _NotForUs
    shape = []
    for _ in range(dimensions & 15):
        n, at = start[at], at + 1
        if n >= 0x80:
            width = _UINT_SIZES.get(n)
            if width is None:
                raise _NotForUs
            n, at = int.from_bytes(start[at : at + width], "big"), at + width
        shape.append(n)
    width = _LENGTH_SIZES.get(start[at + len(_DATA)])
    if not start.startswith(_DATA, at) or width is None:
        raise _NotForUs
    at += len(_DATA) + 1
    size = int.from_bytes(start[at : at + width], "big")
    if dtype.hasobject or size == 0 or size != prod(shape) * dtype.itemsize:
        raise _NotForUs
    return _Header(at + width, dtype, tuple(shape), size)


def _end(view: memoryview, begin: int) -> int:
    """Return where the value that begins at ``begin`` ends."""
    left = 1  # values still to pass
    while left:
        if left > _MAX_ITEMS:
            raise _NotForUs
        left -= 1
        first, begin = view[begin], begin + 1
        if first < 0x80 or first >= 0xE0:
            continue
        if first < 0x90:
            left += 2 * (first & 15)
        elif first < 0xA0:
            left += first & 15
        elif first < 0xC0:
            begin += first & 31
        elif first in _LENGTH_SIZES:
            width = _LENGTH_SIZES[first]
            begin += width + int.from_bytes(view[begin : begin + width], "big")
        elif first in _SCALAR_SIZES:
            begin += _SCALAR_SIZES[first]
        else:
            raise _NotForUs
    if begin > len(view):
        raise _NotForUs
    return begin
