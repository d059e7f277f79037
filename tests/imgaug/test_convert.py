"""Conversions."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from dataflow import imgaug

from .zoo import GRAY, GRAY_AXIS, image


@pytest.mark.parametrize("rgb", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_grayscale(rgb: bool, dtype: Any) -> None:
    img = image(dtype=dtype)
    weights = np.array([0.299, 0.587, 0.114] if rgb else [0.114, 0.587, 0.299])
    out = imgaug.Grayscale(rgb=rgb).augment(img)
    assert out.shape == (48, 64, 1)
    np.testing.assert_allclose(out[:, :, 0], img @ weights, atol=0.51 if dtype == np.uint8 else 1e-3)
    assert np.array_equal(imgaug.Grayscale(keepdims=False, rgb=rgb).augment(img), out[:, :, 0])
    kept = imgaug.Grayscale(rgb=rgb, keepshape=True).augment(img)
    assert np.array_equal(kept, np.repeat(out, 3, axis=2))


def test_keepshape_needs_keepdims() -> None:
    with pytest.raises(ValueError, match="keepshape needs keepdims"):
        imgaug.Grayscale(keepdims=False, keepshape=True)


def test_color_space() -> None:
    img = image()
    swapped = imgaug.ColorSpace(cv2.COLOR_RGB2BGR).augment(img)
    assert np.array_equal(swapped, img[:, :, ::-1])
    to_gray = imgaug.ColorSpace(cv2.COLOR_RGB2GRAY)
    assert to_gray.augment(img).shape == (48, 64, 1)
    assert imgaug.ColorSpace(cv2.COLOR_RGB2GRAY, keepdims=False).augment(img).shape == (48, 64)
    to_colour = imgaug.ColorSpace(cv2.COLOR_GRAY2RGB)
    for shape in (GRAY, GRAY_AXIS):
        assert to_colour.augment(image(shape)).shape == (48, 64, 3)
    with pytest.raises(ValueError, match=r"ColorSpace\(mode=7\).*uint8 of shape \(48, 64\)"):
        to_gray.augment(image(GRAY))


def test_to_uint8_and_float32() -> None:
    img = np.array([[-3.0, 0.9, 100.7, 300]])
    assert imgaug.ToUint8().augment(img).tolist() == [[0, 0, 100, 255]]
    assert imgaug.ToUint8().augment(np.array([[-1, 5, 70000]], np.int32)).tolist() == [[0, 5, 255]]
    out = imgaug.ToFloat32().augment(np.array([[65535]], np.uint16))
    assert (out.dtype, out[0, 0]) == (np.float32, 65535)
    for augmentor, same in ((imgaug.ToUint8(), image()), (imgaug.ToFloat32(), image(dtype=np.float32))):
        assert not np.shares_memory(augmentor.augment(same), same)
