"""Decoding images in part: the result is that of decoding them whole."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import simplejpeg
from hypothesis import given
from hypothesis import strategies as st

from dataflow import _decode, imgaug
from dataflow.image import decode_image, image_shape
from dataflow.imgaug.base import ImagePlaceholder
from dataflow.imgaug.transform import CropTransform, ResizeTransform, TransformList
from dataflow.utils import fix_rng_seed

SUBSAMPLINGS = [
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
]


def picture(h: int, w: int, channels: int = 3, noise: int = 40) -> np.ndarray:
    """Return an image with areas, edges and noise."""
    rng = np.random.RandomState(h * 1000 + w)
    coarse = rng.randint(0, 256, (4, 5, channels), np.uint8)
    smooth = cv2.resize(coarse, (w, h), interpolation=cv2.INTER_CUBIC).reshape(h, w, channels)
    return cv2.add(smooth, rng.randint(0, noise + 1, smooth.shape, np.uint8)).reshape(h, w, channels)


def jpeg(img: np.ndarray, quality: int = 90, subsampling: int = SUBSAMPLINGS[0], *more: int) -> bytes:
    flags = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, subsampling, *more]
    return bytes(cv2.imencode(".jpg", img, list(map(int, flags)))[1])


def whole(data: bytes) -> np.ndarray:
    img = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert img is not None
    return img


def without_simplejpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_decode, "_simplejpeg", lambda: None)


@pytest.fixture(params=[True, False], ids=["simplejpeg", "opencv"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not request.param:
        without_simplejpeg(monkeypatch)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Return the list of the shapes that simplejpeg decodes from now on."""
    shapes = []
    decode = simplejpeg.decode_jpeg

    def spy(*args: Any, **kwargs: Any) -> Any:
        shapes.append(kwargs["buffer"].shape)
        return decode(*args, **kwargs)

    monkeypatch.setattr(simplejpeg, "decode_jpeg", spy)
    return shapes


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


def exif(orientation: int, order: str = "<") -> bytes:
    """Return the segment of a JPEG file."""
    entries = [(0x010F, 2, 4, int.from_bytes(b"abc\0", "little")), (0x0112, 3, 1, orientation)]
    tiff = (b"II" if order == "<" else b"MM") + struct.pack(order + "HIH", 42, 8, len(entries))
    for tag, kind, count, value in entries:
        body = struct.pack(order + "HH", value, 0) if kind == 3 else struct.pack(order + "I", value)
        tiff += struct.pack(order + "HHI", tag, kind, count) + body
    body = b"Exif\0\0" + tiff + bytes(4)
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(10))
def test_exif_orientation(orientation: int, order: str, decoded: list[tuple[int, ...]]) -> None:
    plain = jpeg(picture(40, 60))
    data = plain[:2] + exif(orientation, order) + plain[2:]
    img = whole(data)
    assert img.shape[:2] == ((60, 40) if 5 <= orientation <= 8 else (40, 60))
    assert image_shape(data) == img.shape
    crop = CropTransform(3, 4, 20, 30)
    np.testing.assert_array_equal(decode_image(data, crop), crop.apply_image(img))
    assert len(decoded) == (orientation == 1), "decoded in part where it's upright only"


@pytest.mark.parametrize(
    "tiff", [b"", b"II", b"XX*\0\x08\0\0\0", b"II*\0\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff" + bytes(30)]
)
def test_damaged_exif(tiff: bytes) -> None:
    plain = jpeg(picture(40, 60))
    data = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(tiff) + 8) + b"Exif\0\0" + tiff + plain[2:]
    np.testing.assert_array_equal(decode_image(data), whole(data))


def png(img: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", img)[1])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(png(picture(30, 40)), id="png"),
        pytest.param(png(picture(30, 40, 1)), id="gray"),
        pytest.param(png(picture(30, 40, 4)), id="alpha"),
        pytest.param(png(picture(30, 40).astype(np.uint16) * 256), id="16 bits"),
        pytest.param(bytes(cv2.imencode(".bmp", picture(30, 40))[1]), id="bmp"),
    ],
)
def test_other_formats(data: bytes) -> None:
    img, crop = whole(data), CropTransform(3, 4, 20, 30)
    assert image_shape(data) == (30, 40, 3)
    np.testing.assert_array_equal(decode_image(data), img)
    np.testing.assert_array_equal(decode_image(data, rgb=True), img[:, :, ::-1])
    np.testing.assert_array_equal(decode_image(data, crop, scaled=True), crop.apply_image(img))
    np.testing.assert_array_equal(decode_image(data, imgaug.CenterCrop(8)), imgaug.CenterCrop(8).augment(img))


def test_four_components(decoded: list[tuple[int, ...]]) -> None:
    pil = pytest.importorskip("PIL.Image")
    file = io.BytesIO()
    pil.fromarray(picture(30, 40, 4), "CMYK").save(file, "JPEG")
    data = file.getvalue()
    np.testing.assert_array_equal(decode_image(data, imgaug.CenterCrop(20)), whole(data)[5:25, 10:30])
    assert decoded == []


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.usefixtures("engine")
def test_files_that_end_too_early(progressive: bool) -> None:
    data = jpeg(picture(30, 40), 80, SUBSAMPLINGS[0], cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    for end in range(len(data) - 1):
        with pytest.raises(ValueError, match=r"ends too early|no image|can't decode"):
            decode_image(data[:end], CropTransform(0, 0, 5, 5))
    rotated = data[:2] + exif(6) + data[2:-2]
    with pytest.raises(ValueError, match="ends too early"):
        decode_image(rotated)


@pytest.mark.parametrize("data", [b"", b"text", b"\xff\xd8", b"\xff\xd8\xff\xe0\0", b"\x89PNG\r\n\x1a\n"])
def test_no_image(data: bytes) -> None:
    for function in (decode_image, image_shape):
        with pytest.raises(ValueError, match=f"these {len(data)} bytes hold no image"):
            function(data)


def test_damage() -> None:
    """It is found, or an image comes out: nothing else."""
    data = jpeg(picture(60, 80), 90, SUBSAMPLINGS[0], cv2.IMWRITE_JPEG_RST_INTERVAL, 2)
    rng = np.random.RandomState(0)
    found = 0
    for _ in range(300):
        damaged = bytearray(data)
        damaged[rng.randint(len(data))] = rng.randint(256)
        try:
            out = decode_image(damaged, imgaug.CenterCrop(4))
        except ValueError:
            found += 1
        else:
            assert out.shape == (4, 4, 3)
    assert 20 < found < 280
    at = data.index(b"\xff\xd0")
    with pytest.raises(ValueError, match="damaged: Corrupt JPEG data"):
        decode_image(data[:at] + b"\xff\xd5" + data[at + 2 :])


@pytest.mark.parametrize("progressive", [False, True])
def test_garbage_at_the_end_is_left_alone(progressive: bool, capfd: pytest.CaptureFixture[str]) -> None:
    data = jpeg(picture(60, 80), 90, SUBSAMPLINGS[0], cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    for other in (data[:-2] + bytes(9) + data[-2:], data + b"garbage" * 9, data + data):
        np.testing.assert_array_equal(decode_image(other), whole(data))
        np.testing.assert_array_equal(decode_image(other, CropTransform(1, 2, 3, 4)), whole(data)[1:4, 2:6])
    capfd.readouterr()
    decode_image(data, CropTransform(0, 0, 5, 5))
    assert capfd.readouterr() == ("", "")


def test_what_simplejpeg_does_not_know_is_for_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise ValueError("Could not determine subsampling type for JPEG image")

    monkeypatch.setattr(simplejpeg, "decode_jpeg", refuse)
    data = jpeg(picture(60, 80))
    np.testing.assert_array_equal(decode_image(data, CropTransform(1, 2, 3, 4)), whole(data)[1:4, 2:6])


def test_kinds_of_data(tmp_path: Path) -> None:
    data = jpeg(picture(20, 30))
    for same in (bytearray(data), memoryview(data), np.frombuffer(data, np.uint8)):
        np.testing.assert_array_equal(decode_image(same), whole(data))
        assert image_shape(same) == (20, 30, 3)
    for wrong in ("a.jpg", tmp_path, None, [1, 2]):
        with pytest.raises(TypeError, match="expected the bytes of an image file"):
            decode_image(wrong)
    for no_augmentor in ([imgaug.CenterCrop(5)], imgaug.CenterCrop, 224):
        with pytest.raises(TypeError, match="decode_image: expected an augmentor"):
            decode_image(data, no_augmentor)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="does not fit"):
        decode_image(data, imgaug.CenterCrop(50))


def test_simplejpeg_is_optional(monkeypatch: pytest.MonkeyPatch, decoded: list[tuple[int, ...]]) -> None:
    data, find_spec = jpeg(picture(20, 30)), _decode.importlib.util.find_spec
    _decode._simplejpeg.cache_clear()
    try:
        monkeypatch.setattr(
            _decode.importlib.util,
            "find_spec",
            lambda name: None if name == "simplejpeg" else find_spec(name),
        )
        np.testing.assert_array_equal(decode_image(data), whole(data))
        assert decoded == []
    finally:
        _decode._simplejpeg.cache_clear()
    monkeypatch.undo()
    assert _decode._simplejpeg() is simplejpeg
