"""Helpers that several data sets use."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.optional import require
from ..base import RNGDataFlow


def check_split(owner: object, name: str, names: Sequence[str]) -> None:
    """Raise ValueError unless ``name`` is one of ``names``, the splits of a data set."""
    if name not in names:
        raise ValueError(f"{type(owner).__name__}: unknown split {name!r}, expected one of {list(names)}")


def one_pass(ds: RNGDataFlow[Any], n: int) -> list[int]:
    """Return the order of one pass over ``n`` datapoints: 0 to n - 1, shuffled if ``ds.shuffle``.

    ``n`` is not ``len(ds)``: programs override that, with sizes of their own.
    """
    order = np.arange(n)
    if ds.shuffle:  # type: ignore[attr-defined]
        ds.rng.shuffle(order)
    indices: list[int] = order.tolist()
    return indices


def check_directory(path: str, what: str) -> None:
    """Raise FileNotFoundError if a directory is missing."""
    if not os.path.isdir(path):
        raise FileNotFoundError(f"{what}: no directory {path!r}")


def read_lines(path: str) -> list[str]:
    """Return the lines of a text file that are not empty, stripped."""
    with open(path, encoding="utf-8") as f:
        return [line.strip() for line in f if line.strip()]


def read_bgr(path: str) -> NDArray[np.uint8]:
    """Decode an image file to BGR uint8 (h, w, 3); gray becomes three channels.

    Raises:
        FileNotFoundError: it is missing.
        ValueError: it is no image.
    """
    cv2 = require("cv2", None)
    with open(path, "rb") as f:
        content = np.frombuffer(f.read(), dtype=np.uint8)
    image: NDArray[np.uint8] | None = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    if image is None:
        raise ValueError(f"OpenCV can't decode the image {path!r}")
    return image


def load_mat(path: str, *names: str) -> dict[str, Any]:
    """Return variables of a MATLAB file (version 5).

    Raises:
        ValueError: one is missing, or the file is broken.
    """
    try:
        content: dict[str, Any] = require("scipy.io", "dataset").loadmat(path, variable_names=names)
    except (ImportError, FileNotFoundError):
        raise
    except Exception as e:  # scipy raises many types for a damaged file
        raise ValueError(f"{path!r} is not a readable MATLAB file: {e}; delete it to fetch it again") from e
    missing = [name for name in names if name not in content]
    if missing:
        raise ValueError(f"{path!r} has no variable {', '.join(missing)}")
    return content
