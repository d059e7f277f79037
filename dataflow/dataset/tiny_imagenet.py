"""Tiny ImageNet: 200 classes, 64 x 64."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from ..base import RNGDataFlow
from ._common import check_directory, check_split, one_pass, read_bgr, read_lines

__all__ = ["TinyImageNet"]


class TinyImageNet(RNGDataFlow[list[Any]]):
    """Tiny ImageNet: ``[image, label]``, BGR uint8 (64, 64, 3) and an int from 0 to 199.

    It is not downloaded: unpack ``tiny-imagenet-200.zip`` yourself. A label is the line of the class in
    ``wnids.txt``. Without shuffling, train goes class by class, files by name; val in the order of its list.

    Args:
        dir: the folder ``tiny-imagenet-200``.
        name: ``"train"`` or ``"val"``.
        shuffle: whether to shuffle each pass; by default only for train.

    Attributes:
        imglist: list of (path, label).

    Raises:
        FileNotFoundError: a directory or file is missing.
        ValueError: the split is unknown, or a list is broken.
    """

    def __init__(self, dir: str, name: str, shuffle: bool | None = None) -> None:
        check_split(self, name, ("train", "val"))
        self.dir = os.path.expanduser(dir)
        self.name = name
        self.shuffle = name == "train" if shuffle is None else shuffle
        check_directory(os.path.join(self.dir, name), type(self).__name__)
        path = os.path.join(self.dir, "wnids.txt")
        labels = {wnid: k for k, wnid in enumerate(read_lines(path))}
        if len(labels) != 200:
            raise ValueError(f"{path!r} has {len(labels)} distinct classes, expected 200")
        self.imglist = self._train(labels) if name == "train" else self._val(labels)

    def _train(self, labels: dict[str, int]) -> list[tuple[str, int]]:
        images = []
        for wnid, label in labels.items():
            folder = os.path.join(self.dir, "train", wnid, "images")
            images += [(os.path.join(folder, file), label) for file in sorted(os.listdir(folder))]
        return images

    def _val(self, labels: dict[str, int]) -> list[tuple[str, int]]:
        folder = os.path.join(self.dir, "val")
        images = []
        for line in read_lines(os.path.join(folder, "val_annotations.txt")):
            file, wnid, *_ = [*line.split(), ""]
            if wnid not in labels:
                raise ValueError(f"val_annotations.txt: expected a file and a class, got {line!r}")
            images.append((os.path.join(folder, "images", file), labels[wnid]))
        return images

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.imglist)

    def __iter__(self) -> Iterator[list[Any]]:
        """Yield ``[image, label]``."""
        for k in one_pass(self, len(self.imglist)):
            path, label = self.imglist[k]
            yield [read_bgr(path), label]
