"""Store whole dataflows in files, and load them again.

A file gets its name only when it is complete. An existing file is never replaced. Values stored in LMDB,
TFRecord and npz files keep their Python types; see docs/storage.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import partial
from typing import IO, Any

from ._flows.map import MapData
from ._storage.disk_cache import DiskCacheData, write_index
from ._storage.hdf5_read import HDF5Data
from ._storage.hdf5_write import write_hdf5
from ._storage.lmdb_data import LMDBData, LMDBDatapoints, deserialize_pair
from ._storage.lmdb_file import write_database
from ._storage.npz import read_npz, write_npz
from ._storage.source import Source
from ._storage.tfrecord import TFRecordData, write_records
from .raw import DataFromList
from .utils.serialize import loads

__all__ = [
    "DiskCacheData",
    "DiskCacheSerializer",
    "HDF5Serializer",
    "LMDBSerializer",
    "NumpySerializer",
    "TFRecordSerializer",
]


class LMDBSerializer:
    """Store a dataflow in an LMDB database, the fastest format to read, in order and at random.

    The keys are the indices, ``b"00000000"`` and so on. The values are the datapoints, written by
    ``utils.serialize.dumps``. The key ``b"__keys__"`` holds the list of all keys.

    >>> from dataflow import DataFromList, LMDBSerializer
    >>> LMDBSerializer.save(DataFromList([[1], [2]], shuffle=False), path)
    >>> list(LMDBSerializer.load(path, shuffle=False))
    [[1], [2]]
    """

    @staticmethod
    def save(df: Iterable[Any], path: str, write_frequency: int = 5000) -> None:
        """Reset a dataflow and store one pass of it.

        Args:
            df: the dataflow.
            path: the file to make; or an existing directory, to make ``data.mdb`` in it.
            write_frequency: the largest number of datapoints in one commit. A commit comes earlier when
                2 MiB of data have gathered.

        Raises:
            FileExistsError: there is a database at ``path`` already. ``df`` is not touched in that case.
            FileNotFoundError: the directory of ``path`` does not exist.
            TypeError: a datapoint can't be stored; its index, component and type are named.
        """
        source = Source(df, path)
        write_database(path, source.encoded(), source.length, write_frequency)

    @staticmethod
    def load(path: str, shuffle: bool = True, *, allow_pickle: bool | None = None) -> MapData:
        """Return a dataflow of the stored datapoints.

        If decoding is the bottleneck, use ``LMDBData`` as the reader and decode in a parallel map.

        Args:
            path: the database, a file or directory, written by this or any earlier release.
            shuffle: whether each pass has a new random order. Otherwise the order is the one they were stored
                in.
            allow_pickle: see ``utils.serialize.loads``.

        Raises:
            FileNotFoundError: there is no database.
            ValueError: the file is not a database, or is truncated.
        """
        df = LMDBDatapoints(LMDBData(path, shuffle=shuffle, allow_pickle=allow_pickle), allow_pickle)
        df.func = LMDBSerializer._deserialize_lmdb  # which programs replace
        return df

    _deserialize_lmdb = staticmethod(deserialize_pair)  # programs use it under this name


class NumpySerializer:
    """Store a dataflow in one npz file.

    All datapoints together must fit into memory. This is slower than the other formats. The original can
    read the file, too, unless it holds what only this library can store.
    """

    @staticmethod
    def save(df: Iterable[Any], path: str | os.PathLike[str] | IO[bytes]) -> None:
        """Reset a dataflow and store one pass of it.

        Args:
            df: the dataflow.
            path: the file to make or to replace; ``.npz`` is added if it is missing. Or a file that is open
                for writing bytes.

        Raises:
            FileExistsError: ``path`` is no file. ``df`` is not touched in that case.
            FileNotFoundError: the directory of ``path`` does not exist.
            TypeError: a datapoint can't be stored; its index, component and type are named.
        """
        target = _path_or_file(path, "write")
        if isinstance(target, str) and not target.endswith(".npz"):
            target += ".npz"
        name = target if isinstance(target, str) else str(getattr(target, "name", "npz"))
        write_npz(target, Source(df, name).encoded())

    @staticmethod
    def load(
        path: str | os.PathLike[str] | IO[bytes], shuffle: bool = True, *, allow_pickle: bool | None = None
    ) -> DataFromList:
        """Load the stored datapoints into memory, and return a dataflow of them.

        Args:
            path: the file, written by this or any earlier release; or a file that is open for reading bytes.
            shuffle: whether each pass has a new random order.
            allow_pickle: see ``utils.serialize.loads``.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is damaged, or was not written by this class.
        """
        return DataFromList(read_npz(_path_or_file(path, "read"), allow_pickle), shuffle=shuffle)


def _path_or_file(path: str | os.PathLike[str] | IO[bytes], method: str) -> str | IO[bytes]:
    if isinstance(path, str | os.PathLike):
        return os.fspath(path)
    if not hasattr(path, method):
        raise TypeError(f"NumpySerializer: expected a path or an open file, got {path!r}")
    return path


class TFRecordSerializer:
    """Store a dataflow in a TFRecord file, without TensorFlow.

    Each record is one datapoint, written by ``utils.serialize.dumps``. The format suits reading in order;
    for everything else use ``LMDBSerializer``.
    """

    @staticmethod
    def save(df: Iterable[Any], path: str, *, compression: str | None = None) -> None:
        """Reset a dataflow and store one pass of it.

        Args:
            df: the dataflow.
            path: the file to make or to replace.
            compression: ``"gzip"`` or ``"none"``. Default: gzip if ``path`` ends in ``.gz``.

        Raises:
            FileExistsError: ``path`` is no file. ``df`` is not touched in that case.
            FileNotFoundError: the directory of ``path`` does not exist.
            TypeError: a datapoint can't be stored; its index, component and type are named.
            ImportError: google-crc32c is missing.
        """
        write_records(path, Source(df, path).encoded(), compression)

    @staticmethod
    def load(
        path: str,
        size: int | None = None,
        *,
        shuffle: bool = False,
        index: bool = False,
        allow_pickle: bool | None = None,
    ) -> TFRecordData:
        """Return a dataflow of the stored datapoints.

        Args:
            path: the file, gzipped or not.
            size: the number of records, which the file does not store. Without ``size`` and without an
                index, the dataflow has no length.
            shuffle: whether each pass has a new random order. It needs an index.
            index: whether to find the start of each record before returning, by reading 12 bytes of each
                record. An index allows ``len(df)``, ``df[i]`` and shuffling. The file must not be gzipped.
            allow_pickle: see ``utils.serialize.loads``.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: a record is damaged; an index of a gzipped file; shuffling without an index.
            ImportError: google-crc32c is missing.
        """
        return TFRecordData(path, size, shuffle=shuffle, index=index, allow_pickle=allow_pickle)


class HDF5Serializer:
    """Store a dataflow in an HDF5 file that other programs can read, with one dataset for each component.

    The values of a component must all be of one shape and dtype, or all str, or all bytes.
    """

    @staticmethod
    def save(df: Iterable[Any], path: str, data_paths: Sequence[str]) -> None:
        """Reset a dataflow and store one pass of it, without holding it all in memory.

        Args:
            df: the dataflow. Its datapoints are lists or tuples with one component for each path, or dicts
                whose keys are the paths.
            path: the file to make or to replace.
            data_paths: the path of each component, such as ``["images", "labels"]``.

        Raises:
            FileExistsError: ``path`` is no file. ``df`` is not touched in that case.
            FileNotFoundError: the directory of ``path`` does not exist.
            TypeError, ValueError: a datapoint does not fit; its index and path are named.
        """
        write_hdf5(df, path, data_paths)

    @staticmethod
    def load(path: str, data_paths: Sequence[str], shuffle: bool = True) -> HDF5Data:
        """Return a dataflow that yields one row of each dataset, as a list; see ``HDF5Data``."""
        return HDF5Data(path, data_paths, shuffle)


class DiskCacheSerializer:
    """Store a dataflow in a cache directory of the package diskcache."""

    @staticmethod
    def save(df: Iterable[Any], path: str, write_frequency: int = 5000) -> None:
        """Reset a dataflow and store one pass of it under the keys 0, 1 ...

        Args:
            df: the dataflow.
            path: the directory to make.
            write_frequency: how many datapoints to commit at once.

        Raises:
            FileExistsError: ``path`` exists already. ``df`` is not touched in that case.
            FileNotFoundError: the directory that ``path`` would be in does not exist.
            TypeError: a datapoint can't be stored; its index, component and type are named.
            ImportError: diskcache is missing.
        """
        write_index(path, Source(df, path).encoded(), write_frequency)

    @staticmethod
    def load(path: str, shuffle: bool = True, *, allow_pickle: bool | None = None) -> MapData:
        """Return a dataflow of the stored datapoints.

        Args:
            path: the directory.
            shuffle: whether each pass has a new random order.
            allow_pickle: see ``utils.serialize.loads``.

        Raises:
            FileNotFoundError: there is no such directory.
            ImportError: diskcache is missing.
        """
        return MapData(DiskCacheData(path, shuffle), partial(loads, allow_pickle=allow_pickle))
