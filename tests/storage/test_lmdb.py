"""LMDB databases: read by LMDBData, written by LMDBSerializer."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest

from dataflow import (
    DataFromList,
    LMDBData,
    LMDBDataDecoder,
    LMDBSerializer,
    MapData,
)
from dataflow._storage import lmdb_file
from dataflow.utils.serialize import UnsafePickleError, dumps
from tests.helpers.storage import Source, database, numbered, pairs, read_all, same


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
        for _ in range(2):
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
        for keys in (
            ["00000007", "00000003"],
            (b"00000007", "00000003"),
            np.array(["00000007", "00000003"]),
            {"00000007": 1, "00000003": 2}.keys(),
            iter(["00000007", "00000003"]),
        ):
            ds = LMDBData(path, keys=keys)
            assert len(ds) == 2 and sorted(key for key, _ in ds) == [b"00000003", b"00000007"]
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


class TestLMDBDataDecoder:
    def test_decodes_and_drops(self, tmp_path: Path) -> None:
        data = LMDBData(database(tmp_path / "db", numbered(4)), shuffle=False)
        ds = LMDBDataDecoder(data, odd_only)
        assert isinstance(ds, MapData) and len(ds) == 4
        assert list(ds) == list(pickle.loads(pickle.dumps(ds))) == [[1, b"value 1"], [3, b"value 3"]]


def odd_only(key: bytes, value: bytes) -> list[Any] | None:
    return [int(key), value] if int(key) % 2 else None


class TestLMDBSerializer:
    def test_what_is_in_the_database(self, tmp_path: Path) -> None:
        path = str(tmp_path / "x")
        LMDBSerializer.save(DataFromList([[i] for i in range(3)], shuffle=False), path)
        with lmdb.open(path, subdir=False, lock=False) as env, env.begin() as txn:
            keys = [b"00000000", b"00000001", b"00000002"]
            assert dict(txn.cursor()) == {
                **{k: dumps([i]) for i, k in enumerate(keys)},
                b"__keys__": dumps(keys),
            }

    @pytest.mark.parametrize("pieces", [10, 3])
    def test_a_map_that_has_to_grow(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pieces: int
    ) -> None:
        monkeypatch.setattr(lmdb_file, "_FIRST_MAP_SIZE", 64 << 10)
        monkeypatch.setattr(lmdb_file, "_PENDING_BYTES", 100_000)
        data = [[i, bytes([i]) * 30_000] for i in range(40)]
        path = str(tmp_path / "x")
        LMDBSerializer.save(DataFromList(data, shuffle=False), path, write_frequency=pieces)
        assert list(LMDBSerializer.load(path, shuffle=False)) == data

    def test_directories(self, tmp_path: Path) -> None:
        path = tmp_path / "db"
        path.mkdir()
        LMDBSerializer.save(Source(3), str(path))
        assert os.listdir(path) == ["data.mdb"]
        assert sorted(LMDBSerializer.load(path)) == [[0], [1], [2]]
        df = Source()
        with pytest.raises(FileExistsError):
            LMDBSerializer.save(df, str(path))
        assert df.taken == 0

    def test_more_than_were_announced_stay_in_order(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = str(tmp_path / "x")
        lmdb_file.write_database(path, [b"%d" % i for i in range(30)], 10, 5)
        key = lmdb_file._key
        keys = [key(i, 8) for i in (0, 1, 10**8 - 1, 10**8, 10**8 + 1, 10**9, 10**12)]
        assert all(a < b for a, b in pairwise(keys)) and keys[:2] == [b"00000000", b"00000001"]
        assert key(10**8, 9) == b"100000000"

    def test_old_releases(self, tmp_path: Path) -> None:
        """Values and keys as every release wrote them."""
        data = [[i, np.full((3, 3), i, np.uint8), "text", {"a": (i,)}] for i in range(12)]
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            for form in ("{:08d}", "{}"):
                path = str(tmp_path / f"{protocol}{form}")
                with lmdb.open(path, subdir=False, map_size=1 << 24) as env, env.begin(write=True) as txn:
                    keys = [form.format(i).encode() for i in range(12)]
                    for key, dp in zip(keys, data, strict=True):
                        txn.put(key, pickle.dumps(dp, protocol))
                    txn.put(b"__keys__", pickle.dumps(keys, protocol))
                found = sorted(LMDBSerializer.load(path), key=lambda dp: dp[0])
                assert same(found, data)
                found = list(LMDBSerializer.load(path, shuffle=False))
                assert same(found, [data[int(key)] for key in sorted(keys)])

    def test_nothing_in_a_value_is_executed(self, tmp_path: Path) -> None:
        made = tmp_path / "made"
        path = str(tmp_path / "x")
        with lmdb.open(path, subdir=False, map_size=1 << 20) as env, env.begin(write=True) as txn:
            txn.put(b"00000000", b"cos\nmkdir\n(V" + str(made).encode() + b"\ntR.")
        for shuffle in (False, True):
            with pytest.raises(
                UnsafePickleError, match=r"x: the record b'00000000'.*os\.mkdir.*allow_pickle=True"
            ):
                list(LMDBSerializer.load(path, shuffle=shuffle))
        assert not made.exists()
        assert list(LMDBSerializer.load(path, allow_pickle=True)) == []  # None discards
        assert made.exists()

    def test_a_damaged_value_is_named(self, tmp_path: Path) -> None:
        path = str(tmp_path / "x")
        with lmdb.open(path, subdir=False, map_size=1 << 20) as env, env.begin(write=True) as txn:
            txn.put(b"1", dumps([1]))
            txn.put(b"2", b"\xdc\xff\xff")
        for shuffle in (False, True):
            with pytest.raises(ValueError, match=r"x: the record b'2'.*damaged"):
                list(LMDBSerializer.load(path, shuffle=shuffle))


def test_serializer_reads_through_the_same_database(tmp_path: Path) -> None:
    path = database(tmp_path / "db", {b"0": dumps([1]), b"1": dumps([2])})
    ds = LMDBSerializer.load(path, shuffle=False)
    assert isinstance(ds, MapData) and isinstance(ds.ds, LMDBData)
    assert list(ds) == [LMDBSerializer._deserialize_lmdb(pair) for pair in ds.ds] == [[1], [2]]
    ds.func = lambda pair: pair[0]
    assert list(ds) == [b"0", b"1"]
