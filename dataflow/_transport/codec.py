"""A datapoint to bytes and back, with the same types, values and dtypes on the other side.

The bytes are one pickle (protocol 5) with large arrays out of band, as raw buffers that need not be copied
into the stream. Pickle is right here, and only here: both ends are processes of the same program, joined by a
pipe that nobody else can write to. It knows every type, and it is the fastest that Python has. Files and
messages from elsewhere are another matter: ``utils.serialize`` reads those without executing anything.
"""

from __future__ import annotations

import functools
import io
import pickle
import sys
import types
from collections import ChainMap
from collections.abc import Callable, Iterable, Sequence
from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np

OUT_OF_BAND = 16 * 1024
"""Bytes from which a buffer is worth a slot of shared memory: below, copying is cheaper than the lease."""

MAX_BUFFERS = 60_000
"""As many buffers as can go out of band: a frame counts them, and one more, in 16 bits."""

_PLAIN = frozenset({int, float, bool, str, bytes, type(None), complex})


def encode(obj: Any) -> tuple[bytes, Sequence[memoryview]]:
    """Return the pickle of ``obj`` and its large buffers, each contiguous and of format ``B``.

    Raises:
        TypeError: something in ``obj`` can't be pickled; it is named.
    """
    # Without arrays the plain call saves a third of the time: datapoints of a few numbers are common.
    if (type(obj) is list or type(obj) is tuple) and _PLAIN.issuperset(map(type, obj)):
        return pickle.dumps(obj, 5), ()
    buffers: list[memoryview] = []

    def in_band(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < OUT_OF_BAND or len(buffers) == MAX_BUFFERS:
            return True
        buffers.append(raw)
        return False

    stream = io.BytesIO()
    try:
        _Pickler(stream, 5, buffer_callback=in_band).dump(obj)
    except Exception as first:  # most likely a lambda, or a local class
        buffers.clear()
        stream = io.BytesIO()
        try:
            _cloud_picklers()[0](stream, 5, buffer_callback=in_band).dump(obj)
        except Exception:
            raise TypeError(
                f"a datapoint can't be sent to another process: {_culprit(obj, dumps_by_value)}: {first}"
            ) from first
        if not isinstance(first, pickle.PicklingError | AttributeError | TypeError):
            raise  # not of pickling: a signal handler raised it, and nobody else will tell
    return stream.getvalue(), buffers


def with_own_arrays(value: Any) -> Any:
    """Return a datapoint with copies of its arrays, also of those in lists, tuples and dicts."""
    kind = type(value)
    if kind is list or kind is tuple:  # the most common first
        return value if _PLAIN.issuperset(map(type, value)) else kind(map(with_own_arrays, value))
    if kind is np.ndarray:
        return value.copy()
    if kind is dict:
        return {key: with_own_arrays(part) for key, part in value.items()}
    return value


def decode(stream: bytes | memoryview, buffers: Iterable[Any]) -> Any:
    """Return the object that ``encode`` took. Its arrays live in ``buffers``, which must be writable."""
    return pickle.loads(stream, buffers=buffers)


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        return _reduce_array(obj) if type(obj) is np.ndarray else NotImplemented


def _reduce_array(array: np.ndarray[Any, Any]) -> Any:
    """Have an array arrive as promised: writable, out of band, and with its dtype."""
    given = array
    if array.dtype.hasobject:
        return NotImplemented
    if not (array.flags.forc and array.flags.writeable):
        # NumPy sends a read-only array as read-only and a strided one in band
        array = array.copy(order="A")
    if array.dtype.kind in "mM":
        return _reduce_times(array)
    return NotImplemented if array is given else array.__reduce_ex__(5)


def _reduce_times(array: np.ndarray[Any, Any]) -> Any:
    """Reduce an array of times, which NumPy sends in band and without its byte order."""
    return _view, (array.view(array.dtype.str[0] + "i8"), array.dtype.str)


@functools.cache
def _cloud_picklers() -> tuple[Any, Any]:
    """Return the pickler of datapoints that need cloudpickle, and that of code."""
    import cloudpickle

    reduce_code = cloudpickle.CloudPickler.dispatch_table[types.CodeType]

    def reduce_code_here(code: types.CodeType) -> Any:
        make, args = reduce_code(code)  # newer releases leave the file out, which tracebacks show
        return make, tuple(code.co_filename if arg == "<dynamic-code>" else arg for arg in args)

    class CloudPickler(cloudpickle.CloudPickler):  # type: ignore[misc]
        dispatch_table = ChainMap({types.CodeType: reduce_code_here}, cloudpickle.CloudPickler.dispatch_table)

        def reducer_override(self, obj: Any) -> Any:
            if type(obj) is np.ndarray:
                return _reduce_array(obj)
            # cloudpickle would copy what is defined in the main file; here both ends have that
            if isinstance(obj, type | types.FunctionType) and _has_name(obj):
                return NotImplemented
            return super().reducer_override(obj)

    class CodePickler(CloudPickler):
        # also what only a process that is being started can be given, such as a multiprocessing.Value
        dispatch_table = ChainMap(CloudPickler.dispatch_table, ForkingPickler._extra_reducers)  # type: ignore

        def reducer_override(self, obj: Any) -> Any:
            if type(obj) is np.ndarray:  # as with fork: what is read-only stays so
                return _reduce_times(obj) if obj.dtype.kind in "mM" else NotImplemented
            of_torch = not isinstance(obj, type) and type(obj).__module__.startswith("torch")
            is_shared = getattr(obj, "_is_shared", getattr(obj, "is_shared", None)) if of_torch else None
            if is_shared is not None and not is_shared():
                # torch's own way would move it to shared memory, with a descriptor for each
                return obj.__reduce_ex__(5)
            return cloudpickle.CloudPickler.reducer_override(self, obj)

    return CloudPickler, CodePickler


def cloud_pickler() -> Any:
    """Return the class of picklers of what plain pickle can't send: it is imported when first needed."""
    return _cloud_picklers()[0]


def _has_name(obj: Any) -> bool:
    """Say whether pickle finds a class or function by its name."""
    found: Any = sys.modules.get(getattr(obj, "__module__", None) or "")
    for name in obj.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is obj


def dumps_by_value(obj: Any) -> bytes:
    """Return the pickle of what need not have a name: local classes, lambdas, what is made of them."""
    stream = io.BytesIO()
    _cloud_picklers()[0](stream, 5).dump(obj)
    return stream.getvalue()


def _view(array: np.ndarray[Any, Any], dtype: str) -> np.ndarray[Any, Any]:
    return array.view(dtype)


def _culprit(
    obj: Any, dumps: Callable[[Any], bytes], path: str = "datapoint", outer: tuple[int, ...] = ()
) -> str:
    """Name the innermost part of ``obj`` that ``dumps`` can't pickle, by its path and type."""
    outer = (*outer, id(obj))  # a part may refer to what it is a part of
    parts: Iterable[tuple[str, Any]] = ()
    if isinstance(obj, dict):
        parts = ((f"[{k!r}]", v) for k, v in obj.items())
    elif isinstance(obj, Sequence) and not isinstance(obj, str | bytes):
        parts = ((f"[{i}]", v) for i, v in enumerate(obj))
    elif hasattr(obj, "__dict__"):
        parts = ((f".{k}", v) for k, v in vars(obj).items())
    for name, value in parts:
        if id(value) not in outer and not _travels(value, dumps):
            return _culprit(value, dumps, path + name, outer)
    return f"{path} is a {type(obj).__qualname__}"


def _travels(obj: Any, dumps: Callable[[Any], bytes]) -> bool:
    try:
        dumps(obj)
    except Exception:
        return False
    return True


def dumps_code(obj: Any, what: str) -> bytes:
    """Return a dataflow or function as bytes for a worker that does not inherit memory: lambdas included.

    Raises:
        TypeError: some part of it can't travel; ``what`` and the part are named.
    """
    try:
        return _dumps_code(obj)
    except Exception as e:
        part = _culprit(obj, _dumps_code, type(obj).__qualname__)
        raise TypeError(
            f"{what} can't be sent to a worker process: {part}: {e}. "
            "Make it when the worker needs it (in reset_state), or use start_method='fork' where possible"
        ) from e


def _dumps_code(obj: Any) -> bytes:
    stream = io.BytesIO()
    _cloud_picklers()[1](stream, 5).dump(obj)
    return stream.getvalue()


def loads_code(data: bytes) -> Any:
    """Return what ``dumps_code`` took."""
    return pickle.loads(data)
