"""Images, as JPEG files and decoded, and the ways to decode them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import simplejpeg

from dataflow._images import decode as decode_module

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
    monkeypatch.setattr(decode_module, "_simplejpeg", lambda: None)


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
