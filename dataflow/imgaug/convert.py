"""Conversions of colour space and dtype."""

from __future__ import annotations

import numpy as np

from ._cv import UINT8, Image, opencv
from ._inputs import check_dtype, check_pixels
from ._pixels import in_float32
from .base import PhotometricAugmentor

__all__ = ["ColorSpace", "Grayscale", "ToFloat32", "ToUint8"]


class ColorSpace(PhotometricAugmentor):
    """Convert to another colour space.

    Args:
        mode: a ``cv2.COLOR_...``.
        keepdims: keep an axis of one channel where the conversion leaves one channel.
    """

    def __init__(self, mode: int, keepdims: bool = True) -> None:
        self.mode, self.keepdims = mode, keepdims
        super().__init__()

    def _augment(self, img: Image, params: None) -> Image:
        check_pixels(self, img)
        return self._convert(img)

    def _convert(self, img: Image) -> Image:
        convert, mode = opencv().cvtColor, self.mode
        out = in_float32(img, lambda x: convert(x, mode), self)
        return out[:, :, np.newaxis] if self.keepdims and out.ndim < img.ndim else out


class Grayscale(ColorSpace):
    """Convert a colour image to gray. A fourth channel is left out.

    Args:
        keepdims: return (h, w, 1); else (h, w).
        rgb: the order of channels is RGB; else BGR.
        keepshape: repeat the gray channel, to return (h, w, 3). Needs ``keepdims``.
    """

    def __init__(self, keepdims: bool = True, rgb: bool = False, keepshape: bool = False) -> None:
        if keepshape and not keepdims:
            raise ValueError("Grayscale: keepshape needs keepdims")
        # the values of cv2.COLOR_RGB2GRAY and cv2.COLOR_BGR2GRAY, without loading OpenCV
        super().__init__(mode=7 if rgb else 6, keepdims=keepdims)
        self.rgb, self.keepshape = rgb, keepshape

    def _augment(self, img: Image, params: None) -> Image:
        check_pixels(self, img, channels=(3, 4))
        gray = self._convert(img)
        return opencv().merge((gray, gray, gray)) if self.keepshape else gray


class ToUint8(PhotometricAugmentor):
    """Clip to [0, 255] and truncate to uint8. An image in [0, 1] loses all but its brightest pixels."""

    def _augment(self, img: Image, params: None) -> Image:
        if not isinstance(img, np.ndarray) or img.dtype != UINT8:
            check_dtype(img)
            img = np.clip(img, 0, 255)
        return img.astype(UINT8)


class ToFloat32(PhotometricAugmentor):
    """Convert to float32, with the same values."""

    def _augment(self, img: Image, params: None) -> Image:
        check_dtype(img)
        return img.astype(np.float32)
