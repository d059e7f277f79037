"""The formulas of the pixel augmentors, computed here in NumPy alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dataflow import imgaug

from .zoo import COLOUR, GRAY, GRAY_AXIS, image, seeded

f32 = np.float32
SHAPES = (COLOUR, GRAY_AXIS, GRAY)


def draw(low: float, high: float, seed: int = 42) -> Any:
    return f32(np.random.RandomState(seed).uniform(low, high))


def to_uint8(x: Any) -> Any:
    return np.clip(x, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(5))
def test_brightness(shape: tuple[int, ...], seed: int) -> None:
    img, shift, factor = image(shape), draw(-80, 80, seed), draw(0.2, 3, seed)
    out = seeded(imgaug.Brightness(80), seed).augment(img)
    assert np.array_equal(out, to_uint8(img.astype(f32) + shift))
    out = seeded(imgaug.BrightnessScale((0.2, 3)), seed).augment(img)
    assert np.array_equal(out, to_uint8(img.astype(f32) * factor))


def test_clip_is_for_floats_only() -> None:
    img = np.full((2, 2), 250, f32)
    bright = imgaug.BrightnessScale((2, 2), clip=False)
    assert np.array_equal(bright.augment(img), img * 2)
    assert np.array_equal(imgaug.BrightnessScale((2, 2)).augment(img), img * 0 + 255)
    assert np.array_equal(bright.augment(img.astype(np.uint8)), np.full((2, 2), 255))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.uint8, f32, np.float64])
def test_contrast(shape: tuple[int, ...], dtype: Any) -> None:
    img, factor = image(shape, dtype), draw(0.3, 2)
    out = seeded(imgaug.Contrast((0.3, 2))).augment(img)
    mean = img.mean(axis=(0, 1), keepdims=True)
    expected = img.astype(np.promote_types(dtype, f32)) * factor + mean * (f32(1) - factor)
    assert np.array_equal(out, np.clip(expected, 0, 255).astype(dtype))


def gray_levels(img: Any, rgb: bool = True) -> Any:
    weights = np.array([0.299, 0.587, 0.114])
    return img.astype(np.float64) @ (weights if rgb else weights[::-1])


@pytest.mark.parametrize("rgb", [True, False])
def test_contrast_of_brightness(rgb: bool) -> None:
    img, factor = image(dtype=f32), draw(0.3, 2)
    out = seeded(imgaug.Contrast((0.3, 2), rgb=rgb, clip=False)).augment(img)
    np.testing.assert_allclose(out, img * factor + gray_levels(img, rgb).mean() * (1 - factor), atol=1e-3)


@pytest.mark.parametrize("rgb", [True, False])
@pytest.mark.parametrize("dtype", [np.uint8, f32, np.float64])
def test_saturation(rgb: bool, dtype: Any) -> None:
    img, weight = image(dtype=dtype), 1 + draw(-0.4, 0.4)
    out = seeded(imgaug.Saturation(rgb=rgb)).augment(img)
    gray = gray_levels(img, rgb)
    gray = np.rint(gray) if dtype == np.uint8 else gray
    expected = np.clip(img * np.float64(weight) + (gray * (1 - weight))[:, :, None], 0, 255)
    np.testing.assert_allclose(out, expected, atol=1 if dtype == np.uint8 else 1e-3)


@pytest.mark.parametrize("dtype", [np.uint8, f32, np.float64])
def test_saturation_of_a_large_image(dtype: Any) -> None:
    """Its rows are worked on some at a time, the last of them too, and come out as they do one by one."""
    img = np.random.RandomState(0).randint(0, 256, (403, 700, 3)).astype(dtype)
    transform = seeded(imgaug.Saturation()).get_transform(img)
    rows = [transform.apply_image(img[y : y + 1]) for y in range(len(img))]
    out = transform.apply_image(img)
    assert out.dtype == dtype
    np.testing.assert_allclose(out, np.concatenate(rows), atol=0 if dtype == np.uint8 else 1e-3)


def hsv_pixels(img: Any) -> list[tuple[float, float, float]]:
    import colorsys

    return [colorsys.rgb_to_hsv(*pixel) for pixel in (img.reshape(-1, 3) / 255).tolist()]


@pytest.mark.parametrize("dtype, atol", [(np.uint8, 0.02), (f32, 1e-3), (np.float64, 1e-3)])
def test_hue(dtype: Any, atol: float) -> None:
    """Compared by Python's own conversion, one unit being two degrees."""
    img = image((12, 16, 3), dtype)
    out = seeded(imgaug.Hue((0, 180))).augment(img)
    turn = float(draw(0, 180)) / 180
    for (h, s, v), (h2, s2, v2) in zip(hsv_pixels(img), hsv_pixels(out), strict=True):
        assert abs((h2 - h - turn + 0.5) % 1 - 0.5) < atol
        assert (s2, v2) == pytest.approx((s, v), abs=0.02)


def test_hue_of_bgr_is_the_same() -> None:
    img = image()
    out = seeded(imgaug.Hue(rgb=False)).augment(np.ascontiguousarray(img[:, :, ::-1]))
    assert np.array_equal(out[:, :, ::-1], seeded(imgaug.Hue()).augment(img))


@pytest.mark.parametrize("dtype", [np.uint8, f32])
def test_lighting(dtype: Any) -> None:
    eigval, eigvec = np.array([3, 2, 1], f32), np.arange(9, dtype=f32).reshape(3, 3)
    img = image(dtype=dtype)
    out = seeded(imgaug.Lighting(0.5, eigval, eigvec)).augment(img)
    weights = (np.random.RandomState(42).randn(3) * 0.5).astype(f32)
    shift = eigvec @ (weights * eigval)
    expected = np.clip(img.astype(f32) + shift, 0, 255)
    np.testing.assert_allclose(out, expected.astype(dtype), atol=1e-4)


@pytest.mark.parametrize("dtype", [np.uint8, f32])
def test_gamma(dtype: Any) -> None:
    img, g = image(dtype=dtype), draw(-0.5, 0.5)
    out = seeded(imgaug.Gamma()).augment(img)
    table = ((np.arange(256) / 255) ** (1 / (1 + g)) * 255).astype(np.uint8)
    assert np.array_equal(out, table[img.astype(np.uint8)].astype(dtype))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.uint8, f32])
def test_mean_variance(shape: tuple[int, ...], dtype: Any) -> None:
    img = image(shape, dtype)
    x = img.astype(np.float64)
    out = imgaug.MeanVarianceNormalize().augment(img)
    np.testing.assert_allclose(out, (x - x.mean()) / x.std(), atol=1e-5)
    out = imgaug.MeanVarianceNormalize(all_channel=False).augment(img)
    np.testing.assert_allclose(out, (x - x.mean((0, 1))) / x.std((0, 1)), atol=1e-5)


def test_mean_variance_of_a_constant_image() -> None:
    """The divisor is at least 1 / sqrt(number of elements)."""
    img = np.full((4, 4), 7, np.uint8)
    assert np.array_equal(imgaug.MeanVarianceNormalize().augment(img), np.zeros((4, 4), f32))
    img = np.full((10, 10, 3), 7.0)
    img[0, 0] = 7.001  # a standard deviation far below 1 / sqrt(300)
    out = imgaug.MeanVarianceNormalize().augment(img)
    np.testing.assert_allclose(out[0, 0], 0.00099 * np.sqrt(300), rtol=1e-2)


@pytest.mark.parametrize("dtype", [np.uint8, f32])
def test_min_max(dtype: Any) -> None:
    img = image(dtype=dtype)
    x = img.astype(np.float64)
    out = imgaug.MinMaxNormalize(-1, 3).augment(img)
    np.testing.assert_allclose(out, 4 * (x - x.min()) / (x.max() - x.min()) - 1, atol=1e-5)
    low, high = x.min((0, 1)), x.max((0, 1))
    out = imgaug.MinMaxNormalize(-1, 3, all_channel=False).augment(img)
    np.testing.assert_allclose(out, 4 * (x - low) / (high - low) - 1, atol=1e-5)


def test_min_max_of_a_constant_image() -> None:
    img = image(dtype=f32)
    img[:, :, 1] = 9
    assert np.array_equal(imgaug.MinMaxNormalize(5, 6).augment(img[:, :, 1]), np.full(img.shape[:2], 5, f32))
    out = imgaug.MinMaxNormalize(5, 6, all_channel=False).augment(img)
    assert np.array_equal(out[:, :, 1], np.full(img.shape[:2], 5, f32))
    assert out[:, :, 0].max() == 6


def test_clip() -> None:
    img = np.array([[0, 100, 255]], np.uint8)
    assert np.array_equal(imgaug.Clip(20, 200).augment(img), [[20, 100, 200]])
    saturated = imgaug.Clip(-10, 300).augment(img)
    assert saturated.dtype == np.uint8
    assert np.array_equal(saturated, img)
    fractional = imgaug.Clip(0.5, 99.5).augment(img)
    assert fractional.dtype == np.float64
    assert fractional.tolist() == [[0.5, 99.5, 99.5]]
    assert imgaug.Clip(0.5, 99.5).augment(img.astype(f32)).dtype == f32


def gaussian(k: int, sigma: float) -> Any:
    weights = np.exp(-((np.arange(k) - k // 2) ** 2) / (2 * sigma**2))
    return weights / weights.sum()


def test_gaussian_blur() -> None:
    img = image(GRAY, np.float64)
    out = seeded(imgaug.GaussianBlur((1, 4), (0.5, 2), symmetric=False)).augment(img)
    rng = np.random.RandomState(42)
    kx, ky = rng.randint(1, 4, size=(2,)) * 2 + 1
    sx, sy = rng.uniform(0.5, 2, (2,))
    padded = np.pad(img, ((ky // 2, ky // 2), (kx // 2, kx // 2)), mode="edge")
    rows = sum(w * padded[i : i + 48] for i, w in enumerate(gaussian(ky, sy)))
    expected = sum(w * rows[:, i : i + 64] for i, w in enumerate(gaussian(kx, sx)))
    np.testing.assert_allclose(out, expected, atol=1e-4)


def test_arguments_of_gaussian_blur() -> None:
    assert imgaug.GaussianBlur(4).size_range == (0, 4)
    with pytest.warns(DeprecationWarning, match=r"'max_size' of GaussianBlur\(\).*'size_range'") as warnings:
        blur = imgaug.GaussianBlur(max_size=5)
    assert warnings[0].filename == __file__
    assert blur.size_range == (0, 5)
    assert repr(blur) == "imgaug.GaussianBlur(size_range=(0, 5))"
    # both pairs are drawn although one of each is used
    blur = seeded(imgaug.GaussianBlur((1, 9), (1, 2)))
    blur.get_transform(image())
    rng = np.random.RandomState(42)
    rng.randint(1, 9, size=(2,))
    rng.uniform(1, 2, (2,))
    assert blur.rng.rand() == rng.rand()


@pytest.mark.parametrize(
    "make, error, text",
    [
        (lambda: imgaug.Brightness(0), ValueError, "Brightness: delta"),
        (lambda: imgaug.Saturation(1), ValueError, "Saturation: alpha"),
        (lambda: imgaug.Gamma((-1, 0)), ValueError, "Gamma: range: expected more than -1"),
        (lambda: imgaug.BrightnessScale(3), TypeError, r"BrightnessScale: range: expected a pair"),
        (lambda: imgaug.Contrast((1, 2, 3)), TypeError, "Contrast: factor_range: expected a pair"),
        (lambda: imgaug.GaussianBlur((3, 3)), ValueError, "GaussianBlur: size_range: expected low < high"),
        (lambda: imgaug.GaussianBlur(3, 2), TypeError, "GaussianBlur: sigma_range: expected a pair"),
        (lambda: imgaug.Lighting(1, [1, 2], np.eye(3)), ValueError, r"Lighting: expected eigval of shape"),
        (lambda: imgaug.Hue(180), TypeError, "Hue: range"),
    ],
)
def test_wrong_arguments(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()


@pytest.mark.parametrize("dtype", [np.uint8, f32])
@pytest.mark.parametrize("channels", [2, 5, 7])
def test_other_numbers_of_channels(dtype: Any, channels: int) -> None:
    img = np.dstack([image(GRAY, dtype) // (k + 1) for k in range(channels)])
    for augmentor in (
        imgaug.Contrast((0.5, 1.5)),
        imgaug.MeanVarianceNormalize(all_channel=False),
        imgaug.MinMaxNormalize(all_channel=False),
        imgaug.Brightness(30),
        imgaug.GaussianBlur((1, 4)),
    ):
        out = seeded(augmentor).augment(img)
        for k in (0, channels - 1):
            alone = seeded(augmentor).augment(img[:, :, k])
            # the limit of the standard deviation, far off here, counts all channels
            np.testing.assert_allclose(out[:, :, k], alone, rtol=1e-5, atol=1e-4)


def test_empty_images() -> None:
    for augmentor in (imgaug.Brightness(3), imgaug.MeanVarianceNormalize(), imgaug.Clip()):
        with pytest.raises(
            ValueError, match=rf"{type(augmentor).__name__}.*empty image, uint8 of shape \(0, 5\)"
        ):
            augmentor.augment(np.zeros((0, 5), np.uint8))
