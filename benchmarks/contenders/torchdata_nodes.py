"""torchdata's nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import workloads
from torchdata.nodes import BaseNode, Batcher, IterableWrapper, Loader, Mapper, ParallelMapper

NAME = "torchdata"


def _parallel(source: Iterator[Any], method: str) -> Iterable[Any]:
    node: BaseNode[Any] = IterableWrapper(source)
    return Loader(ParallelMapper(node, workloads.identity, num_workers=2, method=method, in_order=False))


def map_tiny() -> Iterable[Any]:
    return _parallel(workloads.tiny(), "process")


def map_images() -> Iterable[Any]:
    return _parallel(workloads.images(), "process")


def thread_map_tiny() -> Iterable[Any]:
    return _parallel(workloads.tiny(), "thread")


def _stack(rows: list[Any]) -> list[Any]:
    return [np.stack([row[0] for row in rows]), np.array([row[1] for row in rows])]


def _batches(dtype: str) -> Iterable[Any]:
    picture = workloads.image().astype(dtype)
    node: BaseNode[Any] = IterableWrapper(iter(lambda: [picture, 1], None))
    return Loader(Mapper(Batcher(node, 64), _stack))


def batch_uint8() -> Iterable[Any]:
    return _batches("uint8")


def batch_float32() -> Iterable[Any]:
    return _batches("float32")


def _columns(rows: list[Any]) -> list[Any]:
    return [list(column) for column in zip(*rows, strict=True)]


def chain() -> Iterable[Any]:
    def source() -> Iterator[Any]:
        while True:
            for i in range(1000):
                yield [i, i + 1]

    node: BaseNode[Any] = IterableWrapper(source())
    for _ in range(3):
        node = Mapper(node, workloads.identity)
    return Loader(Mapper(Batcher(node, 64), _columns))
