"""What is measured: the data that every contender gets, and what the consumer does with what it receives."""

from __future__ import annotations

import functools
import getpass
import itertools
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

BATCH = (64, 224, 224, 3)
IMAGE = (224, 224, 3)
PAGE = 4096


def pages(array: Any) -> int:
    """Touch every page of an array, as a training step would, and return something that depends on it."""
    return int(np.asarray(array).reshape(-1).view(np.uint8)[::PAGE].sum())


@functools.cache
def ready_batch(dtype: str) -> np.ndarray:
    """Return a batch of images: 9.6 MB of uint8, 38.5 MB of float32."""
    return np.random.RandomState(0).randint(0, 255, BATCH).astype(dtype)


@functools.cache
def image() -> np.ndarray:
    """Return one image of 150 KB."""
    return np.random.RandomState(0).randint(0, 255, IMAGE, np.uint8)


def batches(dtype: str) -> Iterator[list[Any]]:
    """Yield the same ready batch for ever."""
    batch = ready_batch(dtype)
    return itertools.repeat([batch, 1])


def tiny() -> Iterator[list[int]]:
    """Yield ``[i, i + 1]`` for ever."""
    for i in itertools.count():
        yield [i, i + 1]


def images() -> Iterator[list[Any]]:
    """Yield the same image for ever."""
    return itertools.repeat([image(), 1])


def identity(dp: Any) -> Any:
    """Return what it gets: the map function that costs nothing."""
    return dp


@functools.cache
def jpegs() -> list[str]:
    """Return the paths of 512 JPEG files of about 500 x 375 pixels, made once."""
    import cv2

    folder = Path(tempfile.gettempdir()) / f"dataflow-bench-jpegs-{getpass.getuser()}"
    paths = [folder / f"{k:04d}.jpg" for k in range(512)]
    if not all(path.exists() for path in paths):
        folder.mkdir(exist_ok=True)
        rng = np.random.RandomState(0)
        for path in paths:
            coarse = rng.randint(0, 255, (24, 32, 3), np.uint8)
            picture = cv2.resize(coarse, (500, 375), interpolation=cv2.INTER_CUBIC)
            noise = rng.randint(0, 24, picture.shape, np.uint8)
            cv2.imwrite(str(path), cv2.add(picture, noise), [cv2.IMWRITE_JPEG_QUALITY, 90])
    return [str(path) for path in paths]


def prepare(path: str, rng: np.random.RandomState) -> np.ndarray:
    """Decode, crop at random, resize to 224 x 224 and flip at random: what training on ImageNet does."""
    import cv2

    picture = cv2.imread(path, cv2.IMREAD_COLOR)
    h, w = picture.shape[:2]
    for _ in range(10):
        area, ratio = rng.uniform(0.08, 1.0) * h * w, rng.uniform(0.75, 1.333)
        ch, cw = int((area / ratio) ** 0.5 + 0.5), int((area * ratio) ** 0.5 + 0.5)
        if ch <= h and cw <= w:
            y, x = rng.randint(0, h - ch + 1), rng.randint(0, w - cw + 1)
            picture = picture[y : y + ch, x : x + cw]
            break
    picture = cv2.resize(picture, (224, 224), interpolation=cv2.INTER_LINEAR)
    return picture[:, ::-1] if rng.rand() < 0.5 else picture


@dataclass(frozen=True)
class Workload:
    """One row of the table."""

    name: str
    text: str
    unit: str
    amount: Callable[[Any], float]
    """How much of the unit one received item is; it also touches what the consumer would."""


def _gigabytes(dp: Any) -> float:
    array = np.asarray(dp[0])
    pages(array)
    return array.nbytes / 1e9


def _one(dp: Any) -> float:
    return 1.0


def _one_image(dp: Any) -> float:
    pages(dp[0])
    return 1.0


def _batch_of_images(dp: Any) -> float:
    pages(dp[0])
    return float(len(dp[0]))


def _list_batch(dp: Any) -> float:
    return float(len(dp[0]))


WORKLOADS = {
    w.name: w
    for w in (
        Workload("runner_batches_uint8", "runner, 2 processes, batches of 9.6 MB", "GB/s", _gigabytes),
        Workload("runner_batches_float32", "runner, 2 processes, batches of 38.5 MB", "GB/s", _gigabytes),
        Workload("runner_tiny_1", "runner, 1 process, [int, int]", "1/s", _one),
        Workload("runner_tiny_2", "runner, 2 processes, [int, int]", "1/s", _one),
        Workload("runner_images", "runner, 2 processes, images of 150 KB", "1/s", _one_image),
        Workload("map_tiny", "map in 2 processes, [int, int]", "1/s", _one),
        Workload("map_images", "map in 2 processes, images of 150 KB both ways", "1/s", _one_image),
        Workload("thread_map_tiny", "map in 2 threads, [int, int]", "1/s", _one),
        Workload("jpeg", "JPEG files, crop, flip, batches of 64, 2 processes", "images/s", _batch_of_images),
        Workload("batch_uint8", "batches of 64 images, in process, uint8", "GB/s", _gigabytes),
        Workload("batch_float32", "batches of 64 images, in process, float32", "GB/s", _gigabytes),
        Workload("shuffle_10k", "local shuffle of [int, int], buffer 10 k", "1/s", _one),
        Workload("shuffle_50k", "local shuffle of [int, int], buffer 50 k", "1/s", _one),
        Workload("shuffle_500k", "local shuffle of [int, int], buffer 500 k", "1/s", _one),
        Workload("chain", "three maps, repeat, batch as lists, [int, int]", "1/s", _list_batch),
    )
}
