"""Files and messages of strangers: nothing crashes, nothing leaks, nothing leads elsewhere."""

from __future__ import annotations

import os
import re
import sqlite3
import struct
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import h5py
import msgpack
import numpy as np
import pytest
from h5py import h5d, h5s, h5t

from dataflow import HDF5Data, HDF5Serializer, LMDBSerializer, NumpySerializer
from dataflow.serialize import DiskCacheSerializer
from dataflow.utils.serialize import dumps, loads

DEEP = 250


def opaque_object(file: h5py.File) -> h5t.TypeID:
    kind = h5t.create(h5t.OPAQUE, 8)
    kind.set_tag(b"NUMPY:|O")
    return kind


def compound(file: h5py.File) -> h5t.TypeID:
    kind = h5t.create(h5t.COMPOUND, 8)
    kind.insert(b"a", 0, opaque_object(file))
    return kind


def array(file: h5py.File) -> h5t.TypeID:
    return h5t.array_create(opaque_object(file), (1,))


def variable_length(file: h5py.File) -> h5t.TypeID:
    return h5t.vlen_create(opaque_object(file))


@pytest.mark.parametrize("make", [opaque_object, compound, array, variable_length])
def test_types_of_hdf5_that_carry_addresses_are_refused(make: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "a.h5")
    with h5py.File(path, "w") as file:
        h5d.create(file.id, b"x", make(file), h5s.create_simple((4,)))
    with pytest.raises(ValueError, match="'x'"):
        list(HDF5Data(path, ["x"], shuffle=False))


def test_a_soft_link_to_an_external_link_is_refused_unless_allowed(tmp_path: Path) -> None:
    path, other = str(tmp_path / "a.h5"), str(tmp_path / "b.h5")
    with h5py.File(other, "w") as file:
        file["y"] = np.arange(3)
    with h5py.File(path, "w") as file:
        file["out"] = h5py.ExternalLink(other, "/y")
        file["group/soft"] = h5py.SoftLink("/out")
    with pytest.raises(ValueError, match="external=True"):
        HDF5Data(path, ["group/soft"])
    assert [row[0] for row in HDF5Data(path, ["group/soft"], shuffle=False, external=True)] == [0, 1, 2]


def test_a_virtual_dataset_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "a.h5")
    layout = h5py.VirtualLayout((3,), "i4")
    layout[:] = h5py.VirtualSource(str(tmp_path / "gone.h5"), "y", (3,))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("x", layout)
    with pytest.raises(ValueError, match="other files"):
        HDF5Data(path, ["x"])


@pytest.mark.parametrize("kind", [tuple, frozenset])
def test_deep_values_are_refused_by_the_writer_and_the_reader(kind: Any) -> None:
    value: Any = kind()
    for _ in range(DEEP):
        value = kind([value])
    with pytest.raises(ValueError, match="nested too deeply"):
        dumps([value])
    for code in (1, 2, 3, 5, 6):
        data = msgpack.packb([])
        for _ in range(DEEP):
            data = msgpack.packb(msgpack.ExtType(code, b"\x91" + data))
        with pytest.raises(ValueError):
            loads(data)


def test_what_the_writer_takes_at_its_limit_is_read() -> None:
    value: Any = ()
    for _ in range(DEEP):
        try:
            data = dumps((value,))
        except ValueError:
            break
        value = (value,)
        assert loads(data) == value


@pytest.mark.parametrize("value", ["", "a\0", "\0", "é\ud800"])
def test_numpy_strings_of_any_end(value: str) -> None:
    for scalar in (np.str_(value), np.bytes_(value.encode(errors="surrogatepass"))):
        got = loads(dumps(scalar))
        assert type(got) is type(scalar) and got == scalar


@pytest.mark.parametrize(
    "value", [{b"nd": True}, {b"complex": True, b"data": "1j"}, {"nd": False, "type": 1, "data": 2}]
)
def test_dicts_that_would_be_taken_for_arrays_are_refused_wherever_they_are(value: Any) -> None:
    for place in (value, [[value]], {"a": value}, (value,), {"a": [({"b": value},)]}):
        with pytest.raises(ValueError, match="would be read as an array"):
            dumps(place)


def test_dtypes_that_are_not_numpys_are_refused() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    values = np.zeros(2, ml_dtypes.bfloat16)
    for value in (values, values[0], np.zeros(2, [("a", ml_dtypes.bfloat16)])):
        with pytest.raises(TypeError, match="bfloat16"):
            dumps(value)


@pytest.mark.parametrize("first, large", [(1.0, 2**53 + 1), (np.float32(1), np.int16(1))])
def test_hdf5_keeps_integers_or_names_the_datapoint(first: Any, large: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "a.h5")
    try:
        HDF5Serializer.save([[first], [large]], path, ["x"])
    except TypeError as e:
        assert "datapoint 1" in str(e) and "'x'" in str(e)
    else:
        assert list(HDF5Serializer.load(path, ["x"], shuffle=False))[1][0] == large


def test_an_older_state_of_lmdb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.lmdb"
    LMDBSerializer.save([[i] for i in range(300)], str(path), write_frequency=64)
    assert len(list(LMDBSerializer.load(str(path), shuffle=False))) == 300
    data = bytearray(path.read_bytes())
    number = [struct.unpack_from("<Q", data, page + 144)[0] for page in (0, 4096)]
    at = 4096 * (number[1] > number[0]) + 144
    data[at : at + 8] = bytes(8)
    path.write_bytes(data)
    with pytest.raises(ValueError, match="older state"):
        LMDBSerializer.load(str(path))


@pytest.mark.parametrize(
    "change",
    [
        "update Cache set mode=2, value=null, filename='../outside' where rowid=1",
        "update Cache set mode=2, value=null, filename='/etc/hostname' where rowid=1",
        "update Cache set value='text' where rowid=1",
        "insert into Settings values ('_disk', 'x')",
        "update Settings set value=1 where key='count'",
        "create trigger more after update on Settings begin delete from Cache; end",
        "drop table Settings",
    ],
)
def test_a_disk_cache_does_not_steer_the_reader(change: str, tmp_path: Path) -> None:
    pytest.importorskip("diskcache")
    path = str(tmp_path / "cache")
    DiskCacheSerializer.save([[0], [1], [2]], path)
    with closing(sqlite3.connect(os.path.join(path, "cache.db"))) as database:
        database.execute(change)
        database.commit()
    with pytest.raises(ValueError, match=re.escape(path)):
        list(DiskCacheSerializer.load(path, shuffle=False))


def test_an_array_of_an_npz_file_is_no_larger_than_its_bytes(tmp_path: Path) -> None:
    path = str(tmp_path / "a.npz")
    text = repr({"descr": "|u1", "fortran_order": False, "shape": (10**13,)})
    header = b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("datapoints.npy", header)
        archive.writestr("ends.npy", header)
    with pytest.raises(ValueError, match=r"a\.npz"):
        NumpySerializer.load(path)
