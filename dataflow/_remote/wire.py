"""What a message holds: one datapoint, in one of two formats.

The default format is that of ``utils.serialize``. The other, ``zmq_ops``, is a list of arrays in a layout
that programs in other languages read: all numbers little-endian, nothing between them::

    int32 n; n times: int32 dtype code, int32 ndim, int32 dims[ndim], int64 size in bytes, bytes in C order
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any, NamedTuple

import numpy as np

from .._core.describe import type_in_words
from ..utils.serialize import dumps, loads

# the codes are those of TensorFlow's enumeration of dtypes
_CODES: dict[np.dtype[Any], int] = {
    np.dtype(name): code
    for name, code in (
        ("float32", 1),
        ("float64", 2),
        ("int32", 3),
        ("uint8", 4),
        ("int16", 5),
        ("int8", 6),
        ("complex64", 8),
        ("int64", 9),
        ("bool", 10),
        ("uint16", 17),
        ("complex128", 18),
        ("float16", 19),
        ("uint32", 22),
        ("uint64", 23),
    )
}
_DTYPES = {code: dtype.newbyteorder("<") for dtype, code in _CODES.items()}
_INT32 = struct.Struct("<i")
_ARRAY = struct.Struct("<ii")
_SIZE = struct.Struct("<q")
_MAX_DIMENSIONS = 8  # more than that the readers in use don't take


class Format(NamedTuple):
    """How a datapoint becomes a message, and back."""

    dumps: Callable[[Any], bytes]
    loads: Callable[[Any], Any]


def choose_format(name: str | None, what: str) -> Format:
    """Return the format of a name: None, ``"zmq_ops"``, or the older spelling ``"zmq_op"``.

    Raises:
        ValueError: there is no such format; begins with ``what``.
    """
    if name is None:
        # whatever DATAFLOW_ALLOW_PICKLE says: it is for files
        return Format(dumps, partial(loads, allow_pickle=False))
    if name in ("zmq_op", "zmq_ops"):
        return Format(dump_arrays, load_arrays)
    raise ValueError(f"{what}: expected the format None or 'zmq_ops', got {name!r}")


def dump_arrays(dp: Any) -> bytes:
    """Return a datapoint in the format ``zmq_ops``.

    Args:
        dp: a list or tuple of arrays and numbers. Python ints become int32, Python floats float32.

    Raises:
        TypeError: it is anything else, or a dtype has no place in the format.
        ValueError: a Python int does not fit int32, or an array has more than 8 dimensions.
    """
    if not isinstance(dp, list | tuple):
        raise TypeError(f"the format zmq_ops: expected a list or tuple of arrays, got {type_in_words(dp)}")
    pieces = [_INT32.pack(len(dp))]
    for i, component in enumerate(dp):
        array = _as_array(component, i)
        pieces += (
            _ARRAY.pack(_CODES[array.dtype], array.ndim),
            struct.pack(f"<{array.ndim}i", *array.shape),
            _SIZE.pack(array.nbytes),
            array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes(),
        )
    return b"".join(pieces)


def _as_array(component: Any, i: int) -> np.ndarray[Any, Any]:
    what = f"the format zmq_ops: component {i}"
    if isinstance(component, int):
        if not -(2**31) <= component < 2**31:
            raise ValueError(f"{what}: {component} does not fit int32. Wrap it: np.int64({component})")
        return np.array(component, np.int32)
    if type(component) is float:  # numpy.float64 is a float, too
        return np.array(component, np.float32)
    if not isinstance(component, np.ndarray | np.generic):
        raise TypeError(f"{what}: expected an array or a number, got {type_in_words(component)}")
    array = np.asarray(component)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype not in _CODES:
        known = ", ".join(map(str, _CODES))
        raise TypeError(f"{what}: the dtype {array.dtype} is not one of {known}")
    if array.ndim > _MAX_DIMENSIONS:
        raise ValueError(f"{what}: expected at most {_MAX_DIMENSIONS} dimensions, got {array.ndim}")
    return array


def load_arrays(data: bytes | memoryview) -> list[np.ndarray[Any, Any]]:
    """Return the arrays of a message in the format ``zmq_ops``: new ones, writable.

    Raises:
        ValueError: the message is damaged, or not in this format.
    """
    try:
        arrays, end = _load_arrays(memoryview(data))
    except struct.error as e:
        raise ValueError("the format zmq_ops: the message ends too early") from e
    if end != len(data):
        raise ValueError(f"the format zmq_ops: {len(data) - end} bytes too many")
    return arrays


def _load_arrays(view: memoryview) -> tuple[list[np.ndarray[Any, Any]], int]:
    arrays: list[np.ndarray[Any, Any]] = []
    (n,), at = _INT32.unpack_from(view), _INT32.size
    if n < 0:
        raise ValueError(f"the format zmq_ops: a message of {n} arrays")
    for _ in range(n):
        code, ndim = _ARRAY.unpack_from(view, at)
        at += _ARRAY.size
        if code not in _DTYPES or not 0 <= ndim <= _MAX_DIMENSIONS:
            raise ValueError(f"the format zmq_ops: no array has the dtype code {code} and {ndim} dimensions")
        shape = struct.unpack_from(f"<{ndim}i", view, at)
        at += 4 * ndim
        (size,) = _SIZE.unpack_from(view, at)
        at += _SIZE.size
        dtype = _DTYPES[code]
        if min(shape, default=0) < 0 or size != prod(shape) * dtype.itemsize or size > len(view) - at:
            raise ValueError(f"the format zmq_ops: an array of {dtype} and shape {shape} has no {size} bytes")
        array = np.frombuffer(view[at : at + size], dtype).reshape(shape)
        arrays.append(array.astype(dtype.newbyteorder("=")))
        at += size
    return arrays, at
