"""Arithmetic on pixel values that several augmentors share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._cv import UINT8, Image, call, opencv

_LEVELS = np.arange(256, dtype=np.float32)[:, np.newaxis]
_LEVELS.flags.writeable = False
_BLACK, _WHITE = np.float32(0), np.float32(255)  # 1 us faster in clip() than Python's numbers
_STRIP = 2**18  # elements, a megabyte of float32


def by_level(img: Image, func: Callable[[Any], Image]) -> Image:
    """Return ``func(img)``, where ``func`` treats every pixel alike or every channel for itself.

    For a uint8 image ``func`` is called with its 256 possible levels only, 256 x 1 in float32, and the
    result, 256 x 1 or 256 x channels, becomes a look-up table: the same numbers in a fraction of the time.
    """
    if img.dtype != UINT8:
        return func(img)
    table = func(_LEVELS)
    out: Image = opencv().LUT(img, table[:, np.newaxis])
    return out.reshape(img.shape)


def in_strips(img: Image, func: Callable[[Image], Image]) -> Image:
    """Return ``func(img)``, where ``func`` treats every pixel alike and returns the dtype of the image.

    A large image is processed in strips, so that intermediate results stay in the processor's cache. New
    memory for the intermediate results of a whole image would cost several times as much as the arithmetic.
    """
    if img.size <= _STRIP:
        return func(img)
    out = np.empty_like(img)
    rows = max(1, _STRIP * len(img) // img.size)
    for y in range(0, len(img), rows):
        out[y : y + rows] = func(img[y : y + rows])
    return out


def saturate(out: Image, dtype: np.dtype[Any], clip: bool) -> Image:
    """Return ``out``, which is overwritten, in ``dtype``; clipped to [0, 255] if ``clip`` or for uint8."""
    if clip or dtype == UINT8:
        out.clip(_BLACK, _WHITE, out)
    return out.astype(dtype, copy=False)


def as_float32(img: Image) -> NDArray[np.float32]:
    """Return the image in float32: the same array if it is float32 already."""
    return img.astype(np.float32, copy=False)


def in_float32(img: Image, func: Callable[[Image], Image], owner: object) -> Image:
    """Return ``func(img)`` for an OpenCV function whose only floating-point type is float32."""
    if img.dtype == UINT8 or img.dtype == np.float32:
        return call(func, img, owner)
    return call(func, as_float32(img), owner).astype(img.dtype)


def channel_means(img: Image) -> Any:
    """Return the mean over (h, w) of each channel: float64 for uint8, else the dtype of the image."""
    channels = 1 if img.ndim == 2 else img.shape[2]
    if img.dtype == UINT8 and channels <= 4:
        # the sums are exact integers either way, but NumPy takes 300 times as long
        return np.array(opencv().sumElems(img)[:channels]) / (img.shape[0] * img.shape[1])
    return img.mean(axis=(0, 1))


def gray_of(img: Image, rgb: bool) -> Image:
    """Return the brightness, h x w, of an image of three channels in the order RGB or BGR."""
    cv2 = opencv()
    gray: Image = cv2.cvtColor(img, cv2.COLOR_RGB2GRAY if rgb else cv2.COLOR_BGR2GRAY)
    return gray
