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


STRICT = 200_000
"""Datapoints of a pass, where there are passes."""


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
    cv2 = opencv()
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


@functools.cache
def opencv() -> Any:
    """Return OpenCV, without threads of its own: the workers have the cores already."""
    import cv2

    cv2.setNumThreads(0)
    return cv2


def crop(h: int, w: int, rng: np.random.RandomState) -> tuple[int, int, int, int]:
    """Return a random part of an image: y, x, height, width, of an area of 8 to 100 %, somewhat distorted."""
    for _ in range(10):
        area, ratio = rng.uniform(0.08, 1.0) * h * w, rng.uniform(0.75, 1.333)
        ch, cw = int((area / ratio) ** 0.5 + 0.5), int((area * ratio) ** 0.5 + 0.5)
        if ch <= h and cw <= w:
            return rng.randint(0, h - ch + 1), rng.randint(0, w - cw + 1), ch, cw
    return 0, 0, h, w


def prepare(path: str, rng: np.random.RandomState) -> np.ndarray:
    """Decode, crop at random, resize to 224 x 224 and flip at random: what training on ImageNet does."""
    cv2 = opencv()
    picture = cv2.imread(path, cv2.IMREAD_COLOR)
    y, x, h, w = crop(*picture.shape[:2], rng)
    picture = cv2.resize(picture[y : y + h, x : x + w], (224, 224), interpolation=cv2.INTER_LINEAR)
    return picture[:, ::-1] if rng.rand() < 0.5 else picture


@dataclass(frozen=True)
class Workload:
    """One row of the table."""

    name: str
    text: str
    unit: str
    amount: Callable[[Any], float]
    """How much of the unit one received item is; it also touches what the consumer would."""
    warm: int = 0
    """Items that are received at least before the measurement begins."""
    burst: int = 16
    """Items that are received between two looks at the clock."""
    longer: float = 1.0
    """How many times as long as the others to measure: where items are few and come in bursts."""
    less_is_better: bool = False
    """The items are figures themselves, such as the milliseconds that something took."""


def _gigabytes(dp: Any) -> float:
    array = np.asarray(dp[0])
    pages(array)
    return array.nbytes / 1e9


def count(dp: Any) -> float:
    """Count one."""
    return 1.0


def count_array(dp: Any) -> float:
    """Count one, after a look at all pages of the first component."""
    pages(dp[0])
    return 1.0


def _batch_of_images(dp: Any) -> float:
    pages(dp[0])
    return float(len(dp[0]))


def _list_batch(dp: Any) -> float:
    return float(len(dp[0]))


TWICE_HWM = 100
"""Twice the datapoints that may be on their way by default in a runner: then all slots are warm."""


def _large(name: str, text: str, **options: Any) -> Workload:
    return Workload(name, text, "GB/s", _gigabytes, burst=2, **options)


def _tiny(name: str, text: str) -> Workload:
    return Workload(name, text, "1/s", count, burst=64)


def _jpeg(name: str, text: str) -> Workload:
    return Workload(name, "JPEG decode, crop, flip: " + text, "images/s", _batch_of_images, burst=2, longer=3)


def _figure(name: str, text: str, unit: str) -> Workload:
    return Workload(name, text, unit, float, less_is_better=True)


WORKLOADS = {
    w.name: w
    for w in (
        _large("runner_batches_uint8", "runner, 2 processes, batches of 9.6 MB", warm=TWICE_HWM),
        _large("runner_batches_float32", "runner, 2 processes, batches of 38.5 MB", warm=TWICE_HWM),
        _tiny("runner_tiny_1", "runner, 1 process, [int, int]"),
        _tiny("runner_tiny_2", "runner, 2 processes, [int, int]"),
        Workload("runner_images", "runner, 2 processes, images of 150 KB", "1/s", count_array),
        _tiny("map_tiny", "map in 2 processes, [int, int]"),
        _tiny("map_tiny_strict", "strict map in 2 processes, [int, int]"),
        Workload("map_images", "map in 2 processes, images of 150 KB both ways", "1/s", count_array),
        _tiny("thread_map_tiny", "map in 2 threads, [int, int]"),
        _jpeg("jpeg", "map and batch"),
        _jpeg("jpeg_runner", "runner over batches"),
        _jpeg("jpeg_parent", "batches in the parent"),
        _jpeg("jpeg_fast", "only the crop"),
        _large("batch_uint8", "batches of 64 images, in process, uint8"),
        _large("batch_float32", "batches of 64 images, in process, float32"),
        _tiny("shuffle_10k", "local shuffle of [int, int], buffer 10 k"),
        _tiny("shuffle_50k", "local shuffle of [int, int], buffer 50 k"),
        _tiny("shuffle_500k", "local shuffle of [int, int], buffer 500 k"),
        Workload("chain", "three maps, repeat, batch as lists, [int, int]", "1/s", _list_batch),
        _figure("start", "construct with 2 processes to first datapoint", "ms"),
        _figure("stop", "full queues to all children gone", "ms"),
        _figure("latency", "one datapoint through an idle process", "ms"),
        _figure("import_ms", "import, above NumPy", "ms"),
        _figure("import_mb", "import, above NumPy", "MB"),
    )
}
