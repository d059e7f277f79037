"""Laws that every dataflow of one process keeps."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

import dataflow
import dataflow.common
from dataflow import (
    BatchData,
    BatchDataByShape,
    CacheData,
    ConcatData,
    DataFlow,
    DataFromGenerator,
    DataFromIterable,
    DataFromList,
    FakeData,
    FixedSizeData,
    JoinData,
    LocallyShuffleData,
    MapData,
    MapDataComponent,
    PrintData,
    RandomChooseData,
    RandomMixData,
    RepeatedData,
    RepeatedDataPoint,
    SelectComponent,
    TestDataSpeed,
)
from dataflow.base import LengthUnknownError, ReentrancyError
from dataflow.utils import fix_rng_seed
from tests.helpers.flows import NoLength, flow


class Case(NamedTuple):
    """One class under test."""

    name: str
    make: Callable[[Any], DataFlow]  # from a source of [array of 2, number]
    length: int | type[Exception] | None  # of ten datapoints; None: unlike what it yields
    guarded: bool = False
    passes_on: bool = False  # the very same objects
    endless: bool = False


def double(x: Any) -> Any:
    return x * 2


def keep(dp: Any) -> Any:
    return dp


CASES = [
    Case("DataFromList", lambda ds: DataFromList(list(ds)), 10, passes_on=True),
    Case("DataFromIterable", lambda ds: DataFromIterable(list(ds)), 10, passes_on=True),
    Case("DataFromGenerator", lambda ds: DataFromGenerator(list(ds)), 10, passes_on=True),
    Case("FakeData", lambda ds: FakeData([[2], [3]], 10), 10),
    Case("TestDataSpeed", lambda ds: TestDataSpeed(ds, 2), 10, passes_on=True),
    Case("PrintData", lambda ds: PrintData(ds, num=2), 10, passes_on=True),
    Case("BatchData", lambda ds: BatchData(ds, 3), 3),
    Case("BatchDataRemainder", lambda ds: BatchData(ds, 3, remainder=True, use_list=True), 4),
    Case("BatchDataByShape", lambda ds: BatchDataByShape(ds, 5, 0), 2, guarded=True),
    Case("FixedSizeData", lambda ds: FixedSizeData(ds, 7), 7, guarded=True, passes_on=True),
    Case("FixedSizeDataAnew", lambda ds: FixedSizeData(ds, 12, False), 12, guarded=True, passes_on=True),
    Case("MapData", lambda ds: MapData(ds, keep), 10),
    Case("MapDataComponent", lambda ds: MapDataComponent(ds, double, 1), 10),
    Case("RepeatedData", lambda ds: RepeatedData(ds, 2), 20, passes_on=True),
    Case("RepeatedDataForEver", lambda ds: RepeatedData(ds, -1), ValueError, passes_on=True, endless=True),
    Case("RepeatedDataPoint", lambda ds: RepeatedDataPoint(ds, 2), 20, passes_on=True),
    Case("RandomChooseData", lambda ds: RandomChooseData([ds, ds]), NotImplementedError, passes_on=True),
    Case("RandomMixData", lambda ds: RandomMixData([ds, ds]), 20, passes_on=True),
    Case("JoinData", lambda ds: JoinData([ds, ds]), 10),
    Case("ConcatData", lambda ds: ConcatData([ds, ds]), 20, passes_on=True),
    Case("SelectComponent", lambda ds: SelectComponent(ds, [1]), 10),
    Case(
        "LocallyShuffleData",
        lambda ds: LocallyShuffleData(ds, 4),
        None,
        guarded=True,
        passes_on=True,
        endless=True,
    ),
    Case("CacheData", lambda ds: CacheData(ds), 10, guarded=True, passes_on=True),
    Case("CacheDataShuffled", lambda ds: CacheData(ds, True), 10, guarded=True, passes_on=True),
]
over_cases = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
pytestmark = pytest.mark.filterwarnings("error")


def source() -> DataFromList:
    return DataFromList([[np.array([i, i]), i] for i in range(10)], shuffle=False)


def one_pass(df: DataFlow, endless: bool = False) -> list[Any]:
    """Return what a pass yields, in a form that can be compared."""
    dps = []
    for dp in df:
        dps.append(pickle.dumps(dp))
        if endless and len(dps) == 25:
            break
    return dps


@pytest.fixture(autouse=True)
def _fixed_seed(seed: None, capsys: pytest.CaptureFixture[str]) -> None:
    """Fix the seed, and keep what is printed from the terminal."""


def test_all_classes_are_here() -> None:
    missing = {"DataFlow", "ProxyDataFlow", "RNGDataFlow", "DataFlowReentrantGuard"}
    assert set(dataflow.common.__all__) - missing <= {case.name for case in CASES}
    for name in dataflow.common.__all__:
        assert hasattr(dataflow.common, name)


@over_cases
def test_length(case: Case) -> None:
    df = case.make(source())
    if isinstance(case.length, type):
        with pytest.raises(case.length):
            len(df)
        with pytest.raises(LengthUnknownError):
            df.size()
    elif case.length is not None:
        assert len(df) == df.size() == case.length == len(list(df))


@over_cases
def test_a_forgotten_reset_any_number_of_resets_and_the_old_names(case: Case) -> None:
    expected = one_pass(case.make(source()), case.endless)
    df = case.make(source())
    df.reset_state()
    df.reset_state()
    assert one_pass(df, case.endless) == expected
    df = case.make(source())
    assert one_pass(df.get_data(), case.endless) == expected  # type: ignore[arg-type]


@over_cases
def test_passes_follow_one_another_also_broken_off_ones(case: Case) -> None:
    df = case.make(source())
    lengths = set()
    for _ in range(3):
        for _dp in df:
            break
        lengths.add(len(one_pass(df, case.endless)))
    assert len(lengths) == 1 or case.name in ("RandomChooseData", "BatchDataByShape")


@over_cases
def test_after_a_reset_a_pass_is_as_the_first(case: Case) -> None:
    df = case.make(source())
    first = one_pass(df, case.endless)
    for _dp in df:
        break
    df.reset_state()
    assert one_pass(df, case.endless) == first


@over_cases
def test_it_can_be_pickled_at_any_time(case: Case) -> None:
    first = one_pass(case.make(source()), case.endless)
    df = case.make(source())
    fresh = pickle.loads(pickle.dumps(df))
    df.reset_state()
    after_reset = pickle.loads(pickle.dumps(df))
    iterator = iter(df)
    next(iterator)
    within = pickle.loads(pickle.dumps(df))
    copied = copy.copy(df)
    del iterator
    for clone in (fresh, after_reset, within, copied):
        clone.reset_state()
        fix_rng_seed(42)
        assert one_pass(clone, case.endless) == first


@over_cases
def test_repr_shows_the_class_and_what_is_wrapped(case: Case) -> None:
    df = case.make(source())
    assert repr(df).startswith(type(df).__name__ + "(")
    if case.name not in ("DataFromIterable", "DataFromGenerator", "FakeData", "DataFromList"):
        assert "DataFromList(" in repr(df)
    one_pass(df, case.endless)
    assert len(repr(df)) < 2000


@over_cases
@pytest.mark.parametrize(
    "dps",
    [[[1, 2]] * 10, [(1, 2)] * 10, [{"a": 1, "b": 2}] * 10],
    ids=["lists", "tuples", "dicts"],
)
def test_lists_tuples_and_dicts(case: Case, dps: list[Any]) -> None:
    if case.name in ("FakeData", "BatchDataByShape"):
        return
    if isinstance(dps[0], dict) and case.name in ("SelectComponent", "MapDataComponent"):
        return  # they take a key: tested with their own
    for dp, _ in zip(case.make(DataFromList(dps, shuffle=False)), range(30), strict=False):
        if case.passes_on:
            assert dp is dps[0]
        elif isinstance(dps[0], dict):
            assert type(dp) is dict and list(dp) == ["a", "b"]
        else:
            assert type(dp) is (type(dps[0]) if case.name == "MapData" else list)


@over_cases
def test_two_iterators(case: Case) -> None:
    df = case.make(source())
    first, second = iter(df), iter(df)
    next(first)
    if case.guarded:
        with pytest.raises(ReentrancyError):
            next(second)
    else:
        next(second)


@over_cases
def test_sources_need_no_length_and_be_no_dataflow(case: Case) -> None:
    if case.name == "RandomMixData":
        return
    plain = case.make([[np.array([i, i]), i] for i in range(10)])
    plain.reset_state()
    assert one_pass(plain, case.endless) == one_pass(case.make(source()), case.endless)
    df = case.make(NoLength(10))
    if case.name in ("BatchDataByShape", "MapDataComponent", "SelectComponent"):
        return  # NoLength has one component
    assert one_pass(df, case.endless)


@over_cases
def test_an_iterator_that_is_dropped_closes_its_source(case: Case) -> None:
    others = ("FixedSize", "LocallyShuffle", "DataFrom", "Fake", "RandomMix", "Batch", "Select", "MapDataC")
    if case.name.startswith(others):
        return  # some keep the iterator on purpose, others do not take this source
    wrapped = NoLength(10)
    iterator = iter(case.make(wrapped))
    next(iterator)
    assert wrapped.open >= 1
    del iterator
    assert wrapped.open == 0


def test_subclasses_need_no_super_init() -> None:
    class Mapped(MapData):
        def __init__(self, ds: Any) -> None:
            self.ds = ds
            self.func = keep

    class Batched(BatchData):
        def __init__(self, ds: Any) -> None:
            self.ds = ds
            self.batch_size, self.remainder, self.use_list = 2, False, True

    class Cached(CacheData):
        def __init__(self, ds: Any) -> None:
            self.ds = ds
            self.shuffle = False

    class Chosen(RandomChooseData):
        def __init__(self, ds: Any) -> None:
            self.df_lists = [ds]

    for cls in (Mapped, Batched, Cached, Chosen):
        df = cls(flow(4))
        assert len(list(df)) == len(list(df)) > 0
        df.reset_state()
        assert cls.__name__ in repr(df)


def test_a_deep_pipeline() -> None:
    df: Any = flow(3)
    for _ in range(50):
        df = MapData(df, keep)
    assert list(df) == [[0], [1], [2]]
    assert repr(df).count("MapData(") == 50


def test_methods_can_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    def every_second(self: Any) -> Iterator[Any]:
        for i, dp in enumerate(self.ds):
            if i % 2:
                yield dp

    monkeypatch.setattr(MapData, "__iter__", every_second)
    assert list(MapData(flow(4), keep)) == list(MapData(flow(4), keep).get_data()) == [[1], [3]]


def test_names_in_the_package_and_in_the_module_are_the_same() -> None:
    for name in dataflow.common.__all__:
        if name in dataflow.__all__:
            assert getattr(dataflow, name) is getattr(dataflow.common, name)
