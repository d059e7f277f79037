"""What one would write with the standard library."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import threading
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.pool import ThreadPool
from typing import Any

import lifetimes
import numpy as np
import workloads

CONTEXT = multiprocessing.get_context("fork")
AHEAD = 200
"""Datapoints on their way through a pool, as in our mappers by default. More are faster, in both."""


def _put(source: Callable[[], Iterable[Any]], results: Any) -> None:
    for dp in source():
        results.put(dp)


@contextlib.contextmanager
def _workers(source: Callable[[], Iterable[Any]], num: int) -> Iterator[Iterator[Any]]:
    results = CONTEXT.Queue(50)
    workers = [CONTEXT.Process(target=_put, args=(source, results), daemon=True) for _ in range(num)]
    for worker in workers:
        worker.start()
    yield iter(results.get, None)
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join()


def _run(source: Callable[[], Iterable[Any]], num: int) -> Iterator[Any]:
    with _workers(source, num) as iterator:
        yield from iterator


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


def _map(pool: Any, func: Any, source: Iterable[Any], chunk: int, ahead: int) -> Iterator[Any]:
    """``Pool.imap`` that reads no more than ``ahead`` ahead: by itself it never stops reading."""
    places = threading.Semaphore(ahead)

    def tasks() -> Iterator[Any]:
        for dp in source:
            places.acquire()
            yield dp

    for result in pool.imap(func, tasks(), chunk):
        places.release()
        yield result


def map_tiny() -> Iterable[Any]:
    return _map(CONTEXT.Pool(2), workloads.identity, workloads.tiny(), 32, AHEAD)


def map_tiny_strict() -> Iterable[Any]:
    return map_tiny()


def map_images() -> Iterable[Any]:
    return _map(CONTEXT.Pool(2), workloads.identity, workloads.images(), 4, AHEAD)


def thread_map_tiny() -> Iterable[Any]:
    return _map(ThreadPool(2), workloads.identity, workloads.tiny(), 32, AHEAD)


_rng: Any = None


def _prepare(path: str) -> Any:
    global _rng
    if _rng is None:
        _rng = np.random.RandomState()
    return workloads.prepare(path, _rng)


def _prepare_batch(paths: list[str]) -> list[Any]:
    return [np.stack([_prepare(path) for path in paths]), np.ones(len(paths), np.int32)]


def jpeg() -> Iterable[Any]:
    paths = itertools.cycle(workloads.jpegs())
    lists = iter(lambda: list(itertools.islice(paths, 64)), None)
    return _map(CONTEXT.Pool(2), _prepare_batch, lists, 1, 6)


def jpeg_parent() -> Iterable[Any]:
    pool = CONTEXT.Pool(2)
    images = _map(pool, _prepare, itertools.cycle(workloads.jpegs()), 4, AHEAD)
    while True:
        yield [np.stack(list(itertools.islice(images, 64))), np.ones(64, np.int32)]


def _stacks(dtype: str) -> Iterator[list[Any]]:
    picture = workloads.image().astype(dtype)
    while True:
        yield [np.stack([picture] * 64), np.array([1] * 64)]


def batch_uint8() -> Iterable[Any]:
    return _stacks("uint8")


def batch_float32() -> Iterable[Any]:
    return _stacks("float32")


def _running() -> Any:
    return _workers(workloads.tiny, 2)


def start() -> Iterator[float]:
    return lifetimes.starts(_running)


def stop() -> Iterator[float]:
    return lifetimes.stops(_running)


def latency() -> Iterator[float]:
    pool = CONTEXT.Pool(2)
    return lifetimes.latencies(lambda source: (pool.apply(workloads.identity, (dp,)) for dp in source))


def import_ms() -> Iterator[float]:
    return lifetimes.imports("import multiprocessing.pool", 0)


def import_mb() -> Iterator[float]:
    return lifetimes.imports("import multiprocessing.pool", 1)
