"""dataflow.utils and dataflow.utils.utils."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

import dataflow.utils
from dataflow._core.optional import require
from dataflow.utils import (
    change_env,
    execute_only_once,
    get_rng,
    get_tqdm,
    humanize_time_delta,
)
from dataflow.utils.utils import find_library_full_path, get_tqdm_kwargs


def test_public_names():
    assert sorted(dataflow.utils.__all__) == [
        "change_env",
        "execute_only_once",
        "fix_rng_seed",
        "get_rng",
        "get_tqdm",
        "humanize_time_delta",
        "logger",
    ]
    for name in dataflow.utils.__all__:
        getattr(dataflow.utils, name)
    assert get_rng is dataflow.utils.utils.get_rng


def test_import_is_light():
    heavy = "tqdm", "cv2", "scipy", "zmq", "msgpack", "lmdb", "h5py", "pooch", "matplotlib"
    code = f"import dataflow.utils, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 second"),
        (1, "1 second"),
        (0.5, "0.5 second"),
        (1.5, "1.5 seconds"),
        (59, "59 seconds"),
        (59.94, "59.9 seconds"),
        (59.999, "1 minute"),
        (60, "1 minute"),
        (61, "1 minute 1 second"),
        (122.4, "2 minutes 2 seconds"),
        (87.6, "1 minute 27 seconds"),
        (119.9, "1 minute 59 seconds"),
        (3599.9, "59 minutes 59 seconds"),
        (3600, "1 hour"),
        (86400, "1 day"),
        (2 * 86400 + 3 * 3600 + 4 * 60 + 5, "2 days 3 hours 4 minutes 5 seconds"),
    ],
)
def test_humanize_time_delta(seconds, text):
    assert humanize_time_delta(seconds) == text


def test_humanize_negative_warns(capsys):
    assert humanize_time_delta(-5) == "-5 seconds"
    assert "@test_utils.py" in (out := capsys.readouterr().out) and " WRN " in out


def test_change_env(monkeypatch):
    monkeypatch.setenv("DF_A", "old")
    monkeypatch.delenv("DF_B", raising=False)
    with change_env("DF_A", "new"), change_env("DF_B", "new"):
        assert (os.environ["DF_A"], os.environ["DF_B"]) == ("new", "new")
    assert os.environ["DF_A"] == "old" and "DF_B" not in os.environ
    with change_env("DF_A", None):
        assert "DF_A" not in os.environ
    with pytest.raises(KeyError), change_env("DF_A", "new"):
        raise KeyError
    assert os.environ["DF_A"] == "old"


def test_execute_only_once():
    assert [execute_only_once() for _ in range(3)] == [True, False, False]
    assert execute_only_once()  # another line


def test_tqdm_form():
    out = io.StringIO()
    bar = get_tqdm(total=10, file=out, mininterval=0)
    bar.update(2)
    bar.close()
    assert "20%|##" in out.getvalue()
    assert "|2/10[00:00<" in out.getvalue()
    assert "it/s]" in out.getvalue()


def test_tqdm_kwargs():
    kwargs = get_tqdm_kwargs(ascii=False, desc="x")
    assert (kwargs["ascii"], kwargs["desc"], kwargs["smoothing"], kwargs["dynamic_ncols"]) == (
        False,
        "x",
        0.5,
        True,
    )


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Notebook(io.StringIO):
    __module__ = "ipykernel.iostream"


@pytest.mark.parametrize(
    ("env", "file", "seconds"),
    [
        ({}, io.StringIO(), 180),
        ({}, Terminal(), 0.5),
        ({}, Notebook(), 0.5),
        ({"SLURM_JOB_ID": "1"}, Terminal(), 0.5),
        ({"SLURM_JOB_ID": "1"}, io.StringIO(), 15),
        ({"SLURM_JOB_ID": "1", "SLURM_JOB_NUM_NODES": "1"}, io.StringIO(), 15),
        ({"SLURM_JOB_ID": "1", "SLURM_JOB_NUM_NODES": "2"}, io.StringIO(), 60),
        ({"OMPI_COMM_WORLD_SIZE": "4"}, io.StringIO(), 60),
        ({"TENSORPACK_PROGRESS_REFRESH": "2.5", "SLURM_JOB_ID": "1"}, Terminal(), 2.5),
    ],
)
def test_refresh_interval(monkeypatch, env, file, seconds):
    for name in (
        "SLURM_JOB_ID",
        "SLURM_JOB_NUM_NODES",
        "OMPI_COMM_WORLD_SIZE",
        "TENSORPACK_PROGRESS_REFRESH",
    ):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert get_tqdm_kwargs(file=file)["mininterval"] == seconds
    assert get_tqdm_kwargs(file=file, mininterval=7)["mininterval"] == 7


def test_bad_refresh_interval_is_named(monkeypatch):
    monkeypatch.setenv("TENSORPACK_PROGRESS_REFRESH", "often")
    with pytest.raises(ValueError, match="TENSORPACK_PROGRESS_REFRESH='often'"):
        get_tqdm_kwargs()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="paths of Linux")
def test_find_library_full_path(tmp_path, monkeypatch):
    path = find_library_full_path("c")
    assert path is not None and os.path.isabs(path) and os.path.exists(path)
    assert find_library_full_path("surely-not-a-library") is None
    (tmp_path / os.path.basename(path)).touch()
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    assert find_library_full_path("c") == str(tmp_path / os.path.basename(path))


def test_require():
    assert require("os.path", None) is os.path
    with pytest.raises(ImportError, match=r"pip install 'dataflow-loader\[tfrecord\]'"):
        require("surely_not_a_module", "tfrecord")
    with pytest.raises(ImportError, match=r"pip install surely_not_a_module"):
        require("surely_not_a_module.sub", None)


def test_require_names_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)  # as if it were not installed
    with pytest.raises(ImportError, match="opencv-python-headless"):
        require("cv2", None)


def test_require_of_a_broken_module(tmp_path, monkeypatch):
    (tmp_path / "broken_one.py").write_text("import what_it_needs")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ImportError, match=r"installed but can't be imported.*what_it_needs"):
        require("broken_one", None)
