"""Pipelines for a folder that is laid out like ImageNet (ILSVRC 2012): one to train, one to evaluate.

    python examples/imagenet_pipeline.py [FOLDER] [--meta META] [--processes 2] [--batches 20]

FOLDER has ``train`` with a folder for each class, and ``val``; META has ``synsets.txt``, ``train.txt`` and
``val.txt`` (left out, they are downloaded once). Without FOLDER, a small one is made up. The speed of the
training pipeline is shown, and the shapes and labels of what comes out are checked.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dataflow import (
    BatchData,
    DataFlow,
    MultiProcessMapAndBatchData,
    MultiProcessMapData,
    MultiProcessRunnerZMQ,
    PrintData,
    TestDataSpeed,
    dataset,
    imgaug,
)
from dataflow.image import decode_image

SIZE = 224  # pixels: both sides of what the network sees
BATCH_SIZE = 32

TRAIN_AUGMENTORS = imgaug.AugmentorList(
    [
        imgaug.GoogleNetRandomCropAndResize(target_shape=SIZE),
        imgaug.RandomOrderAug(
            [
                imgaug.BrightnessScale((0.6, 1.4)),
                imgaug.Contrast((0.6, 1.4), rgb=False),
                imgaug.Saturation(0.4, rgb=False),
            ]
        ),
        imgaug.Flip(horiz=True),
    ]
)
TEST_AUGMENTORS = imgaug.AugmentorList([imgaug.ResizeShortestEdge(256), imgaug.CenterCrop(SIZE)])


def train_map(dp: list[Any]) -> list[Any]:
    """Read and augment one image, in a worker: BGR, uint8 (SIZE, SIZE, 3)."""
    file, label = dp
    return [decode_image(file, TRAIN_AUGMENTORS), label]


def test_map(dp: list[Any]) -> list[Any]:
    """Read one image and cut out its centre, in a worker."""
    file, label = dp
    return [decode_image(file, TEST_AUGMENTORS), label]


def training_flow(folder: str, meta: str | None, processes: int) -> DataFlow[Any]:
    """Return endless batches.

    File names travel to the workers, batches come back. All of it runs in a process of its own, and leaves
    the one that trains alone.
    """
    df = dataset.ILSVRC12Files(folder, "train", meta_dir=meta, shuffle=True)
    batches = MultiProcessMapAndBatchData(df, processes, train_map, BATCH_SIZE)
    return MultiProcessRunnerZMQ(batches, num_proc=1, hwm=8)  # 8 batches ahead: about 40 MB


def test_flow(folder: str, meta: str | None, processes: int) -> DataFlow[Any]:
    """Return batches of each image once, the last one smaller."""
    df = dataset.ILSVRC12Files(folder, "val", meta_dir=meta, shuffle=False)
    images = MultiProcessMapData(df, processes, test_map, buffer_size=4 * BATCH_SIZE, strict=True)
    return BatchData(images, BATCH_SIZE, remainder=True)


def make_up(folder: Path) -> tuple[str, str]:
    """Write noise in the form of ILSVRC 2012: 1000 classes, of which 4 have images."""
    rng = np.random.RandomState(0)
    synsets = [f"n{number:08d}" for number in range(1000)]
    lists: dict[str, list[str]] = {"train": [], "val": []}
    for i in range(60):
        label = i % 4
        name = f"{synsets[label]}/{synsets[label]}_{i}.JPEG"
        lists["train"].append(f"{name} {label}")
        lists["val"].append(f"ILSVRC2012_val_{i:08d}.JPEG {label}")
    for split, lines in lists.items():
        for line in lines:
            file = folder / split / line.split()[0]
            file.parent.mkdir(parents=True, exist_ok=True)
            small = rng.randint(0, 256, (rng.randint(12, 24), rng.randint(12, 24), 3), np.uint8)
            cv2.imwrite(str(file), cv2.resize(small, None, fx=20, fy=20))
    meta = folder / "meta"
    meta.mkdir()
    (meta / "synsets.txt").write_text("\n".join(synsets))
    for split, lines in lists.items():
        (meta / f"{split}.txt").write_text("\n".join(lines))
    return str(folder), str(meta)


def run(folder: str, meta: str | None, processes: int, batches: int) -> None:
    """Measure the one pipeline, and go through the other."""
    train = training_flow(folder, meta, processes)
    print(train)
    TestDataSpeed(PrintData(train), size=batches, warmup=2).start()  # batches per second
    images, labels = next(iter(train))
    assert images.shape == (BATCH_SIZE, SIZE, SIZE, 3) and images.dtype == np.uint8
    assert labels.shape == (BATCH_SIZE,) and 0 <= labels.min() <= labels.max() < 1000

    test = test_flow(folder, meta, processes)
    test.reset_state()
    labels = np.concatenate([labels for _, labels in test])
    expected = [label for _, label in dataset.ILSVRCMeta(meta).get_image_list("val")]
    assert sorted(labels) == sorted(expected), "each image comes exactly once"
    print(f"{len(labels)} images to evaluate, in {len(test)} batches")


def main() -> None:
    """Read the arguments; make up a folder if there is none."""
    parser = argparse.ArgumentParser(description="Pipelines for a folder laid out like ImageNet.")
    parser.add_argument("folder", nargs="?", help="left out, a small one is made up")
    parser.add_argument("--meta", help="the folder of synsets.txt, train.txt, val.txt")
    parser.add_argument("--processes", type=int, default=min(os.cpu_count() or 1, 2))
    parser.add_argument("--batches", type=int, default=20, help="how many to measure")
    args = parser.parse_args()

    cv2.setNumThreads(0)  # the processes are the parallel part: threads in each would get in their way
    if args.folder is not None:
        run(args.folder, args.meta, args.processes, args.batches)
        return
    with tempfile.TemporaryDirectory() as folder:
        run(*make_up(Path(folder)), args.processes, args.batches)


if __name__ == "__main__":  # needed where processes are spawned: macOS, Windows
    main()
