"""Programs that have a package of their own called dataflow, run by ``python -m dataflow run``."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(script: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dataflow", "run", str(script)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a package called dataflow, which uses tensorpack."""
    folder = tmp_path / "project"
    (folder / "dataflow").mkdir(parents=True)
    (folder / "dataflow" / "__init__.py").write_text("from .birds import Birds\n")
    (folder / "dataflow" / "birds.py").write_text(
        textwrap.dedent(
            """
            from tensorpack.dataflow import RNGDataFlow

            class Birds(RNGDataFlow):
                def __iter__(self):
                    for i in range(4):
                        yield [i]

                def __len__(self):
                    return 4

            def double(dp):
                return [2 * dp[0]]
            """
        )
    )
    return folder


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_its_package_and_this_library(method: str, project: Path, tmp_path: Path) -> None:
    script = project / "train.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import dataflow
            from dataflow.birds import double
            from tensorpack.dataflow import *
            from tensorpack.dataflow import dftools, imgaug
            from tensorpack.dataflow.prefetch import PrefetchDataZMQ
            from tensorpack.utils.compatible_serialize import loads

            if __name__ == "__main__":
                df = MultiProcessMapData(
                    dataflow.Birds(), 2, double, strict=True, start_method={method!r}, buffer_size=2
                )
                df.reset_state()
                print(sorted(df), isinstance(dataflow.Birds(), DataFlow), dataflow.__file__)
                df.close()
            """
        )
    )
    done = run(script, tmp_path)
    assert done.stdout == f"[[0], [2], [4], [6]] True {project / 'dataflow' / '__init__.py'}\n", done.stderr


def test_a_module_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "dataflow.py").write_text("mine = 1\n")
    script = tmp_path / "train.py"
    script.write_text("import dataflow\nfrom tensorpack.dataflow import *\nprint(dataflow.mine, BatchData)")
    assert run(script, ROOT).stdout == "1 <class 'dataflow_loader._flows.batch.BatchData'>\n"


def test_a_copy_of_this_library_is_no_other_package(tmp_path: Path) -> None:
    (tmp_path / "dataflow").symlink_to(ROOT / "dataflow")
    script = tmp_path / "train.py"
    script.write_text(
        "import dataflow\nfrom tensorpack.dataflow import *\nprint(dataflow.BatchData is BatchData)"
    )
    assert run(script, ROOT).stdout == "True\n"


def test_without_one_it_is_this_library(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import dataflow\nfrom tensorpack.dataflow import DataFlow\nprint(DataFlow is dataflow.DataFlow)"
    )
    assert run(script, tmp_path).stdout == "True\n"


@pytest.mark.parametrize(
    ("use", "name"),
    [
        ("class Model(ModelDesc):\n    pass", "ModelDesc"),
        ("TrainConfig(model=None)", "TrainConfig"),
        ("print(ModelSaver.x)", "ModelSaver"),
        ("@layer_register()\ndef layer(): pass", "layer_register"),
        ("with argscope(1): pass", "argscope"),
        ("isinstance(1, ModelDesc)", "ModelDesc"),
        ("a_name_nobody_knows", "a_name_nobody_knows"),
        ("tensorpack.NobodyKnows", "NobodyKnows"),
        ("import tensorpack.nobody_knows", "nobody_knows"),
        ("from tensorpack import NobodyKnows", "NobodyKnows"),
    ],
)
def test_what_is_not_included_says_so(use: str, name: str, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(f"import tensorpack\nfrom tensorpack import *\nDataFromList, logger\n{use}\n")
    done = run(script, tmp_path)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert f"tensorpack.{name} is not included" in last and "TensorFlow" in last
