"""The cropped digits of Street View House Numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base import RNGDataFlow
from ..utils.fs import get_dataset_path
from ._common import check_split, load_mat, one_pass
from ._download import RemoteFile, fetch

__all__ = ["SVHNDigit"]

_MIRRORS = ("https://ufldl.stanford.edu/housenumbers/", "http://ufldl.stanford.edu/housenumbers/")
_FILES = {
    "train": RemoteFile.on(_MIRRORS, "train_32x32.mat", "md5:e26dedcc434d2e4c54c9b2d4a06d8373"),
    "test": RemoteFile.on(_MIRRORS, "test_32x32.mat", "md5:eb5a983be6a315427106f1b164d9cef3"),
    "extra": RemoteFile.on(_MIRRORS, "extra_32x32.mat", "md5:a93ce644f1a588dc4d68dda5feec44a7"),
}


class SVHNDigit(RNGDataFlow[list[Any]]):
    """SVHN: ``[image, label]``, RGB uint8 (32, 32, 3) and a numpy.uint8 from 0 to 9.

    Labels keep the dtype of the file: a batch of them is uint8.

    Args:
        name: ``"train"``, ``"test"`` or ``"extra"``.
        data_dir: where the ``.mat`` files are, or go; by default ``get_dataset_path("svhn_data")``.
        shuffle: whether to shuffle each pass.

    Attributes:
        X: uint8 (n, 32, 32, 3).
        Y: uint8 (n,).

    Raises:
        ValueError: the split is unknown, or the file is broken.
        OSError: the file is missing and can't be downloaded.
        ImportError: scipy is missing.
    """

    def __init__(self, name: str, data_dir: str | None = None, shuffle: bool = True) -> None:
        check_split(self, name, tuple(_FILES))
        self.name = name
        self.shuffle = shuffle
        path = fetch(_FILES[name], get_dataset_path("svhn_data") if data_dir is None else data_dir)
        content = load_mat(path, "X", "y")
        self.X: NDArray[np.uint8] = content["X"].transpose(3, 0, 1, 2)
        self.Y: NDArray[np.uint8] = content["y"].reshape(-1)
        self.Y[self.Y == 10] = 0
        if len(self.X) != len(self.Y):
            raise ValueError(f"{path!r} has {len(self.X)} images and {len(self.Y)} labels")

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.X)

    def __iter__(self) -> Iterator[list[Any]]:
        """Yield ``[image, label]``; the image is a copy."""
        for k in one_pass(self, len(self.X)):
            yield [self.X[k].copy(), self.Y[k]]

    @staticmethod
    def get_per_pixel_mean(names: str | Sequence[str] = ("train", "test", "extra")) -> NDArray[np.float64]:
        """Return the mean image of some splits in the default directory.

        Args:
            names: of the splits. The default includes the test data.

        Returns:
            float64 (32, 32, 3).
        """
        total, count = np.zeros((32, 32, 3)), 0
        for name in [names] if isinstance(names, str) else names:
            images = SVHNDigit(name).X
            total += images.sum(axis=0, dtype=np.float64)
            count += len(images)
        return total / count
