"""Look through the opcodes of a pickle for those that a restricted reader can't stop once it runs.

The reader of the standard library takes objects of registered extension codes from a cache that it asks
first, and makes a memo as large as the largest index.
"""

from __future__ import annotations

import re

__all__ = ["check_opcodes"]

# Opcodes of a fixed length that are harmless. The count is limited: each repetition takes memory.
_FIXED = re.compile(
    rb"(?:[()01NQRabdelostu}\]\x81\x85-\x89\x8f-\x94\x97\x98]|[Khq\x80].|M..|[Jj]....|[G\x95].{8}){1,1024}",
    re.DOTALL,
)
_LENGTHS = {  # opcode -> bytes of the length that follows
    **dict.fromkeys(b"UC\x8a\x8c", 1),
    **dict.fromkeys(b"TXB\x8b", 4),
    **dict.fromkeys(b"\x8d\x8e\x96", 8),
}
_LINES = {**dict.fromkeys(b"ILFSVPpg", 1), **dict.fromkeys(b"ci", 2)}  # opcode -> lines that follow


def check_opcodes(data: bytes | bytearray | memoryview) -> None:
    """Refuse extension codes, what doubles values, and indices beyond what the bytes can fill.

    What is no pickle at all is left to the reader.

    Raises:
        ValueError: there is one of these.
    """
    data = bytes(data)
    at, end = 0, len(data)
    while at < end:
        match = _FIXED.match(data, at)
        if match is not None:
            at = match.end()
            continue
        code, at = data[at], at + 1
        if code in _LENGTHS:
            width = _LENGTHS[code]
            at += width + int.from_bytes(data[at : at + width], "little")
        elif code in _LINES:
            begin = at
            for _ in range(_LINES[code]):
                at = data.find(b"\n", at) + 1
                if not at:
                    return
            if code == ord("p"):
                _check_index(int(data[begin:at]), end)
        elif code == ord("r"):
            _check_index(int.from_bytes(data[at : at + 4], "little"), end)
            at += 4
        elif code in b"\x82\x83\x84":
            raise ValueError("it holds an extension code, which can stand for anything")
        elif code == ord("2"):
            raise ValueError("it doubles a value, which no program that writes pickles does")
        else:
            return  # the end, or no opcode


def _check_index(index: int, size: int) -> None:
    if index > size:
        raise ValueError(f"its memo has the index {index}, but there are only {size} bytes")
