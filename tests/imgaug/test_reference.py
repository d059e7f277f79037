"""The values that the behaviour reference gives for ``RandomState(42)``."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest

from dataflow import imgaug
from dataflow.imgaug import ImageAugmentor
from dataflow.imgaug.geometry import CropTransform, WarpAffineTransform
from dataflow.imgaug.transform import FlipTransform, ResizeTransform, TransformList, TransposeTransform

from .zoo import reference_image, seeded


def transform_of(augmentor: ImageAugmentor, img: Any = None) -> Any:
    return seeded(augmentor).get_transform(reference_image() if img is None else img)


def crop(transform: Any) -> tuple[int, ...]:
    assert isinstance(transform, CropTransform)
    return transform.y0, transform.x0, transform.h, transform.w


def new_size(transform: Any) -> tuple[int, int]:
    assert isinstance(transform, ResizeTransform)
    assert (transform.h, transform.w) == (48, 64)
    return transform.new_h, transform.new_w


def test_flips() -> None:
    assert isinstance(transform_of(imgaug.Flip(horiz=True)), FlipTransform)
    assert isinstance(transform_of(imgaug.Transpose()), TransposeTransform)


def test_crops() -> None:
    assert crop(transform_of(imgaug.RandomCrop(20))) == (6, 28, 20, 20)
    # the size; the place may be any since the last offset is possible
    assert crop(transform_of(imgaug.RandomCropRandomShape(10, 12)))[2:] == (40, 24)
    first, second = transform_of(imgaug.GoogleNetRandomCropAndResize()).tfms
    assert crop(first) == (6, 20, 32, 41)
    assert (second.h, second.w, second.new_h, second.new_w) == (32, 41, 224, 224)


def test_sizes() -> None:
    assert new_size(transform_of(imgaug.RandomResize((0.5, 1.5), (0.5, 1.5)))) == (53, 79)
    assert new_size(transform_of(imgaug.RandomResize((0.5, 1.5), aspect_ratio_thres=0))) == (42, 56)
    assert new_size(transform_of(imgaug.RandomResize((30, 90), (20, 60)))) == (26, 39)


MATRICES = [
    (imgaug.Shift(0.2, 0.2), [[1, 0, -3], [0, 1, 9]], np.float32),
    (
        imgaug.Rotation(30),
        [[0.970634092, 0.240560718, -10.1683015], [-0.240560718, 0.970634092, 6.97150586]],
        np.float64,
    ),
    (
        imgaug.Rotation(180, step_deg=45),
        [[0.707106781, 0.707106781, -25.0403888], [-0.707106781, 0.707106781, 29.8157236]],
        np.float64,
    ),
    (
        imgaug.Affine((0.8, 1.2), (0.1, 0.2), 30.0, 10.0),
        [[0.888857382, -0.303984909, 16.6446378], [0.334788112, 0.8998576, -4.19247912]],
        np.float64,
    ),
]


@pytest.mark.parametrize("augmentor, matrix, dtype", MATRICES)
def test_matrices(augmentor: ImageAugmentor, matrix: list[list[float]], dtype: Any) -> None:
    transform = transform_of(augmentor)
    assert isinstance(transform, WarpAffineTransform)
    assert transform.mat.dtype == dtype
    np.testing.assert_allclose(transform.mat, matrix, rtol=1e-8)
    assert transform.dsize == (64, 48)


def test_rotation_and_crop_valid() -> None:
    transform = transform_of(imgaug.RotationAndCropValid(30))
    assert isinstance(transform, TransformList)
    warp, cut = transform.tfms
    expected = [[0.991381887, -0.13100364, 3.35005609], [0.13100364, 0.991381887, -3.924089]]
    np.testing.assert_allclose(warp.mat, expected, rtol=1e-8)  # type: ignore[arg-type]
    assert crop(cut) == (3, 2, 41, 59)


def test_random_paste() -> None:
    transform = transform_of(imgaug.RandomPaste((80, 90)), np.zeros((48, 64), np.uint8))
    assert np.array_equal(transform.apply_coords(np.zeros((1, 2))), [[24, 11]])


def test_blur_and_jpeg() -> None:
    kernel, sigma = seeded(imgaug.GaussianBlur((1, 4), (0.5, 2)))._get_augment_params(None)
    assert kernel == (7, 7)
    assert sigma == pytest.approx((0.775152206, 0.775152206), rel=1e-8)
    assert seeded(imgaug.JpegNoise())._get_augment_params(None) == 78


def test_choices() -> None:
    crops = [imgaug.CenterCrop(k + 1) for k in range(4)]
    choose = seeded(imgaug.RandomChooseAug(crops))
    chosen = [choose.get_transform(reference_image()).h - 1 for _ in range(6)]
    assert chosen == [1, 3, 2, 2, 0, 0]
    order = imgaug.RandomOrderAug([imgaug.CenterCrop(k + 1) for k in range(5)])
    assert [t.h - 1 for t in transform_of(order).tfms] == [1, 4, 2, 0, 3]


PIXELS = [
    (imgaug.Hue((-90, 90)), 782604, "a3a883cd"),
    (imgaug.Brightness(30), 645156, "588898c9"),
    (imgaug.BrightnessScale((0.5, 1.5)), 621612, "909920b7"),
    (imgaug.Contrast((0.5, 1.5)), 711816, "8703af77"),
    (imgaug.Contrast((0.5, 1.5), rgb=True), 714684, "53f54663"),
    (imgaug.Gamma(), 628800, "71a1fe39"),
    (imgaug.Saturation(0.4), 714216, "29c07cf0"),
    (imgaug.Lighting(0.1, [1, 2, 3], 10 * np.eye(3)), 716316, "bd489e3e"),
    (imgaug.GaussianNoise(3), 711932, "f21248f4"),
    (imgaug.SaltPepperNoise(), 765433, "6b97870d"),
    (imgaug.RandomCutout(5, 6), 709822, "f422b9fd"),
]


@pytest.mark.parametrize("augmentor, total, crc", PIXELS, ids=lambda value: type(value).__name__)
def test_pixels(augmentor: ImageAugmentor, total: int, crc: str) -> None:
    out = transform_of(augmentor).apply_image(reference_image())
    assert out.dtype == np.uint8
    assert int(out.sum()) == total
    assert f"{zlib.crc32(out.tobytes()):08x}" == crc


PARAMETERS = [
    (imgaug.Hue((-90, 90)), -22.58277893),
    (imgaug.Brightness(30), -7.527592659),
    (imgaug.BrightnessScale((0.5, 1.5)), 0.8745400906),
    (imgaug.Contrast((0.5, 1.5)), 0.8745400906),
    (imgaug.Gamma(), -0.1254598796),
    (imgaug.Saturation(0.4), 0.8996320963),
    (imgaug.Lighting(0.1, [1, 2, 3], np.eye(3)), [0.0496714152, -0.0138264298, 0.0647688508]),
]


@pytest.mark.parametrize("augmentor, expected", PARAMETERS, ids=lambda value: type(value).__name__)
def test_parameters(augmentor: Any, expected: Any) -> None:
    params = seeded(augmentor)._get_augment_params(reference_image())
    assert params.dtype == np.float32
    np.testing.assert_allclose(params, expected, rtol=1e-8 if np.ndim(expected) == 0 else 1e-7)


def test_normalization() -> None:
    out = imgaug.MeanVarianceNormalize().augment(reference_image())
    assert out[0, 0, 0] == pytest.approx(-1.26207149, rel=1e-6)
    assert out[5, 5, 1] == pytest.approx(0.166884959, rel=1e-6)
    assert imgaug.MinMaxNormalize().augment(reference_image())[5, 5, 1] == 88.0
