"""Values to msgpack and back: arrays as msgpack-numpy lays them out, other Python types as extensions.

docs/storage.md has the table of extension types. A program with msgpack and msgpack-numpy reads everything
but the extensions, which it sees as ``ExtType(code, bytes)``.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import cache, partial
from math import prod
from typing import Any

import numpy as np

from ._msgpack_view import decode_large
from ._unpickle import UnsafePickleError, loads_pickle

__all__ = ["LARGE", "pack", "small_unpacker", "unpack"]

TUPLE, SET, FROZENSET, BIG_INT, OBJECT_ARRAY, RECORD_ARRAY = range(1, 7)
"""The codes of our extension types. Written in files: never change one."""

_BASES: tuple[type[Any], ...] = (dict, list, str, bytes, float)
_BIG_ENDIAN = sys.byteorder == "big"
_CONTAINERS = frozenset((dict, list))
_BUFFER = 64 * 1024  # bytes a Packer begins with: its own default of 1 MiB costs more to get than to fill
LARGE = 64 * 1024
"""Bytes from which the decoder without a second copy pays."""
_SURROGATES = "surrogatepass"  # Python's str can hold them, e.g. in file names
_MAX_DEPTH = 64  # extensions in extensions: each is a call of msgpack, which takes 35 kB of the C stack
_TOO_DEEP = f"nested too deeply: more than {_MAX_DEPTH} tuples, sets and object arrays in one another"


@cache
def _msgpack() -> Any:
    """Return the module that does the work of msgpack.

    Programs replace the names of the package itself, as by ``msgpack_numpy.patch()``.
    """
    try:
        return importlib.import_module("msgpack._cmsgpack")
    except ImportError:
        return importlib.import_module("msgpack.fallback")


def pack(obj: Any, depth: int = 0) -> bytes:
    """Return ``obj`` in msgpack.

    Subclasses of the built-in types are stored as the built-in type: an OrderedDict as a dict, a named tuple
    as a tuple; bytearrays and memoryviews as bytes; arrays of any order in C order.

    Args:
        obj: the value.
        depth: the number of extensions that it is in.

    Raises:
        TypeError: something in it is of a type that can't be stored; the type is named.
        ValueError: something is longer than 4 GiB or nested too deeply, or a dict would be read as an array.
    """
    if depth > _MAX_DEPTH:
        raise ValueError(f"a value can't be stored: it is {_TOO_DEEP}")
    packer = _msgpack().Packer(
        default=partial(_default, depth=depth + 1),
        strict_types=True,
        unicode_errors=_SURROGATES,
        buf_size=_BUFFER,
    )
    try:
        packed: bytes = packer.pack(obj)
        _refuse_marks(obj)  # after it: an object that holds itself has been refused by now
        return packed
    except RecursionError as e:
        raise ValueError("a value is nested too deeply to be stored") from e


def _refuse_marks(obj: Any) -> None:
    """Refuse dicts that the reader would take for an array or a number, in lists and dicts of any depth."""
    kind = type(obj)
    if kind is dict:
        # as the reader decides it: see _from_map
        is_array = type(obj.get(b"nd")) is bool or (
            type(obj.get("nd")) is bool and {"type", "data"} <= obj.keys()
        )
        if is_array or (obj.get(b"complex") is True and len(obj) == 2):
            raise ValueError(
                f"a dict with the keys {list(obj)[:8]!r:.200} can't be stored: it would be read as an array "
                "or a number. Use other keys"
            )
        obj = obj.values()
    elif kind is not list:
        return
    if not _CONTAINERS.isdisjoint(map(type, obj)):
        for item in obj:
            _refuse_marks(item)


def _default(obj: Any, depth: int) -> Any:
    """Return, for what msgpack lacks, something that it has."""
    from msgpack import ExtType

    if isinstance(obj, tuple):
        return ExtType(TUPLE, pack(list(obj), depth))
    if isinstance(obj, np.ndarray):
        return _array(obj, depth)
    if isinstance(obj, np.generic):
        return _scalar(obj)
    if isinstance(obj, complex):
        return {b"complex": True, b"data": repr(complex(obj))}
    if isinstance(obj, set):
        return ExtType(SET, pack(list(obj), depth))
    if isinstance(obj, frozenset):
        return ExtType(FROZENSET, pack(list(obj), depth))
    if isinstance(obj, int):
        number = int(obj)  # a subclass, or beyond 64 bits
        if -(2**63) <= number < 2**64:
            return number
        return ExtType(BIG_INT, number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True))
    for base in _BASES:
        if isinstance(obj, base):
            plain = base(obj)
            _refuse_marks(plain)
            return plain
    raise TypeError(
        f"a value of type {type(obj).__module__}.{type(obj).__qualname__} can't be stored. Turn it into "
        "arrays, numbers, strings, bytes, lists, dicts, tuples or sets first"
    )


def _array(array: np.ndarray[Any, Any], depth: int) -> Any:
    from msgpack import ExtType

    if isinstance(array, np.ma.MaskedArray):
        raise TypeError("a masked array can't be stored: store its data and its mask")
    dtype = array.dtype
    if dtype.kind == "O":
        return ExtType(OBJECT_ARRAY, pack([list(array.shape), array.ravel().tolist()], depth))
    if dtype.hasobject or dtype.kind == "T":
        raise TypeError(f"an array of dtype {dtype} can't be stored: its values are Python objects")
    if dtype.names is None:
        kind, description = b"", _code(dtype)
    else:
        kind, description = b"V", _description(dtype)
        if _dtype(description) != dtype:  # padding, offsets or titles, for which that layout has no room
            return ExtType(RECORD_ARRAY, pack([_layout(dtype), list(array.shape), _bytes(array)]))
    return {
        b"nd": True,
        b"type": description,
        b"kind": kind,
        b"shape": list(array.shape),
        b"data": _bytes(array),
    }


def _scalar(scalar: np.generic) -> Any:
    from msgpack import ExtType

    dtype = scalar.dtype
    if dtype.hasobject:
        raise TypeError(f"a NumPy scalar of dtype {dtype} can't be stored: it is a Python object")
    if dtype.names is not None:
        return ExtType(RECORD_ARRAY, pack([_layout(dtype), None, scalar.tobytes()]))
    # tobytes() has room for one character even where there is none
    return {b"nd": False, b"type": _code(dtype), b"data": scalar.tobytes()[: dtype.itemsize]}


def _bytes(array: np.ndarray[Any, Any]) -> Any:
    """Return the bytes in C order, uncopied where they lie in that order."""
    if array.flags.c_contiguous and array.size and array.dtype.itemsize:
        return array.reshape(-1).view(np.uint8).data
    return array.tobytes()


def _code(dtype: np.dtype[Any]) -> str:
    """Return the letters of a dtype.

    Raises:
        TypeError: they are those of another one, as for what the package ml_dtypes adds.
    """
    if np.dtype(dtype.str) != dtype:
        raise TypeError(
            f"values of dtype {dtype} can't be stored: it is not NumPy's own. Store a view of them as "
            "unsigned integers"
        )
    return str(dtype.str)


def _description(dtype: np.dtype[Any]) -> Any:
    """Return the fields of a structured dtype as lists."""
    return [
        [
            name,
            _description(base) if base.names is not None else _code(base),
            *([list(shape)] if shape else []),
        ]
        for name in dtype.names or ()
        for base, shape in [(dtype[name].base, dtype[name].shape)]
    ]


def _layout(dtype: np.dtype[Any]) -> Any:
    """Return any dtype without objects as plain data, offsets and all."""
    if dtype.subdtype is not None:
        return [_layout(dtype.base), list(dtype.shape)]
    if dtype.names is None or dtype.fields is None:
        return _code(dtype)
    fields = [dtype.fields[name] for name in dtype.names]
    return {
        "names": list(dtype.names),
        "formats": [_layout(field[0]) for field in fields],
        "offsets": [field[1] for field in fields],
        "titles": [field[2] if len(field) > 2 else None for field in fields],
        "itemsize": dtype.itemsize,
    }


def unpack(data: bytes | bytearray | memoryview, allow_pickle: bool | None = None, depth: int = 0) -> Any:
    """Return what ``pack`` took, or what any release of msgpack-numpy packed. Arrays are writable.

    Args:
        data: the msgpack. Nothing that is returned refers to it.
        allow_pickle: whether object arrays of msgpack-numpy, which are pickles, may execute code; see
            ``loads_pickle``.
        depth: the number of extensions that the data are in.

    Raises:
        UnsafePickleError: there is such a pickle, it names something that is not plain data, and that is
            not allowed.
        ValueError: the msgpack is damaged.
    """
    unpackb = small_unpacker(allow_pickle, depth)
    try:
        try:
            if len(data) >= LARGE:
                found, value = decode_large(data, TUPLE, unpackb)
                if found:
                    return value
            return unpackb(data)
        except UnicodeDecodeError:  # before 2017 arrays and bytes were written as text
            return unpackb(data, raw=True)
    except UnsafePickleError:
        raise
    except Exception as e:  # damaged data make the hooks raise nearly anything
        raise ValueError(f"a msgpack value is damaged: {type(e).__name__}: {e}") from e


@cache
def small_unpacker(allow_pickle: bool | None, depth: int = 0) -> Callable[..., Any]:
    """Return a function that does the same for values below ``LARGE``, only without its care for errors."""
    return partial(
        _msgpack().unpackb,
        object_hook=partial(_from_map, allow_pickle=allow_pickle),
        ext_hook=partial(_from_ext, allow_pickle=allow_pickle, depth=depth + 1),
        strict_map_key=False,
        unicode_errors=_SURROGATES,
    )


def _from_map(map_: dict[Any, Any], allow_pickle: bool | None) -> Any:
    """Return the array, scalar or complex number that a map stands for, or the map itself."""
    if type(map_.get(b"nd")) is bool:
        return _from_layout(map_, allow_pickle)
    if map_.get(b"complex") is True and len(map_) == 2:
        return complex(_text(map_[b"data"]))
    if type(map_.get("nd")) is bool and {"type", "data"} <= map_.keys():  # the layout of Python 2
        return _from_layout({key.encode(): value for key, value in map_.items()}, allow_pickle)
    return map_


def _from_layout(map_: dict[bytes, Any], allow_pickle: bool | None) -> Any:
    data = map_[b"data"]
    if type(data) is str:
        data = data.encode()
    if map_.get(b"kind") == b"O":
        return loads_pickle(data, allow_pickle)
    dtype = _dtype(map_[b"type"])
    return _values(dtype, map_[b"shape"], data) if map_[b"nd"] else _values(dtype, None, data)


def _from_ext(code: int, data: bytes, allow_pickle: bool | None, depth: int) -> Any:
    from msgpack import ExtType

    if code == BIG_INT:
        return int.from_bytes(data, "little", signed=True)
    if code not in (TUPLE, SET, FROZENSET, OBJECT_ARRAY, RECORD_ARRAY):
        return ExtType(code, data)
    if depth > _MAX_DEPTH:
        raise ValueError(_TOO_DEEP)
    items = unpack(data, allow_pickle, depth)
    if code == TUPLE:
        return tuple(items)
    if code == SET:
        return set(items)
    if code == FROZENSET:
        return frozenset(items)
    if code == RECORD_ARRAY:
        layout, shape, data = items
        return _values(_dtype(layout), shape, data)
    shape, items = items
    if len(items) != prod(shape):
        raise ValueError(f"an object array of shape {shape} has {len(items)} items")
    array = np.empty(len(items), object)
    for i, item in enumerate(items):
        array[i] = item
    return array.reshape(shape)


def _values(dtype: np.dtype[Any], shape: list[int] | None, data: bytes) -> Any:
    """Return a new array, or a scalar if there is no shape."""
    if dtype.hasobject:
        raise ValueError(f"raw bytes for the dtype {dtype}")
    size = prod(shape or ()) * dtype.itemsize
    if size != len(data):
        raise ValueError(f"{dtype} of shape {shape} needs {size} bytes, got {len(data)}")
    if shape is None and dtype.kind == "S":
        return np.bytes_(data)  # an array would cut off nulls at the end
    if shape is None and dtype.kind == "U":
        encoding = "utf-32-be" if dtype.byteorder == ">" or (dtype.isnative and _BIG_ENDIAN) else "utf-32-le"
        return np.str_(data.decode(encoding, _SURROGATES))
    if dtype.kind in "SU" and not dtype.itemsize:
        # NumPy makes room for one character each, unless such strings are the field of a record
        array = np.zeros(shape or (), [("", dtype)])["f0"]
    else:
        array = np.empty(shape or (), dtype)
    if size:
        array.reshape(-1).view(np.uint8)[:] = np.frombuffer(data, np.uint8)
    return array if shape is not None else array[()]


def _dtype(description: Any) -> np.dtype[Any]:
    """Return the dtype of any of the descriptions above."""
    if isinstance(description, str | bytes):
        return np.dtype(_text(description))
    if isinstance(description, dict):
        formats = [_dtype(d) for d in description["formats"]]
        return np.dtype({**description, "formats": formats})  # type: ignore[no-any-return, call-overload]
    if not description or not isinstance(description[0], list):
        base, shape = description
        return np.dtype((_dtype(base), tuple(shape)))
    if len(description) == 1 and description[0][0] == "":  # how msgpack-numpy describes plain void
        return _dtype(description[0][1])
    return np.dtype([(_text(name), _dtype(d), *map(tuple, shape)) for name, d, *shape in description])


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
