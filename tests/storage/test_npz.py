"""NumPy archives."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataflow import (
    DataFromList,
    NumpySerializer,
)
from dataflow.utils.serialize import UnsafePickleError
from tests.helpers.storage import (
    DATAPOINTS,
    Source,
    same,
)


class TestNumpySerializer:
    def test_as_the_original_reads_it(self, tmp_path: Path) -> None:
        NumpySerializer.save(DataFromList(DATAPOINTS, shuffle=False), str(tmp_path / "x"))  # adds the suffix
        with np.load(tmp_path / "x.npz", allow_pickle=True) as arrays:
            assert same(list(arrays["buffer"]), DATAPOINTS)

    def test_what_the_original_could_not_read_back(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dataflow._storage.npz._pickled", lambda *_: None)
        NumpySerializer.save(DataFromList(DATAPOINTS, shuffle=False), str(tmp_path / "x"))
        assert same(list(NumpySerializer.load(str(tmp_path / "x.npz"), shuffle=False)), DATAPOINTS)
        with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:
            assert {name: arrays[name].dtype.kind for name in arrays} == {
                "datapoints": "u",
                "ends": "i",
                "version": "i",
            }

    def test_open_files(self, tmp_path: Path) -> None:
        memory = io.BytesIO()
        NumpySerializer.save(DataFromList(DATAPOINTS, shuffle=False), memory)
        assert same(list(NumpySerializer.load(memory, shuffle=False)), DATAPOINTS)
        with (tmp_path / "x.npz").open("wb") as f:
            NumpySerializer.save(DataFromList(DATAPOINTS, shuffle=False), f)
        with (tmp_path / "x.npz").open("rb") as f:
            assert same(list(NumpySerializer.load(f, shuffle=False)), DATAPOINTS)
        assert same(list(NumpySerializer.load(tmp_path / "x.npz", shuffle=False)), DATAPOINTS)

    @pytest.mark.parametrize("wrong", [3, None, ["x.npz"]])
    def test_neither_path_nor_file(self, wrong: Any) -> None:
        with pytest.raises(TypeError, match="expected a path or an open file"):
            NumpySerializer.save(DataFromList([[1]]), wrong)
        with pytest.raises(TypeError, match="expected a path or an open file"):
            NumpySerializer.load(wrong)

    def test_a_source_that_fills_its_array_again(self, tmp_path: Path) -> None:
        array = np.zeros(1)

        def numbers() -> Any:
            for i in range(3):
                array[0] = i
                yield [array]

        NumpySerializer.save(numbers(), str(tmp_path / "x"))
        assert [dp[0].item() for dp in NumpySerializer.load(str(tmp_path / "x.npz"), False)] == [0, 1, 2]

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
