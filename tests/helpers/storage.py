"""Formats, sources and LMDB databases for the tests of the storage room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import lmdb
import numpy as np

from dataflow import (
    DataFlow,
    DataFromList,
    HDF5Serializer,
    LMDBSerializer,
    NumpySerializer,
    TFRecordSerializer,
)
from dataflow.serialize import DiskCacheSerializer
from dataflow.utils.serialize import dumps

DATAPOINTS: list[Any] = [
    [1, "text", np.arange(6, dtype=np.uint8).reshape(2, 3)],
    {"image": np.zeros((2, 2), np.float32), "label": np.int64(3), 7: (1, {2})},
    (b"\x00\xff", None, 2.5),
    [],
    "no container",
    [[[np.full((200, 200), 9)]], 2**70],
]


def same(a: Any, b: Any) -> bool:
    return dumps(a) == dumps(b)


def all_same(df: Any, expected: list[Any]) -> bool:
    return same(list(df), expected)


class Form:
    """One of the formats that keep every type."""

    def __init__(self, name: str, serializer: Any, file: str, **load: Any) -> None:
        self.name, self.serializer, self.file, self.load_arguments = name, serializer, file, load

    def save(self, df: Any, path: str) -> None:
        self.serializer.save(df, path)

    def load(self, path: str, **arguments: Any) -> Any:
        return self.serializer.load(path, **{**self.load_arguments, **arguments})


FORMS = [
    Form("lmdb", LMDBSerializer, "x.lmdb", shuffle=False),
    Form("npz", NumpySerializer, "x.npz", shuffle=False),
    Form("tfrecord", TFRecordSerializer, "x.tfrecord"),
    Form("tfrecord.gz", TFRecordSerializer, "x.tfrecord.gz"),
    Form("diskcache", DiskCacheSerializer, "x", shuffle=False),
]
HDF5 = Form("hdf5", HDF5Serializer, "x.h5")
HDF5.save = lambda df, path: HDF5Serializer.save(df, path, ["number"])  # type: ignore[method-assign]
HDF5.load = lambda path: HDF5Serializer.load(path, ["number"], shuffle=False)  # type: ignore[method-assign]


class Source(DataFlow):
    """Counts what is asked of it; raises at some datapoint."""

    def __init__(self, n: int = 5, fail_at: int | None = None, value: Any = None) -> None:
        self.n, self.fail_at, self.value = n, fail_at, value
        self.taken = self.resets = 0

    def reset_state(self) -> None:
        self.resets += 1

    def __iter__(self) -> Iterator[Any]:
        for i in range(self.n):
            if i == self.fail_at:
                raise RuntimeError("the source failed")
            self.taken += 1
            yield [i if self.value is None else self.value]


def random_bytes(form: Form) -> DataFromList:
    rng = np.random.RandomState(0)
    rows = rng.bytes if form is not HDF5 else lambda n: rng.rand(n // 8)
    return DataFromList([[rows(20_000)] for _ in range(100)])


def database(path: Path, records: dict[bytes, bytes], subdir: bool = False) -> str:
    """Write an LMDB database as other programs do."""
    with lmdb.open(str(path), subdir=subdir, map_size=1 << 26) as env, env.begin(write=True) as txn:
        for key, value in records.items():
            txn.put(key, value)
    return str(path)


def numbered(n: int, form: str = "{:08d}") -> dict[bytes, bytes]:
    return {form.format(i).encode(): b"value %d" % i for i in range(n)}


def pairs(records: dict[bytes, bytes]) -> list[list[bytes]]:
    return [[key, records[key]] for key in sorted(records)]


def read_all(ds: Iterable[Any], queue: Any) -> None:
    queue.put(sorted(ds))
