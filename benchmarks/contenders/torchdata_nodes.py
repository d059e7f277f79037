"""torchdata's nodes.

``prebatch`` is its way to send many datapoints at once. It is not in the rows about starting and stopping: it
forks while a thread of its own may hold locks, which stalls now and then, and ends in polls of 0.1 s.
To import it is to import PyTorch.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import lifetimes
import numpy as np
import workloads
from torchdata.nodes import BaseNode, Batcher, IterableWrapper, Loader, Mapper, ParallelMapper


def _parallel(source: Iterator[Any], func: Any, method: str, prebatch: int | None) -> Iterable[Any]:
    node: BaseNode[Any] = IterableWrapper(source)
    return Loader(_mapper(node, func, method, prebatch))


def _mapper(node: BaseNode[Any], func: Any, method: str, prebatch: int | None) -> BaseNode[Any]:
    return ParallelMapper(node, func, num_workers=2, method=method, in_order=False, prebatch=prebatch)


def map_tiny() -> Iterable[Any]:
    return _parallel(workloads.tiny(), workloads.identity, "process", 32)


def map_tiny_strict() -> Iterable[Any]:
    return map_tiny()


def map_images() -> Iterable[Any]:
    return _parallel(workloads.images(), workloads.identity, "process", None)


def thread_map_tiny() -> Iterable[Any]:
    return _parallel(workloads.tiny(), workloads.identity, "thread", 32)


_rng: Any = None


def _prepare(path: str) -> list[Any]:
    global _rng
    if _rng is None:
        _rng = np.random.RandomState()
    return [np.ascontiguousarray(workloads.prepare(path, _rng)), 1]


def jpeg_parent() -> Iterable[Any]:
    node: BaseNode[Any] = IterableWrapper(itertools.cycle(workloads.jpegs()))
    return Loader(Mapper(Batcher(_mapper(node, _prepare, "process", None), 64), _stack))


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


def _mapped(source: Iterator[Any]) -> Iterator[Any]:
    return iter(_parallel(source, workloads.identity, "process", None))


def latency() -> Iterator[float]:
    return lifetimes.latencies(_mapped)
