"""A table of colours that are easy to tell apart."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

__all__ = ["PALETTE_RGB"]

_GOLDEN = 0.618033988749895  # hues at steps of this fraction of the circle stay far apart for long


def _palette(n: int) -> NDArray[np.float32]:
    shades = ((0.95, 0.95), (0.55, 0.95), (0.95, 0.6))  # saturation and value, in turn
    colors = [colorsys.hsv_to_rgb(i * _GOLDEN % 1, *shades[i % len(shades)]) for i in range(n)]
    return np.round(np.array(colors) * 255).astype(np.float32)


PALETTE_RGB = _palette(80)
"""float32 array (80, 3): RGB from 0 to 255."""
