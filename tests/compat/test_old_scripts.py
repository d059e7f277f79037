"""Old programs run unchanged, in a process of their own, and say nothing but that names are old."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.remote import free_address

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parent / "old_scripts"


def run(tmp_path: Path, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dataflow", "run", *args],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "always", **env},
        capture_output=True,
        text=True,
        timeout=55,
    )


def warnings_of(done: subprocess.CompletedProcess[str]) -> set[tuple[str, str]]:
    """Return what was warned of: category and text."""
    return set(re.findall(r"(\w+Warning): (.*)", done.stderr))


def old_names(done: subprocess.CompletedProcess[str]) -> set[str]:
    """Check that only old names were warned of, and return them."""
    seen = warnings_of(done)
    assert {category for category, _ in seen} <= {"DeprecationWarning"}, done.stderr
    return {re.sub(r"^the (argument|module) | is deprecated.*", "", text) for _, text in seen}


def check(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "done"


@pytest.mark.parametrize("nr_proc", [1, 2])
def test_training(tmp_path: Path, nr_proc: int) -> None:
    done = run(tmp_path, str(SCRIPTS / "train_mnist_like.py"), "--nr_proc", str(nr_proc), "--epochs", "2")
    check(done)
    assert "Epoch 1: accuracy" in done.stdout
    assert (tmp_path / "train_log" / "train_mnist_like" / "log.log").is_file()
    runner = "PrefetchData" if nr_proc == 1 else "PrefetchDataZMQ"
    expected = {"'nr_reuse' of LocallyShuffleData()", f"'nr_proc' of {NEW[runner]}()"}
    assert old_names(done) == expected | ({f"'nr_prefetch' of {NEW[runner]}()"} if nr_proc == 1 else set())


NEW = {"PrefetchData": "MultiProcessRunner", "PrefetchDataZMQ": "MultiProcessRunnerZMQ"}


def test_lmdb(tmp_path: Path) -> None:
    done = run(tmp_path, str(SCRIPTS / "make_lmdb.py"), "photos.lmdb")
    check(done)
    assert old_names(done) == {
        "'nr_proc' of MultiProcessRunnerZMQ()",
        "dftools.dump_dataflow_to_lmdb()",
        "LMDBDataPoint()",
        "TestDataSpeed.start_test()",
    }


def test_segmentation(tmp_path: Path) -> None:
    done = run(tmp_path, str(SCRIPTS / "segmentation.py"))
    check(done)
    assert (tmp_path / "somewhere").is_dir()
    assert done.stdout.count("only once") == 1
    names = old_names(done)
    assert {
        "dataflow.prefetch",
        "ThreadedMapData()",
        "'label' of PrintData()",
        "'nr' of RepeatedData()",
        "get_nr_gpu()",
    } <= names
    assert any("RandomShiftRight: defines the old augmentor interface" in name for name in names)


@pytest.mark.parametrize("start_method", ["fork", "spawn", "forkserver"])
def test_remote(tmp_path: Path, start_method: str) -> None:
    """Workers that are started afresh import tensorpack, too."""
    done = run(tmp_path, str(SCRIPTS / "remote.py"), free_address(), start_method)
    check(done)


def test_the_program_sees_what_it_would_see(tmp_path: Path) -> None:
    script = tmp_path / "sub" / "prog.py"
    script.parent.mkdir()
    (script.parent / "beside.py").write_text("here = True")
    script.write_text(
        "import sys, os, beside\n"
        "assert __name__ == '__main__' and beside.here\n"
        "assert sys.argv == ['sub/prog.py', '--help', '-x', '--', 'a b'], sys.argv\n"
        "assert __file__ == 'sub/prog.py'\n"
        "sys.exit(7)\n"
    )
    done = run(tmp_path, "sub/prog.py", "--help", "-x", "--", "a b")
    assert done.returncode == 7, done.stderr


def test_an_error_of_the_program(tmp_path: Path) -> None:
    (tmp_path / "prog.py").write_text("def f():\n    raise ValueError('mine')\nf()\n")
    done = run(tmp_path, "prog.py")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ValueError: mine"
    assert "runpy" not in done.stderr and 'File "prog.py", line 3' in done.stderr
    (tmp_path / "bad.py").write_text("def (\n")
    done = run(tmp_path, "bad.py")
    assert done.returncode == 1 and "SyntaxError" in done.stderr and "bad.py" in done.stderr


def test_no_such_program(tmp_path: Path) -> None:
    done = run(tmp_path, "nothing.py")
    assert done.returncode == 2
    assert done.stderr == "python -m dataflow: nothing.py does not exist\n"


def test_an_installed_tensorpack_stays_out_of_it(tmp_path: Path) -> None:
    (tmp_path / "site" / "tensorpack").mkdir(parents=True)
    (tmp_path / "site" / "tensorpack" / "__init__.py").write_text("raise SystemError('the real one')")
    (tmp_path / "prog.py").write_text(
        "from tensorpack.dataflow import BatchData\nprint(BatchData.__module__)\n"
    )
    done = run(tmp_path, "prog.py", PYTHONPATH=f"{ROOT}{os.pathsep}{tmp_path / 'site'}")
    assert done.stdout == "dataflow._flows.batch\n", done.stderr
