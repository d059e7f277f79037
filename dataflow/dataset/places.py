"""Places365-Standard: 365 scenes, 256 x 256."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from ..base import RNGDataFlow
from ._common import check_directory, check_split, one_pass, read_bgr, read_lines

__all__ = ["Places365Standard"]

_CATEGORIES = "categories_places365.txt"


class Places365Standard(RNGDataFlow[list[Any]]):
    """Places365-Standard: ``[image, label]``, BGR uint8 (256, 256, 3) and an int from 0 to 364.

    It is not downloaded: unpack the archive with the "easy directory structure" yourself. ``train.txt`` and
    ``val.txt`` list paths such as ``train/airfield/00000001.jpg``. A label is the number of the class in
    ``categories_places365.txt`` if that official file is there, else its rank among the sorted classes of
    both lists.

    Args:
        dir: contains the lists and the folders ``train`` and ``val``.
        name: ``"train"`` or ``"val"``.
        shuffle: whether to shuffle each pass; by default only for train.

    Raises:
        FileNotFoundError: the directory or the list is missing.
        ValueError: the split is unknown, or a list is broken.
    """

    def __init__(self, dir: str, name: str, shuffle: bool | None = None) -> None:
        check_split(self, name, ("train", "val"))
        self.dir = os.path.expanduser(dir)
        self.name = name
        self.shuffle = name == "train" if shuffle is None else shuffle
        check_directory(self.dir, type(self).__name__)
        files = read_lines(os.path.join(self.dir, name + ".txt"))
        self._labels = self._official_labels() or self._ranks()
        self._files = [(file, self._label_of(file)) for file in files]

    def _official_labels(self) -> dict[str, int]:
        path = os.path.join(self.dir, _CATEGORIES)
        if not os.path.exists(path):
            return {}
        labels = {}
        for line in read_lines(path):  # such as "/a/apartment_building/outdoor 8"
            scene, number = line.rsplit(maxsplit=1)
            labels[scene[3:].replace("/", "-")] = int(number)
        return labels

    def _ranks(self) -> dict[str, int]:
        lists = (os.path.join(self.dir, name + ".txt") for name in ("train", "val"))
        classes = {_class_of(file) for path in lists if os.path.exists(path) for file in read_lines(path)}
        return {scene: rank for rank, scene in enumerate(sorted(classes))}

    def _label_of(self, file: str) -> int:
        scene = _class_of(file)
        if scene not in self._labels:
            raise ValueError(f"{self.name}.txt lists the class {scene!r}, which is not in {_CATEGORIES}")
        return self._labels[scene]

    def get_label_names(self) -> list[str]:
        """Return the names of the classes, in the order of their labels."""
        return sorted(self._labels, key=self._labels.__getitem__)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._files)

    def __iter__(self) -> Iterator[list[Any]]:
        """Yield ``[image, label]``."""
        for k in one_pass(self, len(self._files)):
            file, label = self._files[k]
            yield [read_bgr(os.path.join(self.dir, file)), label]


def _class_of(file: str) -> str:
    parts = file.split("/")
    if len(parts) < 3:
        raise ValueError(f"expected a path such as train/airfield/00000001.jpg in the list, got {file!r}")
    return parts[1]
