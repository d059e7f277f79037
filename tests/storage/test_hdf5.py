"""HDF5 files: read by HDF5Data, written by HDF5Serializer."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from dataflow import (
    DataFromList,
    HDF5Data,
    HDF5Serializer,
)
from tests.helpers.storage import (
    Source,
    read_all,
)


@pytest.fixture
def hdf5(tmp_path: Path) -> str:
    """37 rows, in chunks of 4 and 5 and in one piece."""
    path = str(tmp_path / "data.h5")
    with h5py.File(path, "w") as f:
        f.create_dataset("images", data=np.arange(37 * 6, dtype=np.uint8).reshape(37, 2, 3), chunks=(4, 2, 3))
        f.create_dataset("deep/labels", data=np.arange(37), chunks=(5,), compression="gzip")
        f.create_dataset("weights", data=np.linspace(0, 1, 37))
        f.create_dataset("short", data=np.zeros(5))
        f.create_dataset("scalar", data=1)
        f.create_dataset("names", data=[f"row {i}" for i in range(37)], dtype=h5py.string_dtype())
    return path


class TestHDF5Data:
    def test_in_order(self, hdf5: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for block in (1, 50, 1 << 20):
            monkeypatch.setattr("dataflow._storage.hdf5_read._BLOCK_BYTES", block)
            ds = HDF5Data(hdf5, ["images", "deep/labels", "names"], shuffle=False)
            rows = list(ds)
            assert len(ds) == len(rows) == 37 and [row[1] for row in rows] == list(range(37))
            assert all((row[0] == np.arange(6).reshape(2, 3) + 6 * i).all() for i, row in enumerate(rows))
            assert isinstance(rows[0][1], np.int64) and rows[3][2] == "row 3"
            for row in rows:
                row[0][:] = 0  # of each its own
                assert not any(np.shares_memory(row[0], other[0]) for other in rows if other is not row)

    def test_the_order_of_a_seed(self, hdf5: str, seed: None) -> None:
        ds = HDF5Data(hdf5, ["deep/labels"])
        ds.reset_state()
        rng = np.random.RandomState(42)
        for _ in range(2):
            assert [int(row[0]) for row in ds] == rng.permutation(37).tolist()

    @pytest.mark.parametrize("buffer_bytes", [1, 60, 200])
    def test_larger_than_the_buffer(
        self, hdf5: str, buffer_bytes: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dataflow._storage.hdf5_read._BLOCK_BYTES", 20)
        ds = HDF5Data(hdf5, ["deep/labels", "images"], buffer_bytes=buffer_bytes)
        passes = [[int(row[0]) for row in ds] for _ in range(3)]
        assert all(sorted(p) == list(range(37)) for p in passes)
        assert passes[0] != passes[1] != passes[2] and passes[0] != sorted(passes[0])
        assert all((image == np.arange(6).reshape(2, 3) + 6 * label).all() for label, image in ds)

    def test_memory_stays_flat(self, tmp_path: Path) -> None:
        path = str(tmp_path / "large.h5")
        with h5py.File(path, "w") as f:
            rows = f.create_dataset("rows", (4000, 50_000), np.uint8, chunks=(5, 50_000))
            for begin in range(0, 4000, 500):
                rows[begin : begin + 500] = 1
        code = """
import sys, resource, h5py
from dataflow import HDF5Data
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
for shuffle in (False, True):
    rows = HDF5Data(sys.argv[1], ["rows"], shuffle, buffer_bytes=8 << 20)
    assert sum(int(row[0].sum()) for row in rows) == 2 * 10**8
print(peak() - before)
"""
        out = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
        assert out.returncode == 0, out.stderr
        assert float(out.stdout) < 60  # of 200 MB

    @pytest.mark.parametrize("method", ["fork", "spawn"])
    def test_other_processes(self, hdf5: str, method: str) -> None:
        ds = HDF5Data(hdf5, ["deep/labels", "weights"])
        ds.reset_state()
        list(ds)
        context = multiprocessing.get_context(method)
        queue: Any = context.Queue()
        processes = [context.Process(target=read_all, args=(ds, queue)) for _ in range(2)]
        for process in processes:
            process.start()
        results = [queue.get(timeout=30) for _ in processes]
        for process in processes:
            process.join()
        assert results == [sorted(ds)] * 2

    def test_errors(self, hdf5: str, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"nothing\.h5"):
            HDF5Data(str(tmp_path / "nothing.h5"), ["a"])
        with pytest.raises(ValueError, match=r"no dataset 'images2', only .*'deep/labels'"):
            HDF5Data(hdf5, ["images2"])
        with pytest.raises(ValueError, match=r"equal lengths.*'short': 5"):
            HDF5Data(hdf5, ["images", "short"])
        for path in ("scalar", "deep"):
            with pytest.raises(ValueError, match="not a dataset with rows"):
                HDF5Data(hdf5, [path])
        with pytest.raises(TypeError, match="expected a list of paths"):
            HDF5Data(hdf5, "images")
        with pytest.raises(ValueError, match="at least one"):
            HDF5Data(hdf5, [])
        (tmp_path / "bad.h5").write_bytes(b"x" * 1000)
        with pytest.raises(ValueError, match=r"bad\.h5 can't be read as an HDF5 file"):
            HDF5Data(str(tmp_path / "bad.h5"), ["a"])


class TestHDF5Serializer:
    PATHS = ["images", "deep/labels", "text", "bytes", "weights", "flags"]

    def datapoints(self, n: int) -> list[list[Any]]:
        return [
            [np.full((4, 5), i, np.uint8), i, f"é {i}", b"\x00\xff" * (i % 3), i / 2, bool(i % 2)]
            for i in range(n)
        ]

    @pytest.mark.parametrize("as_dict", [False, True])
    def test_round_trip(self, tmp_path: Path, as_dict: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("dataflow._storage.hdf5_write._PENDING_BYTES", 500)
        monkeypatch.setattr("dataflow._storage.hdf5_write._CHUNK_ROWS", 3)
        path = str(tmp_path / "x.h5")
        data: list[Any] = self.datapoints(50)
        dps = [dict(zip(self.PATHS, dp, strict=True)) for dp in data] if as_dict else data
        HDF5Serializer.save(DataFromList(dps, shuffle=False), path, self.PATHS)
        found = list(HDF5Serializer.load(path, self.PATHS, shuffle=False))
        for (image, label, text, raw, weight, flag), (image2, label2, *rest) in zip(found, data, strict=True):
            assert (image == image2).all() and image.dtype == np.uint8
            assert label == label2 and isinstance(label, np.int64)
            assert [text, raw, weight, flag] == rest and type(text) is str and type(raw) is bytes
        with h5py.File(path) as f:
            assert f["images"].maxshape == (None, 4, 5) and f["images"].chunks == (3, 4, 5)
            assert f["flags"].dtype == bool and f["weights"].dtype == np.float64

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            ([[1], [2.5]], "datapoint 1 can't be stored: 'a': float64 does not fit the dtype int64"),
            ([[1], ["x"]], "datapoint 1 .*'a': expected a value of dtype int64.*, got str"),
            ([["x"], [b"x"]], "datapoint 1 .*'a': expected str.*, got bytes"),
            ([[np.zeros(3)], [np.zeros(4)]], r"datapoint 1 .*'a': expected the shape \(3,\).*got \(4,\)"),
            ([[object()]], "datapoint 0 .*'a': HDF5 has no place for values of type object"),
            ([[None]], "datapoint 0 .*'a': HDF5 has no place for values of type NoneType"),
            ([[np.datetime64("2020")]], "datapoint 0 .*'a': HDF5 has no place"),
            ([[1, 2]], "datapoint 0 has 2 components, but there are 1"),
            ([{"b": 1}], r"datapoint 0 has the keys \['b'\]"),
            ([5], "datapoint 0: expected a list, tuple or dict, got int"),
        ],
    )
    def test_what_does_not_fit_is_named(self, tmp_path: Path, data: list[Any], message: str) -> None:
        with pytest.raises((TypeError, ValueError), match=message):
            HDF5Serializer.save(DataFromList(data, shuffle=False), str(tmp_path / "x"), ["a"])
        assert os.listdir(tmp_path) == []

    def test_paths(self, tmp_path: Path) -> None:
        for paths, error in (("ab", TypeError), ([], ValueError), (["a", "a"], ValueError)):
            with pytest.raises(error, match="data_paths"):
                HDF5Serializer.save(Source(), str(tmp_path / "x"), paths)

    def test_a_source_that_reuses_its_array(self, tmp_path: Path) -> None:
        def reusing() -> Iterator[Any]:
            array = np.zeros(3)
            for i in range(4):
                array[:] = i
                yield [array]

        HDF5Serializer.save(reusing(), str(tmp_path / "x"), ["a"])
        found = HDF5Serializer.load(str(tmp_path / "x"), ["a"], shuffle=False)
        assert [row.tolist() for [row] in found] == [[i] * 3 for i in range(4)]

    def test_empty_rows(self, tmp_path: Path) -> None:
        HDF5Serializer.save([[np.zeros((0, 2)), b""]] * 3, str(tmp_path / "x"), ["a", "b"])
        found = list(HDF5Serializer.load(str(tmp_path / "x"), ["a", "b"]))
        assert [(a.shape, b) for a, b in found] == [((0, 2), b"")] * 3


class TestBytes:
    def save(self, values: list[bytes], tmp_path: Path) -> str:
        path = str(tmp_path / "b.h5")
        HDF5Serializer.save(DataFromList([[v] for v in values], shuffle=False), path, ["x"])
        return path

    def test_without_nulls_others_read_them_as_bytes(self, tmp_path: Path) -> None:
        values = [b"abc", b"", b"\xff\xd8"]
        path = self.save(values, tmp_path)
        with h5py.File(path) as f:
            assert f["x"][:].tolist() == values
        assert [dp[0] for dp in HDF5Data(path, ["x"], shuffle=False)] == values

    @pytest.mark.parametrize("pending", [1, 1 << 20])
    def test_a_null_that_comes_late(
        self, pending: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dataflow._storage.hdf5_write._PENDING_BYTES", pending)
        values = [b"abc", b"de", b"f\0", b"", b"g"]
        path = self.save(values, tmp_path)
        assert [dp[0] for dp in HDF5Data(path, ["x"], shuffle=False)] == values


class TestDatasetsInMemory:
    @pytest.mark.parametrize("shuffle", [True, False])
    def test_are_the_columns_and_can_be_changed(self, shuffle: bool, hdf5: str) -> None:
        ds = HDF5Data(hdf5, ["images", "deep/labels"], shuffle=shuffle)
        expected = sorted((image.tolist(), label) for image, label in ds)
        assert [len(column) for column in ds.dps] == [37, 37]
        assert sorted((image.tolist(), label) for image, label in ds) == expected
        ds.dps[0][:] = 7
        assert all((image == 7).all() for image, _ in pickle.loads(pickle.dumps(ds)))
        ds.dps = [column[:5] for column in ds.dps]
        assert len(ds) == len(list(ds)) == 5
