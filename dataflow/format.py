"""Sources that read files: LMDB, HDF5, Caffe's databases and SVMlight."""

from __future__ import annotations

from collections.abc import Sequence

from ._compat.old_names import old_names
from ._storage.caffe import decode_datum
from ._storage.hdf5_read import HDF5Data
from ._storage.lmdb_data import LMDBData, LMDBDataDecoder
from ._storage.svmlight import SVMLightData

__all__ = ["CaffeLMDB", "HDF5Data", "LMDBData", "LMDBDataDecoder", "SVMLightData"]

__getattr__ = old_names(__name__)


def CaffeLMDB(
    lmdb_path: str, shuffle: bool = True, keys: Sequence[str | bytes] | str | None = None
) -> LMDBDataDecoder:
    """Read a database of Caffe, where each value is a serialized Datum.

    A record that can't be decoded is skipped, with a warning. Such databases are slow to read: most of them
    hold raw pixels, which are larger than compressed images.

    >>> from dataflow import CaffeLMDB
    >>> df = CaffeLMDB("/tmp/validation", keys="{:0>8d}")  # doctest: +SKIP

    Args:
        lmdb_path: as for ``LMDBData``.
        shuffle: as for ``LMDBData``.
        keys: as for ``LMDBData``.

    Returns:
        A dataflow of ``[image, label]``: (height, width, channels), uint8 or float32; and an int.
    """
    return LMDBDataDecoder(LMDBData(lmdb_path, shuffle, keys), decode_datum)
