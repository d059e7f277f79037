"""Augment images together with their boxes, and draw what comes out.

    python examples/detect_augment.py [--out detect_augment.png]

The images are made up: coloured ellipses, with a box around each and a label map that says which pixel
belongs to which. One transform is drawn for each image, and applied to all three. At the end, the pixels of
each ellipse in the augmented label map prove that its augmented box is right.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from dataflow import (
    AugmentImageComponents,
    DataFlow,
    DataFromList,
    MapData,
    RepeatedDataPoint,
    RNGDataFlow,
    imgaug,
)
from dataflow.utils import fix_rng_seed
from dataflow.utils.viz import stack_patches

SIZE = 240  # pixels: both sides of a result
RESULTS = 5  # of each image
MIN_SIDE = 8  # pixels: smaller boxes are dropped

AUGMENTORS = [
    imgaug.ResizeShortestEdge(int(SIZE * 1.3)),
    imgaug.Rotation(max_deg=15, center_range=(0.4, 0.6), border=cv2.BORDER_CONSTANT),
    imgaug.RandomCrop(SIZE),
    imgaug.Flip(horiz=True),
    imgaug.BrightnessScale((0.7, 1.3)),
    imgaug.GaussianNoise(sigma=4),
]


class Ellipses(RNGDataFlow[dict[str, Any]]):
    """Made-up images: ``image`` (h, w, 3), ``boxes`` (n, 4), ``map`` (h, w): 0, or 1 + number of the box."""

    def __init__(self, size: int) -> None:
        self.count = size

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for _ in range(self.count):
            yield self._draw(h=self.rng.randint(240, 320), w=self.rng.randint(320, 400))

    def _draw(self, h: int, w: int) -> dict[str, Any]:
        slope = np.linspace(60, 180, w).astype(np.uint8)
        image, label_map = np.dstack([np.tile(slope, (h, 1))] * 3), np.zeros((h, w), np.uint8)
        boxes = []
        for number, x in enumerate(range(60, w - 40, 90)):  # side by side: none hides another
            center, axes = (x, int(self.rng.randint(80, h - 80))), tuple(self.rng.randint(15, 40, 2).tolist())
            color = self.rng.randint(0, 256, 3).tolist()
            cv2.ellipse(image, center, axes, 0, 0, 360, color, -1)
            cv2.ellipse(label_map, center, axes, 0, 0, 360, number + 1, -1)
            boxes.append(box_of(label_map == number + 1))
        return {"image": image, "boxes": np.array(boxes), "map": label_map.astype(np.int32)}


def box_of(mask: np.ndarray) -> list[float]:
    """Return the box (x0, y0, x1, y1) of the pixels of a mask; the pixel at x covers x to x + 1."""
    ys, xs = np.nonzero(mask)
    return [float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)]


def clip_boxes(dp: dict[str, Any]) -> dict[str, Any]:
    """Cut the boxes at the border of the image; drop those of which hardly anything is left."""
    h, w = dp["image"].shape[:2]
    boxes = dp["boxes"].clip(0, [w, h, w, h])
    keep = (boxes[:, 2:] - boxes[:, :2]).min(axis=1) >= MIN_SIDE
    return dp | {"boxes": boxes[keep], "numbers": np.flatnonzero(keep) + 1}


def check(dp: dict[str, Any]) -> int:
    """Check each box by the label map, which was augmented with it; return how many there are."""
    for number, box in zip(dp["numbers"], dp["boxes"], strict=True):
        mask = dp["map"] == number
        if not mask.any():
            continue  # a corner of the box is in the image, the ellipse in it is not
        x0, y0, x1, y1 = box_of(mask)
        # a pixel and a half for rounding: warps count from the centres of pixels
        assert box[0] <= x0 + 1.5 and box[1] <= y0 + 1.5 and box[2] >= x1 - 1.5 and box[3] >= y1 - 1.5, (
            box,
            mask,
        )
    return len(dp["boxes"])


def with_boxes(dp: dict[str, Any]) -> np.ndarray:
    """Return the image with its boxes drawn on it."""
    image = np.ascontiguousarray(dp["image"])
    for x0, y0, x1, y1 in dp["boxes"].round().astype(int).tolist():
        cv2.rectangle(image, (x0, y0), (x1 - 1, y1 - 1), (255, 255, 255), 2)
    return image


def main() -> None:
    """Augment, check, and draw one row for each image: the original and some results."""
    parser = argparse.ArgumentParser(description="Augment images with boxes.")
    parser.add_argument("--out", default="detect_augment.png", help="the picture to write")
    args = parser.parse_args()

    fix_rng_seed(3)
    originals = list(Ellipses(3))
    df: DataFlow[Any] = RepeatedDataPoint(DataFromList(originals, shuffle=False), RESULTS)
    df = AugmentImageComponents(
        df, AUGMENTORS, index=["image"], box_index=["boxes"], segmentation_index=["map"]
    )
    df = MapData(df, clip_boxes)
    df.reset_state()
    results = list(df)
    assert all(dp["image"].shape == (SIZE, SIZE, 3) for dp in results)
    boxes = sum(check(dp) for dp in results)
    assert boxes > len(results)

    patches = []
    for i, original in enumerate(originals):
        row = [original, *results[i * RESULTS : (i + 1) * RESULTS]]
        patches += [with_boxes(dp) for dp in row]
    picture = stack_patches(patches, len(originals), RESULTS + 1, border=8, pad=True)
    if not cv2.imwrite(args.out, picture):
        raise OSError(f"can't write {args.out}")
    print(f"{boxes} boxes in {len(results)} images are right; see {args.out}")


if __name__ == "__main__":
    main()
