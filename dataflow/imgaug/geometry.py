"""Shift, rotation and other affine maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._compat.old_names import old_names
from .._core.checks import number_range
from ._cv import BORDER_CONSTANT, BORDER_REPLICATE, INTER_LINEAR, Image, opencv
from .base import ImageAugmentor
from .transform import CropTransform, TransformList, WarpAffineTransform

__all__ = ["Affine", "Rotation", "RotationAndCropValid", "Shift"]


def _rotation(center: tuple[float, float], degrees: float, scale: float = 1.0) -> NDArray[np.float64]:
    """Return the 2 x 3 matrix of a rotation counter-clockwise (as one sees the picture) around ``center``."""
    return opencv().getRotationMatrix2D(center, float(degrees), float(scale))  # type: ignore[no-any-return]


def _check_step(owner: str, max_deg: float, step_deg: float | None) -> None:
    if step_deg is not None and (max_deg != 180 or step_deg <= 0 or max_deg % step_deg != 0):
        raise ValueError(
            f"{owner}: step_deg must divide max_deg=180, got max_deg={max_deg}, step_deg={step_deg}"
        )


class Shift(ImageAugmentor):
    """Shift by a random number of whole pixels, in any direction.

    Args:
        horiz_frac: largest shift to the left or right, as a fraction of the width, less than 1.
        vert_frac: largest shift up or down, as a fraction of the height, less than 1.
        border: a ``cv2.BORDER_...``.
        border_value: fills the outside with ``cv2.BORDER_CONSTANT``: a number, or one per channel.
    """

    def __init__(
        self,
        horiz_frac: float = 0,
        vert_frac: float = 0,
        border: int = BORDER_REPLICATE,
        border_value: float | Sequence[float] = 0,
    ) -> None:
        if not (horiz_frac < 1 and vert_frac < 1):
            raise ValueError(f"Shift: expected fractions less than 1, got {horiz_frac} and {vert_frac}")
        self.horiz_frac, self.vert_frac = horiz_frac, vert_frac
        self.border, self.border_value = border, border_value
        super().__init__()

    def get_transform(self, img: Image) -> WarpAffineTransform:
        """Draw dx, then dy."""
        h, w = img.shape[:2]
        dx = np.round(self._rand_range(-self.horiz_frac * w, self.horiz_frac * w))
        dy = np.round(self._rand_range(-self.vert_frac * h, self.vert_frac * h))
        mat = np.array([[1, 0, dx], [0, 1, dy]], dtype=np.float32)
        return WarpAffineTransform(mat, (w, h), borderMode=self.border, borderValue=self.border_value)


class Rotation(ImageAugmentor):
    """Rotate by a random angle around a random centre. The size stays.

    Args:
        max_deg: largest angle in degrees, in both directions.
        center_range: range of the centre's place in the image, as a fraction of width and of height.
        interp: a ``cv2.INTER_...``.
        border: a ``cv2.BORDER_...``.
        step_deg: if given, angles are multiples of it, from -180 up to 180 - ``step_deg``; ``max_deg`` must
            be 180.
        border_value: fills the outside with ``cv2.BORDER_CONSTANT``: a number, or one per channel.
    """

    def __init__(
        self,
        max_deg: float,
        center_range: Sequence[float] = (0, 1),
        interp: int = INTER_LINEAR,
        border: int = BORDER_REPLICATE,
        step_deg: float | None = None,
        border_value: float | Sequence[float] = 0,
    ) -> None:
        _check_step("Rotation", max_deg, step_deg)
        self.max_deg, self.center_range = max_deg, number_range(center_range, "Rotation: center_range")
        self.interp, self.border, self.step_deg, self.border_value = interp, border, step_deg, border_value
        super().__init__()

    def get_transform(self, img: Image) -> WarpAffineTransform:
        """Draw the centre (x, y), then the angle."""
        h, w = img.shape[:2]
        x, y = self._rand_range(self.center_range[0], self.center_range[1], (2,)).tolist()
        degrees = _draw_degrees(self, self.max_deg, self.step_deg)
        mat = _rotation((w * x - 0.5, h * y - 0.5), degrees)
        return WarpAffineTransform(mat, (w, h), self.interp, self.border, self.border_value)


def _draw_degrees(augmentor: ImageAugmentor, max_deg: float, step_deg: float | None) -> float:
    degrees = augmentor._rand_range(-max_deg, max_deg)
    return float(degrees) if step_deg is None else math.floor(degrees / step_deg) * step_deg


class RotationAndCropValid(ImageAugmentor):
    """Rotate by a random angle around the centre, and crop the largest rectangle that has no border in it.

    The size of the result depends on the angle.

    Args:
        max_deg: largest angle in degrees, in both directions.
        interp: a ``cv2.INTER_...``.
        step_deg: if given, angles are multiples of it, from -180 up to 180 - ``step_deg``; ``max_deg`` must
            be 180.
    """

    def __init__(self, max_deg: float, interp: int = INTER_LINEAR, step_deg: float | None = None) -> None:
        _check_step("RotationAndCropValid", max_deg, step_deg)
        self.max_deg, self.interp, self.step_deg = max_deg, interp, step_deg
        super().__init__()

    def get_transform(self, img: Image) -> TransformList:
        """Draw the angle."""
        h, w = img.shape[:2]
        degrees = _draw_degrees(self, self.max_deg, self.step_deg)
        mat = _rotation((w * 0.5 - 0.5, h * 0.5 - 0.5), degrees)
        crop_w, crop_h = self.largest_rotated_rect(w, h, degrees)
        crop_w, crop_h = min(crop_w, w), min(crop_h, h)
        x0, y0 = int(w * 0.5 - crop_w * 0.5), int(h * 0.5 - crop_h * 0.5)
        return TransformList(
            [
                WarpAffineTransform(mat, (w, h), self.interp, BORDER_CONSTANT),
                CropTransform(y0, x0, crop_h, crop_w),
            ]
        )

    @staticmethod
    def largest_rotated_rect(w: float, h: float, angle: float) -> tuple[int, int]:
        """Return width and height of the largest axis-aligned rectangle inside a rotated one.

        Args:
            w: width of the rectangle to be rotated.
            h: its height.
            angle: in degrees.
        """
        if w <= 0 or h <= 0:
            return 0, 0
        radians = angle / 180 * math.pi
        sin, cos = abs(math.sin(radians)), abs(math.cos(radians))
        long, short = max(w, h), min(w, h)
        if short <= 2 * sin * cos * long:
            # two corners touch the long side, the other two lie on the midline between the long sides
            x = 0.5 * short
            rect_w, rect_h = (x / sin, x / cos) if w >= h else (x / cos, x / sin)
        else:
            # all four corners touch a side
            cos2 = cos * cos - sin * sin
            rect_w, rect_h = (w * cos - h * sin) / cos2, (h * cos - w * sin) / cos2
        return round(rect_w), round(rect_h)


class Affine(ImageAugmentor):
    """A random affine map: scale, rotation and shear around the centre, and shift. The size stays.

    Args:
        scale: range of the factor; None for 1.
        translate_frac: largest shift (horizontal, vertical) in both directions, as a fraction of width and
            height; None for no shift.
        rotate_max_deg: largest rotation in degrees, in both directions.
        shear: largest shear in degrees, in both directions.
        interp: a ``cv2.INTER_...``.
        border: a ``cv2.BORDER_...``.
        border_value: fills the outside with ``cv2.BORDER_CONSTANT``: a number, or one per channel.
    """

    def __init__(
        self,
        scale: Sequence[float] | None = None,
        translate_frac: Sequence[float] | None = None,
        rotate_max_deg: float = 0.0,
        shear: float = 0.0,
        interp: int = INTER_LINEAR,
        border: int = BORDER_REPLICATE,
        border_value: float | Sequence[float] = 0,
    ) -> None:
        if scale is not None:
            number_range(scale, "Affine: scale")
        if translate_frac is not None:
            number_range(translate_frac, "Affine: translate_frac")
        if shear < 0:
            raise ValueError(f"Affine: shear: expected at least 0 degrees, got {shear}")
        self.scale, self.translate_frac = scale, translate_frac
        self.rotate_max_deg, self.shear = rotate_max_deg, shear
        self.interp, self.border, self.border_value = interp, border, border_value
        super().__init__()

    def get_transform(self, img: Image) -> WarpAffineTransform:
        """Draw scale, dx, dy and shear, each if it was asked for, then the angle of rotation."""
        h, w = img.shape[:2]
        scale = 1.0 if self.scale is None else self._rand_range(*self.scale)
        dx = dy = 0.0
        if self.translate_frac is not None:
            max_dx, max_dy = self.translate_frac[0] * w, self.translate_frac[1] * h
            dx = float(np.round(self._rand_range(-max_dx, max_dx)))
            dy = float(np.round(self._rand_range(-max_dy, max_dy)))
        shear = float(self._rand_range(-self.shear, self.shear)) if self.shear > 0 else 0.0
        degrees = self._rand_range(-self.rotate_max_deg, self.rotate_max_deg)

        center = (w * 0.5 - 0.5, h * 0.5 - 0.5)
        mat = _rotation(center, degrees, scale)
        if self.shear > 0:
            _add_shear(mat, math.radians(shear), *center)
        mat[:, 2] += (dx, dy)
        return WarpAffineTransform(mat, (w, h), self.interp, self.border, self.border_value)


def _add_shear(mat: NDArray[Any], radians: float, cx: float, cy: float) -> None:
    """Shear ``mat`` in place, such that the centre (cx, cy) stays where it is."""
    sin, cos = math.sin(radians), math.cos(radians)
    mat[:, 1] = mat[:, 1] * cos + mat[:, 0] * sin
    mat[0, 2] = cx * (1 - mat[0, 0]) - cy * mat[0, 1]
    mat[1, 2] = -cx * mat[1, 0] + cy * (1 - mat[1, 1])


__getattr__ = old_names(__name__)
