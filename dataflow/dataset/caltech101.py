"""Caltech 101 Silhouettes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..base import RNGDataFlow
from ..utils.fs import get_dataset_path
from ._common import check_split, load_mat, one_pass
from ._download import RemoteFile, fetch

__all__ = ["Caltech101Silhouettes"]

_FILE = RemoteFile.on(["https://people.cs.umass.edu/~marlin/data/"], "caltech101_silhouettes_28_split1.mat")


class Caltech101Silhouettes(RNGDataFlow[list[Any]]):
    """Silhouettes: ``[image, label]``, (28, 28) of 0 and 1, and a numpy integer from 0 to 100.

    Both keep the dtype of the file.

    Args:
        name: ``"train"``, ``"val"`` or ``"test"``.
        shuffle: whether to shuffle each pass.
        dir: where the ``.mat`` file is, or goes; by default ``get_dataset_path("caltech101_data")``.

    Attributes:
        data: the variables of the split, as they are in the file.
        images: (n, 28, 28).
        labels: (n,).

    Raises:
        ValueError: the split is unknown, or the file is broken.
        OSError: the file is missing and can't be downloaded.
        ImportError: scipy is missing.
    """

    def __init__(self, name: str, shuffle: bool = True, dir: str | None = None) -> None:
        check_split(self, name, ("train", "val", "test"))
        self.name = name
        self.shuffle = shuffle
        path = fetch(_FILE, get_dataset_path("caltech101_data") if dir is None else dir)
        images, labels = f"{name}_data", f"{name}_labels"
        content = load_mat(path, images, labels)
        self.data = {key: content[key] for key in (images, labels)}
        self.images = content[images].reshape(-1, 28, 28)
        self.labels = content[labels].reshape(-1) - 1
        if len(self.images) != len(self.labels):
            raise ValueError(f"{path!r} has {len(self.images)} images and {len(self.labels)} labels")

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def __iter__(self) -> Iterator[list[Any]]:
        """Yield ``[image, label]``; the image is a copy."""
        for k in one_pass(self, len(self.images)):
            yield [self.images[k].copy(), self.labels[k]]
