"""Stack the values of one component into a batch.

The first value decides the dtype, whatever the others are: a dtype that changes from batch to batch would be
noticed late or never. So a value that this dtype can't hold is an error; the batch is not promoted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._core.describe import type_in_words

__all__ = ["stack"]

_INT32 = np.iinfo(np.int32)


def stack(values: Sequence[Any], name: Any, empty: Callable[..., np.ndarray] = np.empty) -> np.ndarray:
    """Return an array of the values, with a new first dimension.

    Args:
        values: arrays of one shape, numbers, or strings; at least one. Python ints and bools become int32,
            Python floats float32, ``str`` and ``bytes`` a dtype as wide as the longest; arrays and NumPy
            scalars keep their dtype, decided by the first value. Later values are cast to it if that keeps
            the value or only rounds a float.
        name: position or key of the component, for messages.
        empty: makes the array to fill where there is something to copy: called as ``empty(shape, dtype)``.

    Raises:
        TypeError: a value has a type that can't be put into an array.
        ValueError: shapes differ, or a value does not fit.
    """
    first = values[0]
    if isinstance(first, str | bytes):
        return _stack_strings(values, name)
    kinds = set(map(type, values))
    if isinstance(getattr(first, "dtype", None), np.dtype):
        if isinstance(first, np.generic) and len(kinds) == 1 and first.dtype.kind in "biufc":
            return np.array(values)  # all of one NumPy scalar class, so all have its dtype
        if kinds != {np.ndarray} and any(issubclass(kind, np.ma.MaskedArray) for kind in kinds):
            return _stack_masked(values, name, empty)
        return _stack_arrays(values, name, empty)
    if kinds <= {int, bool}:
        return _stack_ints(values, name)
    if kinds == {float}:
        return _stack_floats(values, name)
    if isinstance(first, int | float):
        return _fill(np.empty(len(values), np.int32 if isinstance(first, int) else np.float32), values, name)
    raise TypeError(
        f"component {name!r}: can't batch values of type {type(first).__name__}: expected numbers, strings "
        "or arrays. use_list=True makes lists of anything"
    )


def _stack_arrays(arrays: Sequence[Any], name: Any, empty: Callable[..., np.ndarray]) -> np.ndarray:
    first = arrays[0]
    dtype = first.dtype
    if dtype.kind in "SU":  # strings: as wide as the widest
        dtype = max((a.dtype for a in arrays if _kind(a) == dtype.kind), key=lambda d: d.itemsize)
    return _fill(empty((len(arrays), *first.shape), dtype), arrays, name)


def _stack_masked(arrays: Sequence[Any], name: Any, empty: Callable[..., np.ndarray]) -> np.ndarray:
    data = _stack_arrays([np.ma.getdata(array) for array in arrays], name, empty)
    mask = np.stack([np.ma.getmaskarray(array) for array in arrays])
    filler = next(array.fill_value for array in arrays if isinstance(array, np.ma.MaskedArray))
    return np.ma.MaskedArray(data, mask, fill_value=filler)


def _fill(batch: np.ndarray, values: Sequence[Any], name: Any) -> np.ndarray:
    dtype, shape = batch.dtype, batch.shape[1:]
    for i, value in enumerate(values):
        if type(value) is not np.ndarray or value.dtype != dtype or value.shape != shape:
            value = _cast(value, dtype, name)
            if value.shape != shape:
                raise _ragged(values, name)
        batch[i, ...] = value  # `...` also unpacks an object array without dimensions
    return batch


def _cast(value: Any, dtype: np.dtype[Any], name: Any) -> np.ndarray:
    """Return a value as an array of a dtype, or raise ``ValueError`` if that would change it."""
    array = np.asarray(value)
    kinds = {array.dtype.kind, dtype.kind}
    if len(kinds) == 1 or dtype.kind == "O" or not kinds & {"S", "U"}:  # no string to number, nor back
        if np.can_cast(array.dtype, dtype, "safe"):
            return array
        try:
            with np.errstate(all="ignore"):  # a program may have them raise
                cast = array.astype(dtype)
            if dtype.kind in "fc" and np.can_cast(array.dtype, dtype, "same_kind"):
                unchanged = not (np.isinf(cast) & ~np.isinf(array)).any()  # apart from rounding
            else:
                unchanged = np.array_equal(cast, array)
            if unchanged:
                return cast
        except (OverflowError, TypeError, ValueError):
            pass
    what = f"{value!r:.60}" if array.ndim == 0 else f"an array of {array.dtype}"
    raise ValueError(
        f"component {name!r}: {what} can't go into a batch of {dtype}, the dtype of the first datapoint, "
        "without changing its value: give all datapoints the same dtype, e.g. with MapDataComponent"
    )


def _stack_ints(values: Sequence[int], name: Any) -> np.ndarray:
    for value in (min(values), max(values)):
        if not _INT32.min <= value <= _INT32.max:
            raise _too_big(value, "int", name)
    return np.array(values, np.int32)


def _stack_floats(values: Sequence[float], name: Any) -> np.ndarray:
    with np.errstate(all="ignore"):
        batch = np.array(values, np.float32)
    if np.isinf(batch).any():
        for value, rounded in zip(values, batch, strict=True):
            if np.isinf(rounded) and not np.isinf(value):
                raise _too_big(value, "float", name)
    return batch


def _too_big(value: float, kind: str, name: Any) -> ValueError:
    return ValueError(
        f"component {name!r}: the Python {kind} {value} does not fit the {kind}32 that Python {kind}s are "
        f"batched to. To keep {kind}64, make them np.{kind}64, e.g. by "
        f"MapDataComponent(ds, np.{kind}64, {name!r})"
    )


def _stack_strings(values: Sequence[str | bytes], name: Any) -> np.ndarray:
    kind, null = (str, "\0") if isinstance(values[0], str) else (bytes, b"\0")
    for value in values:
        if not isinstance(value, kind):
            raise ValueError(
                f"component {name!r}: can't batch {type_in_words(values[0])} with {type_in_words(value)}"
            )
        if value.endswith(null):  # type: ignore[arg-type]
            raise ValueError(
                f"component {name!r}: {value[-20:]!r} ends in a null, which NumPy's strings can't keep: use "
                "use_list=True, or np.frombuffer(value, np.uint8)"
            )
    return np.array(values)


def _kind(value: Any) -> str:
    return np.asarray(value).dtype.kind


def _ragged(values: Sequence[Any], name: Any) -> ValueError:
    shapes = list(dict.fromkeys(np.shape(value) for value in values))
    shown = ", ".join(map(str, shapes[:8])) + (", ..." if len(shapes) > 8 else "")
    return ValueError(
        f"component {name!r}: can't stack arrays of different shapes: {shown}. Make them equal, group them "
        "with BatchDataByShape, or keep them in lists with use_list=True"
    )
