"""TFRecord files."""

from __future__ import annotations

import gzip
import pickle
import struct
from pathlib import Path

import google_crc32c
import numpy as np
import pytest

from dataflow import (
    DataFromList,
    TFRecordSerializer,
)
from dataflow._storage import source
from dataflow._storage.tfrecord import TFRecordData
from dataflow.utils.serialize import UnsafePickleError
from tests.helpers.storage import Source, all_same

DATA = Path(__file__).parent.parent / "data"


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
