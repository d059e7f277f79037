"""The keys of a database, in little memory: a million must not become a million objects."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np

from ..utils.serialize import loads

__all__ = ["FormattedKeys", "Keys", "PackedKeys", "as_key", "decode_keys"]


class Keys(Sequence[bytes]):
    """A list of bytes in all but its memory."""

    def __eq__(self, other: object) -> bool:
        """Compare item by item with any sequence."""
        if not isinstance(other, Sequence) or isinstance(other, str | bytes):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Return the number of keys and the first one."""
        return f"<{len(self)} keys, {self[0]!r} ...>" if len(self) else "<no keys>"

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        """Return one key, or a list of some."""
        if isinstance(index, slice):
            return [self._key(i) for i in range(len(self))[index]]
        return self._key(range(len(self))[index])

    def take(self, order: np.ndarray[Any, Any]) -> Iterator[bytes]:
        """Yield the keys at some indices."""
        return map(self._key, order.data)

    @abstractmethod
    def _key(self, index: int) -> bytes:
        """Return the key at an index from 0 to ``len(self) - 1``."""


class PackedKeys(Keys):
    """Keys in one bytes object.

    Args:
        data: the keys, perhaps with other bytes between them.
        starts: where each key begins.
        lengths: the number of bytes of each, or of all.
    """

    def __init__(
        self, data: bytes, starts: np.ndarray[Any, Any] | range, lengths: np.ndarray[Any, Any] | int
    ) -> None:
        self._data = data
        self._starts = starts
        self._lengths = lengths

    @classmethod
    def of(cls, keys: Iterable[bytes]) -> PackedKeys:
        """Pack keys."""
        data = bytearray()
        lengths = np.fromiter((_append(data, key) for key in keys), np.uint16)  # LMDB's are 511 bytes at most
        ends = np.cumsum(lengths, dtype=np.uint64)
        return cls(bytes(data), ends - lengths, lengths)

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._starts)

    def take(self, order: np.ndarray[Any, Any]) -> Iterator[bytes]:
        """Yield the keys at some indices."""
        data, starts = self._data, np.asarray(self._starts)[order]
        if isinstance(self._lengths, int):
            length = self._lengths
            return (data[start : start + length] for start in starts.data)
        ends = starts + self._lengths[order]
        return (data[start:end] for start, end in zip(starts.data, ends.data, strict=True))

    def _key(self, index: int) -> bytes:
        start = int(self._starts[index])
        length = self._lengths if isinstance(self._lengths, int) else int(self._lengths[index])
        return self._data[start : start + length]


def _append(data: bytearray, key: bytes) -> int:
    data += key
    return len(key)


class FormattedKeys(Keys):
    """Keys made by a format string from the indices 0 to n - 1."""

    def __init__(self, template: str, size: int) -> None:
        self._template = template
        self._size = size

    def __len__(self) -> int:
        """Return the number of keys."""
        return self._size

    def _key(self, index: int) -> bytes:
        return self._template.format(index).encode()


def as_key(key: str | bytes) -> bytes:
    """Return a key as bytes.

    Raises:
        TypeError: it is neither str nor bytes.
    """
    if isinstance(key, str):
        return key.encode()
    if not isinstance(key, bytes):
        raise TypeError(f"expected keys of type str or bytes, got {type(key).__name__}")
    return key


def decode_keys(value: bytes, allow_pickle: bool | None) -> PackedKeys:
    """Return the keys that a database lists under ``__keys__``, in any encoding.

    Raises:
        UnsafePickleError: they are pickled and name something that is not plain data.
        ValueError: they are damaged, or no list of keys.
    """
    regular = _regular(value)
    if regular is not None:
        return regular
    keys = loads(value, allow_pickle=allow_pickle)
    if not isinstance(keys, list | tuple):
        raise ValueError(f"expected a list of keys, got {type(keys).__name__}")
    try:
        return PackedKeys.of(map(as_key, keys))
    except TypeError as e:
        raise ValueError(str(e)) from e


def _regular(value: bytes) -> PackedKeys | None:
    """Return the keys if they are msgpack of bytes of one length, which need no decoding."""
    if len(value) > 5 and value[0] == 0xDD:
        count, begin = int.from_bytes(value[1:5], "big"), 5
    elif len(value) > 3 and value[0] == 0xDC:
        count, begin = int.from_bytes(value[1:3], "big"), 3
    else:
        return None
    head = value[begin : begin + 2]  # bin 8 and the length
    if len(head) < 2 or head[0] != 0xC4 or len(value) != begin + count * (2 + head[1]):
        return None
    rows = np.frombuffer(value, np.uint8, offset=begin).reshape(count, 2 + head[1])
    if (rows[:, 0] != head[0]).any() or (rows[:, 1] != head[1]).any():
        return None
    return PackedKeys(value, range(begin + 2, len(value) + 2, 2 + head[1])[:count], head[1])
