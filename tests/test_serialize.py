"""Writers of whole dataflows, and what they wrote loaded again."""

from __future__ import annotations

import errno
import gzip
import io
import multiprocessing
import os
import pickle
import signal
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import google_crc32c
import h5py
import lmdb
import numpy as np
import pytest

from dataflow import (
    DataFlow,
    DataFromList,
    HDF5Serializer,
    LMDBSerializer,
    NumpySerializer,
    TFRecordSerializer,
)
from dataflow._storage import lmdb_file, source
from dataflow._storage.tfrecord import TFRecordData
from dataflow.serialize import DiskCacheData, DiskCacheSerializer
from dataflow.utils.serialize import UnsafePickleError, dumps

DATA = Path(__file__).parent / "data"

DATAPOINTS: list[Any] = [
    [1, "text", np.arange(6, dtype=np.uint8).reshape(2, 3)],
    {"image": np.zeros((2, 2), np.float32), "label": np.int64(3), 7: (1, {2})},
    (b"\x00\xff", None, 2.5),
    [],
    "no container",
    [[[np.full((200, 200), 9)]], 2**70],
]


def same(a: Any, b: Any) -> bool:
    return dumps(a) == dumps(b)


def all_same(df: Any, expected: list[Any]) -> bool:
    return same(list(df), expected)


class Form:
    """One of the formats that keep every type."""

    def __init__(self, name: str, serializer: Any, file: str, **load: Any) -> None:
        self.name, self.serializer, self.file, self.load_arguments = name, serializer, file, load

    def save(self, df: Any, path: str) -> None:
        self.serializer.save(df, path)

    def load(self, path: str, **arguments: Any) -> Any:
        return self.serializer.load(path, **{**self.load_arguments, **arguments})


FORMS = [
    Form("lmdb", LMDBSerializer, "x.lmdb", shuffle=False),
    Form("npz", NumpySerializer, "x.npz", shuffle=False),
    Form("tfrecord", TFRecordSerializer, "x.tfrecord"),
    Form("tfrecord.gz", TFRecordSerializer, "x.tfrecord.gz"),
    Form("diskcache", DiskCacheSerializer, "x", shuffle=False),
]
HDF5 = Form("hdf5", HDF5Serializer, "x.h5")
HDF5.save = lambda df, path: HDF5Serializer.save(df, path, ["number"])  # type: ignore[method-assign]
HDF5.load = lambda path: HDF5Serializer.load(path, ["number"], shuffle=False)  # type: ignore[method-assign]
each_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
each_form_and_hdf5 = pytest.mark.parametrize("form", [*FORMS, HDF5], ids=lambda form: form.name)


class Source(DataFlow):
    """Counts what is asked of it; raises at some datapoint."""

    def __init__(self, n: int = 5, fail_at: int | None = None, value: Any = None) -> None:
        self.n, self.fail_at, self.value = n, fail_at, value
        self.taken = self.resets = 0

    def reset_state(self) -> None:
        self.resets += 1

    def __iter__(self) -> Iterator[Any]:
        for i in range(self.n):
            if i == self.fail_at:
                raise RuntimeError("the source failed")
            self.taken += 1
            yield [i if self.value is None else self.value]


class TestEveryFormat:
    @each_form
    def test_round_trip(self, form: Form, tmp_path: Path) -> None:
        path = str(tmp_path / form.file)
        form.save(DataFromList(DATAPOINTS, shuffle=False), path)
        df = form.load(path)
        df.reset_state()
        for _ in range(2):
            found = list(df)
            assert same(found, DATAPOINTS)
        assert found[0][2].flags.writeable and type(found[2]) is tuple
        assert os.listdir(tmp_path) == [form.file]

    @each_form_and_hdf5
    def test_nothing_to_save(self, form: Form, tmp_path: Path) -> None:
        path = str(tmp_path / form.file)
        form.save(Source(0), path)
        assert list(form.load(path)) == []

    @each_form_and_hdf5
    def test_resets_once_and_needs_no_length(self, form: Form, tmp_path: Path) -> None:
        df = Source(4)
        path = str(tmp_path / form.file)
        form.save(df, path)
        assert df.resets == 1 and df.taken == 4
        assert [int(dp[0]) for dp in form.load(path)] == [0, 1, 2, 3]

    @each_form_and_hdf5
    def test_an_existing_target_is_refused_before_the_source_is_read(
        self, form: Form, tmp_path: Path
    ) -> None:
        path = tmp_path / form.file
        path.write_bytes(b"precious")
        df = Source()
        with pytest.raises(FileExistsError, match="exists already"):
            form.save(df, str(path))
        assert path.read_bytes() == b"precious" and df.taken == df.resets == 0
        assert os.listdir(tmp_path) == [form.file]

    @each_form_and_hdf5
    def test_a_missing_directory_is_named(self, form: Form, tmp_path: Path) -> None:
        df = Source()
        with pytest.raises(FileNotFoundError, match="there is no directory"):
            form.save(df, str(tmp_path / "missing" / form.file))
        assert df.taken == 0

    @each_form_and_hdf5
    def test_a_source_that_fails_leaves_nothing(self, form: Form, tmp_path: Path) -> None:
        with pytest.raises(RuntimeError, match="the source failed"):
            form.save(Source(5, fail_at=3), str(tmp_path / form.file))
        assert os.listdir(tmp_path) == []

    @each_form
    def test_what_cannot_be_stored_is_named(self, form: Form, tmp_path: Path) -> None:
        bad = [[1], [2], {"good": 1, "bad": [object()]}]
        with pytest.raises(
            TypeError, match=r"datapoint 2 can't be stored: component 'bad' of type list: .*object"
        ):
            form.save(DataFromList(bad, shuffle=False), str(tmp_path / form.file))
        with pytest.raises(TypeError, match=r"datapoint 0 can't be stored: .*function"):
            form.save([lambda: 0], str(tmp_path / form.file))
        assert os.listdir(tmp_path) == []

    @each_form_and_hdf5
    def test_not_a_dataflow(self, form: Form, tmp_path: Path) -> None:
        for df in (5, "path", {}):
            with pytest.raises(TypeError, match="expected a dataflow"):
                form.save(df, str(tmp_path / form.file))

    @each_form_and_hdf5
    def test_missing_and_wrong_files(self, form: Form, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match="nothing"):
            list(form.load(str(tmp_path / "nothing")))
        wrong = tmp_path / "wrong"
        wrong.write_bytes(b"\x12 not any of these formats " * 10)
        with pytest.raises((ValueError, FileNotFoundError), match="wrong"):
            list(form.load(str(wrong)))

    @each_form_and_hdf5
    def test_a_full_disk_leaves_nothing(self, form: Form, tmp_path: Path) -> None:
        if form.name == "diskcache":
            pytest.skip("SQLite's errors are its own")
        code = (
            "import resource, signal, sys\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
            "from tests.test_serialize import FORMS, HDF5, Source, random_bytes\n"
            "form = next(f for f in [*FORMS, HDF5] if f.name == sys.argv[1])\n"
            "form.save(random_bytes(form), sys.argv[2])\n"
        )
        command = [sys.executable, "-c", code, form.name, str(tmp_path / form.file)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
        assert done.returncode == 1 and "OSError: " in done.stderr
        assert os.listdir(tmp_path) == []

    @each_form_and_hdf5
    @pytest.mark.parametrize("directory", [False, True])
    def test_a_kill_leaves_nothing_that_looks_complete(
        self, form: Form, directory: bool, tmp_path: Path
    ) -> None:
        if directory and form.name != "lmdb":
            pytest.skip("only LMDB goes into directories")
        target = tmp_path / "target"
        path = str(target / form.file)
        target.mkdir()
        if directory:
            (target / form.file).mkdir()
        context = multiprocessing.get_context("fork")
        begun = context.Event()
        process = context.Process(target=form.save, args=(Endless(begun), path))
        process.start()
        assert begun.wait(30)
        time.sleep(0.05)
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        assert [name for name in os.listdir(path if directory else target) if name[0] != "."] == []
        with pytest.raises(FileNotFoundError):
            list(form.load(path))
        form.save(Source(3), path)
        assert len(list(form.load(path))) == 3

    def test_a_target_that_appears_meanwhile_is_kept(self, tmp_path: Path) -> None:
        path = tmp_path / "x.npz"

        def slow() -> Iterator[Any]:
            yield [1]
            path.write_bytes(b"somebody else's")

        with pytest.raises(FileExistsError):
            NumpySerializer.save(slow(), str(path))
        assert path.read_bytes() == b"somebody else's" and os.listdir(tmp_path) == ["x.npz"]

    def test_a_file_system_without_links(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*args: Any) -> None:
            raise OSError(errno.EPERM, "no links here")

        monkeypatch.setattr(os, "link", refuse)
        LMDBSerializer.save(Source(3), str(tmp_path / "x"))
        assert len(LMDBSerializer.load(str(tmp_path / "x"))) == 3

    def test_progress(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        LMDBSerializer.save(DataFromList([[bytes(1000)]] * 100), str(tmp_path / "some.lmdb"))
        shown = capsys.readouterr().err
        assert "some.lmdb" in shown and "100/100" in shown and "dp/s" in shown and "100 kB" in shown

    def test_sizes_in_words(self) -> None:
        assert [source.human_size(n) for n in (0, 999, 1500, 2.5e6, 3e9, 4e12)] == [
            "0 B",
            "999 B",
            "1.5 kB",
            "2.5 MB",
            "3 GB",
            "4 TB",
        ]


class Endless(DataFlow):
    def __init__(self, begun: Any) -> None:
        self.begun = begun

    def __iter__(self) -> Iterator[Any]:
        for i in range(10**9):
            if i == 2000:
                self.begun.set()
            if i > 2000:
                time.sleep(0.001)
            yield [i]


def random_bytes(form: Form) -> DataFromList:
    rng = np.random.RandomState(0)
    rows = rng.bytes if form is not HDF5 else lambda n: rng.rand(n // 8)
    return DataFromList([[rows(20_000)] for _ in range(100)])


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


class TestNumpySerializer:
    def test_no_pickle_inside(self, tmp_path: Path) -> None:
        NumpySerializer.save(DataFromList(DATAPOINTS), str(tmp_path / "x"))  # the suffix is added
        with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:
            assert {name: arrays[name].dtype.kind for name in arrays} == {
                "datapoints": "u",
                "ends": "i",
                "version": "i",
            }

    @pytest.mark.parametrize(
        "data",
        [
            [[1, "a"], [2, "b"]],
            [{"a": 1}, {"b": np.arange(2)}],
            [[1], [1, 2], [1, 2, 3]],
            [[np.zeros((2, 2)), 1], [np.ones((2, 2)), 2]],
            [[np.arange(2), np.arange(2)], [np.arange(2), np.arange(2)], [np.arange(2), np.arange(2)]],
        ],
    )
    def test_old_files(self, tmp_path: Path, data: list[Any]) -> None:
        buffer = np.empty(len(data), object)
        try:
            buffer = np.array(data, dtype=object)
        except ValueError:
            buffer[:] = data
        np.savez_compressed(tmp_path / "x.npz", buffer=buffer)
        found = list(NumpySerializer.load(str(tmp_path / "x.npz"), shuffle=False))
        assert same(found, data)

    def test_nothing_is_executed(self, tmp_path: Path) -> None:
        made = tmp_path / "made"
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": (1,)})
        for name in ("buffer", "datapoints"):
            path = tmp_path / f"{name}.npz"
            with zipfile.ZipFile(path, "w") as archive:
                content = header.getvalue() + b"cos\nmkdir\n(V" + str(made).encode() + b"\ntR."
                archive.writestr(f"{name}.npy", content)
                archive.writestr("ends.npy", content)
            with pytest.raises(UnsafePickleError, match=rf"{name}\.npz.*os\.mkdir.*allow_pickle=True"):
                NumpySerializer.load(str(path))
            assert not made.exists()

    def test_damaged_files(self, tmp_path: Path) -> None:
        good = tmp_path / "x.npz"
        NumpySerializer.save(DataFromList(DATAPOINTS), str(good))
        content = good.read_bytes()
        bad = tmp_path / "bad.npz"
        for damaged in (
            content[:100],
            content[: len(content) // 2],
            content[:60] + b"\xff" * 20 + content[80:],
        ):
            bad.write_bytes(damaged)
            with pytest.raises(ValueError, match=r"bad\.npz"):
                NumpySerializer.load(str(bad))
        np.savez(bad, something=np.arange(3))
        with pytest.raises(ValueError, match=r"something.*did not write it"):
            NumpySerializer.load(str(bad))

    def test_shuffles(self, tmp_path: Path, seed: None) -> None:
        NumpySerializer.save(Source(8), str(tmp_path / "x"))
        df = NumpySerializer.load(str(tmp_path / "x.npz"))
        df.reset_state()
        assert [dp[0] for dp in df] == [1, 5, 0, 7, 2, 4, 3, 6]


class TestTFRecordSerializer:
    @pytest.mark.parametrize("name", ["tensorflow.tfrecord", "tensorflow.tfrecord.gz"])
    def test_a_file_of_tensorflow(self, name: str, tmp_path: Path) -> None:
        expected = [[i, f"text {i}", np.arange(i * 3, dtype=np.uint8).reshape(i, 3), ("tuple", b"\x00\xff" * i)] for i in range(5)]  # fmt: skip # noqa: E501
        assert all_same(TFRecordSerializer.load(str(DATA / name)), expected)
        ours = tmp_path / name
        TFRecordSerializer.save(DataFromList(expected, shuffle=False), str(ours))
        open_ = gzip.open if name.endswith("gz") else open
        with open_(ours, "rb") as a, open_(DATA / name, "rb") as b:
            assert a.read() == b.read()

    def test_the_checksum(self) -> None:
        assert google_crc32c.value(b"123456789") == 0xE3069283

    def test_length(self, tmp_path: Path) -> None:
        path = str(tmp_path / "x")
        TFRecordSerializer.save(Source(5), path)
        with pytest.raises(NotImplementedError):
            len(TFRecordSerializer.load(path))
        sized = TFRecordSerializer.load(path, 5)
        assert len(sized) == 5 and list(sized) == list(sized) == [[i] for i in range(5)]
        assert list(TFRecordSerializer.load(path, size=2)) == [[0], [1]]
        with pytest.raises(ValueError, match="has 5 records, fewer than size=6"):
            list(TFRecordSerializer.load(path, 6))

    def test_index(self, tmp_path: Path, seed: None) -> None:
        path = str(tmp_path / "x")
        data = [[i, bytes(i * 100)] for i in range(8)]
        TFRecordSerializer.save(DataFromList(data, shuffle=False), path)
        df = TFRecordSerializer.load(path, index=True, shuffle=True)
        df.reset_state()
        assert isinstance(df, TFRecordData) and len(df) == 8
        assert [df[i] for i in range(8)] == data and df[-1] == data[-1]
        assert [dp[0] for dp in df] == [1, 5, 0, 7, 2, 4, 3, 6]
        assert sorted(pickle.loads(pickle.dumps(df))) == data
        with pytest.raises(IndexError):
            df[8]
        with pytest.raises(ValueError, match="has 8 records, not size=9"):
            TFRecordSerializer.load(path, 9, index=True)
        with pytest.raises(ValueError, match="needs index=True"):
            TFRecordSerializer.load(path, shuffle=True)
        with pytest.raises(TypeError, match="needs index=True"):
            TFRecordSerializer.load(path)[0]
        with pytest.raises(ValueError, match="gzipped, so it can't have an index"):
            TFRecordSerializer.load(str(DATA / "tensorflow.tfrecord.gz"), index=True)

    def test_compression_by_argument(self, tmp_path: Path) -> None:
        zipped, plain = str(tmp_path / "x"), str(tmp_path / "y.gz")
        TFRecordSerializer.save(Source(3), zipped, compression="gzip")
        TFRecordSerializer.save(Source(3), plain, compression="none")
        assert gzip.decompress(Path(zipped).read_bytes()) == Path(plain).read_bytes()
        assert (
            list(TFRecordSerializer.load(zipped)) == list(TFRecordSerializer.load(plain)) == [[0], [1], [2]]
        )
        with pytest.raises(ValueError, match="expected 'gzip'"):
            TFRecordSerializer.save(Source(3), str(tmp_path / "z"), compression="zip")

    def test_a_length_that_looks_like_gzip(self, tmp_path: Path) -> None:
        payload_size = int.from_bytes(b"\x1f\x8b\x08", "little")
        path = str(tmp_path / "x")
        TFRecordSerializer.save([bytes(payload_size - 5)], path)
        assert Path(path).read_bytes()[:3] == b"\x1f\x8b\x08"
        assert len(next(iter(TFRecordSerializer.load(path)))) == payload_size - 5

    @pytest.mark.parametrize("zipped", [False, True])
    def test_damage_is_located(self, tmp_path: Path, zipped: bool) -> None:
        good = tmp_path / "good"
        TFRecordSerializer.save(DataFromList([[b"x" * 100]] * 4, shuffle=False), str(good))
        content = good.read_bytes()
        size = len(content) // 4

        def changed(at: int) -> bytes:
            return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]

        cases: list[tuple[bytes, str]] = [
            (changed(2 * size), "record 2 at offset .*checksum of its length"),
            (changed(2 * size + 9), "record 2 at offset .*checksum of its length"),
            (changed(2 * size + 40), "record 2 at offset .*checksum of its content"),
            (changed(3 * size - 1), "record 2 at offset .*checksum of its content"),
            (content[: 2 * size + 5], "record 2 at offset .*ends inside its header"),
            (content[: 2 * size + 50], "record 2 at offset .*ends inside it"),
            (content[: 3 * size - 2], "record 2 at offset .*ends inside it"),
        ]
        for damaged, message in cases:
            path = tmp_path / "bad"
            path.write_bytes(gzip.compress(damaged) if zipped else damaged)
            df = TFRecordSerializer.load(str(path))
            found = []
            with pytest.raises(ValueError, match=rf"bad: {message}".replace("offset ", f"offset {2 * size}")):
                found.extend(df)
            assert len(list(zip(range(2), df, strict=False))) == 2  # those before are fine
        if zipped:
            path.write_bytes(gzip.compress(content)[:-20])
            with pytest.raises(ValueError, match="bad: record"):
                list(TFRecordSerializer.load(str(path)))
        else:
            (tmp_path / "bad").write_bytes(content[: 2 * size + 50])
            with pytest.raises(ValueError, match=r"record 2 .*ends inside"):
                TFRecordSerializer.load(str(path), index=True)
            path.write_bytes(changed(2 * size + 40))
            df = TFRecordSerializer.load(str(path), index=True)
            assert df[1] == df[3]
            with pytest.raises(ValueError, match=r"record 2 .*checksum of its content"):
                df[2]

    def test_a_promise_of_a_huge_record(self, tmp_path: Path) -> None:
        length = struct.pack("<Q", 2**60)
        crc = google_crc32c.value(length)
        mask = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
        (tmp_path / "x").write_bytes(length + struct.pack("<I", mask) + b"short")
        with pytest.raises(ValueError, match="record 0 at offset 0: the file ends inside it"):
            list(TFRecordSerializer.load(str(tmp_path / "x")))

    def test_nothing_is_executed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        made = tmp_path / "made"
        path = str(tmp_path / "x")
        exploit = b"cos\nmkdir\n(V" + str(made).encode() + b"\ntR."
        monkeypatch.setattr(source, "dumps", lambda dp: exploit)
        TFRecordSerializer.save([[1]], path)
        with pytest.raises(UnsafePickleError, match=r"x: record 0: .*os\.mkdir.*allow_pickle=True"):
            list(TFRecordSerializer.load(path))
        assert not made.exists()
        with pytest.raises(UnsafePickleError):
            TFRecordSerializer.load(path, index=True)[0]
        list(TFRecordSerializer.load(path, allow_pickle=True))
        assert made.exists()


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


class TestDiskCacheSerializer:
    def test_shuffles_raw_values(self, tmp_path: Path, seed: None) -> None:
        path = str(tmp_path / "x")
        DiskCacheSerializer.save(Source(8), path, write_frequency=3)
        df = DiskCacheData(path)
        df.reset_state()
        assert list(df) == [dumps([i]) for i in [1, 5, 0, 7, 2, 4, 3, 6]] and len(df) == 8

    def test_a_foreign_pickle_is_not_read(self, tmp_path: Path) -> None:
        import diskcache

        made = tmp_path / "made"
        path = str(tmp_path / "x")
        with diskcache.Cache(path) as cache:
            cache[0] = Exploit(str(made))
        with pytest.raises(ValueError, match="pickled value, which is not read"):
            list(DiskCacheSerializer.load(path))
        with diskcache.Cache(path) as cache:
            cache.clear()
            cache[(0, Exploit(str(made)))] = b""
        with pytest.raises((ValueError, KeyError)):
            list(DiskCacheSerializer.load(path))
        assert not made.exists()


class Exploit:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (self.path,)
