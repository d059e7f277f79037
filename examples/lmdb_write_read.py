"""Write images to one LMDB file, once; then read them from front to back, which any disk does fast.

    python examples/lmdb_write_read.py [FOLDER]

FOLDER has a folder of images for each class; left out, a small one is made up. The files go into the
database as they are: encoded, they are a fraction of the size of arrays. They are written in random order, so
that reading in sequence, with a shuffle in a buffer, is nearly as random as it should be.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dataflow import (
    DataFlow,
    LMDBSerializer,
    LocallyShuffleData,
    MultiProcessMapAndBatchData,
    MultiProcessMapData,
    RNGDataFlow,
    imgaug,
)

BATCH_SIZE = 8
SUFFIXES = {".jpeg", ".jpg", ".png"}
AUGMENTORS = imgaug.AugmentorList([imgaug.Resize(72), imgaug.RandomCrop(64), imgaug.Flip(horiz=True)])


class EncodedImages(RNGDataFlow[list[Any]]):
    """Yield ``[bytes of the file, label]`` of the files of a folder, shuffled."""

    def __init__(self, folder: Path) -> None:
        self.files = sorted(file for file in folder.glob("*/*") if file.suffix.lower() in SUFFIXES)
        if not self.files:
            raise FileNotFoundError(f"no images in the folders of {folder}")
        classes = sorted({file.parent.name for file in self.files})
        self.labels = [classes.index(file.parent.name) for file in self.files]

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[list[Any]]:
        for i in self.rng.permutation(len(self)):
            yield [self.files[i].read_bytes(), self.labels[i]]


def decode(dp: list[Any]) -> list[Any]:
    """Decode an image: BGR, uint8 (h, w, 3)."""
    data, label = dp
    return [cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), label]


def decode_and_augment(dp: list[Any]) -> list[Any]:
    """Decode an image and make it 64 x 64."""
    image, label = decode(dp)
    return [AUGMENTORS.augment(image), label]


def make_up(folder: Path) -> None:
    """Write 3 classes of 20 JPEG files."""
    rng = np.random.RandomState(0)
    for i in range(60):
        file = folder / "abc"[i % 3] / f"{i}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), cv2.resize(rng.randint(0, 256, (8, 10, 3), np.uint8), (100, 80)))


def run(folder: Path, database: str) -> None:
    """Write the database, read all of it, and then batches for training."""
    source = EncodedImages(folder)
    LMDBSerializer.save(source, database)
    print(f"{len(source)} images in a file of {Path(database).stat().st_size} bytes")

    # to evaluate: each image once; only the decoding is in the workers
    df: DataFlow[Any] = LMDBSerializer.load(database, shuffle=False)
    assert len(df) == len(source)
    with MultiProcessMapData(df, 2, decode, strict=True) as images:
        images.reset_state()
        labels = sorted(label for _, label in images)
    assert labels == sorted(source.labels), "each image comes exactly once"

    # to train: from front to back, shuffled in a buffer of encoded images; batches are made in the workers
    df = LMDBSerializer.load(database, shuffle=False)
    df = LocallyShuffleData(df, buffer_size=len(source) // 2)  # some thousands for a large data set
    with MultiProcessMapAndBatchData(df, 2, decode_and_augment, BATCH_SIZE) as batches:
        print(batches)
        batches.reset_state()
        for _, (train_images, train_labels) in zip(range(20), batches, strict=False):
            assert train_images.shape == (BATCH_SIZE, 64, 64, 3) and train_images.dtype == np.uint8
            assert set(train_labels) <= set(labels)
    print("20 batches for training are as they should be")


def main() -> None:
    """Use the folder that is given, or make one up."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(temporary, "images")
        if len(sys.argv) <= 1:
            make_up(folder)
        run(folder, str(Path(temporary, "images.lmdb")))


if __name__ == "__main__":  # needed where processes are spawned: macOS, Windows
    main()
