"""Functions of earlier releases that store or pass on whole dataflows. Each warns, and names the new one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dataflow._compat.renamed import warn_renamed
from dataflow.remote import dump_dataflow_to_process_queue as _to_process_queue
from dataflow.serialize import LMDBSerializer, TFRecordSerializer

__all__ = [
    "dataflow_to_process_queue",
    "dump_dataflow_to_lmdb",
    "dump_dataflow_to_process_queue",
    "dump_dataflow_to_tfrecord",
]


def dump_dataflow_to_lmdb(df: Iterable[Any], lmdb_path: str, write_frequency: int = 5000) -> None:
    """Call ``LMDBSerializer.save``."""
    warn_renamed("dftools.dump_dataflow_to_lmdb()", "LMDBSerializer.save()")
    LMDBSerializer.save(df, lmdb_path, write_frequency)


def dump_dataflow_to_tfrecord(df: Iterable[Any], path: str) -> None:
    """Call ``TFRecordSerializer.save``."""
    warn_renamed("dftools.dump_dataflow_to_tfrecord()", "TFRecordSerializer.save()")
    TFRecordSerializer.save(df, path)


def dump_dataflow_to_process_queue(df: Iterable[Any], size: int, nr_consumer: int) -> tuple[Any, Any]:
    """Call ``remote.dump_dataflow_to_process_queue``."""
    warn_renamed("dftools.dump_dataflow_to_process_queue()", "remote.dump_dataflow_to_process_queue()")
    return _to_process_queue(df, size, nr_consumer)


def dataflow_to_process_queue(df: Iterable[Any], size: int, nr_consumer: int) -> tuple[Any, Any]:
    """Call ``remote.dump_dataflow_to_process_queue``."""
    warn_renamed("dftools.dataflow_to_process_queue()", "remote.dump_dataflow_to_process_queue()")
    return _to_process_queue(df, size, nr_consumer)
