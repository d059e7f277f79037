"""Crops and cutout."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._core.checks import INTEGERS, integer_range, number_range
from ._cv import INTER_LINEAR, Image, summary
from ._inputs import int_pair
from .base import ImageAugmentor, ImagePlaceholder
from .misc import ResizeShortestEdge
from .transform import (
    BaseTransform,
    CropTransform,
    PhotometricTransform,
    ResizeTransform,
    TransformList,
    crop_to,
)

__all__ = [
    "CenterCrop",
    "GoogleNetRandomCropAndResize",
    "RandomCrop",
    "RandomCropRandomShape",
    "RandomCutout",
]


_LONG = np.dtype("l")


def _below(rng: np.random.RandomState, end: int) -> int:
    """Return ``rng.randint(end)``: the same draw, 0.2 us faster because the dtype is given explicitly."""
    return int(rng.randint(0, end, None, _LONG))


def _too_large(owner: object, img: Any, h: int, w: int) -> ValueError:
    return ValueError(f"{owner!r}: a crop of {h} x {w} does not fit into {summary(img)}")


class RandomCrop(ImageAugmentor):
    """Crop a rectangle of fixed size at a random place.

    Args:
        crop_shape: (h, w), or one number for both.
    """

    def __init__(self, crop_shape: int | Sequence[int]) -> None:
        self.crop_shape = int_pair(crop_shape)
        super().__init__()

    def get_transform(self, img: Image) -> CropTransform:
        """Draw y0 and x0.

        Raises:
            ValueError: the image is smaller than the crop.
        """
        h, w = self.crop_shape
        shape = img.shape
        spare_h, spare_w = shape[0] - h, shape[1] - w
        if spare_h < 0 or spare_w < 0:
            raise _too_large(self, img, h, w)
        return crop_to(_below(self.rng, spare_h + 1), _below(self.rng, spare_w + 1), h, w)


class CenterCrop(ImageAugmentor):
    """Crop a rectangle of fixed size at the centre.

    Args:
        crop_shape: (h, w), or one number for both.
    """

    def __init__(self, crop_shape: int | Sequence[int]) -> None:
        self.crop_shape = list(int_pair(crop_shape))
        super().__init__()

    def get_transform(self, img: Image | ImagePlaceholder) -> CropTransform:
        """Return the transform: no randomness.

        Raises:
            ValueError: the image is smaller than the crop.
        """
        h, w = self.crop_shape
        shape = img.shape
        spare_h, spare_w = shape[0] - h, shape[1] - w
        if spare_h < 0 or spare_w < 0:
            raise _too_large(self, img, h, w)
        return crop_to(spare_h // 2, spare_w // 2, h, w)


class RandomCropRandomShape(ImageAugmentor):
    """Crop a rectangle of random size at a random place.

    Args:
        wmin: smallest width.
        hmin: smallest height.
        wmax: largest width; None (or 0) for that of the image.
        hmax: largest height; None (or 0) for that of the image.
        max_aspect_ratio: not used any more.
    """

    def __init__(
        self,
        wmin: int,
        hmin: int,
        wmax: int | None = None,
        hmax: int | None = None,
        max_aspect_ratio: float | None = None,
    ) -> None:
        if max_aspect_ratio is not None:
            warnings.warn(
                "RandomCropRandomShape: max_aspect_ratio is deprecated and has no effect",
                DeprecationWarning,
                stacklevel=2,
            )
        if min(wmin, hmin) < 1:
            raise ValueError(
                f"RandomCropRandomShape: expected at least 1 as wmin and hmin, got {wmin}, {hmin}"
            )
        self.wmin, self.hmin, self.wmax, self.hmax = wmin, hmin, wmax, hmax
        self.max_aspect_ratio = max_aspect_ratio
        super().__init__()

    def get_transform(self, img: Image) -> CropTransform:
        """Draw the height, the width, y0 and x0; every position that fits is possible.

        Raises:
            ValueError: the image is smaller than the largest crop, or that smaller than the smallest.
        """
        hmax, wmax = self.hmax or img.shape[0], self.wmax or img.shape[1]
        img_h, img_w = img.shape[:2]
        if hmax > img_h or wmax > img_w:
            raise _too_large(self, img, hmax, wmax)
        if self.hmin > hmax or self.wmin > wmax:
            raise ValueError(f"{self!r}: the smallest crop is larger than the largest in {summary(img)}")
        rng = self.rng
        h, w = rng.randint(self.hmin, hmax + 1), rng.randint(self.wmin, wmax + 1)
        y0, x0 = _below(rng, img_h - h + 1), _below(rng, img_w - w + 1)
        return crop_to(y0, x0, h, w)


class GoogleNetRandomCropAndResize(ImageAugmentor):
    """Crop a rectangle of random area and aspect ratio, and resize it to a square.

    When ten draws don't fit into the image: resize the shorter edge, and crop at the centre.

    Args:
        crop_area_fraction: range of the area, as a fraction of the image's.
        aspect_ratio_range: range of width / height; half of the crops are turned by 90 degrees.
        target_shape: edge of the resulting square in pixels.
        interp: a ``cv2.INTER_...``.
    """

    def __init__(
        self,
        crop_area_fraction: Sequence[float] = (0.08, 1.0),
        aspect_ratio_range: Sequence[float] = (0.75, 1.333),
        target_shape: int = 224,
        interp: int = INTER_LINEAR,
    ) -> None:
        if not isinstance(target_shape, int | np.integer):
            raise TypeError(
                f"GoogleNetRandomCropAndResize: expected an int as target_shape, got {target_shape!r}"
            )
        name = "GoogleNetRandomCropAndResize"
        self.crop_area_fraction = number_range(crop_area_fraction, f"{name}: crop_area_fraction")
        self.aspect_ratio_range = number_range(aspect_ratio_range, f"{name}: aspect_ratio_range")
        self.target_shape, self.interp = target_shape, interp
        super().__init__()

    def get_transform(self, img: Image) -> TransformList:
        """Draw area, ratio and turn up to ten times; when they fit, x0 and y0."""
        h, w = img.shape[:2]
        size, rng = self.target_shape, self.rng
        for _ in range(10):
            area = rng.uniform(*self.crop_area_fraction) * (h * w)
            ratio = rng.uniform(*self.aspect_ratio_range)
            crop_w, crop_h = int(math.sqrt(area * ratio) + 0.5), int(math.sqrt(area / ratio) + 0.5)
            if rng.random_sample() < 0.5:  # the same draw as uniform(), five times faster
                crop_w, crop_h = crop_h, crop_w
            if 0 < crop_h <= h and 0 < crop_w <= w:
                x0, y0 = _below(rng, w - crop_w + 1), _below(rng, h - crop_h + 1)
                return TransformList(
                    [
                        crop_to(y0, x0, crop_h, crop_w),
                        ResizeTransform(crop_h, crop_w, size, size, self.interp),
                    ]
                )
        resize = ResizeShortestEdge(size, self.interp).get_transform(img)
        crop = CenterCrop(size).get_transform(ImagePlaceholder((resize.new_h, resize.new_w)))
        return TransformList([resize, crop])


class RandomCutout(ImageAugmentor):
    """Fill a random rectangle. Coordinates, boxes and label maps stay as they are.

    Args:
        h_range: height in pixels, or a pair (low, high) to draw it from, ``high`` excluded.
        w_range: width, likewise.
        fill: what to fill with, a number or one per channel.
    """

    def __init__(
        self, h_range: int | Sequence[int], w_range: int | Sequence[int], fill: float | Sequence[float] = 0.0
    ) -> None:
        for name, size in (("h_range", h_range), ("w_range", w_range)):
            if not isinstance(size, INTEGERS):
                integer_range(size, f"RandomCutout: {name}")
            if np.min(size) < 0:
                raise ValueError(f"RandomCutout: {name}: expected at least 0, got {size!r}")
        self.h_range, self.w_range, self.fill = h_range, w_range, fill
        super().__init__()

    def get_transform(self, img: Image) -> BaseTransform:
        """Draw height and width where they are ranges, then x0 and y0.

        Raises:
            ValueError: the rectangle is larger than the image.
        """
        h, w = self._size(self.h_range), self._size(self.w_range)
        shape = img.shape
        spare_h, spare_w = shape[0] - h, shape[1] - w
        if spare_h < 0 or spare_w < 0:
            raise _too_large(self, img, h, w)
        x0, y0 = _below(self.rng, spare_w + 1), _below(self.rng, spare_h + 1)
        return PhotometricTransform(functools.partial(_fill, y0, x0, h, w, self.fill), "cutout")

    def _size(self, size: Any) -> Any:
        return size if isinstance(size, INTEGERS) else self.rng.randint(size[0], size[1])


def _fill(y0: int, x0: int, h: int, w: int, value: Any, img: Image) -> Image:
    out: Image = img.copy()
    out[y0 : y0 + h, x0 : x0 + w] = value
    return out
