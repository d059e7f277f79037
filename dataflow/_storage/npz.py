"""A whole dataflow in one npz file.

The file has one array of objects, ``buffer``, with an item for each datapoint. The original reads and writes
this form, too. NumPy pickles such arrays; ``utils._unpickle`` reads plain data only and executes nothing.

Where that would not give the datapoints back, there are three arrays instead: ``datapoints``, all datapoints
in the encoding of ``utils.serialize``, one after the other; ``ends``, where each one ends; ``version``, 1.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterable
from math import prod
from typing import IO, Any

import numpy as np

from ..utils._unpickle import loads_pickle
from ..utils.serialize import decoder, encoding_of
from ..utils.utils import get_tqdm
from .atomic import new_file
from .reading import error_at

_MOST_RATIO = 1100  # what deflate can reach is 1032

__all__ = ["npz_encoding", "read_npz", "write_npz"]


def write_npz(target: str | IO[bytes], values: Iterable[bytes]) -> None:
    """Write encoded datapoints.

    Args:
        target: the file to make, or replace; or a file that is open for writing.
        values: the datapoints.

    Raises:
        FileExistsError: there is something at ``target`` that is no file.
    """
    if not isinstance(target, str):
        _write(target, values)
        return
    with new_file(target, replace=True) as partial, open(partial, "wb") as f:
        _write(f, values)


def _write(f: IO[bytes], values: Iterable[bytes]) -> None:
    data = bytearray()
    ends = []
    for value in values:
        data += value
        ends.append(len(data))
    pickled = _pickled(data, ends)
    if pickled is not None:
        header = {"descr": "|O", "fortran_order": False, "shape": (len(ends),)}
        with (
            zipfile.ZipFile(f, "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open("buffer.npy", "w", force_zip64=True) as member,
        ):
            np.lib.format.write_array_header_1_0(member, header)
            member.write(pickled)
        return
    np.savez_compressed(
        f,
        datapoints=np.frombuffer(data, np.uint8),
        ends=np.array(ends, np.int64),
        version=np.int64(1),
    )


def _pickled(data: bytearray, ends: list[int]) -> bytes | None:
    """Return the datapoints as NumPy pickles an array of them; None if reading would not give them back."""
    buffer = np.empty(len(ends), object)
    decode = decoder(allow_pickle=True)  # we have just written them
    begin = 0
    for i, end in enumerate(ends):
        value = decode(memoryview(data)[begin:end])
        buffer[i] = value
        if type(buffer[i]) is not type(value):  # an array without dimensions was unpacked
            return None
        begin = end
    try:
        pickled = pickle.dumps(buffer, 4)
        loads_pickle(pickled, allow_pickle=False)
    except Exception:  # a class of the user's may raise anything
        return None
    return pickled


def read_npz(path: str | IO[bytes], allow_pickle: bool | None = None) -> list[Any]:
    """Return the datapoints of a file of this or any earlier release.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or not a file of ours.
        UnsafePickleError: it is of an earlier release and holds more than plain data; see
            ``utils.serialize.loads``.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
            if {"datapoints", "ends"} <= names:
                return _datapoints(archive, allow_pickle)
            if "buffer" in names:
                return _old_datapoints(_member(archive, "buffer", allow_pickle))
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no npz file {path}") from None
    except (PermissionError, IsADirectoryError):
        raise
    except ValueError as e:
        raise error_at(str(path), e) from e
    except Exception as e:  # of zipfile, zlib, lzma, NumPy: a damaged file makes them raise nearly anything
        raise ValueError(f"{path} can't be read as an npz file: {e}") from e
    raise ValueError(f"{path} holds the arrays {sorted(names)}: NumpySerializer.save did not write it")


def npz_encoding(path: str) -> str:
    """Return how the datapoints of a file are encoded, in words."""
    with zipfile.ZipFile(path) as archive:
        if "datapoints.npy" not in archive.namelist():
            return "pickled object array"
        data, ends = _member(archive, "datapoints", False), _member(archive, "ends", False)
        return encoding_of(data[: ends[0]].tobytes()) if len(ends) else "none"


def _datapoints(archive: zipfile.ZipFile, allow_pickle: bool | None) -> list[Any]:
    data = _member(archive, "datapoints", False).data
    numbers = _member(archive, "ends", False)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise ValueError(f"the array 'ends' is of dtype {numbers.dtype} and shape {numbers.shape}")
    ends = numbers.tolist()
    if ends and (sorted(ends) != ends or ends[0] < 0 or ends[-1] != len(data)):
        raise ValueError("the array 'ends' does not fit the array 'datapoints'")
    begins = [0, *ends[:-1]] if ends else []
    decode = decoder(allow_pickle)
    with get_tqdm(zip(begins, ends, strict=True), total=len(ends), unit="dp", delay=1) as bar:
        return [decode(data[begin:end]) for begin, end in bar]


def _member(archive: zipfile.ZipFile, name: str, allow_pickle: bool | None) -> np.ndarray[Any, Any]:
    """Return one array. NumPy reads the raw ones; one of objects is a pickle, and goes through our reader."""
    with archive.open(name + ".npy") as f:
        version = np.lib.format.read_magic(f)
        if version > (2, 0):
            raise ValueError(f"the array {name!r} has the unknown format version {version}")
        read_header = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read_header(f)
        info = archive.getinfo(name + ".npy")
        size = prod(shape) * dtype.itemsize
        if not dtype.hasobject and size > min(info.file_size, _MOST_RATIO * (info.compress_size + 1)):
            raise ValueError(f"the array {name!r} has the shape {shape}, but fewer bytes")
        if dtype.hasobject:
            array = loads_pickle(f.read(), allow_pickle)
            if not isinstance(array, np.ndarray):
                raise ValueError(f"the array {name!r} is a pickled {type(array).__name__}")
            return array
    with archive.open(name + ".npy") as f:
        array = np.lib.format.read_array(f, allow_pickle=False)
        return array


def _old_datapoints(buffer: np.ndarray[Any, Any]) -> list[Any]:
    """Return the rows of an array that NumPy made of a list of datapoints, as datapoints."""
    if buffer.ndim == 1:
        return list(buffer)  # dicts, or lists of different lengths: as they were
    if buffer.ndim == 2:
        return [list(row) for row in buffer]
    # all components were arrays of one shape, and NumPy took them apart into their numbers
    return [[np.array(component.tolist()) for component in row] for row in buffer]
