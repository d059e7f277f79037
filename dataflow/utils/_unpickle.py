"""Read pickles as data: NumPy arrays, dtypes and scalars, and plain containers. Nothing is executed.

A pickle is a small program that may call whatever it can name. Here the names it can reach are a short table
of stand-ins. A stand-in checks its arguments, makes plain values, and refuses state; a pickle never holds a
real class, function, or NumPy object whose internals it could still change. That last point matters: a dtype
whose fields are edited after an array was made with it would turn the array's bytes into object pointers. So
arrays and dtypes are only described while the pickle runs, and are made from checked descriptions after.
"""

from __future__ import annotations

import io
import os
import pickle
import re
from collections import OrderedDict, deque
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from ._opcodes import check_opcodes

__all__ = ["ALLOW_PICKLE_VARIABLE", "UnsafePickleError", "loads_pickle", "pickle_allowed"]

ALLOW_PICKLE_VARIABLE = "DATAFLOW_ALLOW_PICKLE"
_HOW_TO_ALLOW = (
    f"If you trust its source, pass allow_pickle=True or set {ALLOW_PICKLE_VARIABLE}=1 in the environment"
)


class UnsafePickleError(pickle.UnpicklingError, ValueError):
    """A pickle names something that is not plain data. Nothing of it was executed."""


def pickle_allowed(allow_pickle: bool | None) -> bool:
    """Return ``allow_pickle``, or if that is None what the environment variable says.

    Raises:
        ValueError: the variable is neither 0 nor 1.
    """
    if allow_pickle is not None:
        return bool(allow_pickle)
    setting = os.environ.get(ALLOW_PICKLE_VARIABLE, "")
    if setting not in ("", "0", "1"):
        raise ValueError(f"{ALLOW_PICKLE_VARIABLE}={setting!r}: expected 0 or 1")
    return setting == "1"


def loads_pickle(data: bytes | bytearray | memoryview, allow_pickle: bool | None = None) -> Any:
    """Return what a pickle of any protocol holds, of Python 2 or 3.

    Strings of Python 2 don't tell text from bytes: those that are ASCII come back as str, others as bytes.

    Args:
        data: the pickle.
        allow_pickle: True runs the pickle as Python does, which can execute anything. None asks the
            environment variable ``DATAFLOW_ALLOW_PICKLE``.

    Raises:
        UnsafePickleError: it names a class or function that is not plain data, and that is not allowed.
        ValueError: it is damaged.
    """
    if pickle_allowed(allow_pickle):
        try:
            return pickle.loads(data)
        except UnicodeDecodeError:
            return pickle.loads(data, encoding="latin1")
    try:
        return _load(data, "ASCII")
    except UnicodeDecodeError:
        return _load(data, "bytes")


def _load(data: bytes | bytearray | memoryview, encoding: str) -> Any:
    python2 = encoding == "bytes"
    try:
        check_opcodes(data)
        reader = _Reader(io.BytesIO(data), encoding=encoding)
        value = reader.load()
        return _Finish(python2)(value) if python2 or reader.used_names else value
    except (UnsafePickleError, UnicodeDecodeError):
        raise
    except RecursionError as e:
        raise ValueError("a pickled value is nested too deeply") from e
    except Exception as e:  # a damaged pickle makes the reader raise nearly anything
        raise ValueError(f"a pickled value is damaged: {type(e).__name__}: {e}") from e


class _Reader(pickle.Unpickler):
    used_names = False

    def find_class(self, module: str, name: str) -> Any:
        self.used_names = True
        # NumPy 2 moved numpy.core to numpy._core; Python 2 had other names for the built-in modules
        path = module.replace("numpy.core.", "numpy._core.").replace("__builtin__", "builtins")
        known = _KNOWN.get((path, name))
        if known is None:
            raise UnsafePickleError(
                f"a pickled value names {module}.{name}, which is not plain data: to load it could execute "
                f"code. {_HOW_TO_ALLOW}"
            )
        return known


def _refuse(what: str) -> UnsafePickleError:
    return UnsafePickleError(f"a pickled value holds {what}, which is not plain data. {_HOW_TO_ALLOW}")


class _Known:
    """What a name in a pickle stands for: callable, and nothing else."""

    __slots__ = ("_make", "name")

    def __init__(self, name: str, make: Callable[..., Any]) -> None:
        self.name = name
        self._make = make

    def __call__(self, *args: Any) -> Any:
        return self._make(*args)

    def __setstate__(self, state: Any) -> None:
        raise _refuse(f"state for {self.name}")

    def __reduce__(self) -> Any:
        raise _refuse(self.name)


class _Dtype:
    """A dtype described by a pickle."""

    __slots__ = ("_code", "_state")

    _CODE = re.compile(r"[<>|=]?([?a-zA-Z])(\d*)")

    def __init__(self, code: Any, align: Any = False, copy: Any = False) -> None:
        if code is _RECORD:
            code = "V0"
        match = self._CODE.fullmatch(_text(code))
        if match is None:
            raise ValueError(f"unknown dtype {_text(code)[:80]!r}")
        kind, size = match.groups()
        # the size of an object pointer depends on the machine; 'a' is the old name of 'S'
        self._code = "O" if kind == "O" else {"a": "S"}.get(kind, kind) + size
        self._state: tuple[Any, ...] | None = None

    def __setstate__(self, state: Any) -> None:
        if type(state) is not tuple or len(state) not in (8, 9) or state[0] not in (3, 4):
            raise ValueError(f"unknown state of a dtype, a {type(state).__name__}")
        self._state = state

    def real(self) -> np.dtype[Any]:
        """Return a new dtype that nothing else refers to."""
        if self._state is None:
            return np.dtype(self._code)
        _, order, subdtype, names, fields, itemsize, _, _, *metadata = self._state
        if subdtype is not None:
            base, shape = subdtype
            return np.dtype((_dtype(base), _shape(shape if type(shape) is tuple else (shape,))))
        if names is not None:
            found = [fields[name] for name in names]
            return np.dtype(
                {
                    "names": [_text(name) for name in names],
                    "formats": [_dtype(field[0]) for field in found],
                    "offsets": [int(field[1]) for field in found],
                    "titles": [field[2] if len(field) > 2 else None for field in found],
                    "itemsize": int(itemsize),
                }
            )
        code = _text(order) + self._code
        if self._code in ("M8", "m8") and metadata:
            unit, count, divisor, _ = metadata[0][1]
            if _text(unit) != "generic":
                code += f"[{int(count)}{_text(unit)}/{int(divisor)}]"
        return np.dtype(code)


class _Array:
    """An array described by a pickle; its state comes after the pickle has begun to use it."""

    __slots__ = ("_finished", "_state")

    def __init__(self, cls: Any, shape: Any, typecode: Any) -> None:
        if cls is not _NDARRAY:
            raise _refuse("an array of another class than numpy.ndarray")
        self._state: tuple[Any, ...] | None = None
        self._finished: np.ndarray[Any, Any] | None = None

    def __setstate__(self, state: Any) -> None:
        if self._state is not None or type(state) is not tuple or len(state) != 5:
            raise ValueError(f"unknown state of an array, a {type(state).__name__}")
        self._state = state

    def real(self, finish: Callable[[Any], Any]) -> np.ndarray[Any, Any]:
        """Return the array, the same one at each call."""
        if self._finished is None:
            if self._state is None:
                raise ValueError("an array without contents")
            _, shape, dtype, fortran, raw = self._state
            real = _dtype(dtype)
            if real.kind != "O":
                self._finished = _array(raw, real, shape, "F" if fortran else "C")
            else:
                shape = _shape(shape)
                if type(raw) is not list or len(raw) != prod(shape):
                    raise ValueError(f"an object array of shape {shape} needs a list of its items")
                flat = np.empty(len(raw), object)
                self._finished = flat.reshape(shape, order="F" if fortran else "C")
                for i, item in enumerate(raw):
                    flat[i] = finish(item)
        return self._finished


def _array(raw: Any, dtype: np.dtype[Any], shape: Any, order: str) -> np.ndarray[Any, Any]:
    """Return a writable array over the bytes ``raw``, with every argument checked."""
    if dtype.hasobject:
        raise _refuse(f"an array of dtype {dtype} in raw form")
    shape = _shape(shape)
    data = _raw(raw)
    if len(data) != prod(shape) * dtype.itemsize:
        raise ValueError(f"an array of {dtype} and shape {shape} has {len(data)} bytes")
    writable = data if isinstance(data, bytearray) else bytearray(data)
    array: np.ndarray[Any, Any] = np.ndarray(shape, dtype, writable, order="F" if order == "F" else "C")
    return array


def _frombuffer(raw: Any, dtype: Any, shape: Any, order: Any, axis_order: Any = None) -> np.ndarray[Any, Any]:
    array = _array(raw, _dtype(dtype), shape, order)
    return array if axis_order is None else array.transpose(_shape(axis_order))


def _scalar(dtype: Any, raw: Any = b"") -> Any:
    real = _dtype(dtype)
    if real.kind == "O":
        raise _refuse("an object in the place of a NumPy scalar")
    return _array(raw, real, (), "C")[()]


def _dtype(value: Any) -> np.dtype[Any]:
    if type(value) is not _Dtype:
        raise ValueError(f"expected a dtype, got {type(value).__name__}")
    real: np.dtype[Any] = value.real()
    return real


def _shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, tuple) or any(type(n) is not int or n < 0 for n in value):
        raise ValueError(f"expected a shape, got a {type(value).__name__} of other things")
    return value


def _raw(value: Any) -> bytes | bytearray:
    if type(value) is str:  # bytes of Python 2
        return value.encode("latin1")
    if type(value) not in (bytes, bytearray):
        raise ValueError(f"expected bytes, got {type(value).__name__}")
    return value  # type: ignore[no-any-return]


def _text(value: Any) -> str:
    if type(value) is bytes:
        return value.decode("latin1")
    if type(value) is not str:
        raise ValueError(f"expected a string, got {type(value).__name__}")
    return value


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    # how protocols 0 to 2 write the bytes of Python 3
    if type(text) is not str or _text(encoding).lower() not in ("latin1", "latin-1", "iso-8859-1"):
        raise ValueError("expected text that stands for bytes")
    return text.encode("latin1")


def _bytes() -> bytes:
    return b""


def _bytearray(value: Any = b"", encoding: Any = "latin1") -> bytearray:
    _text(encoding)
    return bytearray(_raw(value))  # not of a number: that many bytes would be made


def _plain(cls: Callable[[Any], Any]) -> Callable[..., Any]:
    def make(items: Any = ()) -> Any:
        if type(items) not in (list, tuple):
            raise ValueError(f"expected a list of items, got {type(items).__name__}")
        return cls(items)

    return make


def _deque(items: Any = (), maxlen: Any = None) -> deque[Any]:
    if type(items) not in (list, tuple) or type(maxlen) not in (int, type(None)):
        raise ValueError("expected a list of items and a length")  # a range may have any number of them
    return deque(items, maxlen)


def _not_callable(*args: Any) -> Any:
    raise ValueError("a NumPy class is called")


_NDARRAY = _Known("numpy.ndarray", _not_callable)
_RECORD = _Known("numpy.record", _not_callable)
_KNOWN: dict[tuple[str, str], _Known] = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "record"): _RECORD,
    **{
        (module, name): _Known(f"{module}.{name}", make)
        for module, name, make in (
            ("numpy", "dtype", _Dtype),
            ("numpy._core.multiarray", "_reconstruct", _Array),
            ("numpy._core.multiarray", "scalar", _scalar),
            ("numpy._core.numeric", "_frombuffer", _frombuffer),
            ("_codecs", "encode", _encode),
            ("builtins", "bytes", _bytes),
            ("builtins", "bytearray", _bytearray),
            ("builtins", "complex", complex),
            ("builtins", "set", _plain(set)),
            ("builtins", "frozenset", _plain(frozenset)),
            ("builtins", "slice", slice),
            ("builtins", "range", range),
            ("builtins", "xrange", range),
            ("collections", "OrderedDict", _plain(OrderedDict)),
            ("collections", "deque", _deque),
        )
    },
}


class _Finish:
    """Put real arrays and dtypes in the place of their descriptions."""

    def __init__(self, python2: bool) -> None:
        self._python2 = python2
        self._done: dict[int, tuple[Any, Any]] = {}  # id -> (the object, kept alive; what it became)

    def __call__(self, value: Any) -> Any:
        kind = type(value)
        if kind is bytes:
            return value.decode("ascii") if self._python2 and value.isascii() else value
        if kind is _Array:
            return value.real(self)
        if kind is _Dtype:
            return value.real()
        if kind is _Known:
            raise _refuse(value.name)
        if kind is slice:
            return slice(self(value.start), self(value.stop), self(value.step))
        if kind not in (list, tuple, dict, OrderedDict, set, frozenset, deque):
            return value
        known = self._done.get(id(value))
        if known is not None:
            return known[1]
        if kind in (tuple, frozenset):
            new = kind([self(item) for item in value])
            self._done[id(value)] = value, new
            return new
        self._done[id(value)] = value, value  # before its items: it may contain itself
        self._fill(value)
        return value

    def _fill(self, value: Any) -> None:
        """Finish the items of a mutable container in place."""
        if getattr(value, "__dict__", None):
            raise _refuse(f"an {type(value).__name__} with attributes")
        if isinstance(value, dict):
            items = [(self(key), self(item)) for key, item in value.items()]
            value.clear()
            value.update(items)
        elif isinstance(value, list):
            value[:] = [self(item) for item in value]
        else:
            items = [self(item) for item in value]
            value.clear()
            (value.update if isinstance(value, set) else value.extend)(items)
