"""The library by the name of tensorpack: the same modules, and nothing of an installed one."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHIM = ROOT / "dataflow" / "_compat" / "as_tensorpack"


def run(code: str, *path: Path, install: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a program with warnings as errors, after ``install_as_tensorpack()``."""
    head = "import dataflow\ndataflow.install_as_tensorpack()\n" if install else "import dataflow\n"
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", head + textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [ROOT, *path]))},
        capture_output=True,
        text=True,
        timeout=40,
    )


def check(code: str, *path: Path, install: bool = True) -> None:
    done = run(code, *path, install=install)
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""


def test_modules_are_the_same_objects() -> None:
    check("""
        import tensorpack.dataflow.dataset
        assert tensorpack.dataflow.dataset is dataflow.dataset
        from tensorpack import imgaug, logger
        assert imgaug is dataflow.imgaug and logger is dataflow.utils.logger
        from tensorpack.dataflow.imgaug import Flip
        assert Flip is dataflow.imgaug.Flip
        from tensorpack.utils import get_rng, fix_rng_seed, viz
        assert get_rng is dataflow.utils.get_rng and viz is dataflow.utils.viz
        from tensorpack import ProxyDataFlow, dataset
        assert ProxyDataFlow is dataflow.ProxyDataFlow and dataset is dataflow.dataset
        import tensorpack.dataflow.imgaug.transform as T
        assert T is dataflow.imgaug.transform
    """)


@pytest.mark.parametrize("module", ["tensorpack.dataflow", "tensorpack"])
def test_star(module: str) -> None:
    check(f"""
        from {module} import *
        for name in dataflow.__all__:
            assert globals()[name] is getattr(dataflow, name), name
        for name in ("ThreadedMapData", "LMDBDataPoint", "TFRecordData", "PrefetchOnGPUs"):
            if {module!r} == "tensorpack.dataflow":
                assert globals()[name] is getattr(dataflow, name)
        dftools.dump_dataflow_to_lmdb
        if {module!r} == "tensorpack":
            logger.info
            get_rng(None)
    """)


def test_what_is_not_here_says_why() -> None:
    for statement in (
        "from tensorpack import ModelDesc",
        "import tensorpack.tfutils.summary",
        "from tensorpack.models import *",
        "from tensorpack.dataflow import NoSuchDataFlow",
        "from tensorpack.utils import no_such_module",
        "import tensorpack.train",
    ):
        done = run(statement)
        assert done.returncode == 1
        last = done.stderr.splitlines()[-1]
        assert last.startswith("ImportError: "), last
        if "utils" not in statement:
            assert "TensorFlow" in last
    check("""
        import tensorpack
        assert not hasattr(tensorpack, "ModelDesc") and not hasattr(tensorpack.dataflow, "NoSuchDataFlow")
        try:
            import some_other_module
        except ModuleNotFoundError:
            pass
    """)


def test_it_can_be_done_again() -> None:
    check("""
        import sys
        dataflow.install_as_tensorpack()
        import tensorpack
        dataflow.install_as_tensorpack(override=True)
        assert len([p for p in sys.path if p.endswith("as_tensorpack")]) == 1
    """)


def test_without_it_there_is_no_tensorpack() -> None:
    done = run("import tensorpack", install=False)
    assert "No module named 'tensorpack'" in done.stderr


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder where a tensorpack is installed."""
    (tmp_path / "tensorpack").mkdir()
    (tmp_path / "tensorpack" / "__init__.py").write_text("real = True")
    return tmp_path


def test_an_installed_one_is_left_alone_unless_asked(installed: Path) -> None:
    check(
        """
        try:
            dataflow.install_as_tensorpack()
        except RuntimeError as e:
            assert "override=True" in str(e) and "__init__.py" in str(e)
        else:
            raise AssertionError
        import tensorpack
        assert tensorpack.real
        try:
            dataflow.install_as_tensorpack(override=True)
        except RuntimeError as e:
            assert "already" in str(e)
        else:
            raise AssertionError
        """,
        installed,
        install=False,
    )
    check(
        """
        dataflow.install_as_tensorpack(override=True)
        import tensorpack
        assert not hasattr(tensorpack, "real")
        from tensorpack.dataflow import BatchData
        assert BatchData is dataflow.BatchData
        """,
        installed,
        install=False,
    )


def test_workers_that_are_started_afresh(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(
            """
            import multiprocessing
            import dataflow
            dataflow.install_as_tensorpack()
            from tensorpack.dataflow import *

            def double(dp):
                return [2 * dp[0]]

            def work(queue):
                queue.put(double([4]))

            if __name__ == "__main__":
                multiprocessing.set_start_method("spawn")
                queue = multiprocessing.Queue()
                process = multiprocessing.Process(target=work, args=(queue,))
                process.start()
                print(queue.get(timeout=20))
                process.join()
                source = DataFromList([[1], [2]], shuffle=False)
                with MultiProcessMapData(source, 1, double, strict=True) as df:
                    df.reset_state()
                    print(list(df))
            """
        )
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=40,
    )
    assert done.stdout == "[8]\n[[2], [4]]\n", done.stderr


def test_the_folder_holds_nothing_else() -> None:
    """Whatever is in it can be imported by that name."""
    names = {path.name for path in SHIM.iterdir()} - {"__pycache__"}
    assert names == {"__init__.py", "tensorpack"}
