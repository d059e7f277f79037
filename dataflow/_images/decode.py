"""Decode image files; of a JPEG file only the part that an augmentor needs."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import imgaug
from .._core.describe import type_in_words
from .._core.optional import require
from ..imgaug.base import ImagePlaceholder, check_augmentor
from ..imgaug.transform import BaseTransform, CropTransform, ResizeTransform, TransformList
from .jpeg import JPEGHeader, read_header

# augmentors that crop or resize, and need nothing of the image but its shape
_BY_SHAPE = frozenset(
    augmentor.get_transform
    for augmentor in (
        imgaug.CenterCrop,
        imgaug.GoogleNetRandomCropAndResize,
        imgaug.RandomCrop,
        imgaug.RandomCropRandomShape,
        imgaug.RandomResize,
        imgaug.Resize,
        imgaug.ResizeShortestEdge,
    )
)

_FACTORS = (8, 4, 2)  # the decoder can make the image this many times smaller


def decode_image(
    file: Any,
    augmentor: imgaug.ImageAugmentor | BaseTransform | None = None,
    *,
    scaled: bool = False,
    rgb: bool = False,
) -> NDArray[Any]:
    """Decode an image file and augment the image, without decoding what the augmentor cuts away.

    The result equals ``augmentor.augment(cv2.imread(file, cv2.IMREAD_COLOR))`` to the bit, and the same
    random numbers are drawn. This helps only for JPEG files, and only if the first augmentor is one of this
    package that crops or resizes: the decoder then stops below the crop, or (with ``scaled``) makes a
    smaller image right away. Everything else works too, but is decoded in full: other augmentors, the other
    formats that OpenCV reads, and JPEG files that OpenCV has to rotate because of their EXIF data.

    ::

        augmentor = imgaug.AugmentorList([imgaug.GoogleNetRandomCropAndResize(), imgaug.Flip(horiz=True)])

        def load(dp):
            path, label = dp
            return [decode_image(path, augmentor), label]

        df = MultiProcessMapAndBatchData(files, 8, load, batch_size=64)

    Decoding in part needs simplejpeg: ``pip install 'dataflow-loader[jpeg]'``. Without it, the result is the
    same, but OpenCV decodes all rows. (Both use libjpeg-turbo. An OpenCV that was built with another decoder
    than the one on PyPI may differ by a rounding.)

    To augment boxes or coordinates of the image as well, get the transform first, with ``image_shape``. This
    also lets an augmentor of your own profit, if it needs only the shape of the image::

        from dataflow.imgaug.base import ImagePlaceholder

        transform = augmentor.get_transform(ImagePlaceholder(image_shape(file)))
        image, boxes = decode_image(file, transform), transform.apply_box(boxes)

    Args:
        file: the path of the file; or its contents, as bytes or another buffer, such as a uint8 array.
        augmentor: an augmentor, whose transform is drawn and applied; or a transform for an image of this
            shape; or None for the image as it is.
        scaled: let the decoder make the image 2, 4 or 8 times smaller if the first augmentor would make it
            that much smaller anyway (a resize, or a crop that is resized). This takes less time
            for large photographs, and changes the result: more pixels are averaged, so there is less
            aliasing; and the edges of a crop move by up to half a pixel of the result.
        rgb: channels in the order RGB, for the augmentors too. By default they are BGR, as everywhere in
            OpenCV.

    Returns:
        h x w x 3, uint8, if there is no augmentor; gray images have three equal channels.

    Raises:
        TypeError: ``file`` or ``augmentor`` has another type.
        ValueError: the file holds no image that OpenCV can read, or is a JPEG file that ends too early or
            whose damage is found; or the augmentor can't take the image.
        OSError: the file can't be read; ``FileNotFoundError`` if there is none.
    """
    if augmentor is not None and not isinstance(augmentor, BaseTransform):
        check_augmentor(augmentor, "decode_image")
    with _naming(file):
        data = _contents(file)
        header = _common_header(data)
        if augmentor is None:
            transform: BaseTransform = TransformList([])
        elif isinstance(augmentor, BaseTransform):
            transform = augmentor
        elif header is not None and _decides_by_shape(augmentor):
            transform = augmentor.get_transform(ImagePlaceholder((header.height, header.width, 3)))
        else:
            return augmentor.augment(decode_image(data, rgb=rgb))
        if header is None:
            return transform.apply_image(_decode_whole(data, rgb))
        return _decode_and_apply(data, header, transform, scaled, rgb)


def image_shape(file: Any) -> tuple[int, int, int]:
    """Return (height, width, 3), the shape of what ``decode_image(file)`` returns.

    For most JPEG files this reads the header only. Everything else is decoded.

    Args:
        file: as for ``decode_image``.

    Raises:
        TypeError, ValueError, OSError: as ``decode_image``.
    """
    with _naming(file):
        data = _contents(file)
        header = _common_header(data)
        h, w = (header.height, header.width) if header else _decode_whole(data, rgb=False).shape[:2]
        return h, w, 3


@contextlib.contextmanager
def _naming(file: Any) -> Iterator[None]:
    """Put the path of the file, if it has one, at the beginning of a ``ValueError``."""
    try:
        yield
    except ValueError as e:
        if isinstance(file, str | os.PathLike):
            raise ValueError(f"{os.fspath(file)!r}: {e}") from e
        raise


def _contents(file: Any) -> bytes:
    if isinstance(file, bytes):
        return file
    if isinstance(file, str | os.PathLike):
        return Path(file).read_bytes()
    try:
        return memoryview(file).tobytes()
    except TypeError:
        raise TypeError(
            f"expected an image file: its path, or its contents as bytes; got {type_in_words(file)}"
        ) from None


def _common_header(data: bytes) -> JPEGHeader | None:
    """Return the header of a JPEG file that can be decoded in part; None for everything else."""
    header = read_header(data)
    if header is None:
        return None
    if data.rfind(b"\xff\xd9", header.scan_at) < 0:
        raise ValueError(f"the JPEG file ends too early: {len(data)} bytes without an end-of-image marker")
    return header if header.common else None


def _decides_by_shape(augmentor: imgaug.ImageAugmentor) -> bool:
    """Return whether an augmentor begins with a crop or resize that depends only on the image's shape."""
    while type(augmentor) is imgaug.AugmentorList and augmentor.augmentors:
        augmentor = augmentor.augmentors[0]
    return type(augmentor).get_transform in _BY_SHAPE


def _decode_and_apply(
    data: bytes, header: JPEGHeader, transform: BaseTransform, scaled: bool, rgb: bool
) -> NDArray[Any]:
    """Decode the part of the image that a transform needs, and apply the transform."""
    steps = list(transform.tfms) if isinstance(transform, TransformList) else [transform]
    edges = [0, 0, header.height, header.width]  # top, left, bottom, right
    crop = steps[0] if steps else None
    if type(crop) is CropTransform and _is_within(crop, header):
        edges = [crop.y0, crop.x0, crop.y0 + crop.h, crop.x0 + crop.w]
        del steps[0]
    factor = 1
    resize = steps[0] if steps and scaled else None
    if type(resize) is ResizeTransform and (resize.h, resize.w) == _size(edges):
        for f in _FACTORS:
            smaller = [int(edge / f + 0.5) for edge in edges]
            h, w = _size(smaller)
            if h >= resize.new_h and w >= resize.new_w:
                factor, edges = f, smaller
                steps[0] = ResizeTransform(h, w, resize.new_h, resize.new_w, resize.interp)
                break
    top, left, bottom, right = edges
    img = _decode_rows(data, header, bottom, factor, rgb)[top:bottom, left:right]
    return TransformList(steps).apply_image(img)


def _size(edges: list[int]) -> tuple[int, int]:
    top, left, bottom, right = edges
    return bottom - top, right - left


def _is_within(crop: CropTransform, header: JPEGHeader) -> bool:
    return (
        crop.y0 >= 0
        and crop.x0 >= 0
        and 0 < crop.h <= header.height - crop.y0
        and 0 < crop.w <= header.width - crop.x0
    )


def _decode_rows(data: bytes, header: JPEGHeader, rows: int, factor: int, rgb: bool) -> NDArray[np.uint8]:
    """Return the first ``rows`` of a JPEG image made ``factor`` times smaller, or more rows.

    libjpeg-turbo does it with simplejpeg and without, so the pixels are the same.
    """
    simplejpeg = _simplejpeg()
    if simplejpeg is None:
        return _decode_whole(data, rgb, factor)
    # A decoder that is told that the image ends here skips the rest: the upper half takes half the time.
    # Two rows more, because it mixes the colours of a row with those of the next.
    height, upper = (rows + 2) * factor, data
    if header.one_scan and height < header.height:
        at = header.height_at
        upper = b"".join((data[:at], height.to_bytes(2, "big"), data[at + 2 :]))
    else:
        height = header.height
    img = np.empty((-(-height // factor), -(-header.width // factor), 3), np.uint8)
    try:
        simplejpeg.decode_jpeg(
            upper,
            "RGB" if rgb else "BGR",
            min_height=img.shape[0],
            min_width=img.shape[1],
            min_factor=factor,
            buffer=img,
        )
    except ValueError as e:
        message = str(e)
        if header.one_scan and "extraneous bytes" in message:
            return img  # its only complaint is that the file goes on after the last row
        if message.startswith(("Corrupt", "Premature")):
            raise ValueError(f"the JPEG file is damaged: {message}") from None
        return _decode_whole(data, rgb, factor)  # a kind of JPEG that it can't decode
    return img


@functools.cache
def _simplejpeg() -> Any:
    """Return the module, or None if it is not installed."""
    return None if importlib.util.find_spec("simplejpeg") is None else require("simplejpeg", "jpeg")


def _decode_whole(data: bytes, rgb: bool, factor: int = 1) -> NDArray[np.uint8]:
    """Have OpenCV decode an image, a JPEG image perhaps ``factor`` times smaller."""
    cv2 = require("cv2", None)
    flag = cv2.IMREAD_COLOR if factor == 1 else getattr(cv2, f"IMREAD_REDUCED_COLOR_{factor}")
    try:
        img = cv2.imdecode(np.frombuffer(data, np.uint8), flag) if data else None
    except cv2.error as e:
        raise ValueError(f"OpenCV can't decode these {len(data)} bytes: {e}") from e
    if img is None:
        raise ValueError(f"these {len(data)} bytes hold no image that OpenCV can read")
    return cv2.cvtColor(img, cv2.COLOR_BGR2RGB, dst=img) if rgb else img  # type: ignore[no-any-return]
