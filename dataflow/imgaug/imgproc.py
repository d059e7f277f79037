"""Brightness, contrast, colours, blur, normalization."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._compat.renamed import warn_renamed
from .._core.checks import INTEGERS, integer_range, number_range
from ._cv import BORDER_REPLICATE, UINT8, Image, call, opencv
from ._inputs import check_pixels
from ._pixels import as_float32, by_level, channel_means, gray_of, in_float32, in_strips, saturate
from .base import PhotometricAugmentor

__all__ = [
    "Brightness",
    "BrightnessScale",
    "Clip",
    "Contrast",
    "Gamma",
    "GaussianBlur",
    "Hue",
    "Lighting",
    "MeanVarianceNormalize",
    "MinMaxNormalize",
    "Saturation",
]

_ONE = np.float32(1)


class Hue(PhotometricAugmentor):
    """Rotate the hue of a colour image. A fourth channel is left out.

    Args:
        range: of the change, in units of 2 degrees: 180 of them are once around.
        rgb: the order of channels is RGB; else BGR.
    """

    def __init__(self, range: Sequence[float] = (0, 180), rgb: bool = True) -> None:
        self.range, self.rgb = number_range(range, "Hue: range"), rgb
        super().__init__()

    def _get_augment_params(self, img: Image) -> np.float32:
        return self._rand_range(*self.range)  # type: ignore[no-any-return]

    def _augment(self, img: Image, units: np.float32) -> Image:
        check_pixels(self, img, channels=(3, 4))
        return in_float32(img, lambda x: self._rotate(x, units), self)

    def _rotate(self, img: Image, units: np.float32) -> Image:
        cv2 = opencv()
        hsv = cv2.cvtColor(img, cv2.COLOR_RGB2HSV if self.rgb else cv2.COLOR_BGR2HSV)
        hue = cv2.extractChannel(hsv, 0)
        if hsv.dtype == UINT8:
            hue = by_level(hue, lambda h: np.mod(h + units, np.float32(180)).astype(np.uint8))
        else:
            hue = np.mod(hue + 2 * units, np.float32(360))
        cv2.insertChannel(hue, hsv, 0)
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB if self.rgb else cv2.COLOR_HSV2BGR)  # type: ignore[no-any-return]


class Brightness(PhotometricAugmentor):
    """Add a random number to all pixels.

    Args:
        delta: the number is drawn from [-delta, delta).
        clip: clip the result to [0, 255]; uint8 images always are.
    """

    def __init__(self, delta: float, clip: bool = True) -> None:
        if not delta > 0:
            raise ValueError(f"Brightness: delta: expected more than 0, got {delta}")
        self.delta, self.clip = delta, clip
        super().__init__()

    def _get_augment_params(self, img: Image) -> np.float32:
        return self._rand_range(-self.delta, self.delta)  # type: ignore[no-any-return]

    def _augment(self, img: Image, shift: np.float32) -> Image:
        check_pixels(self, img)
        return by_level(img, lambda x: saturate(as_float32(x) + shift, img.dtype, self.clip))


class BrightnessScale(PhotometricAugmentor):
    """Multiply all pixels by a random factor.

    Args:
        range: of the factor.
        clip: clip the result to [0, 255]; uint8 images always are.
    """

    def __init__(self, range: Sequence[float], clip: bool = True) -> None:
        self.range, self.clip = number_range(range, "BrightnessScale: range"), clip
        super().__init__()

    def _get_augment_params(self, img: Image) -> np.float32:
        return self._rand_range(*self.range)  # type: ignore[no-any-return]

    def _augment(self, img: Image, factor: np.float32) -> Image:
        check_pixels(self, img)
        return by_level(img, lambda x: saturate(as_float32(x) * factor, img.dtype, self.clip))


class Contrast(PhotometricAugmentor):
    """Multiply the distance of all pixels from the mean by a random factor.

    Args:
        factor_range: of the factor.
        rgb: None to take the mean of each channel; True or False to take the mean brightness of a colour
            image whose order of channels is RGB or BGR.
        clip: clip the result to [0, 255]; uint8 images always are.
    """

    def __init__(self, factor_range: Sequence[float], rgb: bool | None = None, clip: bool = True) -> None:
        self.factor_range = number_range(factor_range, "Contrast: factor_range")
        self.rgb, self.clip = rgb, clip
        super().__init__()

    def _get_augment_params(self, img: Image) -> np.float32:
        return self._rand_range(*self.factor_range)  # type: ignore[no-any-return]

    def _augment(self, img: Image, factor: np.float32) -> Image:
        if img.ndim == 3 and self.rgb is not None:
            check_pixels(self, img, channels=(3, 4))
            mean = gray_of(as_float32(img), self.rgb).mean()
        else:
            check_pixels(self, img)
            mean = channel_means(img)
        rest = mean * (_ONE - factor)
        return by_level(img, lambda x: saturate(x * factor + rest, img.dtype, self.clip))


class MeanVarianceNormalize(PhotometricAugmentor):
    """Subtract the mean and divide by the standard deviation. The result is float32.

    The standard deviation counts as at least 1 / sqrt(number of pixels x channels).

    Args:
        all_channel: normalize all channels together; else each for itself.
    """

    def __init__(self, all_channel: bool = True) -> None:
        self.all_channel = all_channel
        super().__init__()

    def _augment(self, img: Image, params: None) -> Image:
        check_pixels(self, img)
        x = img if img.dtype == UINT8 else as_float32(img)
        channels = 1 if self.all_channel or img.ndim == 2 else img.shape[2]
        # OpenCV sums in float64, where NumPy would lose digits on large images
        mean, std = opencv().meanStdDev(np.ascontiguousarray(x).reshape(-1, 1, channels))
        mean = mean[:, 0].astype(np.float32)
        std = np.maximum(std[:, 0], 1 / np.sqrt(img.size)).astype(np.float32)
        if channels > 1:
            return by_level(x, lambda x: (x - mean) / std)
        out = img.astype(np.float32)
        out -= mean
        out /= std
        return out


class GaussianBlur(PhotometricAugmentor):
    """Blur by a Gaussian kernel of random size.

    Args:
        size_range: draws k from the integers of [low, high) for a kernel of 2k + 1 pixels. One number means
            (0, number).
        sigma_range: of the standard deviation in pixels; OpenCV derives a 0 from the size.
        symmetric: the same size and standard deviation for both directions; else drawn for each.
        max_size: old name of ``size_range``, for one number.
    """

    def __init__(
        self,
        size_range: int | Sequence[int] = (0, 3),
        sigma_range: Sequence[float] = (0, 0),
        symmetric: bool = True,
        max_size: int | None = None,
    ) -> None:
        if max_size is not None:
            warn_renamed("the argument 'max_size' of GaussianBlur()", "'size_range'")
            size_range = max_size
        if isinstance(size_range, int | np.integer):
            size_range = (0, int(size_range))
        self.size_range = integer_range(size_range, "GaussianBlur: size_range")
        self.sigma_range = number_range(sigma_range, "GaussianBlur: sigma_range")
        self.symmetric, self.max_size = symmetric, None
        super().__init__()

    def _get_augment_params(self, img: Image) -> tuple[tuple[int, int], tuple[float, float]]:
        low, high = self.size_range
        kx, ky = (self.rng.randint(low, high, size=(2,)) * 2 + 1).tolist()
        sx, sy = self._rand_range(self.sigma_range[0], self.sigma_range[1], (2,)).tolist()
        return ((kx, kx), (sx, sx)) if self.symmetric else ((kx, ky), (sx, sy))

    def _augment(self, img: Image, params: tuple[tuple[int, int], tuple[float, float]]) -> Image:
        check_pixels(self, img)
        kernel, (sx, sy) = params
        blur = opencv().GaussianBlur

        def func(x: Image) -> Image:
            return blur(x, kernel, sigmaX=sx, sigmaY=sy, borderType=BORDER_REPLICATE)  # type: ignore[no-any-return]

        out = call(func, img, self) if img.dtype == np.float64 else in_float32(img, func, self)
        return out.reshape(img.shape)


class Gamma(PhotometricAugmentor):
    """Raise the pixels, as fractions of 255, to the power of 1 / (1 + g) with a random g.

    Floating-point images must be in [0, 255]; they get whole numbers.

    Args:
        range: of g, more than -1. Positive ones brighten.
    """

    def __init__(self, range: Sequence[float] = (-0.5, 0.5)) -> None:
        low, high = number_range(range, "Gamma: range")
        if min(low, high) <= -1:
            raise ValueError(f"Gamma: range: expected more than -1, got {range!r}")
        self.range = range
        super().__init__()

    def _get_augment_params(self, img: Image) -> np.float32:
        return self._rand_range(*self.range)  # type: ignore[no-any-return]

    def _augment(self, img: Image, g: np.float32) -> Image:
        check_pixels(self, img)
        levels = img if img.dtype == UINT8 else np.clip(img, 0, 255).astype(np.uint8)
        out = by_level(levels, lambda x: ((x / np.float64(255)) ** (1 / (1 + g)) * 255).astype(np.uint8))
        return out.astype(img.dtype, copy=False)


class Clip(PhotometricAugmentor):
    """Clip pixels to a range.

    Args:
        min: lower end.
        max: upper end. Integers beyond what the dtype of the image can hold mean its own ends. Fractional
            ends make a float64 image of a uint8 one.
    """

    def __init__(self, min: float = 0, max: float = 255) -> None:
        self.min, self.max = min, max
        super().__init__()

    def _augment(self, img: Image, params: None) -> Image:
        check_pixels(self, img)
        low, high = self.min, self.max
        if img.dtype == UINT8 and isinstance(low, INTEGERS) and isinstance(high, INTEGERS):
            # as uint8, which NumPy takes 1.5 us faster than Python's integers
            low, high = np.uint8(max(0, min(255, low))), np.uint8(max(0, min(255, high)))
        return img.clip(low, high)


class Saturation(PhotometricAugmentor):
    """Mix a colour image with its gray version, or away from it.

    Args:
        alpha: the weight of the image is drawn from [1 - alpha, 1 + alpha), that of gray is the rest to 1.
            Less than 1.
        rgb: the order of channels is RGB; else BGR.
        clip: clip the result to [0, 255]; uint8 images always are.
    """

    def __init__(self, alpha: float = 0.4, rgb: bool = True, clip: bool = True) -> None:
        if not alpha < 1:
            raise ValueError(f"Saturation: alpha: expected less than 1, got {alpha}")
        self.alpha, self.rgb, self.clip = alpha, rgb, clip
        super().__init__()

    def _get_augment_params(self, img: Image) -> np.float32:
        return _ONE + self._rand_range(-self.alpha, self.alpha)  # type: ignore[no-any-return]

    def _augment(self, img: Image, weight: np.float32) -> Image:
        check_pixels(self, img, channels=(3, 4))
        return in_strips(img, lambda x: self._mix(x, weight))

    def _mix(self, img: Image, weight: np.float32) -> Image:
        x = img if img.dtype == UINT8 else as_float32(img)
        gray = as_float32(gray_of(x, self.rgb)) * (_ONE - weight)
        out = img.astype(np.float32)
        out *= weight
        out += opencv().merge([gray] * img.shape[2])
        return saturate(out, img.dtype, self.clip)


class Lighting(PhotometricAugmentor):
    """Add a random colour along the principal components of the colours of natural images.

    Args:
        std: standard deviation of the weight of each component.
        eigval: the three eigenvalues.
        eigvec: 3 x 3, the eigenvectors in its columns, in the order of the image's channels.
        clip: clip the result to [0, 255]; uint8 images always are.
    """

    def __init__(self, std: float, eigval: ArrayLike, eigvec: ArrayLike, clip: bool = True) -> None:
        self.std, self.clip = std, clip
        self.eigval = np.asarray(eigval, dtype=np.float32)
        self.eigvec = np.asarray(eigvec, dtype=np.float32)
        if self.eigval.shape != (3,) or self.eigvec.shape != (3, 3):
            raise ValueError(
                "Lighting: expected eigval of shape (3,) and eigvec of shape (3, 3), "
                f"got {self.eigval.shape} and {self.eigvec.shape}"
            )
        super().__init__()

    def _get_augment_params(self, img: Image) -> NDArray[np.float32]:
        return (self.rng.randn(3) * self.std).astype(np.float32)

    def _augment(self, img: Image, weights: NDArray[np.float32]) -> Image:
        check_pixels(self, img, channels=(3,))
        shift = np.dot(self.eigvec, weights * self.eigval)
        return by_level(img, lambda x: saturate(x + shift, img.dtype, self.clip))


class MinMaxNormalize(PhotometricAugmentor):
    """Scale pixels linearly such that they fill a range. The result is float32.

    An image, or channel, that is constant gets the lower end everywhere.

    Args:
        min: lower end of the range.
        max: upper end of the range.
        all_channel: normalize all channels together; else each for itself.
    """

    def __init__(self, min: float = 0, max: float = 255, all_channel: bool = True) -> None:
        self.min, self.max, self.all_channel = min, max, all_channel
        super().__init__()

    def _augment(self, img: Image, params: None) -> Image:
        check_pixels(self, img)
        if self.all_channel:
            low, high = np.float32(img.min()), np.float32(img.max())
        else:  # one axis at a time: NumPy takes much longer for two at once
            low, high = as_float32(img.min(axis=0).min(axis=0)), as_float32(img.max(axis=0).max(axis=0))
        spread = np.where(high > low, high - low, _ONE)
        factor, offset = np.float32(self.max - self.min), np.float32(self.min)
        return by_level(img, lambda x: factor * (as_float32(x) - low) / spread + offset)
