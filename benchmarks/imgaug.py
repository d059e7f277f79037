"""Measure each augmentor against the plain OpenCV and NumPy calls that do the same work.

    python benchmarks/imgaug.py              # all, 224 x 224 and 1080p, 3 channels of uint8
    python benchmarks/imgaug.py --quick      # a short trial
    python benchmarks/imgaug.py Flip Resize  # some

The plain side is what one would write in a function for ``MapData``, with its random numbers and its one
call. Both sides draw the same numbers. A result that is a view is copied on both sides, because somebody has
to. What is cropped, cut out or pasted is the same share of both sizes: the cost of a crop of 200 x 200 has
nothing to do with 1080p.

In each round the two sides take turns, in both orders, with the same random numbers, and the fastest turn of
each counts: whatever else the machine does only slows down. Times and ratios are medians over the rounds.
The ratio of what takes no time is left out; what a call costs more is there for all.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from dataflow import imgaug

SIZES = {"224": (224, 224, 3), "1080p": (1080, 1920, 3)}
LIMITS = {"224": 1.15, "1080p": 1.05}
NO_TIME = 2e-6  # of a plain call, in seconds: less is little more than the call
LEVELS = np.arange(256, dtype=np.float32)
EIGVAL, EIGVEC = (
    [55.46, 4.79, 1.15],
    np.array(
        [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]], np.float32
    ),
)
f32 = np.float32
Plain = Callable[[np.random.RandomState, Any], Any]


def uint8(x: Any) -> Any:
    """Return float values clipped and truncated."""
    return np.clip(x, 0, 255).astype(np.uint8)


def warp(img: Any, mat: Any, border: int = cv2.BORDER_REPLICATE) -> Any:
    """Return the image under an affine map."""
    return cv2.warpAffine(img, mat, img.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=border)


def flip(r: np.random.RandomState, img: Any) -> Any:
    return cv2.flip(img, 1) if r.uniform() < 1 else img


def transpose(r: np.random.RandomState, img: Any) -> Any:
    return cv2.transpose(img) if r.rand() < 1 else img


def resize(r: np.random.RandomState, img: Any) -> Any:
    return cv2.resize(img, (256, 256))


def shortest(r: np.random.RandomState, img: Any) -> Any:
    h, w = img.shape[:2]
    scale = 256 / min(h, w)
    return cv2.resize(img, (int(w * scale + 0.5), int(h * scale + 0.5)))


def random_resize(r: np.random.RandomState, img: Any) -> Any:
    scale = r.uniform(0.8, 1.2)
    h, w = img.shape[:2]
    return cv2.resize(img, (int(scale * w + 0.5), int(scale * h + 0.5)))


def random_crop(h: int, w: int) -> Plain:
    def crop(r: np.random.RandomState, img: Any) -> Any:
        y, x = r.randint(img.shape[0] - h + 1), r.randint(img.shape[1] - w + 1)
        return img[y : y + h, x : x + w]

    return crop


def center_crop(h: int, w: int) -> Plain:
    def crop(r: np.random.RandomState, img: Any) -> Any:
        y, x = (img.shape[0] - h) // 2, (img.shape[1] - w) // 2
        return img[y : y + h, x : x + w]

    return crop


def random_shape(hmin: int, wmin: int, hmax: int, wmax: int) -> Plain:
    def crop(r: np.random.RandomState, img: Any) -> Any:
        h, w = r.randint(hmin, hmax + 1), r.randint(wmin, wmax + 1)
        y, x = r.randint(img.shape[0] - h + 1), r.randint(img.shape[1] - w + 1)
        return img[y : y + h, x : x + w]

    return crop


def googlenet(r: np.random.RandomState, img: Any) -> Any:
    for _ in range(10):
        area, ratio = r.uniform(0.2, 0.5) * img.shape[0] * img.shape[1], r.uniform(0.75, 1.333)
        w, h = int(math.sqrt(area * ratio) + 0.5), int(math.sqrt(area / ratio) + 0.5)
        if r.uniform() < 0.5:
            w, h = h, w
        if h <= img.shape[0] and w <= img.shape[1]:
            break
    x, y = r.randint(0, img.shape[1] - w + 1), r.randint(0, img.shape[0] - h + 1)
    return cv2.resize(img[y : y + h, x : x + w], (224, 224))


def cutout(h: int, w: int) -> Plain:
    def cut(r: np.random.RandomState, img: Any) -> Any:
        x, y = r.randint(0, img.shape[1] - w + 1), r.randint(0, img.shape[0] - h + 1)
        out = img.copy()
        out[y : y + h, x : x + w] = 0
        return out

    return cut


def shift(r: np.random.RandomState, img: Any) -> Any:
    h, w = img.shape[:2]
    dx, dy = round(r.uniform(-0.1 * w, 0.1 * w)), round(r.uniform(-0.1 * h, 0.1 * h))
    return warp(img, np.array([[1, 0, dx], [0, 1, dy]], f32))


def rotation(r: np.random.RandomState, img: Any) -> Any:
    h, w = img.shape[:2]
    x, y = r.uniform(0, 1, 2)
    return warp(img, cv2.getRotationMatrix2D((w * x - 0.5, h * y - 0.5), r.uniform(-30, 30), 1))


def rotation_valid(r: np.random.RandomState, img: Any) -> Any:
    h, w = img.shape[:2]
    degrees = r.uniform(-30, 30)
    out = warp(img, cv2.getRotationMatrix2D((w * 0.5 - 0.5, h * 0.5 - 0.5), degrees, 1), cv2.BORDER_CONSTANT)
    cw, ch = imgaug.RotationAndCropValid.largest_rotated_rect(w, h, degrees)
    x, y = (w - cw) // 2, (h - ch) // 2
    return out[y : y + ch, x : x + cw]


def affine(r: np.random.RandomState, img: Any) -> Any:
    h, w = img.shape[:2]
    scale, dx, dy = r.uniform(0.8, 1.2), r.uniform(-0.1 * w, 0.1 * w), r.uniform(-0.1 * h, 0.1 * h)
    mat = cv2.getRotationMatrix2D((w * 0.5 - 0.5, h * 0.5 - 0.5), r.uniform(-10, 10), scale)
    mat[:, 2] += (round(dx), round(dy))
    return warp(img, mat)


def hue(r: np.random.RandomState, img: Any) -> Any:
    hsv = cv2.cvtColor(img, cv2.COLOR_RGB2HSV)
    table = ((LEVELS + f32(r.uniform(0, 180))) % 180).astype(np.uint8)
    cv2.insertChannel(cv2.LUT(cv2.extractChannel(hsv, 0), table), hsv, 0)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def brightness(r: np.random.RandomState, img: Any) -> Any:
    return cv2.LUT(img, uint8(LEVELS + f32(r.uniform(-30, 30))))


def brightness_scale(r: np.random.RandomState, img: Any) -> Any:
    return cv2.LUT(img, uint8(LEVELS * f32(r.uniform(0.5, 1.5))))


def contrast(r: np.random.RandomState, img: Any) -> Any:
    factor = f32(r.uniform(0.5, 1.5))
    mean = np.array(cv2.sumElems(img)[:3]) / (img.shape[0] * img.shape[1])
    return cv2.LUT(img, uint8(LEVELS[:, None] * factor + mean * (1 - factor))[None])


def contrast_rgb(r: np.random.RandomState, img: Any) -> Any:
    factor = f32(r.uniform(0.5, 1.5))
    mean = cv2.cvtColor(img.astype(f32), cv2.COLOR_RGB2GRAY).mean()
    return cv2.LUT(img, uint8(LEVELS * factor + mean * (1 - factor)))


def mean_variance(r: np.random.RandomState, img: Any) -> Any:
    mean, std = cv2.meanStdDev(img.reshape(-1))
    return (img.astype(f32) - f32(mean[0, 0])) / f32(std[0, 0])


def min_max(r: np.random.RandomState, img: Any) -> Any:
    low, high = f32(img.min()), f32(img.max())
    return 255 * (img.astype(f32) - low) / (high - low)


def blur(r: np.random.RandomState, img: Any) -> Any:
    k = 2 * int(r.randint(1, 3, size=2)[0]) + 1
    return cv2.GaussianBlur(img, (k, k), r.uniform(0.5, 2, 2)[0], borderType=cv2.BORDER_REPLICATE)


def gamma(r: np.random.RandomState, img: Any) -> Any:
    exponent = 1 / (1 + f32(r.uniform(-0.5, 0.5)))
    return cv2.LUT(img, ((np.arange(256) / 255) ** exponent * 255).astype(np.uint8))


def saturation(r: np.random.RandomState, img: Any) -> Any:
    weight = f32(1) + f32(r.uniform(-0.4, 0.4))
    gray = cv2.cvtColor(cv2.cvtColor(img, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return uint8(img * weight + gray * (1 - weight))


def lighting(r: np.random.RandomState, img: Any) -> Any:
    offset = np.dot(EIGVEC, (r.randn(3) * 0.1).astype(f32) * f32(EIGVAL))
    return cv2.LUT(img, uint8(LEVELS[:, None] + offset)[None])


def jpeg(r: np.random.RandomState, img: Any) -> Any:
    data = cv2.imencode(".jpg", img, [cv2.IMWRITE_JPEG_QUALITY, r.randint(40, 100)])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def gaussian_noise(r: np.random.RandomState, img: Any) -> Any:
    return uint8(img + r.randn(*img.shape) * 3)


def salt_pepper(r: np.random.RandomState, img: Any) -> Any:
    draws = r.uniform(0, 1, img.shape)
    out = img.copy()
    out[draws > 0.95] = 255
    out[draws < 0.05] = 0
    return out


def center_paste(bh: int, bw: int) -> Plain:
    def paste(r: np.random.RandomState, img: Any) -> Any:
        h, w = img.shape[:2]
        y, x = (bh - h) // 2, (bw - w) // 2
        out = np.zeros((bh, bw, 3), np.uint8)
        out[y : y + h, x : x + w] = img
        return out

    return paste


def random_paste(bh: int, bw: int) -> Plain:
    def paste(r: np.random.RandomState, img: Any) -> Any:
        h, w = img.shape[:2]
        y, x = int(r.uniform(0, bh - h)), int(r.uniform(0, bw - w))
        out = np.zeros((bh, bw, 3), np.uint8)
        out[y : y + h, x : x + w] = img
        return out

    return paste


def pipeline(r: np.random.RandomState, img: Any) -> Any:
    return flip(r, cv2.LUT(googlenet(r, img), uint8(LEVELS + f32(r.uniform(-30, 30)))))


def cases(h: int, w: int) -> dict[str, tuple[Any, Plain]]:
    """Return what to measure: the augmentor and the plain calls."""
    background = (h * 244 // 224, w * 244 // 224)
    most, half, hole = (h * 200 // 224, w * 200 // 224), (h * 100 // 224, w * 100 // 224), (h // 5, w // 5)
    lab = cv2.COLOR_BGR2LAB
    crop = imgaug.GoogleNetRandomCropAndResize((0.2, 0.5))
    return {
        "Identity": (imgaug.Identity(), lambda r, img: img),
        "Flip": (imgaug.Flip(horiz=True, prob=1), flip),
        "Transpose": (imgaug.Transpose(prob=1), transpose),
        "Resize": (imgaug.Resize(256), resize),
        "ResizeShortestEdge": (imgaug.ResizeShortestEdge(256), shortest),
        "RandomResize": (imgaug.RandomResize((0.8, 1.2), aspect_ratio_thres=0), random_resize),
        "RandomCrop": (imgaug.RandomCrop(most), random_crop(*most)),
        "CenterCrop": (imgaug.CenterCrop(most), center_crop(*most)),
        "RandomCropRandomShape": (
            imgaug.RandomCropRandomShape(*half[::-1], *most[::-1]),
            random_shape(*half, *most),
        ),
        "GoogleNetRandomCropAndResize": (crop, googlenet),
        "RandomCutout": (imgaug.RandomCutout(*hole), cutout(*hole)),
        "Shift": (imgaug.Shift(0.1, 0.1), shift),
        "Rotation": (imgaug.Rotation(30), rotation),
        "RotationAndCropValid": (imgaug.RotationAndCropValid(30), rotation_valid),
        "Affine": (imgaug.Affine((0.8, 1.2), (0.1, 0.1), 10), affine),
        "Hue": (imgaug.Hue(), hue),
        "Brightness": (imgaug.Brightness(30), brightness),
        "BrightnessScale": (imgaug.BrightnessScale((0.5, 1.5)), brightness_scale),
        "Contrast": (imgaug.Contrast((0.5, 1.5)), contrast),
        "Contrast rgb": (imgaug.Contrast((0.5, 1.5), rgb=True), contrast_rgb),
        "MeanVarianceNormalize": (imgaug.MeanVarianceNormalize(), mean_variance),
        "MinMaxNormalize": (imgaug.MinMaxNormalize(), min_max),
        "GaussianBlur": (imgaug.GaussianBlur((1, 3), (0.5, 2)), blur),
        "Gamma": (imgaug.Gamma(), gamma),
        "Clip": (imgaug.Clip(20, 200), lambda r, img: np.clip(img, 20, 200)),
        "Saturation": (imgaug.Saturation(), saturation),
        "Lighting": (imgaug.Lighting(0.1, EIGVAL, EIGVEC), lighting),
        "JpegNoise": (imgaug.JpegNoise(), jpeg),
        "GaussianNoise": (imgaug.GaussianNoise(3), gaussian_noise),
        "SaltPepperNoise": (imgaug.SaltPepperNoise(), salt_pepper),
        "ColorSpace": (imgaug.ColorSpace(lab), lambda r, img: cv2.cvtColor(img, lab)),
        "Grayscale": (imgaug.Grayscale(), lambda r, img: cv2.cvtColor(img, cv2.COLOR_BGR2GRAY)),
        "ToUint8": (imgaug.ToUint8(), lambda r, img: img.copy()),
        "ToFloat32": (imgaug.ToFloat32(), lambda r, img: img.astype(f32)),
        "CenterPaste": (imgaug.CenterPaste(background), center_paste(*background)),
        "RandomPaste": (imgaug.RandomPaste(background), random_paste(*background)),
        "crop, brightness, flip": (
            imgaug.AugmentorList([crop, imgaug.Brightness(30), imgaug.Flip(horiz=True, prob=1)]),
            pipeline,
        ),
    }


def measure(
    augmentor: Any, plain: Plain, img: Any, rounds: int, turns: int, seconds: float
) -> tuple[float, float, float]:
    """Return the time of ours and of the plain calls, in seconds, and the ratio."""
    rng = augmentor.rng = np.random.RandomState(0)
    _share(augmentor, rng)
    copy = np.ascontiguousarray
    sides = (lambda: copy(augmentor.augment(img)), lambda: copy(plain(rng, img)))
    number = max(1, int(seconds / max(_time(side, 1) for side in sides for _ in range(2))))
    best = np.full((rounds, 2), np.inf)
    for k in range(rounds):
        for turn in range(2 * turns):
            side = (turn + turn // 2) % 2  # 0 1 1 0 0 1 1 0 ...: none is always the second
            rng.seed(k)
            best[k, side] = min(best[k, side], _time(sides[side], number))
    ours, theirs = np.median(best, axis=0)
    return float(ours), float(theirs), float(np.median(best[:, 0] / best[:, 1]))


def _share(augmentor: Any, rng: np.random.RandomState) -> None:
    """Have the members of a list draw from one source, as the plain calls do."""
    for member in getattr(augmentor, "augmentors", ()):
        member.rng = rng


def _time(func: Callable[[], Any], number: int) -> float:
    start = time.perf_counter()
    for _ in range(number):
        func()
    return (time.perf_counter() - start) / number


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="of augmentors; all without")
    parser.add_argument("--size", choices=list(SIZES), action="append")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--turns", type=int, default=11, help="of each side in each round")
    parser.add_argument("--seconds", type=float, default=0.001, help="of each turn")
    parser.add_argument("--threads", type=int, default=1, help="of OpenCV")
    parser.add_argument("--quick", action="store_true", help="few short rounds")
    args = parser.parse_args()
    effort = (3, 2, 0.001) if args.quick else (args.rounds, args.turns, args.seconds)
    cv2.setNumThreads(args.threads)
    np.empty(31 << 20, np.uint8)  # freed at once: from then on malloc keeps blocks of up to that size
    print(f"OpenCV {cv2.__version__}, NumPy {np.__version__}, {args.threads} thread(s)")
    for size in args.size or SIZES:
        shape = SIZES[size]
        img = cv2.GaussianBlur(np.random.RandomState(0).randint(0, 256, shape, dtype=np.uint8), (7, 7), 0)
        print(f"\n{size:32}{'ours us':>10}{'plain us':>10}{'ratio':>8}{'more us':>9}")
        for name, (augmentor, plain) in cases(*shape[:2]).items():
            if args.names and name not in args.names:
                continue
            ours, theirs, ratio = measure(augmentor, plain, img, *effort)
            shown, mark = f"{ratio:.2f}", "  over" if ratio > LIMITS[size] else ""
            if theirs < NO_TIME:
                shown, mark = "-", ""
            us, plain_us = ours * 1e6, theirs * 1e6
            print(f"{name:32}{us:10.1f}{plain_us:10.1f}{shown:>8}{us - plain_us:9.2f}{mark}", flush=True)


if __name__ == "__main__":
    main()
