"""The order of one pass."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

__all__ = ["order_of_pass"]


def order_of_pass(size: int, rng: np.random.RandomState | None) -> Iterable[int]:
    """Return the indices below ``size`` in a random order, or ascending without ``rng``."""
    # .data: its items are plain ints, made one at a time
    return range(size) if rng is None else rng.permutation(size).data
