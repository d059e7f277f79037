"""Noise."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from dataflow import imgaug

from .zoo import COLOUR, GRAY, GRAY_AXIS, image, seeded

SHAPES = (COLOUR, GRAY_AXIS, GRAY)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_gaussian(shape: tuple[int, ...], dtype: Any) -> None:
    img, noise = image(shape, dtype), np.random.RandomState(42).randn(*shape)
    out = seeded(imgaug.GaussianNoise(40)).augment(img)
    assert np.array_equal(out, np.clip(img + noise * 40, 0, 255).astype(dtype))
    if dtype == np.float32:
        out = seeded(imgaug.GaussianNoise(40, clip=False)).augment(img)
        assert np.array_equal(out, (img + noise * 40).astype(dtype))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_salt_and_pepper(shape: tuple[int, ...], dtype: Any) -> None:
    img, draws = image(shape, dtype), np.random.RandomState(42).uniform(0, 1, shape)
    out = seeded(imgaug.SaltPepperNoise(0.2, 0.1)).augment(img)
    expected = np.where(draws < 0.1, 0, np.where(draws > 1 - 0.2, 255, img))
    assert np.array_equal(out, expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_jpeg(shape: tuple[int, ...]) -> None:
    img = image(shape)
    out = seeded(imgaug.JpegNoise((10, 30))).augment(img)
    quality = np.random.RandomState(42).randint(10, 30)
    encoded = cv2.imencode(".jpg", img, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    expected = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    assert np.array_equal(out, expected.reshape(shape))
    assert np.abs(out.astype(int) - img).mean() < 12
    rounded = seeded(imgaug.JpegNoise((10, 30))).augment(img.astype(np.float32) + 0.3)
    assert np.array_equal(rounded, out)


def test_jpeg_needs_the_full_range() -> None:
    with pytest.raises(ValueError, match=r"JpegNoise.*float32 of shape \(48, 64, 3\) in \[0, 1\]; multiply"):
        imgaug.JpegNoise().augment(image(dtype=np.float32) / 255)
    dark = np.zeros((8, 8), np.float32)
    dark[0, 0] = 1  # whole numbers up to 1 are a dark image in [0, 255]
    assert imgaug.JpegNoise().augment(dark).max() <= 3
    with pytest.raises(ValueError, match=r"JpegNoise.*one channel or three"):
        imgaug.JpegNoise().augment(image()[:, :, :2])


@pytest.mark.parametrize("augmentor", [imgaug.GaussianNoise(), imgaug.SaltPepperNoise()])
def test_noise_fits_its_shape_only(augmentor: Any) -> None:
    transform = augmentor.get_transform(image())
    with pytest.raises(ValueError, match=r"drawn for shape \(48, 64, 3\), got uint8 of shape \(48, 64\)"):
        transform.apply_image(image(GRAY))


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="SaltPepperNoise: expected probabilities of sum 1 at most"):
        imgaug.SaltPepperNoise(0.6, 0.5)
    with pytest.raises(ValueError, match="JpegNoise: quality_range: expected low < high"):
        imgaug.JpegNoise((50, 50))
