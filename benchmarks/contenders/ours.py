"""dataflow itself."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import lifetimes
import numpy as np
import workloads

from dataflow import (
    BatchData,
    DataFromGenerator,
    DataFromList,
    LocallyShuffleData,
    MapData,
    MultiProcessMapAndBatchData,
    MultiProcessMapData,
    MultiProcessRunnerZMQ,
    MultiThreadMapData,
    RepeatedData,
    imgaug,
)
from dataflow.image import decode_image
from dataflow.utils import get_rng


def _started(df: Any) -> Iterable[Any]:
    df.reset_state()
    return df


def _run(source: Any, num_proc: int) -> Iterable[Any]:
    return _started(MultiProcessRunnerZMQ(DataFromGenerator(source), num_proc))


def runner_batches_uint8() -> Iterable[Any]:
    workloads.ready_batch("uint8")  # made here: every contender inherits it by fork
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


def map_tiny() -> Iterable[Any]:
    return _started(MultiProcessMapData(DataFromGenerator(workloads.tiny), 2, workloads.identity))


def map_tiny_strict() -> Iterable[Any]:
    source = DataFromGenerator(lambda: itertools.islice(workloads.tiny(), workloads.STRICT))
    df = MultiProcessMapData(source, 2, workloads.identity, strict=True)
    return itertools.chain.from_iterable(itertools.repeat(_started(df)))


def map_images() -> Iterable[Any]:
    return _started(MultiProcessMapData(DataFromGenerator(workloads.images), 2, workloads.identity))


def thread_map_tiny() -> Iterable[Any]:
    return _started(MultiThreadMapData(DataFromGenerator(workloads.tiny), 2, workloads.identity))


class _Prepare:
    rng = None

    def __call__(self, path: str) -> list[Any]:
        self.rng = self.rng or get_rng(self)
        return [workloads.prepare(path, self.rng), 1]


def jpeg() -> Iterable[Any]:
    files = DataFromList(workloads.jpegs())
    return _started(MultiProcessMapAndBatchData(files, 2, _Prepare(), 64))


def jpeg_runner() -> Iterable[Any]:
    files = DataFromList(workloads.jpegs())
    df = MultiProcessRunnerZMQ(BatchData(MapData(files, _Prepare()), 64), 2)
    return itertools.chain.from_iterable(itertools.repeat(_started(df)))  # an epoch is 8 batches


def jpeg_parent() -> Iterable[Any]:
    files = DataFromList(workloads.jpegs())
    return _started(BatchData(MultiProcessMapData(files, 2, _Prepare()), 64))


def jpeg_fast() -> Iterable[Any]:
    augmentor = imgaug.AugmentorList([imgaug.GoogleNetRandomCropAndResize(), imgaug.Flip(horiz=True)])

    def load(path: str) -> list[Any]:
        return [decode_image(path, augmentor), 1]

    workloads.opencv()  # without threads, as in the other rows
    return _started(MultiProcessMapAndBatchData(DataFromList(workloads.jpegs()), 2, load, 64))


def _batch(dtype: str) -> Iterable[Any]:
    picture = workloads.image().astype(dtype)
    return BatchData(DataFromGenerator(lambda: iter(lambda: [picture, np.int64(1)], None)), 64)


def batch_uint8() -> Iterable[Any]:
    return _batch("uint8")


def batch_float32() -> Iterable[Any]:
    return _batch("float32")


def _shuffle(size: int) -> Iterable[Any]:
    return _started(LocallyShuffleData(DataFromGenerator(workloads.tiny), size))


def shuffle_10k() -> Iterable[Any]:
    return _shuffle(10_000)


def shuffle_50k() -> Iterable[Any]:
    return _shuffle(50_000)


def shuffle_500k() -> Iterable[Any]:
    return _shuffle(500_000)


def chain() -> Iterable[Any]:
    df: Any = DataFromList([[i, i + 1] for i in range(1000)], shuffle=False)
    for _ in range(3):
        df = MapData(df, workloads.identity)
    return BatchData(RepeatedData(df, -1), 64, use_list=True)


@contextlib.contextmanager
def _running() -> Iterator[Iterator[Any]]:
    with MultiProcessRunnerZMQ(DataFromGenerator(workloads.tiny), 2) as df:
        df.reset_state()
        yield iter(df)


def start() -> Iterator[float]:
    return lifetimes.starts(_running)


def stop() -> Iterator[float]:
    return lifetimes.stops(_running)


def _mapped(source: Iterator[Any]) -> Iterator[Any]:
    return iter(_started(MultiProcessMapData(DataFromGenerator(source), 2, workloads.identity)))


def latency() -> Iterator[float]:
    return lifetimes.latencies(_mapped)


def import_ms() -> Iterator[float]:
    return lifetimes.imports("import dataflow", 0)


def import_mb() -> Iterator[float]:
    return lifetimes.imports("import dataflow", 1)
