"""PyTorch's DataLoader."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import lifetimes
import numpy as np
import workloads
from torch.utils.data import DataLoader, Dataset, IterableDataset, RandomSampler


class _Stream(IterableDataset):  # type: ignore[type-arg]
    def __init__(self, source: Callable[[], Iterator[Any]]) -> None:
        self.source = source

    def __iter__(self) -> Iterator[Any]:
        return self.source()


def _run(source: Callable[[], Iterator[Any]], num: int, ahead: int = 2) -> Iterable[Any]:
    """Run workers that are ``ahead`` items in front of the consumer, each; 2 is the default."""
    return DataLoader(_Stream(source), batch_size=None, num_workers=num, prefetch_factor=ahead)


def runner_batches_uint8() -> Iterable[Any]:
    workloads.ready_batch("uint8")
    return _run(lambda: workloads.batches("uint8"), 2)


def runner_batches_float32() -> Iterable[Any]:
    workloads.ready_batch("float32")
    return _run(lambda: workloads.batches("float32"), 2)


def runner_tiny_1() -> Iterable[Any]:
    return _run(workloads.tiny, 1, 50)


def runner_tiny_2() -> Iterable[Any]:
    return _run(workloads.tiny, 2, 25)


def runner_images() -> Iterable[Any]:
    return _run(workloads.images, 2, 25)


class _Files(Dataset):  # type: ignore[type-arg]
    def __init__(self) -> None:
        self.paths = workloads.jpegs()
        self.rng: Any = None

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Any:
        self.rng = self.rng or np.random.RandomState()
        return np.ascontiguousarray(workloads.prepare(self.paths[index], self.rng)), 1


def jpeg() -> Iterable[Any]:
    files = _Files()
    # endless: 8 batches make an epoch, and its end would stop the workers each time
    sampler = RandomSampler(files, replacement=True, num_samples=1 << 40)
    return DataLoader(files, batch_size=64, sampler=sampler, num_workers=2)


def jpeg_runner() -> Iterable[Any]:
    return jpeg()


@contextlib.contextmanager
def _running() -> Iterator[Iterator[Any]]:
    iterator = iter(_run(workloads.tiny, 2))
    yield iterator
    del iterator  # the way to end its workers


def start() -> Iterator[float]:
    return lifetimes.starts(_running)


def stop() -> Iterator[float]:
    return lifetimes.stops(_running)


def import_ms() -> Iterator[float]:
    return lifetimes.imports("import torch.utils.data", 0)


def import_mb() -> Iterator[float]:
    return lifetimes.imports("import torch.utils.data", 1)
