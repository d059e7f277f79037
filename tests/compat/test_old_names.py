"""Names of earlier releases: they work, and each use warns once, at its line, and says the new name."""

from __future__ import annotations

import importlib
import itertools
import multiprocessing
import os
import pickle
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dataflow
from dataflow import (
    DataFlow,
    DataFromGenerator,
    DataFromList,
    LMDBData,
    LocallyShuffleData,
    MultiProcessMapData,
    MultiProcessRunner,
    MultiProcessRunnerZMQ,
    MultiThreadMapData,
    MultiThreadRunner,
    PrintData,
    RepeatedData,
    RepeatedDataPoint,
    TestDataSpeed,
    imgaug,
)
from dataflow._compat.old_modules import dftools
from dataflow.imgaug.transform import CropTransform, ResizeTransform
from dataflow.utils.concurrency import DIE
from tests.helpers.flows import flow, values
from tests.helpers.remote import Sender, free_address

ROOT = Path(__file__).parents[2]
MODULES = {
    "AugmentImagesTogether": ["image"],
    "LMDBDataPoint": ["format"],
    "PrefetchOnGPUs": ["parallel", "prefetch"],
    "RemoteData": ["remote"],
    "TFRecordData": ["format"],
    "ThreadedMapData": ["parallel_map", "prefetch"],
    "serve_data": ["remote"],
}


def used(do: Callable[[], Any]) -> tuple[Any, list[warnings.WarningMessage]]:
    """Return what ``do`` returns, and its warnings."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        return do(), seen


def warned(do: Callable[[], Any], *words: str) -> Any:
    """Check that ``do`` gives one warning, for this file, which has all the words; return what it returns."""
    result, [warning] = used(do)
    assert warning.category is DeprecationWarning and warning.filename == __file__
    assert all(word in str(warning.message) for word in words), warning.message
    return result


# ---- where the names are


def test_runners_are_plain_aliases() -> None:
    assert dataflow.PrefetchData is dataflow.MultiProcessPrefetchData is MultiProcessRunner
    assert dataflow.PrefetchDataZMQ is MultiProcessRunnerZMQ
    assert dataflow.MultiThreadPrefetchData is MultiThreadRunner


@pytest.mark.filterwarnings("ignore:the module dataflow.prefetch")
@pytest.mark.parametrize("name, module", [(n, m) for n, modules in MODULES.items() for m in modules])
def test_a_name_is_found_where_it_was(name: str, module: str) -> None:
    there = importlib.import_module(f"dataflow.{module}")
    assert getattr(there, name) is getattr(dataflow, name)
    assert name not in dataflow.__all__
    with pytest.raises(AttributeError, match="NoSuchName"):
        there.NoSuchName  # noqa: B018


def test_finding_one_does_not_warn() -> None:
    _, seen = used(lambda: [getattr(dataflow, name) for name in (*MODULES, "dftools")])
    assert seen == []


@pytest.mark.parametrize(
    "statement",
    [
        "import dataflow.prefetch",
        "from dataflow import prefetch",
        "import dataflow; dataflow.prefetch",
        "from dataflow.prefetch import PrefetchDataZMQ",
        "from dataflow.prefetch import *; ThreadedMapData",
        "from dataflow.dataflow.prefetch import PrefetchData",
        "import dataflow; dataflow.install_as_tensorpack(); from tensorpack.dataflow.prefetch import *",
        "import importlib; importlib.import_module('dataflow.prefetch')",
    ],
)
def test_the_module_of_before_2018(tmp_path: Path, statement: str) -> None:
    """It warns once, at the line that imports it first: Python shows that by itself in the main program."""
    program = tmp_path / "program.py"
    program.write_text(f"\n{statement}\nfrom dataflow.prefetch import MultiThreadMapData\n")
    done = subprocess.run(
        [sys.executable, str(program)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0
    first, *_ = done.stderr.splitlines()
    assert first.startswith(f"{program}:2: DeprecationWarning: the module dataflow.prefetch")
    assert "dataflow.parallel" in first and done.stderr.count("Warning") == 1


# ---- classes and functions


def test_threaded_map_data() -> None:
    df = warned(lambda: dataflow.ThreadedMapData(flow(5), 2, _negative, 3, True), "MultiThreadMapData")
    assert isinstance(df, MultiThreadMapData)
    with df:
        df.reset_state()
        assert sorted(values(df)) == [-4, -3, -2, -1, 0]
    assert repr(df).startswith("ThreadedMapData(") and "num_thread=2" in repr(df)
    assert type(pickle.loads(pickle.dumps(df))) is type(df)


def _negative(dp: list[int]) -> list[int]:
    return [-dp[0]]


def test_a_subclass_by_an_old_name() -> None:
    class Mine(dataflow.ThreadedMapData):  # type: ignore[misc,valid-type]
        def __init__(self, ds: Any) -> None:
            super().__init__(ds, 1, _negative, strict=True)

    with warned(lambda: Mine(flow(3))) as df:
        df.reset_state()
        assert values(df) == [0, -1, -2]


def test_lmdb(tmp_path: Path) -> None:
    path = str(tmp_path / "x.lmdb")
    warned(lambda: dftools.dump_dataflow_to_lmdb(flow(7), path, write_frequency=3), "LMDBSerializer.save()")
    assert values(dataflow.LMDBSerializer.load(path, shuffle=False)) == list(range(7))
    df = warned(lambda: dataflow.LMDBDataPoint(path, shuffle=False), "LMDBSerializer.load()")
    assert values(df) == list(range(7)) and len(df) == df.size() == 7
    df = warned(lambda: dataflow.LMDBDataPoint(path))
    assert sorted(values(df)) == list(range(7))
    df = warned(lambda: dataflow.LMDBDataPoint(lmdb_path=path, shuffle=False))
    assert values(df) == list(range(7))
    df = warned(lambda: dataflow.LMDBDataPoint(LMDBData(path, shuffle=False)))
    assert values(df) == list(range(7))
    shuffled = LocallyShuffleData(LMDBData(path, shuffle=False), 3)
    df = warned(lambda: dataflow.LMDBDataPoint(shuffled))
    df.reset_state()
    assert set(values(df, 30)) == set(range(7))
    with pytest.raises(TypeError, match="further arguments"), pytest.warns(DeprecationWarning):
        dataflow.LMDBDataPoint(shuffled, False)


def test_tfrecord(tmp_path: Path) -> None:
    pytest.importorskip("google_crc32c")
    path = str(tmp_path / "x.tfrecord")
    warned(lambda: dftools.dump_dataflow_to_tfrecord(flow(4), path), "TFRecordSerializer.save()")
    df = warned(lambda: dataflow.TFRecordData(path, size=4), "TFRecordSerializer.load()")
    assert values(df) == [0, 1, 2, 3] and len(df) == 4


@pytest.mark.parametrize("name", ["dump_dataflow_to_process_queue", "dataflow_to_process_queue"])
def test_process_queue(name: str) -> None:
    queue, process = warned(
        lambda: getattr(dftools, name)(flow(3), 10, 1), "remote.dump_dataflow_to_process_queue()"
    )
    process.start()
    assert [queue.get(timeout=20) for _ in range(4)] == [(0, [0]), (1, [1]), (2, [2]), (DIE, None)]
    process.join()
    queue.close()
    queue.join_thread()


def test_remote() -> None:
    addr = free_address()
    df = warned(lambda: dataflow.RemoteData(addr), "RemoteDataZMQ")
    with df, Sender(flow(3), addr):
        assert values(df, 3) == [0, 1, 2]

    class Stopped:
        def is_set(self) -> bool:
            return True

    assert warned(lambda: dataflow.serve_data(flow(3), addr, stop=Stopped()), "send_dataflow_zmq()") == 0


def test_augment_images_together() -> None:
    source = DataFromList([[np.zeros((4, 4, 3), np.uint8)] * 2])
    df = warned(lambda: dataflow.AugmentImagesTogether(source, [imgaug.Resize(2)]), "AugmentImageComponents")
    df.reset_state()
    [[first, second]] = df
    assert first.shape == second.shape == (2, 2, 3)


class Gpu(DataFlow):
    def reset_state(self) -> None:
        self.visible = os.environ["CUDA_VISIBLE_DEVICES"]

    def __iter__(self) -> Any:
        yield [self.visible]


@pytest.mark.parametrize(
    "start_method", [m for m in ("fork", "spawn") if m in multiprocessing.get_all_start_methods()]
)
def test_prefetch_on_gpus(start_method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with warned(lambda: dataflow.PrefetchOnGPUs(Gpu(), [3, 5]), "MultiProcessRunnerZMQ") as df:
        df.start_method = start_method
        df.reset_state()
        seen = set()
        while len(seen) < 2:
            seen |= set(values(itertools.islice(df, 1)))
    assert seen == {"3", "5"}
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_start_test() -> None:
    warned(lambda: TestDataSpeed(flow(3), size=3).start_test(), "start()")


# ---- keywords, and positions


@pytest.mark.parametrize(
    "make, old, new, value",
    [
        (lambda **k: MultiProcessRunnerZMQ(flow(1), **k), "nr_proc", "num_proc", 2),
        (lambda **k: MultiThreadRunner(lambda: flow(1), num_thread=1, **k), "nr_prefetch", "num_prefetch", 2),
        (lambda **k: MultiThreadRunner(lambda: flow(1), num_prefetch=1, **k), "nr_thread", "num_thread", 2),
        (lambda **k: MultiThreadMapData(flow(1), map_func=abs, **k), "nr_thread", "num_thread", 2),
        (lambda **k: MultiProcessMapData(flow(1), map_func=abs, **k), "nr_proc", "num_proc", 2),
        (lambda **k: RepeatedData(flow(1), **k), "nr", "num", 2),
        (lambda **k: RepeatedDataPoint(flow(1), **k), "nr", "num", 2),
        (lambda **k: LocallyShuffleData(flow(1), 5, **k), "nr_reuse", "num_reuse", 2),
        (lambda **k: LocallyShuffleData(flow(1), **k), "cache_size", "buffer_size", 2),
        (lambda **k: PrintData(flow(1), **k), "label", "name", "x"),
        (lambda **k: ResizeTransform(1, 1, new_w=2, interp=1, **k), "newh", "new_h", 2),
        (lambda **k: ResizeTransform(1, 1, 2, interp=1, **k), "neww", "new_w", 2),
        (lambda **k: CropTransform(x0=0, h=1, w=1, **k), "h0", "y0", 2),
        (lambda **k: CropTransform(0, h=1, w=1, **k), "w0", "x0", 2),
    ],
)
def test_a_keyword_of_old(make: Callable[..., Any], old: str, new: str, value: Any) -> None:
    assert getattr(warned(lambda: make(**{old: value}), f"'{old}'", f"'{new}'"), new) == value


def test_keywords_of_the_runner_that_starts_at_once() -> None:
    df, seen = used(lambda: MultiProcessRunner(flow(3), nr_prefetch=4, nr_proc=1))
    with df:
        assert values(df) == [0, 1, 2] and df.num_prefetch == 4 and df.num_proc == 1
    assert {w.filename for w in seen} == {__file__} and len(seen) == 2


def test_the_length_of_a_generator() -> None:
    df = warned(lambda: DataFromGenerator(lambda: iter([[1]]), size=1), "'size'")
    assert len(df) == df.size() == 1


def test_a_blur_by_its_largest_size() -> None:
    assert warned(lambda: imgaug.GaussianBlur(max_size=3), "max_size")


def test_mappers_take_buffer_size_and_strict_by_position() -> None:
    for cls in (MultiThreadMapData, MultiProcessMapData):
        df = cls(flow(1), 1, _negative, 7, True)
        assert df.buffer_size == 7 and df.strict


def test_the_program_shows_one_warning_for_a_line_that_runs_often(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(
            """
            from dataflow import DataFromList, ThreadedMapData
            for _ in range(3):
                ThreadedMapData(DataFromList([1]), 1, abs)
            """
        )
    )
    done = subprocess.run(
        [sys.executable, str(program)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stderr.count("DeprecationWarning: ThreadedMapData()") == 1
    assert f"{program}:4:" in done.stderr
