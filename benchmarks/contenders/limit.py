"""The work that can't be avoided, written as barely as possible. No contender can do better by much."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import pickle
import random
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import workloads

NAME = "limit"


def _copies(dtype: str) -> Iterator[list[Any]]:
    """Copy into a warm buffer: one memcpy of one core."""
    source = workloads.ready_batch(dtype)
    target = np.empty_like(source)
    while True:
        np.copyto(target, source)
        yield [target, 1]


def runner_batches_uint8() -> Iterable[Any]:
    return _copies("uint8")


def runner_batches_float32() -> Iterable[Any]:
    return _copies("float32")


def _pickled() -> Iterator[Any]:
    """Encode each datapoint alone, send them through a pipe by the 256, decode each alone."""
    read_fd, write_fd = os.pipe()
    if os.fork() == 0:
        source = workloads.tiny()
        while True:
            data = pickle.dumps([pickle.dumps(dp, 5) for dp in itertools.islice(source, 256)], 5)
            os.write(write_fd, len(data).to_bytes(4, "little") + data)
    os.close(write_fd)
    stream = os.fdopen(read_fd, "rb", buffering=1 << 20)
    while True:
        for data in pickle.loads(stream.read(int.from_bytes(stream.read(4), "little"))):
            yield pickle.loads(data)


def runner_tiny_1() -> Iterable[Any]:
    return _pickled()


def map_images() -> Iterable[Any]:
    """Two copies of an image."""
    source = workloads.image()
    there, back = np.empty_like(source), np.empty_like(source)
    while True:
        np.copyto(there, source)
        np.copyto(back, there)
        yield [back, 1]


def thread_map_tiny() -> Iterable[Any]:
    for dp in workloads.tiny():
        yield workloads.identity(dp)


def _work(count: Any, index: int) -> None:
    rng = np.random.RandomState(index)
    for path in itertools.cycle(workloads.jpegs()):
        workloads.prepare(path, rng)
        count[index] += 1


def jpeg() -> Iterable[Any]:
    """Two forked loops that throw their results away."""
    context = multiprocessing.get_context("fork")
    count = context.Array("q", 2, lock=False)
    for index in range(2):
        context.Process(target=_work, args=(count, index), daemon=True).start()
    import time

    seen = 0
    while True:
        while (now := sum(count)) - seen < 64:
            time.sleep(0.001)
        yield [np.empty((now - seen, 1), np.uint8), 1]
        seen = now


def _fill(dtype: str) -> Iterator[list[Any]]:
    picture = workloads.image().astype(dtype)
    while True:
        batch = np.empty(workloads.BATCH, dtype)
        for k in range(len(batch)):
            batch[k] = picture
        yield [batch, 1]


def batch_uint8() -> Iterable[Any]:
    return _fill("uint8")


def batch_float32() -> Iterable[Any]:
    return _fill("float32")


def _swaps(size: int) -> Iterator[Any]:
    """Swap each datapoint with a random one of the buffer."""
    source = workloads.tiny()
    buffer = list(itertools.islice(source, size))
    for dp, r in zip(source, iter(random.random, None), strict=False):
        k = int(r * size)
        yield buffer[k]
        buffer[k] = dp


def shuffle_10k() -> Iterable[Any]:
    return _swaps(10_000)


def shuffle_50k() -> Iterable[Any]:
    return _swaps(50_000)


def shuffle_500k() -> Iterable[Any]:
    return _swaps(500_000)


def chain() -> Iterable[Any]:
    source: Any = itertools.cycle([[i, i + 1] for i in range(1000)])
    for _ in range(3):
        source = map(workloads.identity, source)
    while True:
        yield [list(column) for column in zip(*itertools.islice(source, 64), strict=True)]
