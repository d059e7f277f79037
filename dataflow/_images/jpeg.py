"""Read the header of a JPEG file."""

from __future__ import annotations

import struct
from typing import NamedTuple

_HUFFMAN_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended, progressive
_TABLES = (0xC4, 0xCC)  # in between the numbers of the frames
_NO_SEGMENT = (0x00, 0x01, *range(0xD0, 0xDA), 0xFF)
_APP1, _SCAN = 0xE1, 0xDA
_ORIENTATION = 0x0112

_SEGMENT = struct.Struct(">BBH")  # 0xFF, the kind, the length
_FRAME = struct.Struct(">BHHB")  # bits, height, width, components
_MOST_PIXELS = 2**30  # OpenCV's own limit


class JPEGHeader(NamedTuple):
    """The parts of a JPEG header that partial decoding needs."""

    height: int
    width: int
    height_at: int
    """Offset of the two bytes of the height in the file."""
    scan_at: int
    """Offset of the first scan."""
    one_scan: bool
    """Whether the file stores the image once from top to bottom, not in several passes (progressive)."""
    common: bool
    """Whether it has 8 bits, 1 or 3 components, Huffman coding, at most as many pixels as OpenCV accepts,
    and no EXIF orientation, which OpenCV applies."""


def read_header(data: bytes) -> JPEGHeader | None:
    """Return the header, or None if ``data`` is not a JPEG file or its header is damaged."""
    if data[:2] != b"\xff\xd8":
        return None
    try:
        return _read_header(data)
    except (struct.error, IndexError):  # it ends too early
        return None


def _read_header(data: bytes) -> JPEGHeader | None:
    at, frame_at, common = 2, 0, True
    while True:
        start, kind, length = _SEGMENT.unpack_from(data, at)
        body, after = at + _SEGMENT.size, at + 2 + length
        if start != 0xFF or kind in _NO_SEGMENT or length < 2:
            return None
        if kind == _SCAN:
            break
        if 0xC0 <= kind <= 0xCF and kind not in _TABLES:
            common = common and kind in _HUFFMAN_FRAMES and not frame_at
            frame_at = body
        elif kind == _APP1 and data[body : body + 4] == b"Exif":
            common = common and _is_upright(data[body + 6 : after])
        at = after
    if not frame_at:
        return None
    bits, height, width, components = _FRAME.unpack_from(data, frame_at)
    common = common and bits == 8 and components in (1, 3) and 0 < height * width <= _MOST_PIXELS
    return JPEGHeader(height, width, frame_at + 1, at, data[body] == components, common)


def _is_upright(tiff: bytes) -> bool:
    """Return whether the image needs no rotation: the EXIF orientation is normal, or missing."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return False
    try:
        (at,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, at)
        for k in range(entries):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, at + 2 + 12 * k)
            if tag == _ORIENTATION:
                return bool(value == 1)
    except struct.error:
        return False
    return True
