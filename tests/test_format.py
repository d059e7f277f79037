"""Sources that read files: LMDB, HDF5, Caffe, SVMlight."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import h5py
import lmdb
import numpy as np
import pytest
from sklearn.datasets import dump_svmlight_file

from dataflow import CaffeLMDB, HDF5Data, LMDBData, LMDBDataDecoder, LMDBSerializer, MapData, SVMLightData
from dataflow.utils.loadcaffe import get_caffe_pb
from dataflow.utils.serialize import UnsafePickleError, dumps


def database(path: Path, records: dict[bytes, bytes], subdir: bool = False) -> str:
    """Write an LMDB database as other programs do."""
    with lmdb.open(str(path), subdir=subdir, map_size=1 << 26) as env, env.begin(write=True) as txn:
        for key, value in records.items():
            txn.put(key, value)
    return str(path)


def numbered(n: int, form: str = "{:08d}") -> dict[bytes, bytes]:
    return {form.format(i).encode(): b"value %d" % i for i in range(n)}


def pairs(records: dict[bytes, bytes]) -> list[list[bytes]]:
    return [[key, records[key]] for key in sorted(records)]


class TestLMDBData:
    @pytest.mark.parametrize("subdir", [False, True])
    def test_in_order(self, tmp_path: Path, subdir: bool) -> None:
        records = numbered(20)
        path = database(tmp_path / "db", {**records, b"__keys__": dumps(list(records))}, subdir)
        ds = LMDBData(path, shuffle=False)
        ds.reset_state()
        assert len(ds) == 20
        assert list(ds) == list(ds) == pairs(records)
        assert all(type(part) is bytes for pair in ds for part in pair)
        assert ds.keys == list(records)

    def test_keys_after_the_list_of_keys(self, tmp_path: Path) -> None:
        records = {b"A": b"1", b"a": b"2", b"z": b"3"}  # "__keys__" sorts between
        path = database(tmp_path / "db", {**records, b"__keys__": dumps(sorted(records))})
        assert list(LMDBData(path, shuffle=False)) == pairs(records)
        assert sorted(LMDBData(path)) == pairs(records)

    @pytest.mark.parametrize("encode", [dumps, *(lambda v, p=p: pickle.dumps(v, p) for p in range(6))])
    @pytest.mark.parametrize("form", ["{:08d}", "{}", "key {} of any length"])
    def test_list_of_keys_in_any_encoding(self, tmp_path: Path, encode: Any, form: str) -> None:
        records = numbered(30, form)
        path = database(tmp_path / "db", {**records, b"__keys__": encode(list(records))})
        ds = LMDBData(path)
        assert (
            ds.keys == list(records) and ds.keys[3] == list(records)[3] and ds.keys[-2:] == list(records)[-2:]
        )
        assert sorted(ds) == pairs(records)

    def test_the_order_of_a_seed(self, tmp_path: Path, seed: None) -> None:
        records = numbered(9)
        path = database(tmp_path / "db", {**records, b"__keys__": dumps(list(records))})
        ds = LMDBData(path)
        ds.reset_state()
        # the original shuffled the list of keys in place, pass after pass
        rng, expected = np.random.RandomState(42), list(records)
        for _ in range(3):
            rng.shuffle(expected)
            assert [key for key, _ in ds] == expected

    def test_without_a_list_of_keys(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        records = numbered(12, "{}")
        path = database(tmp_path / "db", records)
        assert LMDBData(path, shuffle=False).keys is None
        ds = LMDBData(path)
        assert len(ds) == 12 and ds.keys == sorted(records)
        assert sorted(ds) == pairs(records)

    def test_given_keys(self, tmp_path: Path) -> None:
        records = numbered(10)
        path = database(tmp_path / "db", records)
        for keys in (["00000007", "00000003"], [b"00000007", b"00000003"], ("00000007", b"00000003")):
            ds = LMDBData(path, shuffle=False, keys=keys)
            assert len(ds) == 2 and [key for key, _ in ds] == [b"00000007", b"00000003"]
        for form in ("{:0>8d}", "{:08d}"):
            assert sorted(LMDBData(path, keys=form)) == pairs(records)
        ds.keys = ["00000001"]
        assert list(ds) == [[b"00000001", b"value 1"]] and len(ds) == 1

    def test_errors(self, tmp_path: Path) -> None:
        good = database(tmp_path / "db", numbered(5))
        with pytest.raises(KeyError, match="00000009"):
            list(LMDBData(good, keys=["00000009"]))
        with pytest.raises(TypeError, match="str or bytes, got int"):
            LMDBData(good, keys=[1])  # type: ignore[list-item]
        with pytest.raises(FileNotFoundError, match="no LMDB database"):
            LMDBData(str(tmp_path / "nothing"))
        with pytest.raises(FileNotFoundError, match=r"without a file data\.mdb"):
            LMDBData(str(tmp_path))
        for content in (b"", b"x" * 100, b"x" * 100_000):
            (tmp_path / "bad").write_bytes(content)
            with pytest.raises(ValueError, match="bad is not an LMDB database"):
                LMDBData(str(tmp_path / "bad"))
        truncated = tmp_path / "truncated"
        truncated.write_bytes(Path(good).read_bytes()[:-4096])
        with pytest.raises(ValueError, match="truncated is truncated: it should have"):
            LMDBData(str(truncated))
        keyless = database(tmp_path / "db2", {b"__keys__": dumps(5)})
        with pytest.raises(ValueError, match="expected a list of keys, got int"):
            list(LMDBData(keyless))

    def test_nothing_in_the_list_of_keys_is_executed(self, tmp_path: Path) -> None:
        made = tmp_path / "made"
        exploit = b"cos\nmkdir\n(V" + str(made).encode() + b"\ntR."
        path = database(tmp_path / "db", {**numbered(3), b"__keys__": exploit})
        with pytest.raises(UnsafePickleError, match=r"db: the list of keys.*os\.mkdir.*allow_pickle=True"):
            list(LMDBData(path))
        assert not made.exists()
        with pytest.raises(ValueError, match="expected a list of keys"):
            list(LMDBData(path, allow_pickle=True))
        assert made.exists()

    def test_many_readers(self, tmp_path: Path) -> None:
        records = numbered(50)
        path = database(tmp_path / "db", records)
        first, second = LMDBData(path, shuffle=False), LMDBData(path, shuffle=True)
        os.symlink(path, tmp_path / "link")
        third = LMDBData(str(tmp_path / "link"), shuffle=False)
        for _ in range(3):
            first.reset_state()  # any number of times
        both = list(zip(first, third, strict=True))
        assert [a for a, _ in both] == [b for _, b in both] == sorted(second)
        found: list[Any] = []
        threads = [threading.Thread(target=lambda: found.append(list(first))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [pairs(records)] * 4

    def test_replaced_file(self, tmp_path: Path) -> None:
        old = LMDBData(database(tmp_path / "db", numbered(3)), shuffle=False)
        database(tmp_path / "new", numbered(5))
        os.replace(tmp_path / "new", tmp_path / "db")
        with pytest.raises(OSError, match="replaced"):
            LMDBData(str(tmp_path / "db"))
        assert len(list(old)) == 3
        del old
        assert len(list(LMDBData(str(tmp_path / "db"), shuffle=False))) == 5

    def test_pickled_and_closed(self, tmp_path: Path) -> None:
        path = database(tmp_path / "db", numbered(5))
        ds = LMDBData(path)
        copy = pickle.loads(pickle.dumps(ds))
        assert sorted(copy) == sorted(ds)
        del ds, copy
        lmdb.open(path, subdir=False, lock=False).close()  # which LMDB allows if nobody holds it

    @pytest.mark.parametrize("method", ["fork", "spawn"])
    def test_other_processes(self, tmp_path: Path, method: str) -> None:
        records = numbered(20)
        path = database(tmp_path / "db", {**records, b"__keys__": dumps(list(records))})
        ds = LMDBData(path)
        ds.reset_state()
        list(ds)  # opened here
        context = multiprocessing.get_context(method)
        queue: Any = context.Queue()
        processes = [context.Process(target=read_all, args=(ds, queue)) for _ in range(3)]
        for process in processes:
            process.start()
        results = [queue.get(timeout=30) for _ in processes]
        for process in processes:
            process.join()
        assert results == [pairs(records)] * 3
        assert sorted(ds) == pairs(records)  # and is still open here

    @pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="the peak is read from /proc")
    def test_a_million_keys_in_little_memory(self, tmp_path: Path) -> None:
        n = 1_000_000
        path = str(tmp_path / "db")
        with lmdb.open(path, subdir=False, map_size=1 << 30, sync=False) as env, env.begin(write=True) as txn:
            txn.cursor().putmulti(((b"%08d" % i, b"") for i in range(n)), append=True)
            txn.put(b"__keys__", dumps([b"%08d" % i for i in range(n)]))
        code = """
import re, sys, time, lmdb, msgpack, numpy
from dataflow import LMDBData
def peak():  # getrusage() knows of the parent's memory as well
    return int(re.search("VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) / 1024
before = peak()
begin = time.perf_counter()
ds = LMDBData(sys.argv[1])
ds.reset_state()
seconds = time.perf_counter() - begin
it = iter(ds)
keys = {next(it)[0] for _ in range(1000)}
assert len(keys) == 1000 and len(ds) == len(ds.keys) == 1_000_000
print(seconds, peak() - before)
"""
        out = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
        assert out.returncode == 0, out.stderr
        seconds, mebibytes = map(float, out.stdout.split())
        assert seconds < 0.5 and mebibytes < 150


def read_all(ds: Iterable[Any], queue: Any) -> None:
    queue.put(sorted(ds))


class TestLMDBDataDecoder:
    def test_decodes_and_drops(self, tmp_path: Path) -> None:
        data = LMDBData(database(tmp_path / "db", numbered(4)), shuffle=False)
        ds = LMDBDataDecoder(data, odd_only)
        assert isinstance(ds, MapData) and len(ds) == 4
        assert list(ds) == list(pickle.loads(pickle.dumps(ds))) == [[1, b"value 1"], [3, b"value 3"]]


def odd_only(key: bytes, value: bytes) -> list[Any] | None:
    return [int(key), value] if int(key) % 2 else None


class TestCaffeLMDB:
    def test_all_kinds_of_data(self, tmp_path: Path) -> None:
        image = np.random.RandomState(0).randint(0, 256, (4, 5, 3), np.uint8)
        planes = image.transpose(2, 0, 1)
        Datum = get_caffe_pb().Datum
        encoded = cv2.imencode(".png", image)[1].tobytes()
        raw = Datum(channels=3, height=4, width=5, data=planes.tobytes(), label=-2)
        floats = Datum(channels=3, height=4, width=5, float_data=planes.ravel() / 2, label=3)
        packed = Datum(data=encoded, encoded=True, label=5)
        records = {b"%08d" % i: d.SerializeToString() for i, d in enumerate((raw, floats, packed))}
        path = database(tmp_path / "db", records)
        first, second, third = CaffeLMDB(path, shuffle=False)
        assert [first[1], second[1], third[1]] == [-2, 3, 5]
        assert first[0].dtype == np.uint8 and second[0].dtype == np.float32
        for found in (first[0], second[0] * 2, third[0]):
            assert found.shape == (4, 5, 3) and (found == image).all()
        first[0][:] = 0  # writable
        assert len(list(CaffeLMDB(path, keys="{:0>8d}"))) == 3

    def test_a_bad_record_is_left_out(self, tmp_path: Path) -> None:
        wrong_size = get_caffe_pb().Datum(channels=3, height=9, width=9, data=b"abc")
        records = {
            b"0": b"\xff\xff\xff noise",
            b"1": wrong_size.SerializeToString(),
            b"2": get_caffe_pb()
            .Datum(channels=1, height=1, width=1, data=b"\7", label=1)
            .SerializeToString(),
        }
        [[image, label]] = CaffeLMDB(database(tmp_path / "db", records), shuffle=False)
        assert image.tolist() == [[[7]]] and label == 1


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


class TestSVMLightData:
    def test_rows(self, tmp_path: Path, seed: None) -> None:
        x = np.random.RandomState(0).rand(7, 5) * (np.random.RandomState(1).rand(7, 5) > 0.6)
        path = str(tmp_path / "data.svm")
        dump_svmlight_file(x, np.arange(7), path)
        ds = SVMLightData(path, shuffle=False)
        rows = list(ds)
        assert len(ds) == 7 and np.allclose([row for row, _ in rows], x)
        assert isinstance(rows[2][1], np.float64) and [y for _, y in rows] == list(range(7))
        assert rows[0][0].dtype == np.float64 and ds.X.nnz == np.count_nonzero(x)
        shuffled = SVMLightData(path)
        shuffled.reset_state()
        assert [y for _, y in shuffled] == np.random.RandomState(42).permutation(7).tolist()

    def test_errors(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"nothing\.svm"):
            SVMLightData(str(tmp_path / "nothing.svm"))
        (tmp_path / "bad").write_text("one two:three\n")
        with pytest.raises(ValueError, match="bad is not an SVMlight file"):
            SVMLightData(str(tmp_path / "bad"))


def test_serializer_reads_through_the_same_database(tmp_path: Path) -> None:
    path = database(tmp_path / "db", {b"0": dumps([1]), b"1": dumps([2])})
    ds = LMDBSerializer.load(path, shuffle=False)
    assert isinstance(ds, MapData) and isinstance(ds.ds, LMDBData)
    assert list(ds) == [LMDBSerializer._deserialize_lmdb(pair) for pair in ds.ds] == [[1], [2]]
    ds.func = lambda pair: pair[0]
    assert list(ds) == [b"0", b"1"]
