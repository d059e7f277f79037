"""Call OpenCV, which is loaded at first use, also for images of dtypes that it does not support."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.describe import type_in_words
from .._core.optional import require

UINT8 = np.dtype(np.uint8)  # comparing with this is faster than with np.uint8

Image = NDArray[Any]
"""An image or label map: h x w or h x w x channels."""

# OpenCV's own numbers, which default arguments need before it is loaded
INTER_NEAREST = 0
INTER_LINEAR = 1
BORDER_CONSTANT = 0
BORDER_REPLICATE = 1
_INTERPOLATION_BITS = 7

_RESAMPLED = frozenset("BHhfd")  # dtype characters of what OpenCV interpolates
_MOVED = frozenset("BHhfdbi")  # ... and of what it can copy from place to place
_EXACT_IN_FLOAT64 = 2**53


@functools.cache
def opencv() -> Any:
    """Return the module ``cv2``.

    Raises:
        ImportError: it is missing, with the command that installs it.
    """
    return require("cv2", None)


def summary(img: Any) -> str:
    """Return the dtype and shape of an image, or the type of anything else, in words for error messages."""
    if not isinstance(img, np.ndarray):
        return type_in_words(img)
    return f"{img.dtype} of shape {img.shape}"


def nearest(interp: int) -> int:
    """Return ``interp`` with its method replaced by nearest neighbour, its other flags kept."""
    return (interp & ~_INTERPOLATION_BITS) | INTER_NEAREST


def call(func: Callable[[Image], Image], img: Image, owner: object) -> Image:
    """Return ``func(img)``. An OpenCV error becomes a ``ValueError`` that names owner, dtype and shape."""
    try:
        return func(img)
    except opencv().error as e:
        raise ValueError(f"{owner!r}: OpenCV can't do this to an image of {summary(img)}: {e}") from e


def resample(func: Callable[[Image], Image], img: Image, owner: object) -> Image:
    """Apply an OpenCV function that moves and interpolates pixels to an image of any real dtype.

    A dtype that OpenCV can't interpolate is converted to a floating-point type that holds its values exactly;
    integers are rounded to the nearest afterwards. An axis of one channel is kept.

    Raises:
        TypeError: the image has a dtype that can't be interpolated.
        ValueError: it has 8-byte integers beyond 2**53, or OpenCV refuses it.
    """
    dtype = img.dtype
    if dtype is UINT8 or (dtype.char in _RESAMPLED and dtype.isnative):
        out = call(func, img, owner)
    else:
        out = _narrow(call(func, _widen(img, owner), owner), dtype)
    return out[:, :, np.newaxis] if out.ndim < img.ndim else out


def move(func: Callable[..., Image], img: Image, *args: Any) -> Image | None:
    """Return ``func(img, *args)`` of an OpenCV function that only copies pixels; None if it refuses."""
    dtype = img.dtype
    if (dtype is not UINT8 and (dtype.char not in _MOVED or not dtype.isnative)) or img.size == 0:
        return None
    try:
        out = func(img, *args)
    except opencv().error:  # e.g. more channels than it can handle
        return None
    return out[:, :, np.newaxis] if out.ndim < img.ndim else out


def _widen(img: Image, owner: object) -> Image:
    kind = img.dtype.kind
    if kind == "f" and img.dtype.itemsize <= 8:
        return img.astype(np.float32 if img.dtype.itemsize == 2 else np.float64)
    if kind not in "iub":
        raise TypeError(f"{owner!r}: expected an image of real numbers, got {summary(img)}")
    wide = img.astype(np.float64)
    if img.dtype.itemsize == 8 and wide.size and np.abs(wide).max() > _EXACT_IN_FLOAT64:
        raise ValueError(f"{owner!r}: can't interpolate integers beyond 2**53, in {summary(img)}")
    return wide


def _narrow(img: Image, dtype: np.dtype[Any]) -> Image:
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        img = np.clip(np.rint(img), limits.min, limits.max)
    elif dtype.kind == "b":
        img = np.rint(img) > 0
    return img.astype(dtype)
