"""Stream datapoints into HDF5 datasets."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .._core.optional import require
from .atomic import new_file
from .hdf5_read import BYTES_MARK, PATHS_MARK
from .source import Source

__all__ = ["write_hdf5"]

_PENDING_BYTES = 8 << 20
_CHUNK_BYTES = 1 << 20  # what HDF5 caches by default
_CHUNK_ROWS = 4096  # more, and a small data set of labels would take much space for little


def write_hdf5(df: Iterable[Any], path: str, data_paths: Sequence[str]) -> None:
    """Write each component of the datapoints to a dataset.

    Args:
        df: the datapoints: lists or tuples, or dicts with ``data_paths`` as keys.
        path: the file to make.
        data_paths: the path of each component.

    Raises:
        FileExistsError: there is something at ``path`` that is no file.
        TypeError, ValueError: ``data_paths`` are no distinct paths; or a datapoint does not fit: its index
            and path are named.
    """
    h5py = require("h5py", None)
    if isinstance(data_paths, str | bytes):
        raise TypeError(f"data_paths: expected a list of paths, got {data_paths!r}")
    data_paths = list(data_paths)
    if not data_paths or len(set(data_paths)) < len(data_paths):
        raise ValueError(f"data_paths: expected distinct paths, got {data_paths}")
    source = Source(df, path)
    with new_file(path, replace=True) as partial, _Sink(partial) as sink, h5py.File(sink, "w") as file:
        file.attrs[PATHS_MARK] = data_paths
        columns = [_Column(file, data_path, source.length) for data_path in data_paths]
        pending = 0
        for index, dp in enumerate(source):
            for column, value in zip(columns, _components(dp, data_paths, index), strict=True):
                try:
                    size = column.add(value)
                except (TypeError, ValueError, OverflowError) as e:
                    kind = TypeError if isinstance(e, TypeError) else ValueError
                    raise kind(f"datapoint {index} can't be stored: {column.path!r}: {e}") from e
                pending += size
                source.wrote(size)
            if pending >= _PENDING_BYTES:
                pending = 0
                _flush(columns, sink)
        _flush(columns, sink)
        file.close()
        sink.check()


def _flush(columns: list[_Column], sink: _Sink) -> None:
    for column in columns:
        column.flush()
    sink.check()


class _Sink(io.FileIO):
    """A file that takes every write, and tells later whether one failed.

    HDF5 has to believe to the end that it could write all: if it can't while it closes, it crashes.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path, "x+")
        self._error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of ``data``, if nothing has failed yet."""
        left = memoryview(data)
        try:
            while left and self._error is None:
                left = left[super().write(left) :]
        except OSError as e:
            self._error = e
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        """Set the size, if nothing has failed yet."""
        try:
            return super().truncate(size)
        except OSError as e:
            self._error = e
            return size or 0

    def check(self) -> None:
        """Raise the error of the first write that failed."""
        if self._error is not None:
            raise self._error


def _components(dp: Any, data_paths: list[str], index: int) -> Sequence[Any]:
    """Return the components of a datapoint, one for each path."""
    if isinstance(dp, dict):
        if dp.keys() != set(data_paths):
            raise ValueError(f"datapoint {index} has the keys {list(dp)}, expected data_paths: {data_paths}")
        return [dp[data_path] for data_path in data_paths]
    if not isinstance(dp, list | tuple):
        raise TypeError(f"datapoint {index}: expected a list, tuple or dict, got {type(dp).__name__}")
    if len(dp) != len(data_paths):
        raise ValueError(
            f"datapoint {index} has {len(dp)} components, but there are {len(data_paths)} data_paths"
        )
    return dp


class _Column:
    """A dataset that grows."""

    def __init__(self, file: Any, path: str, expected: int | None) -> None:
        self.path = path
        self._expected = expected
        self._file = file
        self._dataset: Any = None  # made for the first value
        self._type: Any = None  # str, bytes or a dtype
        self._shape: tuple[int, ...] = ()
        self._rows: list[Any] = []
        self._is_binary = False  # whether bytes are stored as uint8: HDF5's strings end at a null

    def add(self, value: Any) -> int:
        """Take a value, and return how many bytes it is."""
        if isinstance(value, np.ma.MaskedArray):
            raise TypeError("HDF5 has no place for the mask of a masked array: store data and mask apart")
        if isinstance(value, str):
            _check_text(value)
        if isinstance(value, str | bytes):
            kind: Any = str if isinstance(value, str) else bytes
            row: Any = value
            size = len(value)
            if kind is bytes and b"\0" in value and not self._is_binary:
                self._make_binary()
        else:
            # of their own: the source may use its arrays again
            row = np.array(value, dtype=np.int64) if type(value) is int else np.array(value)
            kind = row.dtype
            size = row.nbytes
            if kind.kind in "OUMmT":
                raise TypeError(
                    f"HDF5 has no place for values of type {type(value).__name__} and dtype {kind}. "
                    "LMDBSerializer has"
                )
        if self._dataset is None:
            self._create(kind, np.shape(row) if kind is not bytes else ())
        elif self._type in (str, bytes) or kind in (str, bytes):
            if kind is not self._type:
                raise TypeError(
                    f"expected {_name(self._type)} as in the datapoints before, got {_name(kind)}"
                )
        elif row.shape != self._shape:
            raise ValueError(
                f"expected the shape {self._shape} of the datapoints before, got {row.shape}. "
                "LMDBSerializer stores arrays of different shapes"
            )
        elif not _fits(row, self._type):
            raise TypeError(f"{kind} does not fit the dtype {self._type} of the datapoints before")
        self._rows.append(row)
        return size

    def _create(self, kind: Any, shape: tuple[int, ...]) -> None:
        h5py = require("h5py", None)
        of_bytes = h5py.vlen_dtype(np.uint8 if self._is_binary else bytes)
        dtype = {str: h5py.string_dtype(), bytes: of_bytes}.get(kind, kind)
        row_bytes = max(1, np.dtype(dtype).itemsize * math.prod(shape))
        rows = max(1, min(_CHUNK_ROWS, _CHUNK_BYTES // row_bytes, self._expected or _CHUNK_ROWS))
        self._dataset = self._file.create_dataset(
            self.path,
            (0, *shape),
            dtype,
            maxshape=(None, *(n or None for n in shape)),
            chunks=(rows, *(n or 1 for n in shape)),
        )
        if kind is bytes:
            self._dataset.attrs[BYTES_MARK] = True
        self._type, self._shape = kind, shape

    def _make_binary(self) -> None:
        """Store bytes in a form that any bytes fit, which others read as arrays of uint8."""
        self._is_binary = True
        if self._dataset is not None:
            self._rows = [*self._dataset[:].tolist(), *self._rows]
            del self._file[self.path]
            self._create(bytes, ())

    def flush(self) -> None:
        """Write the values taken so far."""
        if self._dataset is None:
            self._create(np.dtype(np.float64), ())  # nothing came: an empty dataset still has a dtype
        if not self._rows:
            return
        begin = len(self._dataset)
        self._dataset.resize(begin + len(self._rows), axis=0)
        if self._type is bytes and self._is_binary:
            self._write_binary(begin)
        elif self._type in (str, bytes):
            self._dataset[begin:] = self._rows
        elif math.prod(self._shape):
            self._dataset[begin:] = np.stack(self._rows)
        self._rows.clear()

    def _write_binary(self, begin: int) -> None:
        h5s = require("h5py.h5s", None)
        values = np.empty(len(self._rows), self._dataset.dtype)
        for i, row in enumerate(self._rows):
            values[i] = np.frombuffer(row, np.uint8)
        # by the low-level call: the other takes rows of equal lengths for a matrix, and refuses it
        space = self._dataset.id.get_space()
        space.select_hyperslab((begin,), (len(values),))
        self._dataset.id.write(h5s.create_simple((len(values),)), space, values)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise ValueError("a string of HDF5 ends at a null, and this one has a null in it. Store it as bytes")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{text[:80]!a} is no valid Unicode, which HDF5 needs. Store it as bytes") from None


def _fits(row: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> bool:
    """Return whether a column of ``dtype`` holds all values of a row exactly."""
    if not np.can_cast(row.dtype, dtype, "safe"):
        return False
    if row.dtype.kind not in "iu" or dtype.kind not in "fc" or not row.size:
        return True
    # NumPy calls int64 to float64 safe, and rounds
    limit: int = 2 ** (np.finfo(dtype).nmant + 1)
    return -limit <= int(row.min()) and int(row.max()) <= limit


def _name(kind: Any) -> str:
    return kind.__name__ if kind in (str, bytes) else f"a value of dtype {kind}"
