"""Image files that can't be decoded in part, or not at all."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import simplejpeg

from dataflow import imgaug
from dataflow._images import decode as decode_module
from dataflow.image import decode_image, image_shape
from dataflow.imgaug.transform import CropTransform
from tests.helpers.jpegs import SUBSAMPLINGS, decoded, engine, jpeg, picture, whole

__all__ = ["decoded", "engine"]  # fixtures


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


def test_paths(tmp_path: Path) -> None:
    path = tmp_path / "ä.jpg"
    path.write_bytes(jpeg(picture(20, 30)))
    for file in (path, str(path)):
        np.testing.assert_array_equal(
            decode_image(file, imgaug.CenterCrop(8)), whole(path.read_bytes())[6:14, 11:19]
        )
        assert image_shape(file) == (20, 30, 3)
    with pytest.raises(ValueError, match=r"ä.jpg': .*does not fit"):
        decode_image(path, imgaug.CenterCrop(50))
    path.write_bytes(b"text")
    for function in (decode_image, image_shape):
        with pytest.raises(ValueError, match=r"ä.jpg'?: these 4 bytes hold no image"):
            function(path)
        with pytest.raises(FileNotFoundError):
            function(tmp_path / "none.jpg")


def test_kinds_of_data() -> None:
    data = jpeg(picture(20, 30))
    for same in (bytearray(data), memoryview(data), np.frombuffer(data, np.uint8)):
        np.testing.assert_array_equal(decode_image(same), whole(data))
        assert image_shape(same) == (20, 30, 3)
    for wrong in (None, [1, 2], 3):
        with pytest.raises(TypeError, match="expected an image file"):
            decode_image(wrong)
    for no_augmentor in ([imgaug.CenterCrop(5)], imgaug.CenterCrop, 224):
        with pytest.raises(TypeError, match="decode_image: expected an augmentor"):
            decode_image(data, no_augmentor)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="does not fit"):
        decode_image(data, imgaug.CenterCrop(50))


def test_simplejpeg_is_optional(monkeypatch: pytest.MonkeyPatch, decoded: list[tuple[int, ...]]) -> None:
    data, find_spec = jpeg(picture(20, 30)), decode_module.importlib.util.find_spec
    decode_module._simplejpeg.cache_clear()
    try:
        monkeypatch.setattr(
            decode_module.importlib.util,
            "find_spec",
            lambda name: None if name == "simplejpeg" else find_spec(name),
        )
        np.testing.assert_array_equal(decode_image(data), whole(data))
        assert decoded == []
    finally:
        decode_module._simplejpeg.cache_clear()
    monkeypatch.undo()
    assert decode_module._simplejpeg() is simplejpeg
