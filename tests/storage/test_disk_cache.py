"""Directories of diskcache."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dataflow.serialize import DiskCacheData, DiskCacheSerializer
from dataflow.utils.serialize import dumps
from tests.helpers.storage import Source


class TestDiskCacheSerializer:
    def test_shuffles_raw_values(self, tmp_path: Path, seed: None) -> None:
        path = str(tmp_path / "x")
        DiskCacheSerializer.save(Source(8), path, write_frequency=3)
        df = DiskCacheData(path)
        df.reset_state()
        assert list(df) == [dumps([i]) for i in [1, 5, 0, 7, 2, 4, 3, 6]] and len(df) == 8

    def test_a_foreign_pickle_is_not_read(self, tmp_path: Path) -> None:
        import diskcache

        made = tmp_path / "made"
        path = str(tmp_path / "x")
        with diskcache.Cache(path) as cache:
            cache[0] = Exploit(str(made))
        with pytest.raises(ValueError, match="pickled value, which is not read"):
            list(DiskCacheSerializer.load(path))
        with diskcache.Cache(path) as cache:
            cache.clear()
            cache[(0, Exploit(str(made)))] = b""
        with pytest.raises((ValueError, KeyError)):
            list(DiskCacheSerializer.load(path))
        assert not made.exists()


class Exploit:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (self.path,)
