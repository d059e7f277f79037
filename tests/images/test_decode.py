"""Decoding images in part: the result is that of decoding them whole."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow import imgaug
from dataflow.image import decode_image, image_shape
from dataflow.imgaug.base import ImagePlaceholder
from dataflow.imgaug.transform import CropTransform, ResizeTransform, TransformList
from dataflow.utils import fix_rng_seed
from tests.helpers.jpegs import SUBSAMPLINGS, decoded, engine, jpeg, picture, whole, without_simplejpeg

__all__ = ["decoded", "engine"]  # fixtures


@st.composite
def files_and_crops(draw: st.DrawFn) -> tuple[bytes, CropTransform]:
    h, w = draw(st.integers(1, 90)), draw(st.integers(1, 90))
    more = [cv2.IMWRITE_JPEG_PROGRESSIVE, draw(st.booleans())]
    more += [cv2.IMWRITE_JPEG_RST_INTERVAL, draw(st.sampled_from([0, 0, 1, 3]))]
    channels = draw(st.sampled_from([1, 3, 3]))
    quality, subsampling = draw(st.integers(5, 100)), draw(st.sampled_from(SUBSAMPLINGS))
    y0, x0 = draw(st.integers(0, h - 1)), draw(st.integers(0, w - 1))
    crop = CropTransform(y0, x0, draw(st.integers(1, h - y0)), draw(st.integers(1, w - x0)))
    return jpeg(picture(h, w, channels), quality, subsampling, *more), crop


@given(files_and_crops(), st.booleans())
def test_any_crop_of_any_file_is_that_of_the_whole(case: tuple[bytes, CropTransform], rgb: bool) -> None:
    data, crop = case
    img = whole(data)
    out = decode_image(data, crop, rgb=rgb)
    assert out.dtype == np.uint8
    np.testing.assert_array_equal(out[:, :, ::-1] if rgb else out, crop.apply_image(img))
    np.testing.assert_array_equal(decode_image(data), img)


REDUCED = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}


@given(files_and_crops(), st.integers(1, 20), st.integers(1, 20))
def test_scaled_crops_are_those_of_the_smaller_image(
    case: tuple[bytes, CropTransform], new_h: int, new_w: int
) -> None:
    """The smallest that has enough pixels; with simplejpeg and without."""
    data, crop = case
    y, x = np.array([crop.y0, crop.y0 + crop.h]), np.array([crop.x0, crop.x0 + crop.w])
    expected = whole(data)
    for factor, flag in REDUCED.items():
        small_y, small_x = np.floor(y / factor + 0.5).astype(int), np.floor(x / factor + 0.5).astype(int)
        if np.diff(small_y) >= new_h and np.diff(small_x) >= new_w:
            y, x = small_y, small_x
            expected = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
            break
    expected = cv2.resize(expected[slice(*y), slice(*x)], (new_w, new_h), interpolation=cv2.INTER_LINEAR)
    tfm = TransformList([crop, ResizeTransform(crop.h, crop.w, new_h, new_w, cv2.INTER_LINEAR)])
    np.testing.assert_array_equal(decode_image(data, tfm, scaled=True), expected)
    with pytest.MonkeyPatch.context() as monkeypatch:
        without_simplejpeg(monkeypatch)
        np.testing.assert_array_equal(decode_image(data, tfm, scaled=True), expected)


AUGMENTORS = {
    "GoogleNetRandomCropAndResize": lambda: imgaug.GoogleNetRandomCropAndResize(target_shape=40),
    "impossible crop": lambda: imgaug.GoogleNetRandomCropAndResize((2.0, 3.0), target_shape=40),
    "RandomCrop": lambda: imgaug.RandomCrop((31, 47)),
    "RandomCropRandomShape": lambda: imgaug.RandomCropRandomShape(10, 20),
    "CenterCrop": lambda: imgaug.CenterCrop(40),
    "Resize": lambda: imgaug.Resize((30, 20)),
    "ResizeShortestEdge": lambda: imgaug.ResizeShortestEdge(33),
    "RandomResize": lambda: imgaug.RandomResize((0.2, 0.9), (0.2, 0.9)),
    "Flip": lambda: imgaug.Flip(horiz=True),
    "Brightness": lambda: imgaug.Brightness(30),
    "RandomApplyAug": lambda: imgaug.RandomApplyAug(imgaug.RandomCrop(30), 0.5),
    "nothing": lambda: imgaug.AugmentorList([]),
    "of a user": lambda: Brightest(20),
}


class Brightest(imgaug.ImageAugmentor):
    """Needs the pixels to decide."""

    def __init__(self, size: int) -> None:
        self.size = size

    def get_transform(self, img: np.ndarray) -> CropTransform:
        shift = self.rng.randint(3)
        y0, x0 = np.unravel_index(np.argmax(img.sum(axis=2)[: -self.size, : -self.size]), img.shape[:2])
        return CropTransform(min(y0 + shift, img.shape[0] - self.size), x0, self.size, self.size)


class PickyCrop(imgaug.RandomCrop):
    """Is a crop of this package, but needs more than the shape."""

    def get_transform(self, img: np.ndarray) -> CropTransform:
        assert img.mean() > 0
        return super().get_transform(img)


AUGMENTORS["a subclass"] = lambda: PickyCrop(30)


@pytest.mark.parametrize("name", AUGMENTORS)
@pytest.mark.parametrize("listed", ["alone", "first of three", "in a list in a list"])
@pytest.mark.usefixtures("engine")
def test_the_result_and_the_draws_are_those_of_the_whole(name: str, listed: str) -> None:
    def make() -> imgaug.ImageAugmentor:
        fix_rng_seed(7)
        made = AUGMENTORS[name]()
        if listed == "alone":
            return made
        if listed == "in a list in a list":
            return imgaug.AugmentorList([imgaug.AugmentorList([made])])
        return imgaug.AugmentorList([made, imgaug.Flip(horiz=True), imgaug.BrightnessScale((0.5, 1.5))])

    ours, theirs = make(), make()
    data = jpeg(picture(93, 121))
    for _ in range(8):
        np.testing.assert_array_equal(decode_image(data, ours), theirs.augment(whole(data)))


@pytest.mark.usefixtures("engine")
def test_scaled_differs_by_resampling_only() -> None:
    """From what a resize without aliasing makes, by 2 in the mean and by 9 at most."""
    data, target = jpeg(picture(600, 800, noise=0), 95), 60
    for seed in range(30):
        fix_rng_seed(seed)
        crop = imgaug.GoogleNetRandomCropAndResize(target_shape=target, interp=cv2.INTER_AREA)
        out = decode_image(data, crop, scaled=True).astype(int)
        fix_rng_seed(seed)
        crop = imgaug.GoogleNetRandomCropAndResize(target_shape=target, interp=cv2.INTER_AREA)
        difference = np.abs(out - crop.augment(whole(data)))
        assert out.shape == (target, target, 3)
        assert difference.mean() < 2 and difference.max() <= 9


def test_scaled_keeps_places() -> None:
    """Shown by images whose values are the coordinates."""
    h, w = 256, 240
    y, x = np.mgrid[:h, :w].astype(np.uint8)
    data = jpeg(np.stack([y, x, y], axis=2), 100, SUBSAMPLINGS[-1])
    for y0, x0, size in [(0, 0, 239), (3, 5, 201), (16, 8, 160), (77, 101, 131), (125, 7, 131)]:
        tfm = TransformList([CropTransform(y0, x0, size, size), ResizeTransform(size, size, 30, 30, 1)])
        out = decode_image(data, tfm, scaled=True).astype(float)
        centres = (np.arange(30) + 0.5) * size / 30 - 0.5  # in the crop
        step = size / 30
        assert np.abs(out[:, :, 0] - (y0 + centres)[:, None]).max() < 0.5 * step + 1.5
        assert np.abs(out[:, :, 1] - (x0 + centres)).max() < 0.5 * step + 1.5


@pytest.mark.parametrize(
    "crop, target, factor",
    [
        ((100, 100), (100, 100), 1),
        ((198, 300), (100, 100), 1),
        ((200, 200), (100, 100), 2),
        ((200, 399), (50, 50), 4),
        ((200, 200), (51, 50), 2),
        ((160, 176), (20, 20), 8),
        ((320, 320), (2, 2), 8),
        ((100, 100), (200, 200), 1),
    ],
)
def test_what_is_decoded(
    crop: tuple[int, int], target: tuple[int, int], factor: int, decoded: list[tuple[int, ...]]
) -> None:
    data = jpeg(picture(400, 410))
    tfm = TransformList([CropTransform(0, 8, *crop), ResizeTransform(*crop, *target, cv2.INTER_LINEAR)])
    out = decode_image(data, tfm, scaled=True)
    assert out.shape == (*target, 3)
    assert decoded.pop() == (int(crop[0] / factor + 0.5) + 2, -(-410 // factor), 3)
    decode_image(data, tfm)
    assert decoded == [(crop[0] + 2, 410, 3)]


def test_a_resize_without_a_crop_is_scaled(decoded: list[tuple[int, ...]]) -> None:
    data = jpeg(picture(400, 410))
    decode_image(
        data, imgaug.AugmentorList([imgaug.ResizeShortestEdge(100), imgaug.CenterCrop(90)]), scaled=True
    )
    decode_image(data, imgaug.Resize(200), scaled=True)
    decode_image(data, imgaug.Flip(horiz=True), scaled=True)
    assert decoded == [(100, 103, 3), (200, 205, 3), (400, 410, 3)]


def test_crops_beyond_the_image_are_as_with_the_whole() -> None:
    data = jpeg(picture(40, 50))
    for crop in [(-10, 0, 8, 8), (30, 30, 30, 10), (0, 45, 10, 10), (0, 0, 0, 5), (60, 60, 5, 5)]:
        tfm = CropTransform(*crop)
        np.testing.assert_array_equal(decode_image(data, tfm), tfm.apply_image(whole(data)))


@pytest.mark.usefixtures("engine")
def test_what_belongs_to_the_image() -> None:
    """The transforms that are decided late are decided by ``decode_image``."""
    data = jpeg(picture(90, 120))
    augmentor = imgaug.AugmentorList([imgaug.RandomCrop(50), imgaug.Flip(horiz=True, prob=1)])
    tfm = augmentor.get_transform(ImagePlaceholder(image_shape(data)))
    out = decode_image(data, tfm)
    np.testing.assert_array_equal(out, tfm.apply_image(whole(data)))
    y0, x0 = tfm.tfms[0].y0, tfm.tfms[0].x0
    box = np.array([[x0 + 1.0, y0 + 2, x0 + 10, y0 + 20]])
    np.testing.assert_allclose(tfm.apply_box(box), [[40, 2, 49, 20]])
