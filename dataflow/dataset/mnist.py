"""MNIST and Fashion-MNIST."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base import RNGDataFlow
from ..utils.fs import download, get_dataset_path
from ._common import check_split, one_pass
from ._download import RemoteFile, fetch

__all__ = ["FashionMnist", "Mnist"]

_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
_FASHION_MIRRORS = (
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)
_IMAGES_MAGIC, _LABELS_MAGIC = 2051, 2049


def maybe_download(url: str, work_directory: str) -> str:
    """Download a file into a directory unless it is there; return its path."""
    path = os.path.join(work_directory, url.rpartition("/")[2])
    return path if os.path.exists(path) else download(url, work_directory)


def extract_images(file: str) -> NDArray[np.float32]:
    """Read a gzipped IDX file of images.

    Returns:
        float32 (n, rows, columns, 1), from 0 to 1.

    Raises:
        ValueError: it is no such file, or it is broken.
    """
    (n, rows, cols), pixels = _read_idx(file, _IMAGES_MAGIC, 3)
    images = pixels.reshape(n, rows, cols, 1).astype(np.float32)
    images /= 255
    return images


def extract_labels(file: str) -> NDArray[np.uint8]:
    """Read a gzipped IDX file of labels.

    Returns:
        uint8 (n,), read-only.

    Raises:
        ValueError: it is no such file, or it is broken.
    """
    return _read_idx(file, _LABELS_MAGIC, 1)[1]


def _read_idx(file: str, magic: int, ndim: int) -> tuple[list[int], NDArray[np.uint8]]:
    """Return the shape and the flat bytes of an IDX file."""
    try:
        with gzip.open(file) as f:
            content = f.read()
    except (gzip.BadGzipFile, EOFError, zlib.error) as e:
        raise ValueError(f"{file!r} is broken: {e}; delete it to fetch it again") from e
    header_size = 4 * (1 + ndim)
    if len(content) < header_size:
        raise ValueError(f"{file!r} is broken: {len(content)} bytes are too short for a header")
    found, *shape = np.frombuffer(content, dtype=">u4", count=1 + ndim).tolist()
    if found != magic:
        raise ValueError(f"invalid magic number {found} in {file!r}: expected {magic}")
    data = np.frombuffer(content, dtype=np.uint8, offset=header_size)
    if data.size != np.prod(shape, dtype=np.int64):
        raise ValueError(f"{file!r} is broken: {data.size} bytes of data for the shape {shape}")
    return shape, data


class Mnist(RNGDataFlow[list[Any]]):
    """MNIST: ``[image, label]``, float32 (28, 28) from 0 to 1 and a numpy.uint8 from 0 to 9.

    Labels keep the dtype of the file: a batch of them is uint8.

    Args:
        train_or_test: ``"train"`` or ``"test"``.
        shuffle: whether to shuffle each pass.
        dir: where the four gzipped files are, or go; by default ``get_dataset_path("mnist_data")``.

    Attributes:
        images: float32 (n, 28, 28, 1).
        labels: uint8 (n,).

    Raises:
        ValueError: the split is unknown, or a file is broken.
        OSError: a file is missing and can't be downloaded.
    """

    _dir_name = "mnist_data"
    _files: dict[str, tuple[RemoteFile, RemoteFile]] = {
        "train": (
            RemoteFile.on(
                _MIRRORS, "train-images-idx3-ubyte.gz", "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873", 9912422
            ),
            RemoteFile.on(
                _MIRRORS, "train-labels-idx1-ubyte.gz", "md5:d53e105ee54ea40749a09fcbcd1e9432", 28881
            ),
        ),
        "test": (
            RemoteFile.on(
                _MIRRORS, "t10k-images-idx3-ubyte.gz", "md5:9fb629c4189551a2d022fa330f9573f3", 1648877
            ),
            RemoteFile.on(
                _MIRRORS, "t10k-labels-idx1-ubyte.gz", "md5:ec29112dd5afa0611ce80d1b7f02629c", 4542
            ),
        ),
    }

    def __init__(self, train_or_test: str, shuffle: bool = True, dir: str | None = None) -> None:
        check_split(self, train_or_test, ("train", "test"))
        if dir is None:
            dir = get_dataset_path(self._dir_name)
        self.train_or_test = train_or_test
        self.shuffle = shuffle
        images, labels = (fetch(file, dir) for file in self._files[train_or_test])
        self.images = extract_images(images)
        self.labels = extract_labels(labels)
        if len(self.images) != len(self.labels):
            raise ValueError(f"{len(self.images)} images in {images!r}, but {len(self.labels)} in {labels!r}")

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def __iter__(self) -> Iterator[list[Any]]:
        """Yield ``[image, label]``; the image is a copy."""
        for k in one_pass(self, len(self.images)):
            yield [self.images[k, :, :, 0].copy(), self.labels[k]]


class FashionMnist(Mnist):
    """Fashion-MNIST: as ``Mnist``, with ``get_label_names()``.

    Args:
        train_or_test: ``"train"`` or ``"test"``.
        shuffle: whether to shuffle each pass.
        dir: where the four gzipped files are, or go; by default ``get_dataset_path("fashion_mnist_data")``.
    """

    _dir_name = "fashion_mnist_data"
    _files = {
        "train": (
            RemoteFile.on(
                _FASHION_MIRRORS,
                "train-images-idx3-ubyte.gz",
                "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                26421880,
            ),
            RemoteFile.on(
                _FASHION_MIRRORS, "train-labels-idx1-ubyte.gz", "md5:25c81989df183df01b3e8a0aad5dffbe", 29515
            ),
        ),
        "test": (
            RemoteFile.on(
                _FASHION_MIRRORS, "t10k-images-idx3-ubyte.gz", "md5:bef4ecab320f06d8554ea6380940ec79", 4422102
            ),
            RemoteFile.on(
                _FASHION_MIRRORS, "t10k-labels-idx1-ubyte.gz", "md5:bb300cfdad3c16e7a12a480ee83cd310", 5148
            ),
        ),
    }

    def get_label_names(self) -> list[str]:
        """Return the names of the labels 0 to 9."""
        return [
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ]
