"""Crops and cutout."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from dataflow import imgaug

from .zoo import GRAY, image, seeded


def place(transform: Any) -> tuple[int, int, int, int]:
    return transform.y0, transform.x0, transform.h, transform.w


def test_random_crop_reaches_all_places() -> None:
    rng, crop = np.random.RandomState(3), seeded(imgaug.RandomCrop((46, 62)), 3)
    places = set()
    for _ in range(100):
        expected = (rng.randint(3), rng.randint(3), 46, 62)
        assert place(crop.get_transform(image())) == expected
        places.add(expected)
    assert len(places) == 9
    assert imgaug.RandomCrop((5.9, np.int64(4))).crop_shape == (5, 4)  # type: ignore[arg-type]
    assert imgaug.RandomCrop(5.9).crop_shape == (5, 5)  # type: ignore[arg-type]
    assert imgaug.RandomCrop(np.array([5, 4])).crop_shape == (5, 4)  # type: ignore[arg-type]
    assert place(imgaug.RandomCrop((48, 64)).get_transform(image())) == (0, 0, 48, 64)


@pytest.mark.parametrize("size, expected", [(20, (14, 22, 20, 20)), ((21, 64), (13, 0, 21, 64))])
def test_center_crop(size: Any, expected: tuple[int, ...]) -> None:
    assert place(imgaug.CenterCrop(size).get_transform(image())) == expected


def test_random_shape_draws_all_four() -> None:
    rng, crop = np.random.RandomState(3), seeded(imgaug.RandomCropRandomShape(60, 46, hmax=0), 3)
    for _ in range(50):
        h, w = rng.randint(46, 49), rng.randint(60, 65)
        y0, x0 = rng.randint(48 - h + 1), rng.randint(64 - w + 1)
        assert place(crop.get_transform(image())) == (y0, x0, h, w)


def test_googlenet() -> None:
    rng, crop = np.random.RandomState(3), seeded(imgaug.GoogleNetRandomCropAndResize(target_shape=8), 3)
    for _ in range(20):
        for _ in range(10):
            area, ratio = rng.uniform(0.08, 1.0) * 48 * 64, rng.uniform(0.75, 1.333)
            w, h = int(math.sqrt(area * ratio) + 0.5), int(math.sqrt(area / ratio) + 0.5)
            w, h = (h, w) if rng.uniform() < 0.5 else (w, h)
            if h <= 48 and w <= 64:
                x0, y0 = rng.randint(0, 64 - w + 1), rng.randint(0, 48 - h + 1)
                break
        assert place(crop.get_transform(image()).tfms[0]) == (y0, x0, h, w)


def test_googlenet_falls_back() -> None:
    """A strip can't hold any such rectangle: the centre of the resized image."""
    crop = imgaug.GoogleNetRandomCropAndResize((0.9, 1.0), target_shape=8)
    transform = crop.get_transform(np.zeros((4, 400), np.uint8))
    assert repr(transform) == (
        "imgaug.TransformList([\n"
        "  imgaug.ResizeTransform(h=4, w=400, new_h=8, new_w=800, interp=1),\n"
        "  imgaug.CropTransform(y0=0, x0=396, h=8, w=8)])"
    )


def test_cutout() -> None:
    rng, img = np.random.RandomState(3), image()
    cut = seeded(imgaug.RandomCutout((2, 10), (5, 40), (7, 8, 9)), 3)
    for _ in range(20):
        h, w = rng.randint(2, 10), rng.randint(5, 40)
        x0, y0 = rng.randint(0, 64 - w + 1), rng.randint(0, 48 - h + 1)
        expected = img.copy()
        expected[y0 : y0 + h, x0 : x0 + w] = (7, 8, 9)
        assert np.array_equal(cut.augment(img), expected)
    # a numpy integer is a size like an int, with nothing drawn for it
    one, two = seeded(imgaug.RandomCutout(np.int64(5), 6)), seeded(imgaug.RandomCutout(5, 6))  # type: ignore[arg-type]
    assert np.array_equal(one.augment(img), two.augment(img))
    assert repr(one.get_transform(img)) == "imgaug.PhotometricTransform(cutout)"


@pytest.mark.parametrize(
    "augmentor",
    [
        imgaug.RandomCrop(49),
        imgaug.CenterCrop((1, 65)),
        imgaug.RandomCropRandomShape(5, 5, hmax=49),
        imgaug.RandomCropRandomShape(5, 49),
        imgaug.RandomCutout(49, 5),
    ],
)
def test_too_large(augmentor: Any) -> None:
    with pytest.raises(ValueError, match=rf"{type(augmentor).__name__}.*uint8 of shape \(48, 64\)"):
        augmentor.augment(image(GRAY))


@pytest.mark.parametrize(
    "make, error, text",
    [
        (lambda: imgaug.RandomCrop("ab"), RuntimeError, "2-D shape"),
        (lambda: imgaug.CenterCrop((1, 2, 3)), RuntimeError, "2-D shape"),
        (lambda: imgaug.RandomCrop(-3), ValueError, "at least 1 x 1, got -3"),
        (lambda: imgaug.CenterCrop((0, 4)), ValueError, r"at least 1 x 1, got \(0, 4\)"),
        (lambda: imgaug.RandomCropRandomShape(5, -5), ValueError, "at least 1 as wmin and hmin, got 5, -5"),
        (
            lambda: imgaug.RandomCutout(3, -1),
            ValueError,
            "RandomCutout: w_range: expected at least 0, got -1",
        ),
        (lambda: imgaug.RandomCutout((5, 5), 3), ValueError, "RandomCutout: h_range: expected low < high"),
        (lambda: imgaug.RandomCutout(3, 2.5), TypeError, "RandomCutout: w_range: expected a pair"),
        (lambda: imgaug.GoogleNetRandomCropAndResize(0.5), TypeError, "crop_area_fraction: expected a pair"),
        (
            lambda: imgaug.GoogleNetRandomCropAndResize(target_shape=(3, 3)),
            TypeError,
            "an int as target_shape",
        ),
    ],
)
def test_wrong_arguments(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()


def test_max_aspect_ratio_is_gone() -> None:
    with pytest.warns(DeprecationWarning, match="max_aspect_ratio") as warnings:
        imgaug.RandomCropRandomShape(1, 1, max_aspect_ratio=2)
    assert warnings[0].filename == __file__
