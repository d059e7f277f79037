"""The public face: what there is, and what importing it does not do."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import dataflow
from dataflow._compat import module_alias

# the names of the documented API
DOCUMENTED = [
    "AugmentImageComponent",
    "AugmentImageComponents",
    "AugmentImageCoordinates",
    "BatchData",
    "BatchDataByShape",
    "CacheData",
    "CaffeLMDB",
    "ConcatData",
    "DataFlow",
    "DataFlowTerminated",
    "DataFromGenerator",
    "DataFromIterable",
    "DataFromList",
    "DataFromQueue",
    "FakeData",
    "FixedSizeData",
    "HDF5Data",
    "HDF5Serializer",
    "ImageFromFile",
    "JoinData",
    "LMDBData",
    "LMDBDataDecoder",
    "LMDBSerializer",
    "LocallyShuffleData",
    "MapData",
    "MapDataComponent",
    "MultiProcessMapAndBatchData",
    "MultiProcessMapAndBatchDataZMQ",
    "MultiProcessMapData",
    "MultiProcessMapDataZMQ",
    "MultiProcessPrefetchData",
    "MultiProcessRunner",
    "MultiProcessRunnerZMQ",
    "MultiThreadMapData",
    "MultiThreadPrefetchData",
    "MultiThreadRunner",
    "NumpySerializer",
    "PrefetchData",
    "PrefetchDataZMQ",
    "PrintData",
    "ProxyDataFlow",
    "RNGDataFlow",
    "RandomChooseData",
    "RandomMixData",
    "RemoteDataZMQ",
    "RepeatedData",
    "RepeatedDataPoint",
    "SVMLightData",
    "SelectComponent",
    "TFRecordSerializer",
    "TestDataSpeed",
    "send_dataflow_zmq",
]
SUBPACKAGES = ["dataset", "imgaug", "utils"]
ADDED = ["WorkerError", "install_as_tensorpack"]
HEAVY = [
    "cv2",
    "h5py",
    "lmdb",
    "zmq",
    "sklearn",
    "scipy",
    "tensorflow",
    "torch",
    "tqdm",
    "msgpack",
    "msgpack_numpy",
]

PROBE = """
import json, logging, sys, threading
root = logging.getLogger()
import dataflow
import multiprocessing
print(json.dumps({
    "modules": sorted(sys.modules),
    "handlers": len(root.handlers) + len(logging.getLogger("dataflow").handlers),
    "threads": threading.active_count(),
    "children": len(multiprocessing.active_children()),
}))
"""


def run(code: str) -> str:
    """Run code in a fresh interpreter and return what it printed; nothing may come on stderr."""
    root = Path(dataflow.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_importing_is_light_and_silent() -> None:
    [line] = run(PROBE).splitlines()
    found = json.loads(line)
    assert not set(found["modules"]) & set(HEAVY)
    assert found["handlers"] == 0
    assert (found["threads"], found["children"]) == (1, 0)


def test_single_process_classes_load_nothing_heavy_either() -> None:
    code = (
        "import sys\n"
        "from dataflow import BatchData, DataFromList, TestDataSpeed, PrintData\n"
        "[_] = BatchData(DataFromList([[1]]), 1)\n"
        "print(*sys.modules)\n"
    )
    assert not set(run(code).split()) & set(HEAVY)


def test_all_names() -> None:
    assert len(DOCUMENTED) == 52
    assert sorted(dataflow.__all__) == sorted([*DOCUMENTED, *SUBPACKAGES, *ADDED])


def test_the_stub_says_what_is_there() -> None:
    """The names stand there once; type checkers believe it, and the package loads from it."""
    stub = ast.parse((Path(dataflow.__file__).parent / "__init__.pyi").read_text(encoding="utf-8"))
    names = []
    for node in stub.body:
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module("." + (node.module or ""), "dataflow")
            for alias in node.names:
                assert alias.asname == alias.name, "only this form exports a name from a stub"
                assert getattr(module, alias.name) is getattr(dataflow, alias.name)
                names.append(alias.name)
        elif isinstance(node, ast.AnnAssign):
            assert hasattr(dataflow, ast.unparse(node.target))
        else:
            assert isinstance(node, ast.Expr), ast.unparse(node)
    assert sorted(names) == sorted(dataflow.__all__)
    assert dir(dataflow) == sorted([*names, "__version__"])


def test_import_star() -> None:
    names = run("from dataflow import *\nprint(*[n for n in dir() if not n.startswith('__')])").split()
    assert names == sorted([*DOCUMENTED, *SUBPACKAGES, *ADDED])


@pytest.mark.parametrize("name", [*DOCUMENTED, *SUBPACKAGES, *ADDED])
def test_each_name_can_be_had(name: str) -> None:
    value = getattr(dataflow, name)
    assert value is getattr(dataflow, name)
    assert name in dir(dataflow)


def test_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="nothing_here"):
        _ = dataflow.nothing_here  # type: ignore[attr-defined]
    with pytest.raises(ImportError):
        exec("from dataflow import nothing_here")


def test_submodules_are_attributes() -> None:
    assert dataflow.common is importlib.import_module("dataflow.common")
    assert dataflow.raw.FakeData is dataflow.FakeData


class TestInstallPathOfTheOriginal:
    def test_same_modules(self) -> None:
        code = """
import sys
import dataflow
spec, before = dataflow.__spec__, set(sys.modules)
import dataflow.dataflow.common
import dataflow.dataflow.utils.timer as timer
from dataflow.dataflow.raw import FakeData
from dataflow.dataflow import BatchData, base
import dataflow.utils.timer
assert dataflow.dataflow is dataflow
assert dataflow.dataflow.common is dataflow.common is sys.modules["dataflow.common"]
assert dataflow.common.__spec__.name == dataflow.common.__name__ == "dataflow.common"
assert dataflow.__spec__ is spec
assert timer is dataflow.utils.timer
assert FakeData is dataflow.FakeData and BatchData is dataflow.common.BatchData
assert base is dataflow.base
"""
        assert run(code) == ""

    def test_a_module_that_is_not_there(self) -> None:
        importlib.import_module("dataflow.dataflow")
        with pytest.raises(ModuleNotFoundError, match=r"dataflow\.dataflow\.nothing"):
            importlib.import_module("dataflow.dataflow.nothing")
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("dataflow.dataflow.raw.nothing")

    def test_walking_all_packages_ends(self) -> None:
        code = (
            "import pkgutil, dataflow\n"
            "names = [m.name for m in pkgutil.walk_packages(dataflow.__path__, 'dataflow.')]\n"
            "print(max(name.count('dataflow.') for name in names))\n"
        )
        assert int(run(code)) == 2
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("dataflow.dataflow.dataflow")

    def test_without_asking_for_it_no_finder_is_installed(self) -> None:
        code = "import sys, dataflow.common\nprint([f for f in sys.meta_path if 'Alias' in str(f)])"
        assert run(code) == "[]\n"


class TestAlias:
    @pytest.fixture(autouse=True)
    def _clean(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
        yield
        for name in [name for name in sys.modules if name.partition(".")[0] == "otherflow"]:
            del sys.modules[name]

    def test_another_prefix(self) -> None:
        module_alias.install_alias("otherflow", "dataflow")
        assert importlib.import_module("otherflow") is dataflow
        assert importlib.import_module("otherflow.common") is importlib.import_module("dataflow.common")
        assert importlib.import_module("otherflow.dataflow.common") is dataflow.common
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("otherflow.nothing")

    def test_the_inner_prefix_installed_last_wins(self) -> None:
        module_alias.install_alias("otherflow", "dataflow")
        module_alias.install_alias("otherflow.tools", "dataflow.utils")
        assert importlib.import_module("otherflow.tools.timer").__name__ == "dataflow.utils.timer"

    def test_installing_twice_is_once(self) -> None:
        module_alias.install_alias("otherflow", "dataflow")
        n = len(sys.meta_path)
        module_alias.install_alias("otherflow", "dataflow")
        assert len(sys.meta_path) == n

    def test_only_whole_names_match(self) -> None:
        finder = module_alias.AliasFinder("otherflow", "dataflow")
        assert finder.find_spec("otherflows") is None
        assert finder.find_spec("other") is None
        assert finder.find_spec("dataflow.raw") is None
        assert finder.find_spec("otherflow.raw") is not None
