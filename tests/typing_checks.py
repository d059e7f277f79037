"""What a type checker knows of a user's program. Read by mypy, never run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from typing_extensions import assert_type

import dataflow
from dataflow import (
    BatchData,
    DataFlow,
    FakeData,
    MapData,
    MultiProcessRunnerZMQ,
    ProxyDataFlow,
    RNGDataFlow,
    imgaug,
)


class Numbers(DataFlow[list[int]]):
    """A source that says what it yields."""

    def __iter__(self) -> Iterator[list[int]]:
        """Yield a list."""
        yield [1, 2]


class Plain(RNGDataFlow):
    """One that does not: its datapoints are of any type."""

    def __iter__(self) -> Iterator[Any]:
        """Yield a random number."""
        yield [self.rng.rand()]


class Doubled(ProxyDataFlow[list[int]]):
    """A proxy of the user's own."""

    def __iter__(self) -> Iterator[list[int]]:
        """Yield doubled numbers."""
        for dp in self.ds:
            yield [2 * x for x in dp]


class Dark(imgaug.ImageAugmentor):
    """An augmentor of the user's own."""

    def get_transform(self, img: np.ndarray[Any, Any]) -> imgaug.Transform:
        """Halve the brightness."""
        return imgaug.TransformFactory(apply_image=lambda img: img // 2)


def check() -> None:
    """Say what the types are."""
    for dp in Numbers():
        assert_type(dp, list[int])
    for dp in Numbers().get_data():
        assert_type(dp, list[int])
    for dp in Doubled(Numbers()):
        assert_type(dp, list[int])
    for anything in Plain():
        assert_type(anything, Any)
    assert_type(len(Numbers()), int)
    assert_type(Plain().rng, np.random.RandomState)
    assert_type(next(iter(FakeData([[2]]))), list[Any])
    batches = MultiProcessRunnerZMQ(BatchData(MapData(Numbers(), lambda dp: dp), 2), num_proc=2)
    with batches as df:
        assert_type(df, MultiProcessRunnerZMQ)
    dataflow.utils.logger.info("typed %s", repr(batches))
    MapData(Numbers())  # type: ignore[call-arg]
    BatchData(Numbers(), "2")  # type: ignore[arg-type]
