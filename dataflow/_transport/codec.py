"""A datapoint to bytes and back, with the same types, values and dtypes on the other side.

The bytes are one pickle (protocol 5) with large arrays out of band, as raw buffers that need not be copied
into the stream. Pickle is right here, and only here: both ends are processes of the same program, joined by a
pipe that nobody else can write to. It knows every type, and it is the fastest that Python has. Files and
messages from elsewhere are another matter: ``utils.serialize`` reads those without executing anything.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterable, Sequence
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
    except Exception as first:
        import cloudpickle

        buffers.clear()
        try:
            return cloudpickle.dumps(obj, 5, buffer_callback=in_band), buffers
        except Exception:
            raise TypeError(
                f"a datapoint can't be sent to another process: {_culprit(obj)}: {first}"
            ) from first
    return stream.getvalue(), buffers


def decode(stream: bytes | memoryview, buffers: Iterable[Any]) -> Any:
    """Return the object that ``encode`` took. Its arrays live in ``buffers``, which must be writable."""
    return pickle.loads(stream, buffers=buffers)


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is not np.ndarray or obj.dtype.hasobject:
            return NotImplemented
        given = obj
        if not (obj.flags.forc and obj.flags.writeable):
            # NumPy sends a read-only array as read-only and a strided one in band: a copy arrives as
            # promised, writable, and out of band.
            obj = obj.copy(order="A")
        if obj.dtype.kind in "mM":  # times: NumPy sends them in band and loses their byte order
            return _view, (obj.view(obj.dtype.str[0] + "i8"), obj.dtype.str)
        return NotImplemented if obj is given else obj.__reduce_ex__(5)


def _view(array: np.ndarray[Any, Any], dtype: str) -> np.ndarray[Any, Any]:
    return array.view(dtype)


def _culprit(obj: Any, path: str = "datapoint", outer: tuple[int, ...] = ()) -> str:
    """Name the innermost part of ``obj`` that can't be pickled, by its path and type."""
    outer = (*outer, id(obj))  # a part may refer to what it is a part of
    parts: Iterable[tuple[str, Any]] = ()
    if isinstance(obj, dict):
        parts = ((f"[{k!r}]", v) for k, v in obj.items())
    elif isinstance(obj, Sequence) and not isinstance(obj, str | bytes):
        parts = ((f"[{i}]", v) for i, v in enumerate(obj))
    elif hasattr(obj, "__dict__"):
        parts = ((f".{k}", v) for k, v in vars(obj).items())
    for name, value in parts:
        if id(value) not in outer and not _travels(value):
            return _culprit(value, path + name, outer)
    return f"{path} is a {type(obj).__qualname__}"


def _travels(obj: Any) -> bool:
    import cloudpickle

    try:
        cloudpickle.dumps(obj)
    except Exception:
        return False
    return True


def dumps_code(obj: Any, what: str) -> bytes:
    """Return a dataflow or function as bytes for a worker that does not inherit memory: lambdas included.

    Raises:
        TypeError: some part of it can't travel; ``what`` and the part are named.
    """
    import cloudpickle

    try:
        return bytes(cloudpickle.dumps(obj))
    except Exception as e:
        raise TypeError(
            f"{what} can't be sent to a worker process: {_culprit(obj, type(obj).__qualname__)}: {e}. "
            "Make it when the worker needs it (in reset_state), or use start_method='fork' where possible"
        ) from e


def loads_code(data: bytes) -> Any:
    """Return what ``dumps_code`` took."""
    return pickle.loads(data)
