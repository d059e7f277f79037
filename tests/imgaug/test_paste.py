"""Pasting into a background."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dataflow import imgaug
from dataflow.imgaug import BackgroundFiller, ConstantBackgroundFiller

from .zoo import COLOUR, GRAY, GRAY_AXIS, image, seeded


class Ramp(BackgroundFiller):
    """Not constant."""

    def _fill(self, background_shape: tuple[int, ...], img: Any) -> Any:
        ramp = np.arange(background_shape[1]) % 200
        shape = background_shape + img.shape[2:]
        return np.broadcast_to(ramp.reshape(1, -1, *[1] * (img.ndim - 2)), shape).astype(img.dtype)


@pytest.mark.parametrize("shape", [COLOUR, GRAY_AXIS, GRAY])
@pytest.mark.parametrize("filler", [None, ConstantBackgroundFiller(7), Ramp()])
def test_center_paste(shape: tuple[int, ...], filler: Any) -> None:
    img = image(shape)
    transform = imgaug.CenterPaste((61, 80), filler).get_transform(img)
    out = transform.apply_image(img)
    expected = (filler or ConstantBackgroundFiller(0)).fill((61, 80), img)
    assert expected.shape == (61, 80, *shape[2:])
    expected[6:54, 8:72] = img
    assert np.array_equal(out, expected)
    assert np.array_equal(transform.apply_coords([[1.0, 2]]), [[9, 8]])
    assert np.array_equal(transform.apply_box([[1.0, 2, 3, 4]]), [[9, 8, 11, 10]])
    labels = transform.apply_segmentation(image(GRAY).astype(np.int64))
    assert labels.dtype == np.int64
    assert labels[0, 5] == (7 if isinstance(filler, ConstantBackgroundFiller) else 0)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.float32, np.float64, np.bool_, np.uint64, ">f4"])
@pytest.mark.parametrize("channels", [2, 4, 5, 600])
def test_a_black_background(channels: int, dtype: Any) -> None:
    whole = np.ones((8, 9, channels), dtype)
    part = whole[2:5, 1:6]  # what is beside it in memory must not get in
    out = imgaug.CenterPaste((7, 8)).augment(part)
    expected = np.zeros((7, 8, channels), dtype)
    expected[2:5, 1:6] = 1
    assert out.dtype == dtype
    assert np.array_equal(out, expected)
    same = imgaug.CenterPaste((3, 5)).augment(part)
    assert not np.shares_memory(same, whole)
    assert np.array_equal(same, part)


def test_random_paste() -> None:
    rng, paste = np.random.RandomState(3), seeded(imgaug.RandomPaste((60, 80)), 3)
    for _ in range(10):
        y0, x0 = int(np.float32(rng.uniform(0, 12))), int(np.float32(rng.uniform(0, 16)))
        transform = paste.get_transform(image())
        assert np.array_equal(transform.apply_coords([[0.0, 0]]), [[x0, y0]])
    # of the same size: allowed, and both are drawn
    same = seeded(imgaug.RandomPaste((48, 64)))
    assert np.array_equal(same.augment(image()), image())
    rng = np.random.RandomState(42)
    rng.uniform(size=2)
    assert same.rng.rand() == rng.rand()


@pytest.mark.parametrize(
    "value, dtype, expected",
    [
        (300, np.uint8, [255]),
        (-3.5, np.uint8, [0]),
        (7.9, np.uint8, [7]),
        (0.5, np.float32, [0.5]),
        (300, np.float32, [300]),
        ((1, 2, 999), np.uint8, [1, 2, 255]),
    ],
)
def test_constant_filler(value: Any, dtype: Any, expected: list[float]) -> None:
    out = ConstantBackgroundFiller(value).fill([3, 4], np.zeros((1, 1, 3), dtype))
    assert (out.dtype, out.shape) == (dtype, (3, 4, 3))
    assert np.array_equal(out, np.broadcast_to(np.array(expected, dtype), (3, 4, 3)))


def test_a_colour_is_no_label() -> None:
    paste = imgaug.CenterPaste((50, 66), ConstantBackgroundFiller((1, 2, 3)))
    transform = paste.get_transform(image())
    assert transform.apply_image(image())[0, 0].tolist() == [1, 2, 3]
    assert transform.apply_segmentation(image(GRAY))[0, 0] == 0


def test_errors() -> None:
    for cls in (imgaug.CenterPaste, imgaug.RandomPaste):
        with pytest.raises(ValueError, match=rf"{cls.__name__}.*uint8 of shape \(48, 64, 3\) does not fit"):
            cls((47, 100)).augment(image())
        with pytest.raises(TypeError, match=f"{cls.__name__}: expected a BackgroundFiller, got 255"):
            cls(100, 255)  # type: ignore[arg-type]
    transform = imgaug.CenterPaste(100).get_transform(image())
    with pytest.raises(ValueError, match="does not fit"):
        transform.apply_image(np.zeros((90, 90), np.uint8))
    with pytest.raises(NotImplementedError, match="BackgroundFiller must define _fill"):
        BackgroundFiller().fill((3, 4), image())
    assert repr(ConstantBackgroundFiller(3)) == "imgaug.ConstantBackgroundFiller(value=3)"
