"""Flip, transpose, resize."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .._core.checks import number_range, probability
from ..utils import logger
from ..utils.argtools import shape2d
from ._cv import INTER_LINEAR, Image
from .base import ImageAugmentor
from .transform import BaseTransform, FlipTransform, NoOpTransform, ResizeTransform, TransposeTransform

__all__ = ["Flip", "RandomResize", "Resize", "ResizeShortestEdge", "Transpose"]

_MAX_REJECTIONS = 50


class Flip(ImageAugmentor):
    """Flip the image left and right, or up and down, with a probability.

    Args:
        horiz: flip left and right.
        vert: flip up and down. Exactly one of the two must be true.
        prob: the probability.

    Raises:
        ValueError: both or neither of ``horiz`` and ``vert``.
    """

    def __init__(self, horiz: bool = False, vert: bool = False, prob: float = 0.5) -> None:
        if bool(horiz) == bool(vert):
            raise ValueError(
                f"Flip: expected one of horiz and vert, got {horiz} and {vert}; for both, use two"
            )
        self.horiz, self.vert, self.prob = horiz, vert, probability(prob, "Flip: prob")
        super().__init__()

    def get_transform(self, img: Image) -> BaseTransform:
        """Draw one number: flip or not."""
        # prob >= 1: a draw rounded to float32 can be exactly 1
        if self._rand_range() < self.prob or self.prob >= 1:
            return FlipTransform(img.shape[0], img.shape[1], bool(self.horiz))
        return NoOpTransform()


class Transpose(ImageAugmentor):
    """Exchange rows and columns, with a probability.

    Args:
        prob: the probability.
    """

    def __init__(self, prob: float = 0.5) -> None:
        self.prob = probability(prob, "Transpose: prob")
        super().__init__()

    def get_transform(self, img: Image) -> BaseTransform:
        """Draw one number: transpose or not."""
        return TransposeTransform() if self.rng.rand() < self.prob else NoOpTransform()


class Resize(ImageAugmentor):
    """Resize to a fixed size.

    Args:
        shape: (h, w), or one number for both.
        interp: a ``cv2.INTER_...``.

    Raises:
        RuntimeError: ``shape`` is neither a number nor a pair.
    """

    def __init__(self, shape: int | Sequence[int], interp: int = INTER_LINEAR) -> None:
        h, w = shape2d(shape)
        self.shape, self.interp = (h, w), interp
        super().__init__()

    def get_transform(self, img: Image) -> ResizeTransform:
        """Return the transform: no randomness."""
        h, w = img.shape[:2]
        return ResizeTransform(h, w, self.shape[0], self.shape[1], self.interp)


class ResizeShortestEdge(ImageAugmentor):
    """Resize such that the shorter edge has a given length, with the aspect ratio kept.

    Args:
        size: length of the shorter edge in pixels.
        interp: a ``cv2.INTER_...``.
    """

    def __init__(self, size: int, interp: int = INTER_LINEAR) -> None:
        self.size, self.interp = int(size), interp
        super().__init__()

    def get_transform(self, img: Image) -> ResizeTransform:
        """Return the transform: no randomness."""
        h, w = img.shape[:2]
        scale = self.size / min(h, w)
        if h < w:
            new_h, new_w = self.size, int(scale * w + 0.5)
        else:
            new_h, new_w = int(scale * h + 0.5), self.size
        return ResizeTransform(h, w, new_h, new_w, self.interp)


class RandomResize(ImageAugmentor):
    """Resize to a random size.

    Args:
        xrange: range of the new width: of a factor, if one of its ends is a ``float``, otherwise in pixels.
        yrange: the same for the height. Not used when ``aspect_ratio_thres`` is 0.
        minimum: (width, height) in pixels, the smallest result.
        aspect_ratio_thres: how far the aspect ratio may change, relative to its old value; 0 keeps it. Draws
            beyond are rejected; after too many of them the size stays as it is, with a warning.
        interp: a ``cv2.INTER_...``.

    Raises:
        TypeError: a range is not a pair, or one has factors and the other pixels.
        ValueError: the threshold is negative; or it is 0 and ``yrange`` differs from ``xrange``.
    """

    def __init__(
        self,
        xrange: Sequence[float],
        yrange: Sequence[float] | None = None,
        minimum: Sequence[int] = (0, 0),
        aspect_ratio_thres: float = 0.15,
        interp: int = INTER_LINEAR,
    ) -> None:
        self.xrange = number_range(xrange, "RandomResize: xrange")
        self._is_scale = _has_float(xrange)
        if aspect_ratio_thres < 0:
            raise ValueError(
                f"RandomResize: aspect_ratio_thres: expected at least 0, got {aspect_ratio_thres}"
            )
        if yrange is not None:
            number_range(yrange, "RandomResize: yrange")
            if _has_float(yrange) != self._is_scale:
                raise TypeError(
                    "RandomResize: expected both ranges as factors (floats) or both in pixels (integers), "
                    f"got {xrange!r} and {yrange!r}"
                )
        if aspect_ratio_thres > 0 and yrange is None:
            raise TypeError("RandomResize: yrange is needed unless aspect_ratio_thres is 0")
        if aspect_ratio_thres == 0 and yrange is not None:
            if self._is_scale and tuple(yrange) != tuple(xrange):
                raise ValueError(
                    f"RandomResize: aspect_ratio_thres=0 needs yrange None or {xrange!r}, got {yrange!r}"
                )
            if not self._is_scale:
                logger.warning("RandomResize: with aspect_ratio_thres=0, yrange is not used")
        self.yrange, self.minimum = yrange, minimum
        self.aspect_ratio_thres, self.interp = aspect_ratio_thres, interp
        super().__init__()

    def get_transform(self, img: Image) -> ResizeTransform:
        """Draw factors or sizes until the aspect ratio fits."""
        h, w = img.shape[:2]
        ratio = w / h
        for _ in range(_MAX_REJECTIONS + 1):
            new_w, new_h = self._draw(np.float32(h), np.float32(w))
            if (
                self.aspect_ratio_thres == 0
                or abs(new_w / max(new_h, 1) - ratio) / ratio < self.aspect_ratio_thres + 1e-5
            ):
                return ResizeTransform(h, w, new_h, new_w, self.interp)
        logger.warning(
            f"{self!r}: no size drawn for an image of {h} x {w} kept the aspect ratio; it stays as it is"
        )
        return ResizeTransform(h, w, h, w, self.interp)

    def _draw(self, h: np.float32, w: np.float32) -> tuple[int, int]:
        sx = self._rand_range(*self.xrange)
        if self.yrange is not None and self.aspect_ratio_thres != 0:
            sy = self._rand_range(*self.yrange)
        else:
            sy = sx if self._is_scale else sx / w * h
        x, y = (sx * w, sy * h) if self._is_scale else (sx, sy)
        return int(max(x, self.minimum[0]) + 0.5), int(max(y, self.minimum[1]) + 0.5)


def _has_float(pair: Sequence[float]) -> bool:
    return any(isinstance(end, float) for end in pair)
