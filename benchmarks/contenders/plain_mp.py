"""What one would write with the standard library."""

from __future__ import annotations

import itertools
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.pool import ThreadPool
from typing import Any

import numpy as np
import workloads

NAME = "multiprocessing"
CONTEXT = multiprocessing.get_context("fork")


def _put(source: Callable[[], Iterable[Any]], results: Any) -> None:
    for dp in source():
        results.put(dp)


def _run(source: Callable[[], Iterable[Any]], num: int) -> Iterator[Any]:
    results = CONTEXT.Queue(50)
    for _ in range(num):
        CONTEXT.Process(target=_put, args=(source, results), daemon=True).start()
    while True:
        yield results.get()


def runner_batches_uint8() -> Iterable[Any]:
    workloads.ready_batch("uint8")
    return _run(lambda: workloads.batches("uint8"), 2)


def runner_batches_float32() -> Iterable[Any]:
    workloads.ready_batch("float32")
    return _run(lambda: workloads.batches("float32"), 2)


def runner_tiny_1() -> Iterable[Any]:
    return _run(workloads.tiny, 1)


def runner_tiny_2() -> Iterable[Any]:
    return _run(workloads.tiny, 2)


def runner_images() -> Iterable[Any]:
    return _run(workloads.images, 2)


def _bounded_map(pool: Any, source: Iterator[Any], chunk: int) -> Iterator[Any]:
    """``Pool.imap`` over a few thousand at a time: it would read an endless source into memory."""
    while True:
        yield from pool.imap(workloads.identity, itertools.islice(source, 4096), chunk)


def map_tiny() -> Iterable[Any]:
    return _bounded_map(CONTEXT.Pool(2), workloads.tiny(), 32)


def map_images() -> Iterable[Any]:
    def items() -> Iterator[Any]:
        pool, source = CONTEXT.Pool(2), workloads.images()
        while True:
            yield from pool.imap(workloads.identity, itertools.islice(source, 200), 4)

    return items()


def thread_map_tiny() -> Iterable[Any]:
    return _bounded_map(ThreadPool(2), workloads.tiny(), 32)


_rng: Any = None


def _prepare(path: str) -> Any:
    global _rng
    if _rng is None:
        _rng = np.random.RandomState()
    return workloads.prepare(path, _rng)


def _prepare_batch(paths: list[str]) -> list[Any]:
    return [np.stack([_prepare(path) for path in paths]), np.ones(len(paths), np.int32)]


def jpeg() -> Iterable[Any]:
    def items() -> Iterator[Any]:
        pool, paths = CONTEXT.Pool(2), itertools.cycle(workloads.jpegs())
        while True:
            yield from pool.imap(_prepare_batch, [list(itertools.islice(paths, 64)) for _ in range(16)])

    return items()


def _stacks(dtype: str) -> Iterator[list[Any]]:
    picture = workloads.image().astype(dtype)
    while True:
        yield [np.stack([picture] * 64), np.array([1] * 64)]


def batch_uint8() -> Iterable[Any]:
    return _stacks("uint8")


def batch_float32() -> Iterable[Any]:
    return _stacks("float32")
