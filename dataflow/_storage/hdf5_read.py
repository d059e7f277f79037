"""Rows of HDF5 datasets, read when they are needed."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .._core.checks import whole_number
from .._core.optional import require
from ..base import RNGDataFlow
from .reading import order_of_pass

__all__ = ["BYTES_MARK", "PATHS_MARK", "HDF5Data", "dataset_paths"]

BYTES_MARK = "dataflow_bytes"
"""Attribute of a dataset of variable-length uint8 or strings whose rows are bytes."""
PATHS_MARK = "dataflow_paths"
"""Attribute of a file: the paths of the components, in order."""

_HOW_TO_ALLOW = "If you trust the file, pass HDF5Data(..., external=True)"
_BLOCK_BYTES = 1 << 20  # read at once: few calls, yet still in the processor's cache when rows are copied out

_FEW_ROWS = 8  # of a block: a row that is kept may keep so many in memory, which saves a copy of large rows


class HDF5Data(RNGDataFlow[list[Any]]):
    """Zip datasets of an HDF5 file, row by row.

    The data are read when they are needed, in blocks of whole chunks. Each pass opens the file for itself, so
    that processes don't share a handle.

    Args:
        filename: the file.
        data_paths: the paths of the datasets, e.g. ``["images", "labels"]``, of equal lengths.
        shuffle: whether each pass has an order of its own. Data of up to ``buffer_bytes`` are read into
            memory once and shuffled as a whole. Of larger data, blocks are read in random order, and as many
            as fit into the buffer are shuffled together.
        buffer_bytes: the memory that shuffling may take.
        external: whether a dataset may have its values in other files: by an external link, external storage,
            or as a virtual dataset. The file says which, so it must be trusted.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no HDF5 file; a path is not in it, or is no dataset with rows; the lengths differ.
        TypeError: ``data_paths`` is not a list.
    """

    def __init__(
        self,
        filename: str,
        data_paths: Sequence[str],
        shuffle: bool = True,
        *,
        buffer_bytes: int = 256 << 20,
        external: bool = False,
    ) -> None:
        if isinstance(data_paths, str | bytes):
            raise TypeError(f"HDF5Data: data_paths: expected a list of paths, got {data_paths!r}")
        self.filename = os.fspath(filename)
        self.data_paths = list(data_paths)
        self.shuffle = shuffle
        self.buffer_bytes = whole_number(buffer_bytes, 1, "HDF5Data: buffer_bytes")
        self._external = external
        self._memory: list[Any] | None = None
        self._is_shared = False  # whether a program works on _memory
        if not self.data_paths:
            raise ValueError("HDF5Data: data_paths: expected at least one path")
        with self._columns() as columns:
            self._size = columns[0].length
            if any(column.length != self._size for column in columns):
                lengths = {column.path: column.length for column in columns}
                raise ValueError(f"{self.filename}: expected datasets of equal lengths, got {lengths}")
            self._row_bytes = sum(column.row_bytes() for column in columns)
            self._block = _block_rows(columns)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._size

    def __iter__(self) -> Iterator[list[Any]]:
        """Yield lists with a row of each dataset: a writable array, or a NumPy scalar."""
        if self._memory is None and not self.shuffle:
            return self._in_order()
        if self._memory is None and self._size * self._row_bytes > self.buffer_bytes:
            return self._blocks_shuffled()
        return self._from_memory()

    def _in_order(self) -> Iterator[list[Any]]:
        few = self._block <= _FEW_ROWS
        with self._columns() as columns:
            for begin in range(0, self._size, self._block):
                for row in zip(*(column.read(begin, begin + self._block) for column in columns), strict=True):
                    yield list(row) if few else [_own(value) for value in row]

    def _read_all(self) -> list[Any]:
        if self._memory is None:
            with self._columns() as columns:
                self._memory = [column.read(0, self._size) for column in columns]
        return self._memory

    def _from_memory(self) -> Iterator[list[Any]]:
        memory = self._read_all()
        for k in order_of_pass(self._size, self.rng) if self.shuffle else range(self._size):
            yield [_own(values[k]) for values in memory]

    @property
    def dps(self) -> list[Any]:
        """All rows of each dataset, in memory. Passes read them there, once a program has looked at them."""
        self._is_shared = True
        return self._read_all()

    @dps.setter
    def dps(self, columns: Sequence[Any]) -> None:
        self._memory, self._is_shared = list(columns), True
        self._size = min(map(len, self._memory))

    def _blocks_shuffled(self) -> Iterator[list[Any]]:
        starts = self.rng.permutation(range(0, self._size, self._block))
        together = max(1, self.buffer_bytes // (self._block * max(1, self._row_bytes)))
        with self._columns() as columns:
            for first in range(0, len(starts), together):
                blocks = [
                    [column.read(begin, begin + self._block) for column in columns]
                    for begin in sorted(starts[first : first + together].tolist())  # as they lie on the disk
                ]
                lengths = [len(block[0]) for block in blocks]
                numbers = np.repeat(np.arange(len(blocks)), lengths)
                rows = np.concatenate([np.arange(n) for n in lengths])
                order = self.rng.permutation(len(rows))
                for block, row in zip(numbers[order].tolist(), rows[order].tolist(), strict=True):
                    yield [_own(values[row]) for values in blocks[block]]

    @contextmanager
    def _columns(self) -> Iterator[list[_Column]]:
        """Open the file for the length of a block."""
        with _opened(self.filename) as file:
            yield [_Column(self.filename, file, path, self._external) for path in self.data_paths]

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what was read, unless a program may have changed it: a copy reads for itself."""
        return {**self.__dict__, "_memory": self._memory if self._is_shared else None}


def _own(value: Any) -> Any:
    """Return a row that does not keep its block in memory."""
    return value.copy() if type(value) is np.ndarray else value


def _opened(filename: str) -> Any:
    h5py = require("h5py", None)
    if not os.path.isfile(filename):
        raise FileNotFoundError(f"there is no HDF5 file {filename}")
    try:
        return h5py.File(filename, "r")
    except OSError as e:
        raise ValueError(f"{filename} can't be read as an HDF5 file: {e}") from e


def dataset_paths(filename: str) -> list[str]:
    """Return the paths of all datasets: in the order of the components if we wrote the file, else sorted."""
    h5py = require("h5py", None)
    found: list[str] = []
    with _opened(filename) as file:
        if PATHS_MARK in file.attrs and _is_data(file.attrs.get_id(PATHS_MARK).dtype):
            return [str(path) for path in file.attrs[PATHS_MARK]]
        file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return sorted(found)


def _block_rows(columns: list[_Column]) -> int:
    """Return a number of rows to read at once: whole chunks of the dataset that is most of the data.

    The chunks of the others, such as labels, are small enough for HDF5 to keep them.
    """
    largest = max(columns, key=_Column.row_bytes)
    budget = _BLOCK_BYTES // max(1, sum(column.row_bytes() for column in columns))
    return max(largest.chunk_rows, budget // largest.chunk_rows * largest.chunk_rows)


def _is_data(dtype: np.dtype[Any]) -> bool:
    """Return whether a type is made of numbers and strings: no references, and no addresses of objects.

    h5py takes an opaque type with the tag "NUMPY:|O" for objects, and its bytes for their addresses.
    """
    h5py = require("h5py", None)
    if dtype.subdtype is not None:
        return _is_data(dtype.subdtype[0])
    if not dtype.hasobject:
        return True
    if dtype.names is not None:
        return all(_is_data(dtype[name]) for name in dtype.names)
    if h5py.check_string_dtype(dtype) is not None:
        return True
    base = h5py.check_vlen_dtype(dtype)
    return base is not None and _is_data(np.dtype(base))


def _check_links(file: Any, path: str, left: int = 16) -> None:
    """Refuse a path that leads out of the file, before anything there is opened."""
    h5py = require("h5py", None)
    at = ""
    for name in filter(None, path.split("/")):
        link = file.get(f"{at}/{name}", getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise ValueError(f"it is a link to another file. {_HOW_TO_ALLOW}")
        if isinstance(link, h5py.SoftLink):
            if not left:
                raise ValueError("too many links lead to one another")
            target = link.path if link.path.startswith("/") else f"{at}/{link.path}"
            _check_links(file, target, left - 1)
        at = f"{at}/{name}"


class _Column:
    """A dataset."""

    def __init__(self, filename: str, file: Any, path: str, external: bool) -> None:
        h5py = require("h5py", None)
        self.path = path
        try:
            if not external:
                _check_links(file, path)
            dataset = file.get(path)
            if isinstance(dataset, h5py.Dataset):
                dataset.dtype  # noqa: B018  # some types in a damaged file have none
        except (RuntimeError, OSError, TypeError, ValueError, KeyError) as e:
            raise ValueError(f"{filename}: {path!r} can't be opened: {e}") from e
        if dataset is None:
            raise ValueError(f"{filename} has no dataset {path!r}, only {dataset_paths(filename)}")
        if not isinstance(dataset, h5py.Dataset) or not dataset.shape:
            raise ValueError(f"{filename}: {path!r} is not a dataset with rows")
        if not external and (dataset.external or dataset.is_virtual):
            raise ValueError(f"{filename}: the values of {path!r} are in other files. {_HOW_TO_ALLOW}")
        if not _is_data(dataset.dtype):
            raise ValueError(f"{filename}: the values of {path!r} are no data, but {dataset.id.get_type()}")
        self.length: int = dataset.shape[0]
        self.chunk_rows: int = dataset.chunks[0] if dataset.chunks else 1
        self._dataset = dataset
        self._filename = filename
        self._is_bytes = BYTES_MARK in dataset.attrs
        self._is_string = h5py.check_string_dtype(dataset.dtype) is not None and dataset.dtype.kind == "O"

    def read(self, begin: int, end: int) -> Any:
        """Return rows, as an array or a list.

        Raises:
            ValueError: they are damaged.
        """
        try:
            return self._read(begin, end)
        except (OSError, RuntimeError, UnicodeError, TypeError, ValueError) as e:
            raise ValueError(f"{self._filename}: {self.path!r} is damaged: {e}") from e

    def _read(self, begin: int, end: int) -> Any:
        if self._is_string:
            strings = self._dataset if self._is_bytes else self._dataset.asstr()
            return strings[begin:end].tolist()
        values = self._dataset[begin:end]
        return [value.tobytes() for value in values] if self._is_bytes else values

    def row_bytes(self) -> int:
        """Return the size of a row in memory, judged from the first ones where sizes differ."""
        if self._dataset.dtype.kind != "O":
            return int(self._dataset.dtype.itemsize * math.prod(self._dataset.shape[1:]))
        rows = self.read(0, 16)
        return sum(getattr(row, "nbytes", None) or len(row) for row in rows) // max(1, len(rows)) + 64
