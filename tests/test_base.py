"""The protocol: names, lengths, truth, re-entrancy, errors."""

from __future__ import annotations

import doctest
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import dataflow.base
from dataflow import (
    BatchData,
    DataFlow,
    DataFlowTerminated,
    DataFromList,
    MapData,
    ProxyDataFlow,
    RNGDataFlow,
)
from dataflow.base import (
    DataFlowReentrantGuard,
    InfiniteLengthError,
    LengthUnknownError,
    ReentrancyError,
    length_of,
    reset_all,
)


class Counting(DataFlow):
    """Yields [0], [1], [2], has no length, and counts its resets."""

    resets = 0

    def reset_state(self) -> None:
        self.resets += 1

    def __iter__(self) -> Iterator[list[int]]:
        yield from ([0], [1], [2])


class OldStyle(DataFlow):
    """Defines the old names only."""

    def get_data(self) -> Iterator[list[int]]:
        yield from ([7], [8])

    def size(self) -> int:
        return 2


def test_a_dataflow_without_iter_is_abstract() -> None:
    with pytest.raises(TypeError, match="abstract"):
        DataFlow()


def test_a_missing_length_is_both_errors_and_list_works() -> None:
    with pytest.raises(NotImplementedError, match="Counting"):
        len(Counting())
    with pytest.raises(TypeError):
        len(Counting())
    with pytest.raises(NotImplementedError):
        Counting().size()
    assert list(Counting()) == sorted(Counting()) == [[0], [1], [2]]
    assert tuple(Counting()) == ([0], [1], [2])


def test_infinite_length_is_a_value_error_too() -> None:
    assert issubclass(InfiniteLengthError, ValueError)
    assert issubclass(InfiniteLengthError, NotImplementedError)
    assert issubclass(LengthUnknownError, NotImplementedError)


def test_a_dataflow_is_true() -> None:
    assert bool(Counting())
    assert bool(DataFromList([]))


def test_old_names_of_a_new_class() -> None:
    df = DataFromList([[1], [2]], shuffle=False)
    assert list(df.get_data()) == [[1], [2]]
    assert df.size() == 2


def test_new_names_of_an_old_class() -> None:
    assert list(OldStyle()) == [[7], [8]]
    assert len(OldStyle()) == 2


def test_old_names_overridden_below_a_class_with_new_ones() -> None:
    class Half(BatchData):
        def get_data(self) -> Iterator[Any]:
            for batch in super().get_data():
                yield [c[:1] for c in batch]

        def size(self) -> int:
            return super().size() * 10

    df = Half(DataFromList([[1], [2], [3], [4]], shuffle=False), 2)
    assert [dp[0].tolist() for dp in df] == [[1], [3]]
    assert len(df) == df.size() == 20


def test_a_subclass_of_an_old_class_may_use_new_names() -> None:
    class Newer(OldStyle):
        def __iter__(self) -> Iterator[Any]:
            yield from super().__iter__()
            yield [9]

        def __len__(self) -> int:
            return super().__len__() + 1

    assert list(Newer().get_data()) == list(Newer()) == [[7], [8], [9]]
    assert Newer().size() == len(Newer()) == 3


def test_a_method_replaced_later_is_seen_under_both_names() -> None:
    class Replaced(DataFlow):
        def __iter__(self) -> Iterator[Any]:
            yield 1

    Replaced.__iter__ = lambda self: iter([2])  # type: ignore[method-assign,assignment]
    assert list(Replaced()) == list(Replaced().get_data()) == [2]


def test_proxy_without_super_init() -> None:
    class Mine(ProxyDataFlow):
        def __init__(self, ds: Any) -> None:
            self.ds = ds

    source = Counting()
    df = Mine(source)
    df.reset_state()
    assert source.resets == 1
    assert list(df) == [[0], [1], [2]]
    assert len(Mine(DataFromList([1, 2]))) == 2


@pytest.mark.parametrize("plain", [[[1], [2]], ([1], [2])])
def test_proxies_take_any_iterable(plain: Any) -> None:
    df = MapData(ProxyDataFlow(plain), lambda dp: [dp[0] * 2])
    df.reset_state()
    assert len(df) == 2
    assert list(df) == [[2], [4]]


def test_the_length_of_an_iterable_without_one() -> None:
    with pytest.raises(NotImplementedError, match="generator"):
        len(ProxyDataFlow(dp for dp in ()))
    assert length_of(range(3)) == 3


def test_reset_all_resets_each_distinct_dataflow_once() -> None:
    a, b = Counting(), Counting()
    reset_all([a, [1, 2], b, a])
    assert (a.resets, b.resets) == (1, 1)


def test_rng_is_none_on_the_class_only() -> None:
    class Noise(RNGDataFlow):
        def __iter__(self) -> Iterator[Any]:
            yield self.rng.rand()

    assert Noise.rng is None
    assert 0 <= next(iter(Noise())) < 1  # reset_state forgotten
    df = Noise()
    df.reset_state()
    assert isinstance(df.rng, np.random.RandomState)
    before = df.rng
    df.reset_state()
    assert df.rng is not before


def test_terminated_is_no_exception() -> None:
    assert issubclass(DataFlowTerminated, BaseException)
    assert not issubclass(DataFlowTerminated, Exception)


def test_the_guard_lets_one_in_at_a_time() -> None:
    guard = DataFlowReentrantGuard()
    with guard, pytest.raises(ReentrancyError, match="not reentrant"), guard:
        pass
    with guard:
        pass
    assert issubclass(ReentrancyError, RuntimeError)


def test_a_pickled_guard_is_open() -> None:
    guard = DataFlowReentrantGuard()
    with guard, pickle.loads(pickle.dumps(guard)):
        pass


def test_doctests() -> None:
    assert doctest.testmod(dataflow.base, optionflags=doctest.ELLIPSIS).failed == 0
