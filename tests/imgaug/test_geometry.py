"""Affine augmentors: their matrices, computed here, and their borders."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import pytest

from dataflow import imgaug
from dataflow.imgaug import RotationAndCropValid

from .zoo import GRAY, image, seeded

f32 = np.float32
H, W = 48, 64


def rotation(cx: float, cy: float, degrees: float, scale: float = 1) -> Any:
    """Return the matrix by its formula; OpenCV rounds the centre to float32."""
    cx, cy = float(f32(cx)), float(f32(cy))
    a, b = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    return np.array([[a, b, (1 - a) * cx - b * cy], [-b, a, b * cx + (1 - a) * cy]])


@pytest.mark.parametrize("seed", range(3))
def test_shift(seed: int) -> None:
    rng = np.random.RandomState(seed)
    dx = np.round(f32(rng.uniform(-0.3 * W, 0.3 * W)))
    dy = np.round(f32(rng.uniform(-0.2 * H, 0.2 * H)))
    transform = seeded(imgaug.Shift(0.3, 0.2), seed).get_transform(image())
    assert np.array_equal(transform.mat, [[1, 0, dx], [0, 1, dy]])
    rows, columns = np.clip(np.arange(H) - int(dy), 0, H - 1), np.clip(np.arange(W) - int(dx), 0, W - 1)
    assert np.array_equal(transform.apply_image(image()), image()[rows][:, columns])


@pytest.mark.parametrize("seed", range(3))
def test_rotation(seed: int) -> None:
    rng = np.random.RandomState(seed)
    x, y = rng.uniform(0.2, 0.8, (2,)).astype(f32).tolist()
    degrees = float(f32(rng.uniform(-40, 40)))
    transform = seeded(imgaug.Rotation(40, (0.2, 0.8)), seed).get_transform(image())
    np.testing.assert_allclose(transform.mat, rotation(W * x - 0.5, H * y - 0.5, degrees), atol=1e-12)


def test_steps() -> None:
    angles = set()
    for seed in range(60):
        transform: Any = seeded(imgaug.Rotation(180, step_deg=90), seed).get_transform(image())
        angles.add(round(math.degrees(math.atan2(transform.mat[0, 1], transform.mat[0, 0]))) % 360)
    assert angles == {0, 90, 180, 270}
    quarter = imgaug.RotationAndCropValid(180, step_deg=90)
    shapes = {seeded(quarter, seed).augment(image()).shape for seed in range(20)}
    assert shapes == {(48, 64, 3), (48, 48, 3)}


@pytest.mark.parametrize("seed", range(3))
def test_affine(seed: int) -> None:
    rng = np.random.RandomState(seed)
    scale = float(f32(rng.uniform(0.8, 1.2)))
    dx = np.round(f32(rng.uniform(-0.1 * W, 0.1 * W)))
    dy = np.round(f32(rng.uniform(-0.2 * H, 0.2 * H)))
    shear = math.radians(f32(rng.uniform(-10, 10)))
    cx, cy = W * 0.5 - 0.5, H * 0.5 - 0.5
    linear = rotation(cx, cy, float(f32(rng.uniform(-30, 30))), scale)[:, :2]
    linear = linear @ [[1, math.sin(shear)], [0, math.cos(shear)]]
    offset = [cx, cy] - linear @ [cx, cy] + [dx, dy]
    transform = seeded(imgaug.Affine((0.8, 1.2), [0.1, 0.2], 30, 10), seed).get_transform(image())
    np.testing.assert_allclose(transform.mat, np.c_[linear, offset], atol=1e-10)


def test_affine_draws_what_is_asked_for() -> None:
    """And the angle always."""
    for affine, number in (
        (imgaug.Affine(), 1),
        (imgaug.Affine(shear=5), 2),
        (imgaug.Affine(translate_frac=(0, 0)), 3),
        (imgaug.Affine((1, 2), (0, 0), 5, 5), 5),
    ):
        seeded(affine).get_transform(image())
        rng = np.random.RandomState(42)
        rng.uniform(size=number)
        assert affine.rng.rand() == rng.rand()
    assert np.array_equal(imgaug.Affine().augment(image()), image())


def largest_by_search(w: float, h: float, degrees: float) -> float:
    """Return the area of the largest rectangle inside, by trying aspect ratios."""
    sin, cos = abs(math.sin(math.radians(degrees))), abs(math.cos(math.radians(degrees)))
    best = 0.0
    for angle in np.linspace(1e-6, math.pi / 2 - 1e-6, 20001):
        rw, rh = math.cos(angle), math.sin(angle)  # times s: both corners inside when turned back
        s = min(w / (rw * cos + rh * sin), h / (rw * sin + rh * cos))
        best = max(best, s * s * rw * rh)
    return best


@pytest.mark.parametrize("degrees", [0, 10, 44, 45, 60, 90, 135, -20, 200])
@pytest.mark.parametrize("w, h", [(640, 480), (300, 900), (500, 500)])
def test_largest_rotated_rect(w: int, h: int, degrees: float) -> None:
    rw, rh = RotationAndCropValid.largest_rotated_rect(w, h, degrees)
    assert isinstance(rw, int)
    assert rw * rh == pytest.approx(largest_by_search(w, h, degrees), rel=0.01)
    assert RotationAndCropValid.largest_rotated_rect(0, h, degrees) == (0, 0)


@pytest.mark.parametrize("seed", range(5))
def test_no_border_in_the_valid_crop(seed: int) -> None:
    out = seeded(imgaug.RotationAndCropValid(180), seed).augment(np.full((200, 300), 100, np.uint8))
    assert out[2:-2, 2:-2].min() >= 95


@pytest.mark.parametrize(
    "augmentor",
    [
        imgaug.Rotation(45, border=cv2.BORDER_CONSTANT, border_value=128),
        imgaug.Affine((0.4, 0.5), border=cv2.BORDER_CONSTANT, border_value=128),
        imgaug.Shift(0.9, 0.9, border=cv2.BORDER_CONSTANT, border_value=128),
    ],
)
def test_border_value_is_for_all_channels(augmentor: Any) -> None:
    augmentor = seeded(augmentor)
    img = np.full((H, W, 3), 7, np.uint8)
    out = augmentor.augment(img)
    assert (out == 128).all(axis=2).any()
    assert np.array_equal(out[:, :, 0], out[:, :, 2])
    assert (seeded(augmentor).augment(img[:, :, 0]) == 128).any()


def test_counter_clockwise() -> None:
    """A positive angle turns the picture counter-clockwise, as OpenCV has it."""
    img = np.zeros((21, 21), np.uint8)
    img[10, 20] = 255  # at the right
    turned: Any = imgaug.Rotation(180, (0.5, 0.5), step_deg=90)
    for seed in range(20):
        transform = seeded(turned, seed).get_transform(img)
        if transform.mat[0, 1] > 0.5:
            out = transform.apply_image(img)
            assert np.unravel_index(out.argmax(), out.shape) == (0, 10)  # at the top
            return
    raise AssertionError("90 degrees were never drawn")


def test_labels_are_not_mixed() -> None:
    labels = (image(GRAY) > 100).astype(np.int32) * 1000
    transform = seeded(imgaug.Rotation(30)).get_transform(image())
    assert set(np.unique(transform.apply_segmentation(labels))) == {0, 1000}
    image_of_labels = transform.apply_image(labels.astype(f32))
    agree = np.abs(transform.apply_segmentation(labels) - image_of_labels) <= 600
    assert agree.mean() > 0.99


@pytest.mark.parametrize(
    "make, error, text",
    [
        (lambda: imgaug.Shift(1, 0), ValueError, "Shift: expected fractions less than 1"),
        (lambda: imgaug.Rotation(90, step_deg=45), ValueError, "Rotation: step_deg must divide max_deg=180"),
        (lambda: imgaug.Rotation(180, step_deg=50), ValueError, "Rotation: step_deg"),
        (lambda: imgaug.RotationAndCropValid(180, step_deg=0), ValueError, "RotationAndCropValid: step_deg"),
        (lambda: imgaug.Rotation(30, 0.5), TypeError, "Rotation: center_range: expected a pair"),
        (lambda: imgaug.Affine(1.5), TypeError, "Affine: scale: expected a pair"),
        (lambda: imgaug.Affine(translate_frac=0.1), TypeError, "Affine: translate_frac: expected a pair"),
        (lambda: imgaug.Affine(shear=-1), ValueError, "Affine: shear"),
    ],
)
def test_wrong_arguments(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()
