"""CIFAR-10 and CIFAR-100."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..base import RNGDataFlow
from ..utils._unpickle import loads_pickle
from ..utils.fs import get_dataset_path
from ._common import check_split, one_pass
from ._download import RemoteFile, fetch_and_unpack

__all__ = ["Cifar10", "Cifar100", "CifarBase"]

_MIRRORS = ("https://www.cs.toronto.edu/~kriz/",)


class _Layout(NamedTuple):
    archive: RemoteFile
    dir_name: str
    folder: str  # inside the archive
    files: dict[str, tuple[str, ...]]  # of each split
    label_key: str
    meta_file: str
    names_key: str


_LAYOUTS = {
    10: _Layout(
        RemoteFile.on(
            _MIRRORS, "cifar-10-python.tar.gz", "md5:c58f30108f718f92721af3b95e74349a", size=170498071
        ),
        "cifar10_data",
        "cifar-10-batches-py",
        {"train": tuple(f"data_batch_{k}" for k in range(1, 6)), "test": ("test_batch",)},
        "labels",
        "batches.meta",
        "label_names",
    ),
    100: _Layout(
        RemoteFile.on(
            _MIRRORS, "cifar-100-python.tar.gz", "md5:eb9058c3a382ffc7106e4002c42a8d85", size=169001437
        ),
        "cifar100_data",
        "cifar-100-python",
        {"train": ("train",), "test": ("test",)},
        "fine_labels",
        "meta",
        "fine_label_names",
    ),
}


class CifarBase(RNGDataFlow[list[Any]]):
    """CIFAR: ``[image, label]``, RGB uint8 (32, 32, 3) and an int.

    The files are pickles; they are read as data, and nothing in them is executed.

    Args:
        train_or_test: ``"train"`` or ``"test"``.
        shuffle: whether to shuffle each pass; by default only for train.
        dir: where the folder ``cifar-10-batches-py`` or ``cifar-100-python`` is, or goes; by default
            ``get_dataset_path("cifar10_data")`` or ``"cifar100_data"``.
        cifar_classnum: 10 or 100.

    Attributes:
        data: list of ``[image, label]``.

    Raises:
        ValueError: the split or the number of classes is unknown, or a file is missing or broken.
        OSError: the data is missing and can't be downloaded.
    """

    def __init__(
        self,
        train_or_test: str,
        shuffle: bool | None = None,
        dir: str | None = None,
        cifar_classnum: int = 10,
    ) -> None:
        check_split(self, train_or_test, ("train", "test"))
        if cifar_classnum not in _LAYOUTS:
            raise ValueError(f"cifar_classnum={cifar_classnum!r}: expected 10 or 100")
        self._layout = _LAYOUTS[cifar_classnum]
        self.cifar_classnum = cifar_classnum
        self.train_or_test = train_or_test
        self.shuffle = train_or_test == "train" if shuffle is None else shuffle
        self.dir = get_dataset_path(self._layout.dir_name) if dir is None else dir
        self._folder = fetch_and_unpack(self._layout.archive, self.dir, self._layout.folder)
        images, labels = self._read_split(train_or_test)
        self.data: list[list[Any]] = [[image, label] for image, label in zip(images, labels, strict=True)]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.data)

    def __iter__(self) -> Iterator[list[Any]]:
        """Yield ``[image, label]``; both the list and the image are copies."""
        for k in one_pass(self, len(self.data)):
            image, label = self.data[k]
            yield [image.copy(), label]

    def get_per_pixel_mean(self, names: str | Sequence[str] = ("train", "test")) -> NDArray[np.float32]:
        """Return the mean image of some splits, read from disk.

        Args:
            names: of the splits. The default includes the test data.

        Returns:
            float32 (32, 32, 3).
        """
        images = [self._read_split(name)[0] for name in ([names] if isinstance(names, str) else names)]
        total = sum(part.sum(axis=0, dtype=np.float64) for part in images)
        return np.asarray(total / sum(map(len, images)), dtype=np.float32)

    def get_per_channel_mean(self, names: str | Sequence[str] = ("train", "test")) -> NDArray[np.float32]:
        """Return the mean colour of some splits, read from disk.

        Args:
            names: of the splits. The default includes the test data.

        Returns:
            float32 (3,), RGB.
        """
        mean: NDArray[np.float32] = self.get_per_pixel_mean(names).mean(axis=(0, 1))
        return mean

    def get_label_names(self) -> list[str]:
        """Return the names of the classes, in the order of their labels."""
        names = self._read(self._layout.meta_file, self._layout.names_key)[0]
        return [name.decode() if isinstance(name, bytes) else name for name in names]

    def _read_split(self, name: str) -> tuple[NDArray[np.uint8], list[int]]:
        """Return images (n, 32, 32, 3) and labels."""
        check_split(self, name, ("train", "test"))
        images: list[NDArray[np.uint8]] = []
        labels: list[int] = []
        for file in self._layout.files[name]:
            rows, some = self._read(file, "data", self._layout.label_key)
            rows = np.asarray(rows)
            if not isinstance(some, list | tuple | np.ndarray):
                raise ValueError(
                    f"{os.path.join(self._folder, file)!r} is damaged: its labels are of type "
                    f"{type(some).__name__}, expected a list"
                )
            if rows.dtype != np.uint8 or rows.shape != (len(some), 3072):
                raise ValueError(
                    f"{os.path.join(self._folder, file)!r} has data of {rows.dtype} {rows.shape}; "
                    f"expected uint8 {(len(some), 3072)}, a row for each label"
                )
            images.append(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
            labels += map(int, some)
        return np.concatenate(images), labels

    def _read(self, file: str, *keys: str) -> list[Any]:
        """Return values of the dict that a file holds."""
        path = os.path.join(self._folder, file)
        if not os.path.isfile(path):
            raise ValueError(f"no file {path!r}; delete {self._folder!r} to fetch it all again")
        with open(path, "rb") as f:
            data = f.read()
        try:
            content = loads_pickle(data, allow_pickle=False)
        except ValueError as e:
            raise ValueError(
                f"{path!r} is damaged: {e}; delete {self._folder!r} to fetch it all again"
            ) from e
        if isinstance(content, dict):  # whoever pickled it again may have had bytes as keys
            content = {key.decode() if isinstance(key, bytes) else key: v for key, v in content.items()}
        missing = [key for key in keys if not isinstance(content, dict) or key not in content]
        if missing:
            raise ValueError(f"{path!r} has no {', '.join(missing)}: is it another file of that name?")
        return [content[key] for key in keys]


class Cifar10(CifarBase):
    """CIFAR-10: see ``CifarBase``.

    Args:
        train_or_test: ``"train"`` or ``"test"``.
        shuffle: whether to shuffle each pass; by default only for train.
        dir: where the folder ``cifar-10-batches-py`` is, or goes; by default
            ``get_dataset_path("cifar10_data")``.
    """

    def __init__(self, train_or_test: str, shuffle: bool | None = None, dir: str | None = None) -> None:
        super().__init__(train_or_test, shuffle, dir, 10)


class Cifar100(CifarBase):
    """CIFAR-100 with its fine labels: see ``CifarBase``.

    Args:
        train_or_test: ``"train"`` or ``"test"``.
        shuffle: whether to shuffle each pass; by default only for train.
        dir: where the folder ``cifar-100-python`` is, or goes; by default
            ``get_dataset_path("cifar100_data")``.
    """

    def __init__(self, train_or_test: str, shuffle: bool | None = None, dir: str | None = None) -> None:
        super().__init__(train_or_test, shuffle, dir, 100)
