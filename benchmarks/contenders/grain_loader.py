"""Google Grain. Its sources are read in the workers, so to map costs one way less than with the others."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import grain
import lifetimes
import numpy as np
import workloads

ENDLESS = 1 << 40
# the default, 16 threads that read, is for files on slow disks
NO_THREADS = grain.ReadOptions(num_threads=0, prefetch_buffer_size=0)
# of each of two workers: as many on their way as in our runner; of arrays fewer are faster
AHEAD, ARRAYS_AHEAD = 25, 8


class _Source:
    def __init__(self, make: Any) -> None:
        self._make = make

    def __len__(self) -> int:
        return ENDLESS

    def __getitem__(self, index: int) -> Any:
        return self._make(index)


def _tiny(index: int) -> list[int]:
    return [int(index), int(index) + 1]


def _image(index: int) -> list[Any]:
    return [workloads.image(), 1]


def _uint8(index: int) -> list[Any]:
    return [workloads.ready_batch("uint8"), 1]


def _float32(index: int) -> list[Any]:
    return [workloads.ready_batch("float32"), 1]


def _run(make: Any, num: int, ahead: int = AHEAD) -> Iterable[Any]:
    options = grain.MultiprocessingOptions(num_workers=num, per_worker_buffer_size=ahead)
    return grain.MapDataset.source(_Source(make)).to_iter_dataset(NO_THREADS).mp_prefetch(options)


def runner_batches_uint8() -> Iterable[Any]:
    return _run(_uint8, 2, ARRAYS_AHEAD)


def runner_batches_float32() -> Iterable[Any]:
    return _run(_float32, 2, ARRAYS_AHEAD)


def runner_tiny_1() -> Iterable[Any]:
    return _run(_tiny, 1)


def runner_tiny_2() -> Iterable[Any]:
    return _run(_tiny, 2)


def runner_images() -> Iterable[Any]:
    return _run(_image, 2, ARRAYS_AHEAD)


def map_tiny() -> Iterable[Any]:
    options = grain.MultiprocessingOptions(num_workers=2, per_worker_buffer_size=AHEAD)
    dataset = grain.MapDataset.source(_Source(_tiny)).map(workloads.identity)
    return dataset.to_iter_dataset(NO_THREADS).mp_prefetch(options)


def thread_map_tiny() -> Iterable[Any]:
    dataset = grain.MapDataset.source(_Source(_tiny)).map(workloads.identity)
    return dataset.to_iter_dataset(grain.ReadOptions(num_threads=2, prefetch_buffer_size=200))


def _prepare(index: int, rng: np.random.Generator) -> list[Any]:
    legacy = np.random.RandomState(rng.integers(1 << 31))
    paths = workloads.jpegs()
    return [np.ascontiguousarray(workloads.prepare(paths[index % len(paths)], legacy)), 1]


def jpeg() -> Iterable[Any]:
    options = grain.MultiprocessingOptions(num_workers=2)
    dataset = grain.MapDataset.range(ENDLESS).seed(0).random_map(_prepare).to_iter_dataset(NO_THREADS)
    return dataset.batch(64).mp_prefetch(options)


def _batches(dtype: str) -> Iterable[Any]:
    picture = workloads.image().astype(dtype)
    return grain.MapDataset.source(_Source(lambda index: [picture, 1])).batch(64).to_iter_dataset(NO_THREADS)


def batch_uint8() -> Iterable[Any]:
    return _batches("uint8")


def batch_float32() -> Iterable[Any]:
    return _batches("float32")


def _shuffle(size: int) -> Iterable[Any]:
    dataset = grain.MapDataset.source(_Source(_tiny)).to_iter_dataset(NO_THREADS)
    return grain.experimental.WindowShuffleIterDataset(dataset, window_size=size, seed=0)


def shuffle_10k() -> Iterable[Any]:
    return _shuffle(10_000)


def shuffle_50k() -> Iterable[Any]:
    return _shuffle(50_000)


def shuffle_500k() -> Iterable[Any]:
    return _shuffle(500_000)


def _columns(rows: list[Any]) -> list[Any]:
    return [list(column) for column in zip(*rows, strict=True)]


def chain() -> Iterable[Any]:
    dataset = grain.MapDataset.source([[i, i + 1] for i in range(1000)])
    for _ in range(3):
        dataset = dataset.map(workloads.identity)
    return dataset.repeat().batch(64, batch_fn=_columns).to_iter_dataset(NO_THREADS)


@contextlib.contextmanager
def _running() -> Iterator[Iterator[Any]]:
    iterator = iter(_run(_tiny, 2))
    yield iterator
    iterator.close()  # type: ignore[attr-defined]


def start() -> Iterator[float]:
    return lifetimes.starts(_running)


def stop() -> Iterator[float]:
    return lifetimes.stops(_running)


def import_ms() -> Iterator[float]:
    return lifetimes.imports("import grain", 0)


def import_mb() -> Iterator[float]:
    return lifetimes.imports("import grain", 1)
