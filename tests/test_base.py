"""The protocol: names, lengths, truth, re-entrancy, errors."""

from __future__ import annotations

import doctest
import pickle
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest
from tqdm import tqdm

import dataflow.base
from dataflow import (
    BatchData,
    ConcatData,
    DataFlow,
    DataFlowTerminated,
    DataFromList,
    JoinData,
    MapData,
    MultiProcessMapData,
    MultiProcessRunner,
    MultiProcessRunnerZMQ,
    MultiThreadMapData,
    ProxyDataFlow,
    RandomChooseData,
    RNGDataFlow,
)
from dataflow.base import (
    DataFlowReentrantGuard,
    InfiniteLengthError,
    LengthUnknownError,
    ReentrancyError,
    length_of,
    reset_all,
    upstream_of,
)
from tests.helpers.parallel import Count, identity, nothing_left, snapshot
from tests.helpers.wrappers import PARALLEL, PLAIN, SOURCES, WRAPPERS


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


# ---- upstream and close


class Closing(Counting):
    """Yields 3 times an image and points, and counts also how often it is closed."""

    closed = 0

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[Any]:
        for _ in range(3):
            yield [np.zeros((4, 4, 3), np.uint8), np.zeros((2, 2))]

    def close(self) -> None:
        self.closed += 1


def test_every_class_of_the_package_is_looked_at() -> None:
    """A new one must be added to ``tests/helpers/wrappers.py``."""
    classes = {
        name
        for name, value in ((name, getattr(dataflow, name)) for name in dataflow.__all__)
        if isinstance(value, type) and issubclass(value, DataFlow) and value.__name__ == name
    }
    made = {type(make(Closing())).__name__ for make in PLAIN.values()}
    parallel = {getattr(dataflow, name).__name__ for name in PARALLEL if hasattr(dataflow, name)}
    assert classes - made - parallel - SOURCES == {"DataFlow", "RNGDataFlow"}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_upstream_is_what_a_dataflow_reads(wrapper: str) -> None:
    source = Closing()
    df = WRAPPERS[wrapper](source)
    assert df.upstream == (source,) == upstream_of(df)
    df.close()
    df.close()
    assert source.closed == 2


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("mine", ["a river", 5, ["a", "b"], print, None])
def test_a_subclass_may_use_the_name_upstream_for_something_else(wrapper: str, mine: Any) -> None:
    source = Closing()
    df = WRAPPERS[wrapper](source)
    df.upstream = mine
    assert df.upstream is mine
    repr(df)
    if wrapper in PLAIN:
        resets = source.resets
        df.reset_state()
        assert source.resets == resets + 1
        assert list(islice(df, 1))
    with df:
        pass
    assert source.closed == 1


@pytest.mark.parametrize("wrapper", PLAIN)
def test_a_subclass_may_use_the_name_close_for_something_else(wrapper: str) -> None:
    source = Closing()
    df = PLAIN[wrapper](source)
    df.close = 101.5  # the price of a share at the close, say
    df.reset_state()
    with MapData(df, identity) as outer:
        outer.reset_state()
    outer.close()
    with df:
        pass
    assert df.close == 101.5
    assert source.closed == 3


def test_sources_read_nothing() -> None:
    for source in (DataFromList([1]), OldStyle(), Counting()):
        assert source.upstream == ()
        with source as same:
            assert same is source
        source.close()
        assert len(list(source)) > 0, "a plain source can be used by others after it"


def test_old_idioms_of_keeping_the_dataflow() -> None:
    class Property(ProxyDataFlow):
        def __init__(self, ds: Any) -> None:
            self.inner = ds

        @property
        def ds(self) -> Any:
            return self.inner

    class List(DataFlow):
        def __init__(self, ds: Any) -> None:
            self.df_lists = [ds, ds]

        def __iter__(self) -> Iterator[Any]:
            yield from self.df_lists[0]

    class Path(DataFlow):
        ds = "a path"
        df_lists = 7

        def __iter__(self) -> Iterator[Any]:
            yield 1

    class Unfinished(ProxyDataFlow):
        def __init__(self) -> None:
            pass

    source = Closing()
    for df in (Property(source), List(source)):
        assert set(df.upstream) == {source}
        df.close()
    assert source.closed == 2
    Property(source).reset_state()
    assert source.resets == 1
    for other in (Path(), Unfinished()):
        other.close()
        assert upstream_of(other) == ()
        repr(other)
    assert upstream_of([1, 2]) == upstream_of(iter(())) == upstream_of(object()) == ()


def test_close_passes_down_once_to_each_and_to_all_even_if_one_raises() -> None:
    class Stuck(Closing):
        def close(self) -> None:
            super().close()
            raise OSError("can't be closed")

    a, stuck, b = Closing(), Stuck(), Closing()
    df = MapData(JoinData([a, ConcatData([a, stuck, stuck]), RandomChooseData([b, a])]), repr)
    with pytest.raises(OSError, match="can't be closed"):
        df.close()
    assert stuck.closed == b.closed == 1
    JoinData([a, a, a]).close()
    assert a.closed in (3, 4), "once for each that reads it"


def test_what_is_no_dataflow_is_not_closed() -> None:
    import io

    file = io.StringIO("a\nb\n")
    with MapData(ProxyDataFlow(file), str.strip) as df:
        assert list(df) == ["a", "b"]
    assert not file.closed, "it is the user's"


def test_a_with_block_ends_all_workers_and_they_can_be_started_anew() -> None:
    with nothing_left():
        df: Any = BatchData(MultiProcessMapData(Count(8), 1, identity, 5, strict=True), 4)
        for _ in range(2):
            with df:
                df.reset_state()
                assert [len(batch[0]) for batch in df] == [4, 4]
                assert snapshot()["children"]
            with pytest.raises(RuntimeError, match=r"was closed: call reset_state\(\)") as caught:
                list(df)
            assert isinstance(caught.value, Exception)
        del df, caught


def test_a_runner_inside_a_mapper_is_closed_with_it_and_started_with_it() -> None:
    with nothing_left():
        for runner in (MultiProcessRunner(Count(6), 5, 1), MultiProcessRunnerZMQ(Count(6))):
            df = MultiProcessMapData(runner, 1, identity, 5, strict=True)
            for _ in range(2):
                df.reset_state()
                assert sorted(df) == [[i] for i in range(6)]
                df.close()
                df.close()
            with pytest.raises(RuntimeError, match=r"call reset_state\(\)"):
                list(runner)
        del df, runner


def test_a_process_runner_is_started_anew_by_reset_state_only_if_it_was_closed() -> None:
    with nothing_left():
        df = MultiProcessRunner(Count(3), 5, 1)
        df.reset_state()
        pids = snapshot()["children"]
        assert list(df) == [[0], [1], [2]]
        df.reset_state()
        assert snapshot()["children"] == pids and list(df) == [[0], [1], [2]]
        df.close()
        df.reset_state()
        assert snapshot()["children"] != pids and list(df) == [[0], [1], [2]]
        df.close()
        del df


# ---- no length, as users said it


class OldIdiom(Counting):
    def __len__(self) -> int:
        raise NotImplementedError


class Worse(OldIdiom):
    def size(self) -> int:
        raise NotImplementedError("ask again")


@pytest.mark.parametrize("kind", [OldIdiom, Worse])
def test_a_length_that_is_not_implemented_is_no_length(kind: Any) -> None:
    expected = [[0], [1], [2]]
    assert list(kind()) == sorted(kind()) == list(tqdm(kind(), disable=True)) == expected
    assert tuple(kind()) == tuple(expected)
    for df in (BatchData(kind(), 2), MapData(kind(), identity), ProxyDataFlow(kind()), JoinData([kind()])):
        with pytest.raises(NotImplementedError):
            len(df)
        assert list(df)
    with pytest.raises(NotImplementedError):
        kind().size()
    for make in (MultiThreadMapData, MultiProcessMapData):
        with make(kind(), 1, identity, 5, strict=True) as df:
            df.reset_state()
            assert list(df) == list(tqdm(df, disable=True)) == expected


def test_doctests() -> None:
    assert doctest.testmod(dataflow.base, optionflags=doctest.ELLIPSIS).failed == 0
