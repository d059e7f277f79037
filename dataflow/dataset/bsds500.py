"""The Berkeley segmentation data set."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base import RNGDataFlow
from ..utils.fs import get_dataset_path
from ._common import check_split, load_mat, one_pass, read_bgr
from ._download import RemoteFile, fetch_and_unpack

__all__ = ["BSDS500"]

_PATH = "/Research/Projects/CS/vision/grouping/BSR/BSR_bsds500.tgz"
_ARCHIVE = RemoteFile(
    "BSR_bsds500.tgz",
    ("https://www2.eecs.berkeley.edu" + _PATH, "http://www.eecs.berkeley.edu" + _PATH),
    size=70763455,
)
_HEIGHT, _WIDTH = 321, 481


class BSDS500(RNGDataFlow[list[Any]]):
    """BSDS500: ``[image, boundaries]``, BGR uint8 (321, 481, 3) and float32 (321, 481) from 0 to 1.

    The second is the fraction of the annotators who saw a boundary at the pixel. Portrait images are
    transposed. Images are in the order of their names.

    Args:
        name: ``"train"``, ``"val"`` or ``"test"``.
        data_dir: where the folder ``BSR`` is, or goes; by default ``get_dataset_path("bsds500_data")``.
        shuffle: whether to shuffle each pass.

    Attributes:
        data: uint8 (n, 321, 481, 3).
        label: float32 (n, 321, 481).

    Raises:
        ValueError: the split is unknown, or a file is broken.
        OSError: a file is missing, or the archive can't be downloaded.
        ImportError: scipy is missing.
    """

    def __init__(self, name: str, data_dir: str | None = None, shuffle: bool = True) -> None:
        check_split(self, name, ("train", "val", "test"))
        self.name = name
        self.shuffle = shuffle
        directory = get_dataset_path("bsds500_data") if data_dir is None else data_dir
        root = os.path.join(fetch_and_unpack(_ARCHIVE, directory, "BSR"), "BSDS500", "data")
        images = sorted(glob.glob(os.path.join(glob.escape(os.path.join(root, "images", name)), "*.jpg")))
        if not images:
            raise FileNotFoundError(f"BSDS500: no images in {os.path.join(root, 'images', name)!r}")
        self.data = np.empty((len(images), _HEIGHT, _WIDTH, 3), dtype=np.uint8)
        self.label = np.empty((len(images), _HEIGHT, _WIDTH), dtype=np.float32)
        for k, path in enumerate(images):
            number = os.path.splitext(os.path.basename(path))[0]
            truth = os.path.join(root, "groundTruth", name, number + ".mat")
            self.data[k] = _landscape(read_bgr(path), path)
            self.label[k] = _landscape(_boundaries(truth), truth)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.data)

    def __iter__(self) -> Iterator[list[Any]]:
        """Yield ``[image, boundaries]``; both are copies."""
        for k in one_pass(self, len(self.data)):
            yield [self.data[k].copy(), self.label[k].copy()]


def _boundaries(path: str) -> NDArray[np.float32]:
    """Return the mean of the annotators' boundary maps."""
    annotators = load_mat(path, "groundTruth")["groundTruth"].reshape(-1)
    maps = [annotator["Boundaries"][0, 0] for annotator in annotators]
    mean: NDArray[np.float32] = np.sum(maps, axis=0, dtype=np.float32) * np.float32(1 / len(maps))
    return mean


def _landscape(image: NDArray[Any], path: str) -> NDArray[Any]:
    if image.shape[0] > image.shape[1]:
        image = image.swapaxes(0, 1)
    if image.shape[:2] != (_HEIGHT, _WIDTH):
        raise ValueError(f"{path!r} has size {image.shape[:2]}, expected {(_HEIGHT, _WIDTH)}")
    return image
