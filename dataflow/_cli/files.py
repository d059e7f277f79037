"""What kind of file a path is, and the dataflow in it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from .._storage.hdf5_read import dataset_paths
from .._storage.lmdb_data import LMDBData
from .._storage.lmdb_file import is_lmdb
from .._storage.npz import npz_encoding
from .._storage.tfrecord import is_gzipped, is_tfrecord, read_records
from ..base import length_of
from ..serialize import HDF5Serializer, LMDBSerializer, NumpySerializer, TFRecordSerializer
from ..utils.serialize import encoding_of

__all__ = ["Stored", "kind_by_name", "open_stored", "save_as"]

_SUFFIXES = {
    ".lmdb": "LMDB",
    ".mdb": "LMDB",
    ".npz": "npz",
    ".h5": "HDF5",
    ".hdf5": "HDF5",
    ".hdf": "HDF5",
    ".tfrecord": "TFRecord",
    ".tfrecords": "TFRecord",
}


@dataclass(frozen=True)
class Stored:
    """A file with datapoints in it."""

    kind: str
    flow: Any
    encoding: str
    names: list[str] | None
    """What the components are called, where the file tells."""

    def count(self) -> int:
        """Return the number of datapoints, by reading them all if there is no other way."""
        try:
            return length_of(self.flow)
        except NotImplementedError:
            return sum(1 for _ in self.flow)

    def first(self, n: int) -> list[Any]:
        """Return the first datapoints."""
        return list(islice(self.flow, n))


def open_stored(
    path: str, allow_pickle: bool | None = None, data_paths: Sequence[str] | None = None
) -> Stored:
    """Open a file of any of the four formats, told by its content.

    Args:
        path: the file, or the directory of an LMDB database.
        allow_pickle: see ``utils.serialize.loads``.
        data_paths: for HDF5, the datasets; default: all.

    Raises:
        FileNotFoundError: there is nothing at ``path``.
        ValueError: it is of none of the formats, or damaged.
    """
    kind = _kind(path)
    if data_paths is not None and kind != "HDF5":
        raise ValueError(f"{path}: paths are for HDF5, this is {kind}")
    if kind == "LMDB":
        flow: Any = LMDBSerializer.load(path, shuffle=False, allow_pickle=allow_pickle)
        value = next(iter(LMDBData(path, shuffle=False)), None)
        return Stored(kind, flow, encoding_of(value[1]) if value else "none", None)
    if kind == "npz":
        flow = NumpySerializer.load(path, shuffle=False, allow_pickle=allow_pickle)
        return Stored(kind, flow, npz_encoding(path), None)
    if kind == "HDF5":
        names = list(data_paths or dataset_paths(path))
        return Stored(kind, HDF5Serializer.load(path, names, shuffle=False), "HDF5 datasets", names)
    payload = next(read_records(path), None)
    # an index needs little reading and gives a length
    flow = TFRecordSerializer.load(path, index=not is_gzipped(path), allow_pickle=allow_pickle)
    return Stored(kind, flow, "none" if payload is None else encoding_of(payload), None)


def _kind(path: str) -> str:
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path} does not exist")
    if is_lmdb(path):
        return "LMDB"
    if os.path.isdir(path):
        raise ValueError(f"{path} is a directory without an LMDB database")
    with open(path, "rb") as f:
        head = f.read(8)
    if head.startswith(b"PK"):
        return "npz"
    if head == b"\x89HDF\r\n\x1a\n":
        return "HDF5"
    if head and is_tfrecord(path):
        return "TFRecord"
    raise ValueError(f"{path} is no LMDB, npz, HDF5 or TFRecord file")


def kind_by_name(path: str) -> str:
    """Return the format that the name of a file asks for.

    Raises:
        ValueError: it asks for none.
    """
    suffix = os.path.splitext(path.removesuffix(".gz"))[1].lower()
    if os.path.isdir(path):
        return "LMDB"
    if suffix not in _SUFFIXES or (path.endswith(".gz") and _SUFFIXES[suffix] != "TFRecord"):
        raise ValueError(f"{path}: the name tells no format: expected {', '.join(_SUFFIXES)} or .tfrecord.gz")
    return _SUFFIXES[suffix]


def save_as(kind: str, flow: Any, path: str, data_paths: Sequence[str]) -> None:
    """Save a dataflow in one of the four formats."""
    if kind == "LMDB":
        LMDBSerializer.save(flow, path)
    elif kind == "npz":
        NumpySerializer.save(flow, path)
    elif kind == "HDF5":
        HDF5Serializer.save(flow, path, data_paths)
    else:
        TFRecordSerializer.save(flow, path)
