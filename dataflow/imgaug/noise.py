"""Noise. The drawn numbers have the shape of the image, so a transform fits images of that shape only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .._core.checks import integer_range
from ._cv import UINT8, Image, opencv, summary
from ._inputs import check_pixels
from ._pixels import saturate
from .base import PhotometricAugmentor

__all__ = ["GaussianNoise", "JpegNoise", "SaltPepperNoise"]


class JpegNoise(PhotometricAugmentor):
    """Compress the image as JPEG and decompress it again.

    Images have one channel or three; a fourth is left out. Floating-point images must be in [0, 255]; they
    are rounded.

    Args:
        quality_range: integers from 0 to 100 to draw the quality from, the upper end excluded.
    """

    def __init__(self, quality_range: Sequence[int] = (40, 100)) -> None:
        self.quality_range = integer_range(quality_range, "JpegNoise: quality_range")
        super().__init__()

    def _get_augment_params(self, img: Image) -> int:
        return int(self.rng.randint(*self.quality_range))

    def _augment(self, img: Image, quality: int) -> Image:
        check_pixels(self, img)
        gray = img.ndim == 2 or img.shape[2] == 1
        if not gray and img.shape[2] not in (3, 4):
            raise ValueError(f"{self!r}: expected an image of one channel or three, got {summary(img)}")
        pixels = img
        if img.dtype != UINT8:
            if img.max() <= 1 and (img != np.rint(img)).any():
                raise ValueError(
                    f"{self!r}: expected pixels in [0, 255], got {summary(img)} in [0, 1]; multiply by 255"
                )
            pixels = np.clip(np.rint(img), 0, 255).astype(np.uint8)
        cv2 = opencv()
        _, jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        out: Image = cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR)
        return out.reshape(*img.shape[:2], *out.shape[2:] or img.shape[2:]).astype(img.dtype, copy=False)


class GaussianNoise(PhotometricAugmentor):
    """Add independent normally distributed numbers to all elements.

    Args:
        sigma: standard deviation.
        clip: clip the result to [0, 255]; uint8 images always are.
    """

    def __init__(self, sigma: float = 1, clip: bool = True) -> None:
        self.sigma, self.clip = sigma, clip
        super().__init__()

    def _get_augment_params(self, img: Image) -> NDArray[np.float64]:
        noise = self.rng.randn(*img.shape)
        noise *= self.sigma
        return noise

    def _augment(self, img: Image, noise: NDArray[np.float64]) -> Image:
        check_pixels(self, img)
        _check_shape(self, img, noise)
        return saturate(img + noise, img.dtype, self.clip)


class SaltPepperNoise(PhotometricAugmentor):
    """Set random elements to 255 and others to 0, in floating-point images as well.

    Args:
        white_prob: the probability of 255.
        black_prob: the probability of 0.

    Raises:
        ValueError: the two sum to more than 1.
    """

    def __init__(self, white_prob: float = 0.05, black_prob: float = 0.05) -> None:
        if white_prob + black_prob > 1:
            raise ValueError(
                f"SaltPepperNoise: expected probabilities of sum 1 at most, got {white_prob} and {black_prob}"
            )
        self.white_prob, self.black_prob = white_prob, black_prob
        super().__init__()

    def _get_augment_params(self, img: Image) -> NDArray[np.float64]:
        return self.rng.uniform(low=0, high=1, size=img.shape)

    def _augment(self, img: Image, draws: NDArray[np.float64]) -> Image:
        check_pixels(self, img)
        _check_shape(self, img, draws)
        out: Image = img.copy()
        out[draws > 1 - self.white_prob] = 255
        out[draws < self.black_prob] = 0
        return out


def _check_shape(owner: object, img: Image, drawn: NDArray[np.float64]) -> None:
    if img.shape != drawn.shape:
        raise ValueError(f"{owner!r}: the noise was drawn for shape {drawn.shape}, got {summary(img)}")
