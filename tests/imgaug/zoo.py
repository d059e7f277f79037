"""One of each augmentor, with what the general laws need to know about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np

from dataflow import imgaug
from dataflow.imgaug import ImageAugmentor

COLOUR, GRAY_AXIS, GRAY = (48, 64, 3), (48, 64, 1), (48, 64)
ANY = (COLOUR, GRAY_AXIS, GRAY)
SAME = None


class Kind(NamedTuple):
    """An augmentor and its rules."""

    make: Callable[[], ImageAugmentor]
    photometric: bool = False
    shapes: tuple[Any, ...] = ANY
    """Shapes of images that it takes."""
    dtype: Any = SAME
    """Of the result, if not that of the image."""
    out: Callable[[tuple[int, ...]], tuple[int, ...]] | None = lambda shape: shape
    """From the shape of the image to that of the result; None if it is random."""


def sized(h: int, w: int) -> Callable[[tuple[int, ...]], tuple[int, ...]]:
    """Return a shape rule: the result has this size, and the channels of the image."""
    return lambda shape: (h, w, *shape[2:])


def pixel(make: Callable[[], ImageAugmentor], **rules: Any) -> Kind:
    """Return a photometric kind."""
    return Kind(make, photometric=True, **rules)


EIGVEC = [[0.6, 0.0, 0.8], [0.0, 1.0, 0.0], [-0.8, 0.0, 0.6]]

ZOO = {
    "Identity": Kind(imgaug.Identity),
    "Flip horiz": Kind(lambda: imgaug.Flip(horiz=True)),
    "Flip vert": Kind(lambda: imgaug.Flip(vert=True, prob=1)),
    "Transpose": Kind(lambda: imgaug.Transpose(prob=1), out=lambda s: (s[1], s[0], *s[2:])),
    "Resize": Kind(lambda: imgaug.Resize((30, 50)), out=sized(30, 50)),
    "ResizeShortestEdge": Kind(lambda: imgaug.ResizeShortestEdge(24), out=sized(24, 32)),
    "RandomResize": Kind(lambda: imgaug.RandomResize((0.5, 1.5), (0.5, 1.5)), out=None),
    "RandomCrop": Kind(lambda: imgaug.RandomCrop((20, 30)), out=sized(20, 30)),
    "CenterCrop": Kind(lambda: imgaug.CenterCrop(21), out=sized(21, 21)),
    "RandomCropRandomShape": Kind(lambda: imgaug.RandomCropRandomShape(10, 12), out=None),
    "GoogleNet": Kind(lambda: imgaug.GoogleNetRandomCropAndResize(target_shape=32), out=sized(32, 32)),
    "Shift": Kind(lambda: imgaug.Shift(0.2, 0.2)),
    "Rotation": Kind(lambda: imgaug.Rotation(30)),
    "RotationAndCropValid": Kind(lambda: imgaug.RotationAndCropValid(30), out=None),
    "Affine": Kind(lambda: imgaug.Affine((0.8, 1.2), (0.1, 0.2), 30.0, 10.0)),
    "CenterPaste": Kind(lambda: imgaug.CenterPaste((60, 70)), out=sized(60, 70)),
    "RandomPaste": Kind(lambda: imgaug.RandomPaste((60, 70)), out=sized(60, 70)),
    "RandomCutout": pixel(lambda: imgaug.RandomCutout(5, (3, 9), 7)),
    "Hue": pixel(imgaug.Hue, shapes=(COLOUR,)),
    "Brightness": pixel(lambda: imgaug.Brightness(30)),
    "BrightnessScale": pixel(lambda: imgaug.BrightnessScale((0.5, 1.5))),
    "Contrast": pixel(lambda: imgaug.Contrast((0.5, 1.5))),
    "Contrast rgb": pixel(lambda: imgaug.Contrast((0.5, 1.5), rgb=True), shapes=(COLOUR, GRAY)),
    "MeanVariance": pixel(imgaug.MeanVarianceNormalize, dtype=np.float32),
    "MeanVariance each": pixel(lambda: imgaug.MeanVarianceNormalize(all_channel=False), dtype=np.float32),
    "MinMax": pixel(imgaug.MinMaxNormalize, dtype=np.float32),
    "MinMax each": pixel(lambda: imgaug.MinMaxNormalize(-1, 1, all_channel=False), dtype=np.float32),
    "GaussianBlur": pixel(lambda: imgaug.GaussianBlur((1, 4), (0.5, 2), symmetric=False)),
    "Gamma": pixel(imgaug.Gamma),
    "Clip": pixel(lambda: imgaug.Clip(20, 200)),
    "Saturation": pixel(imgaug.Saturation, shapes=(COLOUR,)),
    "Lighting": pixel(lambda: imgaug.Lighting(0.5, [30, 20, 10], EIGVEC), shapes=(COLOUR,)),
    "JpegNoise": pixel(imgaug.JpegNoise),
    "GaussianNoise": pixel(lambda: imgaug.GaussianNoise(3)),
    "SaltPepperNoise": pixel(imgaug.SaltPepperNoise),
    "ColorSpace": pixel(lambda: imgaug.ColorSpace(cv2.COLOR_RGB2YCrCb), shapes=(COLOUR,)),
    "Grayscale": pixel(imgaug.Grayscale, shapes=(COLOUR,), out=lambda s: (*s[:2], 1)),
    "ToUint8": pixel(imgaug.ToUint8, dtype=np.uint8),
    "ToFloat32": pixel(imgaug.ToFloat32, dtype=np.float32),
    "MapImage": Kind(lambda: imgaug.MapImage(lambda x: x + 0, lambda x: x + 0)),
    "RandomApplyAug": Kind(lambda: imgaug.RandomApplyAug(imgaug.Flip(horiz=True), 0.5)),
    "RandomChooseAug": Kind(
        lambda: imgaug.RandomChooseAug([(imgaug.Flip(horiz=True), 0.3), (imgaug.Shift(0.1), 0.7)])
    ),
    "RandomOrderAug": Kind(lambda: imgaug.RandomOrderAug([imgaug.Flip(horiz=True), imgaug.Shift(0.1)])),
    "AugmentorList": Kind(
        lambda: imgaug.AugmentorList([imgaug.Resize((30, 50)), imgaug.Flip(horiz=True), imgaug.Shift(0.1)]),
        out=sized(30, 50),
    ),
}


def image(shape: tuple[int, ...] = COLOUR, dtype: Any = np.uint8) -> Any:
    """Return a smooth image with values from about 2 to 230."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    channels = [100 + 70 * np.sin(x / 9 + k) + 60 * np.cos(y / (7 + k)) for k in range(3)]
    img = np.stack(channels, axis=-1)[:, :, : shape[2] if len(shape) == 3 else 1]
    return np.ascontiguousarray(img.reshape(shape)).clip(2, 230).astype(dtype)


def reference_image() -> Any:
    """Return the image that the reference values are for."""
    i = np.arange(48 * 64 * 3)
    return ((7 * i) % 256 // (1 + i % 3)).astype(np.uint8).reshape(48, 64, 3)


def seeded(augmentor: Any, seed: int = 42) -> Any:
    """Return the augmentor with the random state of it and its children set."""
    augmentor.rng = np.random.RandomState(seed)
    children = [getattr(augmentor, "aug", None)]
    children += [*getattr(augmentor, "aug_lists", []), *getattr(augmentor, "augmentors", [])]
    for k, child in enumerate(children):
        if child is not None:
            seeded(child, seed + k)
    return augmentor
