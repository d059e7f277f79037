"""What all writers of dataflows promise, and what they wrote loaded again."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataflow import (
    DataFlow,
    DataFromList,
    LMDBSerializer,
)
from dataflow._storage import source
from tests.helpers.storage import DATAPOINTS, FORMS, HDF5, Form, Source, same

each_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
each_form_and_hdf5 = pytest.mark.parametrize("form", [*FORMS, HDF5], ids=lambda form: form.name)


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
        if form.name in ("lmdb", "diskcache"):
            path.write_bytes(b"precious")
        else:
            path.mkdir()
        df = Source()
        with pytest.raises(FileExistsError, match="exists already"):
            form.save(df, str(path))
        assert path.is_dir() or path.read_bytes() == b"precious"
        assert df.taken == df.resets == 0
        assert os.listdir(tmp_path) == [form.file]

    @each_form_and_hdf5
    def test_a_file_is_replaced_when_the_new_one_is_complete(self, form: Form, tmp_path: Path) -> None:
        if form.name in ("lmdb", "diskcache"):
            pytest.skip("is refused, as by the original")
        path = tmp_path / form.file
        form.save(Source(3), str(path))
        path.chmod(0o640)
        with pytest.raises(RuntimeError, match="the source failed"):
            form.save(Source(5, fail_at=3), str(path))
        assert len(list(form.load(str(path)))) == 3
        link = tmp_path / f"link_to_{form.file}"
        link.symlink_to(path)
        form.save(Source(4), str(link))
        assert link.is_symlink() and path.stat().st_mode & 0o777 == 0o640
        assert len(list(form.load(str(path)))) == 4
        assert sorted(os.listdir(tmp_path)) == sorted([form.file, link.name])

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
            "from tests.helpers.storage import FORMS, HDF5, random_bytes\n"
            "form = next(f for f in [*FORMS, HDF5] if f.name == sys.argv[1])\n"
            "form.save(random_bytes(form), sys.argv[2])\n"
        )
        command = [sys.executable, "-c", code, form.name, str(tmp_path / form.file)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
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
        path = tmp_path / "x.lmdb"

        def slow() -> Iterator[Any]:
            yield [1]
            path.write_bytes(b"somebody else's")

        with pytest.raises(FileExistsError):
            LMDBSerializer.save(slow(), str(path))
        assert path.read_bytes() == b"somebody else's" and os.listdir(tmp_path) == ["x.lmdb"]

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
