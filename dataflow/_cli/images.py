"""A picture of the images in some datapoints."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._core.optional import require
from .._storage.source import components

__all__ = ["draw_grid"]

_CELL = 160  # pixels
_MOST = 16
_BACKGROUND = 255


def draw_grid(dps: list[Any], path: str) -> None:
    """Write a grid of the first component that looks like an image, of the first datapoints.

    Arrays are taken as BGR, as OpenCV has them; encoded images are decoded.

    Raises:
        ValueError: no component looks like an image.
        OSError: the picture can't be written.
    """
    cv2 = require("cv2", None)
    key = next((key for key, value in components(dps[0] if dps else ()) if _image(value) is not None), None)
    images = [] if key is None else [_image(dp[key]) for dp in dps[:_MOST]]
    shown = [_fit(image) for image in images if image is not None]
    if not shown:
        raise ValueError("no component of the first datapoint looks like an image")
    columns = math.ceil(math.sqrt(len(shown)))
    rows = math.ceil(len(shown) / columns)
    canvas = np.full((rows * _CELL, columns * _CELL, 3), _BACKGROUND, np.uint8)
    for i, image in enumerate(shown):
        top, left = i // columns * _CELL, i % columns * _CELL
        canvas[top : top + image.shape[0], left : left + image.shape[1]] = image
    try:
        written = cv2.imwrite(path, canvas)
    except cv2.error as e:
        raise OSError(f"can't write the picture {path}: {str(e).strip()}") from e
    if not written:
        raise OSError(f"can't write the picture {path}")


def _image(value: Any) -> np.ndarray[Any, Any] | None:
    """Return a component as (height, width, 3) uint8, or None if it does not look like an image."""
    cv2 = require("cv2", None)
    if isinstance(value, bytes) or (
        isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype == np.uint8
    ):
        data = np.frombuffer(value, np.uint8)
        try:
            return cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        except cv2.error as e:
            raise ValueError(f"an image can't be decoded: {e}") from e
    if not isinstance(value, np.ndarray) or value.ndim not in (2, 3) or value.dtype.kind not in "uf":
        return None
    if min(value.shape[:2]) < 2 or (value.ndim == 3 and value.shape[2] not in (1, 3, 4)):
        return None
    image = value if value.ndim == 3 else value[:, :, np.newaxis]
    if image.dtype != np.uint8:
        low, high = float(np.nanmin(image)), float(np.nanmax(image))
        image = np.nan_to_num((image - low) * (255 / ((high - low) or 1))).astype(np.uint8)
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image[:, :, :3]


def _fit(image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return an image resized to fit into a cell with a margin."""
    cv2 = require("cv2", None)
    scale = (_CELL - 4) / max(image.shape[:2])
    height, width = (max(1, int(n * scale)) for n in image.shape[:2])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    return cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=way)  # type: ignore[no-any-return]
