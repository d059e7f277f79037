"""Coordinates with more than two columns, and colour images with a fourth channel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dataflow import imgaug
from dataflow.imgaug import transform as T

IMAGE = np.random.RandomState(0).randint(0, 256, (20, 30, 3)).astype(np.uint8)
POINTS = np.array([[1.0, 2.0], [7.5, 3.25]])
MORE = np.array([[1.0, 0.5, 9.0], [0.0, 2.5, 8.0]])


@pytest.mark.parametrize(
    "transform",
    [
        T.FlipTransform(20, 30, True),
        T.FlipTransform(20, 30, False),
        T.ResizeTransform(20, 30, 40, 15, 1),
        T.CropTransform(2, 3, 10, 10),
        T.TransposeTransform(),
        T.WarpAffineTransform(np.array([[1.0, 0.5, 3.0], [0.25, 1.0, 4.0]]), (30, 20)),
        T.NoOpTransform(),
        T.PhotometricTransform(lambda img: img),
        imgaug.CenterPaste((30, 40)).get_transform(IMAGE),
        imgaug.TransformList([T.TransposeTransform(), T.FlipTransform(30, 20)]),
    ],
    ids=lambda transform: type(transform).__name__,
)
@pytest.mark.parametrize("columns", [1, 2, 3])
def test_x_and_y_move_and_the_rest_is_kept(transform: Any, columns: int) -> None:
    rest = MORE[:, :columns]
    points = np.concatenate((POINTS, rest), axis=1)
    before = points.copy()
    moved = transform.apply_coords(points)
    assert moved.shape == (2, 2 + columns)
    np.testing.assert_array_equal(moved[:, :2], transform.apply_coords(POINTS))
    np.testing.assert_array_equal(moved[:, 2:], rest)
    np.testing.assert_array_equal(points, before)


@pytest.mark.parametrize("shape", [(2, 1), (2,), (2, 3, 4)])
def test_no_points(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected an N x 2 array"):
        T.FlipTransform(20, 30).apply_coords(np.zeros(shape))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize(
    "augmentor",
    [
        imgaug.Brightness(30),
        imgaug.BrightnessScale((0.5, 1.5)),
        imgaug.Clip(),
        imgaug.Contrast((0.5, 1.5)),
        imgaug.Contrast((0.5, 1.5), rgb=True),
        imgaug.Gamma(),
        imgaug.GaussianBlur(),
        imgaug.GaussianNoise(),
        imgaug.Grayscale(),
        imgaug.Grayscale(rgb=True, keepshape=True),
        imgaug.Hue(),
        imgaug.JpegNoise(),
        imgaug.MeanVarianceNormalize(),
        imgaug.MinMaxNormalize(all_channel=False),
        imgaug.SaltPepperNoise(),
        imgaug.Saturation(),
        imgaug.ToFloat32(),
        imgaug.ToUint8(),
    ],
    ids=repr,
)
def test_a_fourth_channel(augmentor: Any, dtype: Any) -> None:
    alpha = np.full((20, 30, 1), 200, np.uint8)
    image = np.concatenate((IMAGE, alpha), axis=2).astype(dtype)
    augmentor.rng.seed(3)
    out = augmentor.augment(image)
    assert out.shape[:2] == (20, 30)
    if isinstance(augmentor, imgaug.Grayscale | imgaug.Hue | imgaug.JpegNoise):  # they leave it out
        augmentor.rng.seed(3)
        np.testing.assert_allclose(out, augmentor.augment(image[:, :, :3].copy()), rtol=1e-4, atol=1e-2)
