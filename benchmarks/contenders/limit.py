"""The work that can't be avoided, written as barely as possible. No contender can do better by much."""

from __future__ import annotations

import contextlib
import itertools
import mmap
import multiprocessing
import os
import pickle
import random
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import lifetimes
import numpy as np
import workloads

SLOTS = 25
"""Of each of the two processes of a ring: as many datapoints on their way as in our runner."""


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


def _child(work: Callable[[int, int], object]) -> tuple[int, int]:
    """Fork a process that reads from one pipe and writes to another; return the other ends: read, write."""
    (there_read, there_write), (back_read, back_write) = os.pipe(), os.pipe()
    if os.fork() == 0:
        os.close(there_write)
        os.close(back_read)
        try:
            work(there_read, back_write)
        finally:  # the other end is gone
            os._exit(0)
    os.close(there_read)
    os.close(back_write)
    return back_read, there_write


def _send(write_fd: int, dps: Iterable[Any]) -> None:
    """Encode each datapoint alone, so that none shares anything with another, and send all at once."""
    data = pickle.dumps([pickle.dumps(dp, 5) for dp in dps], 5)
    os.write(write_fd, len(data).to_bytes(4, "little") + data)


def _receive(stream: Any) -> Iterator[Any]:
    return map(pickle.loads, pickle.loads(stream.read(int.from_bytes(stream.read(4), "little"))))


def _pickled(num: int) -> Iterator[Any]:
    """Send datapoints through pipes by the 256."""

    def work(_: int, write_fd: int) -> None:
        source = workloads.tiny()
        while True:
            _send(write_fd, itertools.islice(source, 256))

    streams = [os.fdopen(_child(work)[0], "rb", buffering=1 << 16) for _ in range(num)]
    for stream in itertools.cycle(streams):
        yield from _receive(stream)


def runner_tiny_1() -> Iterable[Any]:
    return _pickled(1)


def runner_tiny_2() -> Iterable[Any]:
    return _pickled(2)


def ring(source: Any) -> Iterator[Any]:
    """Two rings of reused slots in shared memory: a copy into a slot, its number through a pipe, a view."""
    rings = []
    for _ in range(2):
        slots = np.frombuffer(mmap.mmap(-1, SLOTS * source.nbytes), source.dtype)
        slots = slots.reshape(SLOTS, *source.shape)

        def work(read_fd: int, write_fd: int, slots: Any = slots) -> None:
            while free := os.read(read_fd, SLOTS):
                for k in free:
                    np.copyto(slots[k], source)
                    os.write(write_fd, bytes([k]))

        filled, free = _child(work)
        os.write(free, bytes(range(SLOTS)))
        rings.append((filled, free, slots))
    for filled, free, slots in itertools.cycle(rings):
        come = os.read(filled, SLOTS)
        for k in come:
            yield [slots[k], 1]
        os.write(free, come)


def runner_images() -> Iterator[Any]:
    return ring(workloads.image())


def map_tiny() -> Iterator[Any]:
    """Send tasks through pipes by the 256 and results back, 4 times 256 ahead for each of two processes."""

    def work(read_fd: int, write_fd: int) -> None:
        stream = os.fdopen(read_fd, "rb", buffering=1 << 16)
        while True:
            _send(write_fd, map(workloads.identity, _receive(stream)))

    source = workloads.tiny()
    ends = [(os.fdopen(read, "rb", buffering=1 << 16), write) for read, write in (_child(work), _child(work))]
    for _ in range(4):
        for _, write_fd in ends:
            _send(write_fd, itertools.islice(source, 256))
    for stream, write_fd in itertools.cycle(ends):
        yield from _receive(stream)
        _send(write_fd, itertools.islice(source, 256))


def map_tiny_strict() -> Iterable[Any]:
    return map_tiny()


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
    seen = 0
    while True:
        while (now := sum(count)) - seen < 64:
            time.sleep(0.005)
        yield [np.empty((now - seen, 1), np.uint8), 1]
        seen = now


def jpeg_runner() -> Iterable[Any]:
    return jpeg()


def jpeg_parent() -> Iterable[Any]:
    return jpeg()


def jpeg_fast() -> Iterable[Any]:
    return jpeg()


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


def _mapped(source: Iterator[Any]) -> Iterator[Any]:
    for dp in source:
        yield workloads.identity(dp)


def chain() -> Iterable[Any]:
    """Bare generators."""
    source: Any = itertools.cycle([[i, i + 1] for i in range(1000)])
    for _ in range(3):
        source = _mapped(source)
    while True:
        yield [list(column) for column in zip(*itertools.islice(source, 64), strict=True)]


@contextlib.contextmanager
def _running() -> Iterator[Iterator[Any]]:
    """Have two forked processes that write a byte as long as somebody reads."""

    def work(read_fd: int, write_fd: int) -> None:
        while True:
            os.write(write_fd, b"x" * 256)

    ends = [_child(work), _child(work)]
    yield iter(lambda: [os.read(read, 256) for read, _ in ends], None)
    for fd in itertools.chain.from_iterable(ends):
        os.close(fd)
    for _ in ends:
        os.wait()


def start() -> Iterator[float]:
    return lifetimes.starts(_running)


def stop() -> Iterator[float]:
    return lifetimes.stops(_running)


def _there_and_back(source: Iterator[Any]) -> Iterator[Any]:
    def work(read_fd: int, write_fd: int) -> None:
        while data := os.read(read_fd, 4096):
            os.write(write_fd, pickle.dumps(pickle.loads(data), 5))

    read_fd, write_fd = _child(work)
    for dp in source:
        os.write(write_fd, pickle.dumps(dp, 5))
        yield pickle.loads(os.read(read_fd, 4096))


def latency() -> Iterator[float]:
    return lifetimes.latencies(_there_and_back)
