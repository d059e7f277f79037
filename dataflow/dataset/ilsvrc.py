"""ImageNet: the 1000 classes of ILSVRC 2012."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.optional import require
from ..base import RNGDataFlow
from ..utils import logger
from ..utils.fs import get_dataset_path, mkdir_p
from ..utils.loadcaffe import get_caffe_pb
from ..utils.timer import timed_operation
from ._common import check_directory, check_split, one_pass, read_bgr, read_lines
from ._download import RemoteFile, fetch_and_unpack
from .tiny_imagenet import TinyImageNet as TinyImageNet  # programs import it from here too

__all__ = ["ILSVRC12", "ILSVRC12Files", "ILSVRCMeta"]

_HOST = "dl.caffe.berkeleyvision.org/"
_ARCHIVE = RemoteFile.on(["https://" + _HOST, "http://" + _HOST], "caffe_ilsvrc12.tar.gz", size=17858008)
_SPLITS = ("train", "val", "test")
_STRUCTURES = ("original", "train")


class ILSVRCMeta:
    """The metadata of the ILSVRC12 images: classes, lists of files, and the mean image.

    Args:
        dir: where the metadata is, or goes; by default ``get_dataset_path("ilsvrc_metadata")``.

    Raises:
        OSError: it is missing and can't be downloaded.
    """

    def __init__(self, dir: str | None = None) -> None:
        self.dir = os.path.expanduser(get_dataset_path("ilsvrc_metadata") if dir is None else dir)
        mkdir_p(self.dir)
        fetch_and_unpack(_ARCHIVE, self.dir, "synsets.txt")

    def get_synset_1000(self) -> dict[int, str]:
        """Return class number -> WordNet id, such as ``n01440764``."""
        return dict(enumerate(read_lines(os.path.join(self.dir, "synsets.txt"))))

    def get_synset_words_1000(self) -> dict[int, str]:
        """Return class number -> WordNet id and names, such as ``n01440764 tench, Tinca tinca``."""
        return dict(enumerate(read_lines(os.path.join(self.dir, "synset_words.txt"))))

    def get_image_list(self, name: str, dir_structure: str = "original") -> list[tuple[str, int]]:
        """Return the images of a split.

        Args:
            name: ``"train"``, ``"val"`` or ``"test"``.
            dir_structure: ``"train"`` if the images of val and test are in a folder for each class too;
                ``"original"`` if not.

        Returns:
            (file name relative to the folder of the split, class number) of each. The class numbers of
            test are dummies, 0.

        Raises:
            ValueError: the split or the structure is unknown, or the list is empty or broken.
        """
        check_split(self, name, _SPLITS)
        if dir_structure not in _STRUCTURES:
            raise ValueError(f"unknown dir_structure {dir_structure!r}, expected one of {list(_STRUCTURES)}")
        path = os.path.join(self.dir, name + ".txt")
        folders = self.get_synset_1000() if name != "train" and dir_structure == "train" else None
        images = []
        for line in read_lines(path):
            try:
                file, text = line.rsplit(maxsplit=1)
                label = int(text)
            except ValueError:
                raise ValueError(f"{path!r}: expected a file name and a number, got {line!r}") from None
            images.append((file if folders is None else os.path.join(folders[label], file), label))
        if not images:
            raise ValueError(f"{path!r} is empty")
        return images

    def get_per_pixel_mean(self, size: tuple[int, int] | None = None) -> NDArray[np.float32]:
        """Return the mean image.

        Args:
            size: (height, width) to resize it to.

        Returns:
            BGR float32 (256, 256, 3), from 0 to 255, or of the given size.
        """
        blob = get_caffe_pb().BlobProto()
        path = os.path.join(self.dir, "imagenet_mean.binaryproto")
        with open(path, "rb") as f:
            data = f.read()
        try:
            blob.ParseFromString(data)
            planes = np.array(blob.data, dtype=np.float32).reshape(3, 256, 256)
        except Exception as e:  # protobuf has errors of its own
            raise ValueError(f"{path!r} is damaged: {e}; delete it to fetch it again") from e
        mean: NDArray[np.float32] = np.ascontiguousarray(planes.transpose(1, 2, 0))
        if size is not None:
            mean = require("cv2", None).resize(mean, (size[1], size[0]))
        return mean

    @staticmethod
    def guess_dir_structure(dir: str) -> str:
        """Return how the folder of val or test is built.

        Args:
            dir: that folder.

        Returns:
            ``"train"`` if it has a folder for a class (named by a WordNet id), else ``"original"``.

        Raises:
            FileNotFoundError: the folder is missing.
            ValueError: it is empty.
        """
        check_directory(dir, "guess_dir_structure")
        names = os.listdir(dir)
        if not names:
            raise ValueError(f"{dir!r} is empty: expected images, or a folder of images for each class")
        by_class = any(
            re.fullmatch(r"n\d+", name) and os.path.isdir(os.path.join(dir, name)) for name in names
        )
        structure = "train" if by_class else "original"
        logger.info("The directory structure of %s is %r", dir, structure)
        return structure


class ILSVRC12Files(RNGDataFlow[list[Any]]):
    """ILSVRC12 without decoding: ``[path of the file, label]``, a str and an int.

    Args:
        dir: contains the folders ``train``, ``val``, ``test``. ``train`` has a folder for each class.
        name: ``"train"``, ``"val"`` or ``"test"``.
        meta_dir: see ``ILSVRCMeta``; if given, it must exist.
        shuffle: whether to shuffle each pass; by default only for train.
        dir_structure: of val and test, ``"original"`` (all files in one folder) or ``"train"`` (a folder
            for each class); by default it is guessed.

    Attributes:
        full_dir: the folder of the split.
        imglist: list of (file name relative to it, label).

    Raises:
        FileNotFoundError: a directory, or one of the first ten images, is missing.
        ValueError: the split or the structure is unknown.
    """

    def __init__(
        self,
        dir: str,
        name: str,
        meta_dir: str | None = None,
        shuffle: bool | None = None,
        dir_structure: str | None = None,
    ) -> None:
        check_split(self, name, _SPLITS)
        dir = os.path.expanduser(dir)
        self.name = name
        self.full_dir = os.path.join(dir, name)
        self.shuffle = name == "train" if shuffle is None else shuffle
        check_directory(self.full_dir, type(self).__name__)
        if meta_dir is not None:
            check_directory(os.path.expanduser(meta_dir), f"{type(self).__name__}: meta_dir")
        meta = ILSVRCMeta(meta_dir)
        if name == "train":
            dir_structure = "train"
        elif dir_structure is None:
            dir_structure = meta.guess_dir_structure(self.full_dir)
        self.imglist = meta.get_image_list(name, dir_structure)
        for file, _ in self.imglist[:10]:
            path = os.path.join(self.full_dir, file)
            if not os.path.isfile(path):
                raise FileNotFoundError(
                    f"{type(self).__name__}: no image {path!r}; "
                    f"is {dir_structure!r} the structure of this folder?"
                )

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.imglist)

    def __iter__(self) -> Iterator[list[Any]]:
        """Yield ``[path, label]``."""
        for k in one_pass(self, len(self.imglist)):
            file, label = self.imglist[k]
            yield [os.path.join(self.full_dir, file), label]


class ILSVRC12(ILSVRC12Files):
    """ILSVRC12: ``[image, label]``, BGR uint8 (h, w, 3) and an int from 0 to 999.

    The files are those of the original archives::

        dir/
          train/
            n02134418/
              n02134418_198.JPEG
              ...
          val/
            ILSVRC2012_val_00000001.JPEG
            ...
          test/
            ILSVRC2012_test_00000001.JPEG
            ...

    Args:
        dir: see ``ILSVRC12Files``.
        name: ``"train"``, ``"val"`` or ``"test"``.
        meta_dir: see ``ILSVRC12Files``.
        shuffle: whether to shuffle each pass; by default only for train.
        dir_structure: see ``ILSVRC12Files``.

    Raises:
        FileNotFoundError: a directory, or an image, is missing.
        ValueError: the split or the structure is unknown; when iterating, a file is no image.
    """

    def __iter__(self) -> Iterator[list[Any]]:
        """Yield ``[image, label]``."""
        for path, label in super().__iter__():
            yield [read_bgr(path), label]

    @staticmethod
    def get_training_bbox(
        bbox_dir: str, imglist: Iterable[tuple[Any, ...]]
    ) -> list[NDArray[np.float32] | None]:
        """Read the first bounding box of each training image.

        Args:
            bbox_dir: contains ``n01440764/n01440764_10040.xml`` and so on.
            imglist: tuples that begin with a file name, such as those of ``imglist``.

        Returns:
            For each, float32 (4,): xmin, ymin, xmax, ymax; or None if there is no readable box.
        """
        with timed_operation("read the bounding boxes"):
            return [_read_box(os.path.join(bbox_dir, image[0][:-4] + "xml")) for image in imglist]


def _read_box(path: str) -> NDArray[np.float32] | None:
    try:
        box = ET.parse(path).getroot().find("object/bndbox")
        if box is None:
            return None
        corners = [float(box.findtext(field, "")) for field in ("xmin", "ymin", "xmax", "ymax")]
    except (OSError, ET.ParseError, ValueError):  # no file; no XML; a field that is missing or no number
        return None
    return np.array(corners, dtype=np.float32)
