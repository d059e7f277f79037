"""SVMlight files."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from .._core.optional import require
from ..base import RNGDataFlow
from .reading import order_of_pass

__all__ = ["SVMLightData"]


class SVMLightData(RNGDataFlow[list[Any]]):
    """Read an SVMlight file and yield lists ``[x, y]``.

    ``x`` is a dense float64 array (number of features,), ``y`` a float64 scalar. In memory the rows stay
    sparse.

    Args:
        filename: the file. Compressed ones may end in ``.gz`` or ``.bz2``.
        shuffle: whether each pass has an order of its own.

    Raises:
        ImportError: scikit-learn is missing.
        FileNotFoundError: there is no such file.
        ValueError: it is not in this format.
    """

    def __init__(self, filename: str, shuffle: bool = True) -> None:
        self.filename = os.fspath(filename)
        self.shuffle = shuffle
        datasets = require("sklearn.datasets", "svmlight")
        if not os.path.isfile(self.filename):
            raise FileNotFoundError(f"there is no SVMlight file {self.filename}")
        try:
            self.X, self.y = datasets.load_svmlight_file(self.filename)
        except (ValueError, OverflowError, EOFError, zlib.error) as e:
            raise ValueError(f"{self.filename} is not an SVMlight file: {e}") from e

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.y)

    def __iter__(self) -> Iterator[list[Any]]:
        """Yield lists ``[x, y]``."""
        starts, columns, values = self.X.indptr, self.X.indices, self.X.data
        for k in order_of_pass(len(self), self.rng if self.shuffle else None):
            row = np.zeros(self.X.shape[1])
            part = slice(starts[k], starts[k + 1])
            row[columns[part]] = values[part]
            yield [row, self.y[k]]
