"""Local deformation. Deprecated: slow, and kept for the programs that use it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..utils import logger
from ._cv import Image, summary
from .base import ImageAugmentor
from .transform import TransformFactory

__all__: list[str] = []


class GaussianMap:
    """Gaussian weights around an anchor.

    Args:
        image_shape: (h, w).
        sigma: width of the Gaussian: the weight is exp(-d**2 / sigma) at a distance of d image sizes.
    """

    def __init__(self, image_shape: Sequence[int], sigma: float = 0.5) -> None:
        h, w = image_shape[:2]
        self.shape, self.sigma = (h, w), sigma
        self._rows, self._columns = np.arange(h)[:, np.newaxis] / h, np.arange(w)[np.newaxis] / w

    def get_gaussian_weight(self, anchor: Sequence[float]) -> NDArray[np.float64]:
        """Return the weights, h x w, around ``anchor``: (row, column) as fractions of (h, w)."""
        row, column = anchor
        weight: NDArray[np.float64] = np.exp(
            -((self._columns - column) ** 2 + (self._rows - row) ** 2) / self.sigma
        )
        return weight


def np_sample(img: Image, coords: NDArray[Any]) -> NDArray[np.float64]:
    """Return the image at fractional positions, interpolated linearly between the nearest four pixels.

    Args:
        img: h x w (x channels).
        coords: ... x 2, (row, column). Those outside are moved to the border.

    Returns:
        ... (x channels), float64.
    """
    limits = np.array(img.shape[:2]) - 1
    coords = np.clip(coords, 0, limits)
    low = np.floor(coords).astype(np.int64)
    fraction = coords - low
    high = np.minimum(low + 1, limits)
    out = np.zeros(coords.shape[:-1] + img.shape[2:])
    for rows, row_weight in ((low, 1 - fraction), (high, fraction)):
        for columns, column_weight in ((low, 1 - fraction), (high, fraction)):
            weight = row_weight[..., 0] * column_weight[..., 1]
            out += img[rows[..., 0], columns[..., 1]] * weight.reshape(weight.shape + (1,) * (img.ndim - 2))
    return out


class GaussianDeform(ImageAugmentor):
    """Move some anchors by random vectors, and everything around them with Gaussian weights. It is slow.

    Args:
        anchors: K pairs (row, column), as fractions of the image's size.
        shape: (h, w) of the images.
        sigma: width of the Gaussian, see ``GaussianMap``.
        randrange: largest move in pixels, in each direction; None for an eighth of the height.
    """

    def __init__(
        self,
        anchors: Sequence[Sequence[float]],
        shape: Sequence[int],
        sigma: float = 0.5,
        randrange: float | None = None,
    ) -> None:
        logger.warning("GaussianDeform is slow; consider imgaug.Affine or a third-party library")
        self.anchors, self.shape, self.sigma = anchors, shape, sigma
        self.randrange = shape[0] / 8 if randrange is None else randrange
        gaussian = GaussianMap(shape, sigma)
        self._weights = np.stack([gaussian.get_gaussian_weight(anchor) for anchor in anchors], axis=-1)
        super().__init__()

    def get_transform(self, img: Image) -> TransformFactory:
        """Draw a vector (row, column) for each anchor.

        Raises:
            ValueError: the image has another size than ``shape``.
        """
        if tuple(img.shape[:2]) != tuple(self.shape[:2]):
            raise ValueError(f"{self!r}: expected an image of that shape, got {summary(img)}")
        vectors = (self.rng.rand(len(self.anchors), 2).astype(np.float32) - 0.5) * 2 * self.randrange
        h, w = self.shape[:2]
        grid = np.stack(np.meshgrid(np.arange(h), np.arange(w), indexing="ij"), axis=-1)
        source = grid + self._weights @ vectors
        return TransformFactory("GaussianDeform", apply_image=lambda img: np_sample(img, source))
