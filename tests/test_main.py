"""The command line."""

from __future__ import annotations

import importlib.metadata
import pickle
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import cv2
import h5py
import lmdb
import numpy as np
import pytest

import dataflow
from dataflow import DataFromList, HDF5Data, LMDBSerializer, NumpySerializer, TFRecordSerializer
from dataflow.__main__ import main
from dataflow.utils.serialize import dumps

DATA: list[Any] = [[np.full((20 + i, 30, 3), 20 * i, np.uint8), i, f"name {i}"] for i in range(6)]


@pytest.fixture
def stored(tmp_path: Path) -> str:
    path = str(tmp_path / "x.lmdb")
    LMDBSerializer.save(DataFromList(DATA, shuffle=False), path)
    return path


def load(path: str) -> list[Any]:
    if path.endswith(".lmdb"):
        return list(LMDBSerializer.load(path, shuffle=False))
    if path.endswith(".npz"):
        return list(NumpySerializer.load(path, shuffle=False))
    return list(TFRecordSerializer.load(path))


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that must fail with status 2, and return its one line on stderr."""
    try:
        status = main(arguments)
    except SystemExit as e:
        status = e.code  # type: ignore[assignment]
    captured = capsys.readouterr()
    assert status == 2 and captured.err.count("\n") == 1 and captured.err.endswith("\n")
    return captured.err


class TestConvert:
    @pytest.mark.parametrize("suffix", [".npz", ".tfrecord", ".tfrecord.gz"])
    def test_there_and_back(
        self, stored: str, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        middle, back = str(tmp_path / f"y{suffix}"), str(tmp_path / "z.lmdb")
        assert main(["convert", stored, middle]) == 0
        assert f"y{suffix}" in capsys.readouterr().err  # a progress bar
        assert main(["convert", middle, back]) == 0
        assert dumps(load(middle)) == dumps(load(back)) == dumps(DATA)

    def test_hdf5(self, tmp_path: Path) -> None:
        source, middle, back = (str(tmp_path / name) for name in ("x.npz", "y.h5", "z.lmdb"))
        NumpySerializer.save(DataFromList([[np.full(3, i), i] for i in range(5)], shuffle=False), source)
        assert main(["convert", source, middle, "--paths", "b,a/deep"]) == 0
        assert main(["convert", middle, back]) == 0  # in the order in which they were stored
        assert [[x.tolist(), int(y)] for x, y in load(back)] == [[[i] * 3, i] for i in range(5)]
        assert main(["convert", middle, str(tmp_path / "a.npz"), "--paths", "a/deep"]) == 0
        assert load(str(tmp_path / "a.npz")) == [[i] for i in range(5)]
        assert main(["convert", source, str(tmp_path / "names.h5")]) == 0
        assert len(HDF5Data(str(tmp_path / "names.h5"), ["component_0", "component_1"])) == 5

    def test_dicts_give_hdf5_their_keys(self, tmp_path: Path) -> None:
        source, target = str(tmp_path / "x.npz"), str(tmp_path / "y.hdf5")
        NumpySerializer.save(DataFromList([{"one": 1, "two": 2.0}] * 3), source)
        assert main(["convert", source, target]) == 0
        with h5py.File(target) as f:
            assert f["one"][:].tolist() == [1] * 3 and f["two"][:].tolist() == [2.0] * 3

    def test_into_a_directory(self, stored: str, tmp_path: Path) -> None:
        (tmp_path / "db").mkdir()
        assert main(["convert", stored, str(tmp_path / "db")]) == 0
        assert len(LMDBSerializer.load(str(tmp_path / "db"))) == 6

    def test_bad_input(self, stored: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        new = str(tmp_path / "new.npz")
        assert "nothing does not exist" in fails(capsys, "convert", str(tmp_path / "nothing"), new)
        assert "the name tells no format" in fails(capsys, "convert", stored, str(tmp_path / "new.txt"))
        assert "the name tells no format" in fails(capsys, "convert", stored, str(tmp_path / "new.npz.gz"))
        assert "exists already" in fails(capsys, "convert", stored, stored)
        assert "paths are for HDF5" in fails(capsys, "convert", stored, new, "--paths", "a")
        assert "required: SRC, DST" in fails(capsys, "convert")
        assert "invalid choice: 'transmogrify'" in fails(capsys, "transmogrify")


class TestInspect:
    @pytest.mark.parametrize("suffix", [".lmdb", ".npz", ".tfrecord", ".tfrecord.gz"])
    def test_what_is_shown(
        self, stored: str, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = stored
        if suffix != ".lmdb":
            path = str(tmp_path / f"y{suffix}")
            main(["convert", stored, path])
            capsys.readouterr()
        assert main(["inspect", path]) == 0
        shown = capsys.readouterr().out
        for part in (
            "datapoints: 6\n",
            "encoding: pickled object array\n" if suffix == ".npz" else "encoding: msgpack\n",
            "datapoint 0 with 3 components consists of",
            "0: ndarray:uint8 of shape (20, 30, 3) in range [0, 0]",
            "1: int with value 0",
            "uint8[20, 30, 3], uint8[21, 30, 3], uint8[22, 30, 3], ...",
        ):
            assert part in shown
        row = shown.splitlines()[-1].split()
        assert row == ["2", "str", "6", "6.0", "6", "36"]

    def test_hdf5(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = str(tmp_path / "x.h5")
        with h5py.File(path, "w") as f:
            f["b/c"], f["a"] = np.zeros((4, 7), np.float32), np.arange(4)
        assert main(["inspect", path]) == 0
        shown = capsys.readouterr().out
        assert "datapoints: 4" in shown
        assert [line.split()[:3] for line in shown.splitlines()[-2:]] == [
            ["a", "int64", "8"],
            ["b/c", "float32[7]", "28"],
        ]

    def test_other_datapoints(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = str(tmp_path / "x.npz")
        for data in ([{"one": 1}, 5, "text"], []):
            NumpySerializer.save(DataFromList(data, shuffle=False), path)
            assert main(["inspect", path]) == 0
            assert f"datapoints: {len(data)}" in capsys.readouterr().out
            Path(path).unlink()

    def test_a_part(self, stored: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["inspect", stored, "--limit", "2"]) == 0
        shown = capsys.readouterr().out
        assert "datapoints: 6" in shown and "sizes in bytes of the first 2:" in shown

    @pytest.mark.parametrize("kind", ["array", "encoded", "gray", "float", "alpha"])
    def test_images(self, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
        def image(i: int) -> Any:
            array = np.full((10, 20, 3), (i * 20, 0, 255), np.uint8)
            if kind == "encoded":
                return cv2.imencode(".png", array)[1].tobytes()
            if kind == "gray":
                return array[:, :, 2]
            if kind == "float":
                return array / 255
            return np.dstack([array, array[:, :, :1]]) if kind == "alpha" else array

        path, picture = str(tmp_path / "x.lmdb"), str(tmp_path / "grid.png")
        LMDBSerializer.save(DataFromList([["label", i, image(i)] for i in range(5)], shuffle=False), path)
        assert main(["inspect", path, "--images", picture]) == 0
        grid = cv2.imread(picture)
        assert grid.shape == (320, 480, 3)
        assert (grid[300, 470] == 255).all()  # the sixth place is empty
        if kind in ("array", "encoded", "alpha"):
            assert grid[20, 20].tolist() == [0, 0, 255] and grid[20, 180].tolist() == [20, 0, 255]

    def test_no_images(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = str(tmp_path / "x.npz")
        NumpySerializer.save(DataFromList([["text", 1, np.arange(3.0), b"", b"no image"]]), path)
        capsys.readouterr()
        message = fails(capsys, "inspect", path, "--images", str(tmp_path / "grid.png"))
        assert "looks like an image" in message

    def test_a_picture_that_cannot_be_written(
        self, stored: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for name in ("missing/grid.png", "grid.unknown"):
            assert "can't write the picture" in fails(
                capsys, "inspect", stored, "--images", str(tmp_path / name)
            )

    def test_bad_input(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert "does not exist" in fails(capsys, "inspect", str(tmp_path / "nothing"))
        assert "directory without an LMDB database" in fails(capsys, "inspect", str(tmp_path))
        for content in (b"", b"noise of some length", b"PK noise", b"\x89HDF\r\n\x1a\n noise"):
            path = tmp_path / "bad"
            path.write_bytes(content)
            assert "bad" in fails(capsys, "inspect", str(path))

    def test_pickles(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = str(tmp_path / "old.lmdb")
        import datetime

        with lmdb.open(path, subdir=False, map_size=1 << 20) as env, env.begin(write=True) as txn:
            txn.put(b"0", pickle.dumps([datetime.date(2020, 1, 1)], 2))
        assert "names datetime.date" in fails(capsys, "inspect", path)
        assert main(["inspect", path, "--allow-pickle"]) == 0
        assert "encoding: pickle protocol 2" in capsys.readouterr().out


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {command} " in shown for command in ("inspect", "convert", "run"))
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["--version"])
    assert capsys.readouterr().out == f"dataflow {dataflow.__version__}\n"


def test_as_a_module(stored: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dataflow", "inspect", stored], capture_output=True, text=True
    )
    assert done.returncode == 0 and "datapoints: 6" in done.stdout and done.stderr == ""
    done = subprocess.run([sys.executable, "-m", "dataflow", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "inspect" in done.stdout and "convert" in done.stdout
    assert done.stdout.startswith("usage: python -m dataflow ")


def test_the_command(stored: str, tmp_path: Path) -> None:
    """What pip installs does the same, and finds us also beside a package ``dataflow`` of somebody else."""
    program = Path(sysconfig.get_path("scripts"), "dataflow-loader" + sysconfig.get_config_var("EXE"))
    assert program.exists(), "is the package installed? python -m pip install -e ."
    (tmp_path / "dataflow").mkdir()
    (tmp_path / "dataflow" / "__init__.py").write_text("raise SystemExit('not the library')")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=50)

    done = run("inspect", stored)
    assert done.returncode == 0 and "datapoints: 6" in done.stdout and done.stderr == ""
    assert run("--help").stdout.startswith("usage: dataflow-loader ")
    assert run("inspect", "nothing").stderr.startswith("dataflow-loader: ")


def test_the_version_is_that_of_the_distribution() -> None:
    assert importlib.metadata.version("dataflow-loader") == dataflow.__version__
