"""TFRecord files without TensorFlow.

A record is the length of the payload (uint64), a checksum of these 8 bytes (uint32), the payload, and a
checksum of the payload (uint32); all little-endian. The checksum is CRC-32C, rotated and offset.
"""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from array import array
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, cast

from .._core.checks import whole_number
from .._core.optional import require
from ..base import RNGDataFlow
from ..utils.serialize import decoder, loads
from ..utils.utils import get_tqdm
from .atomic import new_file
from .reading import error_at, order_of_pass

__all__ = ["TFRecordData", "is_gzipped", "is_tfrecord", "read_records", "write_records"]

_HEADER = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")
_GZIP = b"\x1f\x8b\x08"
_LONGEST_READ = 64 << 20  # bytes to read at once: a damaged length must not reserve more than the file has


def _crc32c() -> Any:
    return require("google_crc32c", "tfrecord").value


def _mask(checksum: int) -> int:
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def write_records(path: str, payloads: Iterable[bytes], compression: str | None) -> None:
    """Write a file.

    Args:
        path: the file to make.
        payloads: one for each record.
        compression: ``"gzip"``, ``"none"``, or None for gzip if ``path`` ends in ``.gz``.

    Raises:
        ValueError: an unknown compression.
        FileExistsError: there is something at ``path`` that is no file.
    """
    if compression not in (None, "none", "gzip"):
        raise ValueError(f"compression: expected 'gzip', 'none' or None, got {compression!r}")
    crc32c = _crc32c()
    zipped = compression == "gzip" or (compression is None and os.fspath(path).endswith(".gz"))
    with new_file(path, replace=True) as partial, (gzip.open if zipped else open)(partial, "wb") as f:
        for payload in payloads:
            length = struct.pack("<Q", len(payload))
            f.write(length + _CHECKSUM.pack(_mask(crc32c(length))))
            f.write(payload)
            f.write(_CHECKSUM.pack(_mask(crc32c(payload))))


def is_tfrecord(path: str) -> bool:
    """Return whether a file is empty or begins with the header of a record, gzipped or not."""
    try:
        with _open(path) as f:
            header = f.read(_HEADER.size)
        return not header or _length(header) is not None
    except (OSError, EOFError, zlib.error):
        return False


def is_gzipped(path: str) -> bool:
    """Return whether a file has to be unzipped to find the records.

    Raises:
        FileNotFoundError: there is no such file.
    """
    with _open(path) as f:
        return isinstance(f, gzip.GzipFile)


def _length(header: bytes) -> int | None:
    """Return the length that the header of a record holds, or None if it is damaged."""
    if len(header) < _HEADER.size:
        return None
    length, checksum = _HEADER.unpack(header)
    return length if _mask(_crc32c()(header[:8])) == checksum else None


def _open(path: str) -> BinaryIO:
    if not os.path.isfile(path):
        raise FileNotFoundError(f"there is no TFRecord file {path}")
    f = open(path, "rb", buffering=32 * 1024)  # noqa: SIM115 -- the caller closes it
    head = f.read(_HEADER.size)
    f.seek(0)
    if head.startswith(_GZIP) and _length(head) is None:
        f.close()
        return cast(BinaryIO, gzip.open(path, "rb"))
    return f


def read_records(path: str) -> Iterator[bytes]:
    """Yield the payloads of a file, gzipped or not.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a record is damaged or cut short; file, record number and offset are named. The offset is
            that in the uncompressed data.
    """
    crc32c = _crc32c()
    unpack_header, unpack_checksum = _HEADER.unpack, _CHECKSUM.unpack
    number = offset = 0
    with _open(path) as f:
        read = f.read
        try:
            while header := read(12):
                if len(header) < 12:
                    raise ValueError("the file ends inside its header")
                length, checksum = unpack_header(header)
                if _mask(crc32c(header[:8])) != checksum:
                    raise ValueError("the checksum of its length is wrong")
                payload = read(length) if length <= _LONGEST_READ else _read_long(f, length)
                tail = read(4)
                if len(payload) < length or len(tail) < 4:
                    raise ValueError("the file ends inside it")
                if _mask(crc32c(payload)) != unpack_checksum(tail)[0]:
                    raise ValueError("the checksum of its content is wrong")
                yield payload
                number += 1
                offset += 16 + length
        except (ValueError, EOFError, OSError, zlib.error) as e:
            raise _damaged(path, number, offset, e) from e


def _read_long(f: BinaryIO, length: int) -> bytes:
    parts = []
    while length:
        part = f.read(min(length, _LONGEST_READ))
        if not part:
            break
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _damaged(path: str, number: int, offset: int, why: object) -> ValueError:
    return ValueError(f"{path}: record {number} at offset {offset}: {why}")


class TFRecordData(RNGDataFlow[Any]):
    """The datapoints in a TFRecord file.

    Args:
        path: the file, gzipped or not.
        size: the number of records. Without it or an index there is no length.
        shuffle: whether each pass has an order of its own. It needs an index.
        index: whether to look up where each record begins, here and now. It gives a length, ``df[i]``, and
            shuffling. The file must not be gzipped.
        allow_pickle: see ``utils.serialize.loads``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: an index of a gzipped file; shuffling without an index.
    """

    def __init__(
        self,
        path: str,
        size: int | None = None,
        *,
        shuffle: bool = False,
        index: bool = False,
        allow_pickle: bool | None = None,
    ) -> None:
        self.path = os.fspath(path)
        self.shuffle = shuffle
        self._size = None if size is None else whole_number(size, 0, "TFRecordSerializer.load: size")
        self._allow_pickle = allow_pickle
        self._offsets: array[int] | None = None
        if shuffle and not index:
            raise ValueError(
                "shuffle=True needs index=True: a TFRecord file can only be read in order without one"
            )
        if is_gzipped(self.path) and index:
            raise ValueError(
                f"{self.path} is gzipped, so it can't have an index: it can only be read in order"
            )
        if index:
            self._offsets = _index(self.path)
            if self._size is not None and self._size != len(self._offsets):
                raise ValueError(f"{self.path} has {len(self._offsets)} records, not size={self._size}")
            self._size = len(self._offsets)

    def __len__(self) -> int:
        """Return the number of records.

        Raises:
            NotImplementedError: it is not known: there is no ``size`` and no index.
        """
        return super().__len__() if self._size is None else self._size

    def __iter__(self) -> Iterator[Any]:
        """Yield the datapoints.

        Raises:
            ValueError: a record is damaged; there are fewer than ``size``.
        """
        if self.shuffle:
            yield from map(self.__getitem__, order_of_pass(len(self), self.rng))
            return
        decode, size = decoder(self._allow_pickle), self._size
        if size == 0:
            return
        number = 0
        for payload in read_records(self.path):
            try:
                dp = decode(payload)
            except ValueError as e:
                raise error_at(f"{self.path}: record {number}", e) from e
            yield dp
            number += 1
            if number == size:
                return
        if size is not None:
            raise ValueError(f"{self.path} has {number} records, fewer than size={size}")

    def __getitem__(self, number: int) -> Any:
        """Return one datapoint.

        Raises:
            TypeError: there is no index.
            IndexError: there is no such record.
            ValueError: it is damaged.
        """
        if self._offsets is None:
            raise TypeError("random access to a TFRecord file needs index=True")
        number = range(len(self._offsets))[number]
        offset = self._offsets[number]
        with open(self.path, "rb", buffering=0) as f:
            f.seek(offset)
            end = (
                self._offsets[number + 1] if number + 1 < len(self._offsets) else os.fstat(f.fileno()).st_size
            )
            record = f.read(end - offset)
        length = _length(record[: _HEADER.size])
        if length is None or length + 16 != len(record):
            raise _damaged(self.path, number, offset, "the length is wrong")
        payload = record[12:-4]
        if _mask(_crc32c()(payload)) != _CHECKSUM.unpack(record[-4:])[0]:
            raise _damaged(self.path, number, offset, "the checksum of its content is wrong")
        try:
            return loads(payload, allow_pickle=self._allow_pickle)
        except ValueError as e:
            raise error_at(f"{self.path}: record {number}", e) from e


def _index(path: str) -> array[int]:
    """Return where each record begins, by reading the headers alone."""
    offsets = array("Q")
    size = os.path.getsize(path)
    offset = 0
    with open(path, "rb", buffering=0) as f, get_tqdm(total=size, unit="B", unit_scale=True, delay=1) as bar:
        while offset < size:
            f.seek(offset)
            length = _length(f.read(_HEADER.size))
            if length is None:
                raise _damaged(path, len(offsets), offset, "its header is damaged")
            offsets.append(offset)
            bar.update(16 + length)
            offset += 16 + length
    if offset > size:
        raise _damaged(path, len(offsets) - 1, offsets[-1], "the file ends inside it")
    return offsets
