"""What all readers share: the order of a pass, and errors that say where."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..utils.serialize import UnsafePickleError


def order_of_pass(size: int, rng: np.random.RandomState | None) -> Iterable[int]:
    """Return the indices below ``size`` in a random order, or ascending without ``rng``."""
    # .data: its items are plain ints, made one at a time
    return range(size) if rng is None else rng.permutation(size).data


def error_at(where: str, error: ValueError) -> ValueError:
    """Return an error of the same kind whose message begins with ``where``."""
    kind = UnsafePickleError if isinstance(error, UnsafePickleError) else ValueError
    return kind(f"{where}: {error}")
