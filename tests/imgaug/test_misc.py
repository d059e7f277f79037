"""Flip, transpose, resize."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from dataflow import imgaug
from dataflow.imgaug.transform import FlipTransform, NoOpTransform, TransposeTransform

from .zoo import image, seeded


def test_flip() -> None:
    rng, flip = np.random.RandomState(42), seeded(imgaug.Flip(vert=True, prob=0.6))
    for _ in range(20):
        transform = flip.get_transform(image())
        flipped = np.float32(rng.uniform(0, 1)) < 0.6
        assert isinstance(transform, FlipTransform if flipped else NoOpTransform)
        assert not flipped or not transform.horiz
    assert np.array_equal(imgaug.Flip(horiz=True, prob=1).augment(image()), image()[:, ::-1])


def test_probability_one_is_certain() -> None:
    class AlmostOne:
        def random_sample(self) -> float:
            return 1 - 2.0**-53  # 1 in float32

    flip = imgaug.Flip(horiz=True, prob=1)
    flip.rng = AlmostOne()  # type: ignore[assignment]
    assert isinstance(flip.get_transform(image()), FlipTransform)


def test_transpose() -> None:
    rng, transpose = np.random.RandomState(42), seeded(imgaug.Transpose(0.3))
    for _ in range(20):
        kind = TransposeTransform if rng.rand() < 0.3 else NoOpTransform
        assert type(transpose.get_transform(image())) is kind


def test_resize() -> None:
    assert imgaug.Resize(5).shape == (5, 5)
    assert imgaug.Resize([np.int64(5), 7]).shape == (5, 7)
    nearest = imgaug.Resize((9, 11), interp=cv2.INTER_NEAREST).augment(image())
    assert np.array_equal(nearest, cv2.resize(image(), (11, 9), interpolation=cv2.INTER_NEAREST))


@pytest.mark.parametrize(
    "shape, size, expected",
    [((48, 64), 24, (24, 32)), ((64, 48), 24, (32, 24)), ((10, 10), 7.9, (7, 7)), ((3, 10), 5, (5, 17))],
)
def test_resize_shortest_edge(shape: tuple[int, int], size: float, expected: tuple[int, int]) -> None:
    resize = imgaug.ResizeShortestEdge(size)  # type: ignore[arg-type]
    assert resize.augment(np.zeros(shape, np.uint8)).shape == expected


def new_size(augmentor: Any) -> tuple[int, int]:
    transform = augmentor.get_transform(image())
    return transform.new_h, transform.new_w


def test_random_resize_rejects() -> None:
    rng, resize = np.random.RandomState(5), seeded(imgaug.RandomResize((30, 90), (20, 60)), 5)
    for _ in range(10):
        while True:
            x, y = (int(np.float32(rng.uniform(*r)) + 0.5) for r in ((30, 90), (20, 60)))
            if abs(x / y - 64 / 48) / (64 / 48) < 0.15 + 1e-5:
                break
        assert new_size(resize) == (y, x)


def test_random_resize_keeps_the_ratio() -> None:
    x = np.float32(np.random.RandomState(42).uniform(30, 90))
    expected = (int(x / 64 * 48 + 0.5), int(x + 0.5))
    assert new_size(seeded(imgaug.RandomResize((30, 90), aspect_ratio_thres=0))) == expected
    assert new_size(imgaug.RandomResize((0.1, 0.2), aspect_ratio_thres=0, minimum=(40, 30))) == (30, 40)
    assert new_size(imgaug.RandomResize((1, 2), (1, 2), minimum=(40, 30))) == (30, 40)


def test_random_resize_gives_up(caplog: pytest.LogCaptureFixture, capsys: Any) -> None:
    resize = seeded(imgaug.RandomResize((100, 101), (10, 11)))
    assert new_size(resize) == (48, 64)
    rng = np.random.RandomState(42)
    rng.uniform(size=102)
    assert resize.rng.rand() == rng.rand(), "51 attempts"
    said = caplog.text + capsys.readouterr().out
    assert "no size drawn for an image of 48 x 64 kept the aspect ratio" in said


def test_random_resize_ignores_pixel_yrange(caplog: pytest.LogCaptureFixture, capsys: Any) -> None:
    imgaug.RandomResize((30, 90), (1, 2), aspect_ratio_thres=0)
    assert "yrange is not used" in caplog.text + capsys.readouterr().out


@pytest.mark.parametrize(
    "make, error, text",
    [
        (lambda: imgaug.Flip(), ValueError, "Flip: expected one of horiz and vert"),
        (lambda: imgaug.Flip(True, True), ValueError, "Flip: expected one of horiz and vert"),
        (lambda: imgaug.Flip(True, prob=1.5), ValueError, "Flip: prob: expected a probability"),
        (lambda: imgaug.Transpose(-1), ValueError, "Transpose: prob: expected a probability"),
        (lambda: imgaug.Resize("12"), RuntimeError, "2-D shape; got '12'"),
        (lambda: imgaug.Resize((1, 2, 3)), RuntimeError, "2-D shape"),
        (lambda: imgaug.RandomResize(3), TypeError, "RandomResize: xrange: expected a pair"),
        (lambda: imgaug.RandomResize((1, 2)), TypeError, "RandomResize: yrange is needed"),
        (lambda: imgaug.RandomResize((1, 2), (0.5, 2)), TypeError, "both ranges as factors"),
        (
            lambda: imgaug.RandomResize((1, 2), (1, 2), (0, 0), -1),
            ValueError,
            "aspect_ratio_thres: expected at least 0",
        ),
        (lambda: imgaug.RandomResize((0.5, 2), (0.5, 1), (0, 0), 0), ValueError, "needs yrange None or"),
    ],
)
def test_wrong_arguments(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()
