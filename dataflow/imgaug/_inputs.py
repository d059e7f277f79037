"""What augmentors and transforms accept: images, label maps, coordinates, boxes, sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..utils.argtools import shape2d
from ._cv import UINT8, summary


def check_dtype(img: Any) -> None:
    """Raise ``TypeError`` unless ``img`` is an array of real numbers.

    Images are uint8 in [0, 255], or floating point in [0, 1] or [0, 255]. Label maps of any integer type
    may go through augmentors that only move pixels.
    """
    if not isinstance(img, np.ndarray):
        raise TypeError(f"expected an image as a numpy array, got {summary(img)}")
    if img.dtype.kind not in "uifb":
        raise TypeError(f"expected an image of uint8 or floating point, got {summary(img)}")


def check_pixels(owner: object, img: Any, channels: tuple[int, ...] = ()) -> None:
    """Raise unless ``img`` is an image whose pixel values mean intensities.

    Args:
        owner: the augmentor or transform, for the message.
        img: what to check.
        channels: how many it may have; none for any image of two or three axes.

    Raises:
        TypeError: ``img`` is not an array, or neither uint8 nor floating point.
        ValueError: ``img`` has another shape.
    """
    if not isinstance(img, np.ndarray) or (img.dtype != UINT8 and img.dtype.kind != "f"):
        raise TypeError(
            f"{owner!r}: expected an image of uint8 or floating point, got {summary(img)}; "
            "imgaug.ToFloat32() or imgaug.ToUint8() before it converts"
        )
    shape = img.shape
    if not 2 <= len(shape) <= 3:  # rarely true: saves a call
        check_axes(owner, img)
    if img.size == 0:
        raise ValueError(f"{owner!r}: got an empty image, {summary(img)}")
    if channels and (len(shape) != 3 or shape[2] not in channels):
        expected = " or ".join(map(str, channels))
        raise ValueError(f"{owner!r}: expected an image of {expected} channels, got {summary(img)}")


def check_axes(owner: object, img: Any) -> None:
    """Raise ``ValueError`` unless ``img`` (or a placeholder with a ``shape``) has two or three axes."""
    if len(img.shape) not in (2, 3):
        raise ValueError(f"{owner!r}: expected an image (h, w) or (h, w, channels), got {summary(img)}")


def as_rows(array: Any, width: int, owner: object) -> NDArray[Any]:
    """Return coordinates (width 2) or boxes (width 4) as a floating-point array, the same if it is one.

    Coordinates may have more columns, which mean something else, such as visibility.

    Raises:
        TypeError: the values are not real numbers.
        ValueError: the shape is not (N, width).
    """
    rows = np.asarray(array)
    if rows.ndim != 2 or rows.shape[1] < width or (rows.shape[1] > width != 2):
        names = "(x, y)" if width == 2 else "(x0, y0, x1, y1)"
        raise ValueError(f"{owner!r}: expected an N x {width} array of rows {names}, got shape {rows.shape}")
    if rows.dtype.kind in "iu":
        return rows.astype(np.float64)
    if rows.dtype.kind != "f":
        raise TypeError(f"{owner!r}: expected floating-point coordinates, got {summary(rows)}")
    return rows


def move_points(coords: Any, owner: object, move: Callable[[NDArray[Any]], NDArray[Any]]) -> NDArray[Any]:
    """Return coordinates whose columns x and y are ``move(coords)``, and others are kept; a new array."""
    rows = as_rows(coords, 2, owner)
    moved = move(rows[:, :2])
    return moved if rows.shape[1] == 2 else np.concatenate((moved, rows[:, 2:]), axis=1)


def int_pair(shape: Any) -> tuple[int, int]:
    """Return (h, w) from one number or a pair, truncated to integers.

    Raises:
        RuntimeError: it is neither a number nor a pair.
        ValueError: a number is less than 1.
    """
    if isinstance(shape, float):
        shape = int(shape)
    elif isinstance(shape, np.ndarray):
        shape = shape.tolist()
    h, w = map(int, shape2d(shape))
    if min(h, w) < 1:
        raise ValueError(f"expected a shape of at least 1 x 1, got {shape!r}")
    return h, w
