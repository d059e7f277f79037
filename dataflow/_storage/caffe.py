"""Databases of Caffe."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core.optional import require
from ..utils import logger
from ..utils._caffe_pb import Datum

__all__ = ["decode_datum"]


def decode_datum(key: bytes, value: bytes) -> list[Any] | None:
    """Return ``[image, label]`` of a serialized Datum; or None, with a warning, if it can't be decoded.

    Returns:
        image: (height, width, channels). uint8, or float32 if the Datum holds floats. A compressed image has
            the channels of the file, BGR.
        label: an int.
    """
    try:
        datum = Datum()
        datum.ParseFromString(value)
        return [_image(datum), datum.label]
    except Exception as e:  # one bad record of millions must not end the pass
        logger.warning("the record %r can't be decoded as a Caffe Datum and is left out: %s", key, e)
        return None


def _check_png(data: bytes) -> None:
    """Refuse a PNG that is cut short: OpenCV fills as much memory as a chunk claims to have."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return
    at = 8
    while at < len(data):
        at += int.from_bytes(data[at : at + 4], "big") + 12  # the length, the kind, the checksum
    if at > len(data):
        raise ValueError("its compressed image is cut short")


def _image(datum: Datum) -> np.ndarray[Any, Any]:
    if datum.encoded:
        cv2 = require("cv2", None)
        _check_png(datum.data)
        decoded: np.ndarray[Any, Any] | None = cv2.imdecode(
            np.frombuffer(datum.data, np.uint8), cv2.IMREAD_UNCHANGED
        )
        if decoded is None:
            raise ValueError("its compressed image can't be decoded")
        return decoded if decoded.ndim == 3 else decoded[:, :, np.newaxis]
    planes = np.frombuffer(datum.data, np.uint8) if datum.data else np.asarray(datum.float_data, np.float32)
    shape = datum.channels, datum.height, datum.width
    image: np.ndarray[Any, Any] = planes.reshape(shape).transpose(1, 2, 0).copy()
    return image
