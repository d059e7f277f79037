"""Functions of earlier releases that store or pass on whole dataflows. Each warns, and names the new one."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any, NoReturn

_library = importlib.import_module(__name__.partition(".")[0])
warn_renamed = importlib.import_module(f"{_library.__name__}._compat.renamed").warn_renamed

__all__ = [
    "dataflow_to_process_queue",
    "dump_dataflow_to_lmdb",
    "dump_dataflow_to_process_queue",
    "dump_dataflow_to_tfrecord",
    "dump_dataset_images",
]


def dump_dataflow_to_lmdb(df: Iterable[Any], lmdb_path: str, write_frequency: int = 5000) -> None:
    """Call ``LMDBSerializer.save``."""
    warn_renamed("dftools.dump_dataflow_to_lmdb()", "LMDBSerializer.save()")
    _library.LMDBSerializer.save(df, lmdb_path, write_frequency)


def dump_dataflow_to_tfrecord(df: Iterable[Any], path: str) -> None:
    """Call ``TFRecordSerializer.save``."""
    warn_renamed("dftools.dump_dataflow_to_tfrecord()", "TFRecordSerializer.save()")
    _library.TFRecordSerializer.save(df, path)


def dump_dataflow_to_process_queue(df: Iterable[Any], size: int, nr_consumer: int) -> tuple[Any, Any]:
    """Call ``remote.dump_dataflow_to_process_queue``."""
    warn_renamed("dftools.dump_dataflow_to_process_queue()", "remote.dump_dataflow_to_process_queue()")
    queues: tuple[Any, Any] = _library.remote.dump_dataflow_to_process_queue(df, size, nr_consumer)
    return queues


def dataflow_to_process_queue(df: Iterable[Any], size: int, nr_consumer: int) -> tuple[Any, Any]:
    """Call ``remote.dump_dataflow_to_process_queue``."""
    warn_renamed("dftools.dataflow_to_process_queue()", "remote.dump_dataflow_to_process_queue()")
    queues: tuple[Any, Any] = _library.remote.dump_dataflow_to_process_queue(df, size, nr_consumer)
    return queues


def dump_dataset_images(*args: Any, **kwargs: Any) -> NoReturn:
    """Raise ``RuntimeError``: it is gone."""
    raise RuntimeError(
        "dftools.dump_dataset_images() is gone from this library: use utils.viz.dump_dataflow_images()"
    )
