"""Look at what augmentors do to your images: one row for each, the original and then some results.

    python examples/look.py [FOLDER] [--out look.png] [--results 5] [--rows 6] [--seed N]

FOLDER is any folder of images; left out, it is the one of the two photographs that come with scikit-learn.
Edit the list AUGMENTORS and look again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from dataflow import (
    AugmentImageComponent,
    BatchData,
    DataFlow,
    ImageFromFile,
    MapData,
    RepeatedDataPoint,
    imgaug,
)
from dataflow.utils import fix_rng_seed
from dataflow.utils.viz import stack_patches

SIZE = 224  # pixels: both sides of a result
SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}

AUGMENTORS = [
    imgaug.RotationAndCropValid(max_deg=15),
    imgaug.GoogleNetRandomCropAndResize(crop_area_fraction=(0.3, 1.0), target_shape=SIZE),
    imgaug.Flip(horiz=True),
    imgaug.RandomOrderAug(
        [
            imgaug.BrightnessScale((0.7, 1.3)),
            imgaug.Contrast((0.7, 1.3), rgb=True),
            imgaug.Saturation(0.4, rgb=True),
        ]
    ),
]


def sample_photographs() -> Path:
    """Return the folder of the photographs that come with scikit-learn."""
    import sklearn.datasets

    return Path(sklearn.datasets.__file__).parent / "images"


def shrink(image: np.ndarray) -> np.ndarray:
    """Return the whole image, small enough for a square of ``SIZE``."""
    factor = SIZE / max(image.shape[:2])
    height, width = (max(1, round(side * factor)) for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def draw(files: list[Path], num_results: int) -> np.ndarray:
    """Return a picture, RGB, of originals and results."""
    df: DataFlow = ImageFromFile(files, channel=3)
    df = RepeatedDataPoint(df, num_results)
    df = MapData(df, lambda dp: [dp[0], dp[0]])  # [original, to be augmented]
    df = AugmentImageComponent(df, AUGMENTORS, index=1)
    df = BatchData(df, num_results, use_list=True)  # a list: the originals differ in size
    df.reset_state()
    print(df)
    tiles = []
    for originals, results in df:
        tiles += [shrink(originals[0]), *results]
    return stack_patches(tiles, nr_row=len(files), nr_col=1 + num_results, border=8, pad=True)


def main() -> int:
    """Write the picture, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="default: the photographs of scikit-learn")
    parser.add_argument("--out", type=Path, default=Path("look.png"), help="picture (default: %(default)s)")
    parser.add_argument("--results", type=int, default=5, help="results of each image (default: %(default)s)")
    parser.add_argument("--rows", type=int, default=6, help="at most so many images (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="for the same picture each time")
    args = parser.parse_args()
    if args.seed is not None:
        fix_rng_seed(args.seed)

    folder = args.folder if args.folder is not None else sample_photographs()
    if not folder.is_dir():
        parser.error(f"{folder} is not a folder")
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)[: args.rows]
    if not files:
        parser.error(f"no images in {folder}")

    picture = draw(files, args.results)
    if not cv2.imwrite(str(args.out), picture[:, :, ::-1]):  # OpenCV writes BGR
        parser.error(f"can't write {args.out}")
    print(f"{len(files)} images of {folder} -> {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
