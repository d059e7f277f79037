"""Make the pictures of the gallery, and its page, from the two sample photographs of scikit-learn.

    python docs/make_gallery.py

Writes ``docs/gallery.md`` and ``docs/_static/gallery/*.jpg``. The seeds are fixed: the same each time.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import sklearn.datasets

sys.path.insert(0, str(Path(__file__).parent.parent))

from dataflow import imgaug
from dataflow.imgaug.deform import GaussianDeform

DOCS = Path(__file__).parent
SEEDS = (7, 4, 5)  # whose first numbers are small, large and in between
H, W, GAP = 140, 210, 6
BOX = np.array([[60.0, 35.0, 150.0, 105.0]])  # x0, y0, x1, y1
YELLOW, CYAN, PAPER = (255, 220, 0), (0, 230, 255), 255
EIGVAL = [55.46, 4.79, 1.15]  # of the colours of natural photographs, RGB
EIGVEC = [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]


class Entry(NamedTuple):
    """A row of the gallery."""

    augmentor: Any
    photo: str = "china"
    mark: bool = False  # draw the box and where it goes


def marked(augmentor: Any) -> Entry:
    """Return an entry for an augmentor that moves pixels."""
    return Entry(augmentor, mark=True)


def flower(augmentor: Any) -> Entry:
    """Return an entry for an augmentor of colours."""
    return Entry(augmentor, "flower")


def both(*augmentors: Any) -> Any:
    """Return a list of augmentors."""
    return imgaug.AugmentorList(augmentors)


shift, flip = imgaug.Shift(0.2, 0.2), imgaug.Flip(horiz=True, prob=1)
constant = {"border": cv2.BORDER_CONSTANT, "border_value": 128}

GALLERY = {
    "Flip, transpose, resize": [
        marked(imgaug.Flip(horiz=True)),
        marked(imgaug.Transpose()),
        marked(imgaug.Resize((100, 100))),
        marked(imgaug.ResizeShortestEdge(80)),
        marked(imgaug.RandomResize((0.4, 1.0), (0.4, 1.0), aspect_ratio_thres=0.3)),
    ],
    "Crop": [
        marked(imgaug.RandomCrop((100, 120))),
        marked(imgaug.CenterCrop(100)),
        marked(imgaug.RandomCropRandomShape(60, 60)),
        marked(imgaug.GoogleNetRandomCropAndResize((0.2, 0.8), target_shape=140)),
        Entry(imgaug.RandomCutout((30, 60), (30, 90), fill=128)),
    ],
    "Affine maps": [
        marked(imgaug.Shift(0.2, 0.2)),
        marked(imgaug.Rotation(30)),
        marked(imgaug.RotationAndCropValid(30)),
        marked(imgaug.Affine((0.7, 1.2), (0.1, 0.1), 20.0, 15.0, **constant)),
    ],
    "Paste": [
        marked(both(imgaug.Resize((90, 130)), imgaug.CenterPaste((H, W)))),
        marked(
            both(
                imgaug.Resize((90, 130)),
                imgaug.RandomPaste((H, W), imgaug.ConstantBackgroundFiller((90, 130, 170))),
            )
        ),
    ],
    "Brightness and contrast": [
        Entry(imgaug.Brightness(80)),
        Entry(imgaug.BrightnessScale((0.4, 1.6))),
        Entry(imgaug.Contrast((0.3, 1.8))),
        Entry(imgaug.Contrast((0.3, 1.8), rgb=True)),
        Entry(imgaug.Gamma((-0.6, 1.0))),
        Entry(imgaug.Clip(80, 170)),
        Entry(imgaug.MeanVarianceNormalize()),
        Entry(imgaug.MinMaxNormalize(0, 128)),
    ],
    "Colour": [
        flower(imgaug.Hue((0, 180))),
        flower(imgaug.Saturation(0.9)),
        flower(imgaug.Lighting(1.0, EIGVAL, EIGVEC)),
        flower(imgaug.Grayscale(rgb=True, keepshape=True)),
        flower(imgaug.ColorSpace(cv2.COLOR_RGB2BGR)),
        flower(imgaug.ToUint8()),
        flower(imgaug.ToFloat32()),
    ],
    "Blur and noise": [
        Entry(imgaug.GaussianBlur((1, 5), (1, 3))),
        Entry(imgaug.JpegNoise((2, 15))),
        Entry(imgaug.GaussianNoise(30)),
        Entry(imgaug.SaltPepperNoise()),
    ],
    "Augmentors of augmentors, and of functions": [
        marked(imgaug.Identity()),
        marked(imgaug.RandomApplyAug(imgaug.Rotation(30), 0.5)),
        marked(imgaug.RandomChooseAug([flip, shift, imgaug.Rotation(30)])),
        Entry(imgaug.RandomOrderAug([imgaug.Gamma((-0.6, 0.6)), imgaug.BrightnessScale((0.4, 1.6))])),
        marked(both(imgaug.Rotation(20), flip, imgaug.Brightness(60))),
        Entry(imgaug.MapImage(lambda img: 255 - img)),
    ],
    "Local deformation": [
        Entry(GaussianDeform([(0.3, 0.3), (0.3, 0.7), (0.7, 0.5)], (H, W), 0.05, 25)),
    ],
}


def photo(name: str) -> Any:
    """Return a photograph in RGB, small."""
    img = sklearn.datasets.load_sample_image(f"{name}.jpg")
    return cv2.resize(img, (W, H), interpolation=cv2.INTER_AREA)


def seed(augmentor: Any, number: int) -> None:
    """Fix the random state of an augmentor and its children."""
    augmentor.rng = np.random.RandomState(number)
    children = [getattr(augmentor, "aug", augmentor)]
    children += [*getattr(augmentor, "aug_lists", []), *getattr(augmentor, "augmentors", [])]
    for k, child in enumerate(c for c in children if c is not augmentor):
        seed(child, 10 * number + k)


def cell(img: Any) -> Any:
    """Return the image in a cell of paper; the fractions and negatives of normalized ones made visible."""
    if img.dtype != np.uint8:
        spread = 64 if img.min() < 0 else 1
        img = np.clip(img * spread + (128 if spread > 1 else 0), 0, 255).astype(np.uint8)
    out = np.full((max(H, W), W, 3), PAPER, np.uint8)
    out[: img.shape[0], : img.shape[1]] = img[: max(H, W), :W]
    return out


def with_marks(img: Any, transform: Any) -> Any:
    """Return the image with the transformed outline of the box, and the box around that."""
    img = np.ascontiguousarray(img)
    x0, y0, x1, y1 = BOX[0]
    outline = transform.apply_coords(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]))
    (x0, y0, x1, y1) = np.rint(transform.apply_box(BOX)[0]).astype(int).tolist()
    cv2.rectangle(img, (x0, y0), (x1, y1), CYAN, 1)
    cv2.polylines(img, [np.rint(outline).astype(np.int32)], True, YELLOW, 2)
    return img


def strip(entry: Entry) -> Any:
    """Return the original and some results beside each other; one, if they are all the same."""
    original = photo(entry.photo)
    cells = [show(entry, imgaug.Identity(), original)]
    for number in SEEDS:
        seed(entry.augmentor, number)
        cells.append(show(entry, entry.augmentor, original))
    if all(np.array_equal(c, cells[1]) for c in cells[2:]):
        cells = cells[:2]
    paper = np.full((cells[0].shape[0], GAP, 3), PAPER, np.uint8)
    joined = np.hstack([part for c in cells for part in (c, paper)][:-1])
    used = np.flatnonzero((joined != PAPER).any(axis=(1, 2)))
    return joined[: max(H, used[-1] + 1)]


def show(entry: Entry, augmentor: Any, img: Any) -> Any:
    """Return the cell of one result."""
    transform = augmentor.get_transform(img)
    out = transform.apply_image(img)
    return cell(with_marks(out, transform) if entry.mark else out)


def section(entry: Entry, folder: Path, names: set[str]) -> str:
    """Write the picture and return the text for one augmentor."""
    augmentor = entry.augmentor
    # a list of two is there to show the second
    is_pair = isinstance(augmentor, imgaug.AugmentorList) and len(augmentor.augmentors) == 2
    shown = augmentor.augmentors[-1] if is_pair else augmentor
    title = type(shown).__name__
    name = title if title not in names else f"{title}-2"
    names.add(name)
    file = folder / f"{name}.jpg"
    cv2.imwrite(str(file), cv2.cvtColor(strip(entry), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 82])
    doc = (type(shown).__doc__ or "").strip().splitlines()[0]
    code = "imgaug.MapImage(lambda img: 255 - img)" if title == "MapImage" else repr(augmentor)
    code = code.replace(", dtype=float32", "")
    return f"### {title}\n\n{doc}\n\n```text\n{code}\n```\n\n![{title}](_static/gallery/{file.name})\n"


def main() -> None:
    """Write everything."""
    folder = DOCS / "_static" / "gallery"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.jpg"):
        old.unlink()
    names: set[str] = set()
    page = [
        "---\norphan: true\n---\n\n# Gallery of augmentors\n",
        "At the left the original, then results. Where pixels move, the yellow outline is a rectangle "
        "whose corners went through `apply_coords`, the thin blue box is what `apply_box` returns. "
        "`docs/make_gallery.py` makes this page.\n",
    ]
    for title, entries in GALLERY.items():
        page.append(f"## {title}\n")
        page += [section(entry, folder, names) for entry in entries]
    page.append(
        "## Of other libraries\n\n`IAAugmentor` wraps an augmenter of the library *imgaug*, `Albumentations` "
        "a transform or composition of the library *albumentations*.\n"
    )
    (DOCS / "gallery.md").write_text("\n".join(page), encoding="utf-8")


if __name__ == "__main__":
    main()
