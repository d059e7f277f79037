"""What users' subclasses of LMDBData override and read, and programs change."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from dataflow import DataFromList, LMDBData, LMDBSerializer, MultiProcessRunnerZMQ
from dataflow.utils import fix_rng_seed
from dataflow.utils.serialize import loads

KEYS = [b"%08d" % i for i in range(9)]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("lmdb") / "db")
    LMDBSerializer.save(DataFromList([[i] for i in range(9)], shuffle=False), path)
    return path


def keys_of(ds: Any) -> list[bytes]:
    return [key for key, _ in ds]


class ByHook(LMDBData):
    def _set_keys(self, keys: Any = None) -> None:
        super()._set_keys(keys)
        self.keys = KEYS[1::3]


class ByTransaction(LMDBData):
    def _set_keys(self, keys: Any = None) -> None:
        self.keys = loads(self._txn.get(b"__keys__"))[1::3]


class ByProperty(LMDBData):
    @property
    def keys(self) -> Any:
        return KEYS[1::3]


class ByClassAttribute(LMDBData):
    keys = ("00000001", "00000004", "00000007")  # type: ignore[assignment]


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("cls", [ByHook, ByTransaction, ByProperty, ByClassAttribute])
def test_a_shard(cls: type[LMDBData], shuffle: bool, path: str) -> None:
    ds = cls(path, shuffle=shuffle)
    ds.reset_state()
    assert len(ds) == 3
    assert sorted(keys_of(ds)) == KEYS[1::3]
    assert sorted(keys_of(pickle.loads(pickle.dumps(ds)))) == KEYS[1::3]


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_pass_of_its_own(shuffle: bool, path: str) -> None:
    class Pass(LMDBData):
        def __iter__(self) -> Iterator[Any]:
            with self._guard:
                if self._shuffle:
                    self.rng.shuffle(self.keys)
                for key in self.keys or ():
                    yield [key, self._txn.get(key)]

    ds = Pass(path, shuffle=shuffle)
    for _ in range(2):
        ds.reset_state()
        assert sorted(keys_of(ds)) == KEYS
    first = iter(ds)
    next(first)
    with pytest.raises(RuntimeError, match="not reentrant"):
        next(iter(ds))
    ds._shuffle = False
    assert ds.shuffle is False


class TestChangedKeys:
    def test_sorted_in_place(self, path: str) -> None:
        ds = LMDBData(path, shuffle=False)
        assert isinstance(ds.keys, list)
        ds.keys.sort(reverse=True)
        assert keys_of(ds) == KEYS[::-1]

    def test_shortened(self, path: str) -> None:
        for shuffle in (True, False):
            ds = LMDBData(path, shuffle=shuffle)
            del ds.keys[4:]  # type: ignore[union-attr]
            assert len(ds) == 4 and sorted(keys_of(ds)) == KEYS[:4]

    def test_set_and_unset(self, path: str) -> None:
        ds = LMDBData(path)
        mine = ["00000003", b"00000001"]
        ds.keys = mine
        assert len(ds) == 2 and sorted(keys_of(ds)) == [KEYS[1], KEYS[3]]
        assert mine == ["00000003", b"00000001"]
        ds.keys = None
        assert len(ds) == 9 and sorted(keys_of(ds)) == KEYS

    @pytest.mark.parametrize("looked_at", [0, 1, 2])
    def test_looking_does_not_change_the_order(self, looked_at: int, path: str) -> None:
        fix_rng_seed(7)
        rng, expected = np.random.RandomState(7), list(KEYS)
        ds = LMDBData(path)
        ds.reset_state()
        for number in range(3):
            if number == looked_at:
                assert ds.keys == expected
            rng.shuffle(expected)
            assert keys_of(ds) == expected

    def test_as_datapoints(self, path: str) -> None:
        df = LMDBSerializer.load(path, shuffle=False)
        df.ds.keys = KEYS[:2]  # type: ignore[attr-defined]
        assert list(df) == [[0], [1]]


def test_given_keys_are_for_shuffled_passes_only(
    path: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    ds = LMDBData(path, shuffle=False, keys=KEYS[:2])
    assert len(ds) == 9 and keys_of(ds) == KEYS
    assert "no effect without shuffle=True" in caplog.text + capsys.readouterr().out


@pytest.mark.parametrize("keys", [None, KEYS, "{:08d}"])
def test_two_passes_at_once(keys: Any, path: str) -> None:
    ds = LMDBData(path, keys=keys)
    first = iter(ds)
    found = [next(first)[0]]
    assert sorted(keys_of(ds)) == KEYS
    if keys == KEYS:
        assert sorted(ds.keys or ()) == KEYS
    assert sorted(keys_of(ds)) == KEYS
    assert sorted([*found, *(key for key, _ in first)]) == KEYS


@pytest.mark.skipif(os.name != "posix", reason="no fork")
def test_a_transaction_after_a_fork(path: str) -> None:
    ds = ByTransaction(path)
    ds.reset_state()
    assert ds._txn.get(KEYS[0]) is not None
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(_first_value, (ds,)).get(30) == ds._txn.get(KEYS[0])
    df = MultiProcessRunnerZMQ(ds, 1)
    df.reset_state()
    assert sorted(keys_of(df)) == KEYS[1::3]
    df.close()
    assert ds._txn.get(KEYS[0]) is not None


def _first_value(ds: Any) -> Any:
    return ds._txn.get(KEYS[0])


class TestDatapoints:
    """``LMDBSerializer.load`` has a shorter way to the values, unless a program has changed something."""

    def test_another_iter_of_lmdb_data(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        from dataflow.utils.serialize import dumps

        monkeypatch.setattr(LMDBData, "__iter__", lambda self: iter([[b"k", dumps(["mine"])]]))
        assert list(LMDBSerializer.load(path)) == [["mine"]]

    def test_another_deserialize_lmdb(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(LMDBSerializer, "_deserialize_lmdb", staticmethod(lambda pair: pair[0]))
        assert list(LMDBSerializer.load(path, shuffle=False)) == KEYS

    @pytest.mark.parametrize("cls", [ByHook, ByTransaction, ByProperty, ByClassAttribute])
    def test_a_shard(self, cls: type[LMDBData], path: str) -> None:
        df = LMDBSerializer.load(path)
        df.ds = cls(path)
        assert sorted(df) == [[1], [4], [7]]
