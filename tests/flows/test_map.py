"""MapData, MapDataComponent, SelectComponent."""

from __future__ import annotations

import collections
import doctest
import pickle
from typing import Any

import numpy as np
import pytest

from dataflow import DataFromList, MapData, MapDataComponent, SelectComponent
from dataflow._flows import map as map_module
from dataflow._flows.map import copy_datapoint
from tests.helpers.flows import flow

Point = collections.namedtuple("Point", "x y")


def source(*dps: Any) -> DataFromList:
    return DataFromList(list(dps), shuffle=False)


def test_doctests() -> None:
    assert doctest.testmod(map_module).failed == 0


class TestMapData:
    def test_documented_example(self) -> None:
        mnist = source([np.full((2, 2), 0.5), 7])
        [(image, label)] = MapData(mnist, lambda dp: [dp[0] * 255, dp[1]])
        assert (image == 127.5).all() and label == 7

    def test_none_discards_and_nothing_else_does(self) -> None:
        empties: list[Any] = [[], {}, (), 0, "", False]
        results = [None, *empties, None]
        df = MapData(flow(len(results)), lambda dp: results[dp[0]])
        assert list(df) == empties
        assert len(df) == len(results)  # as documented: wrong when something is discarded

    def test_the_function_may_replace_components(self) -> None:
        dps = [[1, 2], {"a": 1}, Point(1, 2)]

        def edit(dp: Any) -> Any:
            if isinstance(dp, list):
                dp[0] = "new"
            elif isinstance(dp, dict):
                dp.update(b=2)
            return dp

        assert list(MapData(source(*dps), edit)) == [["new", 2], {"a": 1, "b": 2}, Point(1, 2)]
        assert dps == [[1, 2], {"a": 1}, Point(1, 2)]

    def test_components_are_not_copied(self) -> None:
        array = np.zeros(3)
        for dp in ([array], (array,), {0: array}):
            [mapped] = MapData(source(dp), lambda dp: dp)
            assert type(mapped) is type(dp) and mapped[0] is array

    def test_any_type_in_and_out(self) -> None:
        assert list(MapData(source([1, 2], "ab"), tuple)) == [(1, 2), ("a", "b")]
        assert list(MapData(iter([5]), lambda dp: dp + 1)) == [6]

    def test_an_error_of_the_function_reaches_the_consumer(self) -> None:
        df = MapData(flow(3), lambda dp: 1 / (dp[0] - 1))
        with pytest.raises(ZeroDivisionError):
            list(df)
        assert next(iter(df)) == -1


def picky(value: Any) -> Any:
    value = value[0] if isinstance(value, list) else value
    if value == "photo-2.jpg":
        raise OSError("broken")
    return value


@pytest.mark.parametrize("make", [MapData, MapDataComponent])
def test_an_error_names_the_datapoint(make: Any) -> None:
    df = MapData(make(source(*[[f"photo-{i}.jpg"] for i in range(4)]), picky), lambda dp: dp)
    with pytest.raises(OSError) as caught:
        list(df)
    (note,) = caught.value.__notes__
    assert note == "with datapoint 2: ['photo-2.jpg']"


def test_copies_keep_the_type() -> None:
    ordered = collections.OrderedDict(a=1)
    for dp in ([1], {"a": 1}, (1,), Point(1, 2), ordered, collections.UserList([1]), np.arange(2), "s"):
        copied = copy_datapoint(dp)
        assert type(copied) is type(dp)
        assert np.all(copied == dp)
        assert isinstance(dp, tuple | str) or copied is not dp


class TestMapDataComponent:
    @pytest.mark.parametrize(
        ("dp", "index", "expected"),
        [
            ([1, 2], 1, [1, 20]),
            ([1, 2], -2, [10, 2]),
            ((1, 2), 0, [10, 2]),
            (Point(1, 2), 1, [1, 20]),
            ({"a": 1, "b": 2}, "b", {"a": 1, "b": 20}),
        ],
    )
    def test_one_component_is_replaced(self, dp: Any, index: Any, expected: Any) -> None:
        before = pickle.dumps(dp)
        [mapped] = MapDataComponent(source(dp), lambda c: c * 10, index)
        assert mapped == expected and type(mapped) is type(expected)
        assert pickle.dumps(dp) == before

    def test_the_first_component_by_default(self) -> None:
        assert list(MapDataComponent(flow(3), str)) == [["0"], ["1"], ["2"]]

    def test_none_discards_the_datapoint(self) -> None:
        df = MapDataComponent(flow(4), lambda c: c if c % 2 else None)
        assert list(df) == [[1], [3]]
        assert len(df) == 4
        assert list(MapDataComponent(flow(1), bool)) == [[False]]

    def test_attributes_and_base(self) -> None:
        df = MapDataComponent(flow(1), str, 0)
        assert isinstance(df, MapData)
        assert df.index == 0

    def test_func_maps_a_datapoint(self) -> None:
        df = MapDataComponent(source([1, "a"], (2, "b"), [3, "c"]), lambda x: x + 1 if x < 3 else None, 0)
        assert list(MapData(df.ds, df.func)) == list(df) == [[2, "a"], [3, "b"]]

    def test_func_can_be_replaced(self) -> None:
        df = MapDataComponent(source([1]), str, 0)
        df.func = lambda dp: [*dp, "new"]
        assert list(df) == [[1, "new"]]

    @pytest.mark.parametrize(("dp", "index", "error"), [([1], 1, IndexError), ({}, "a", KeyError)])
    def test_a_missing_component(self, dp: Any, index: Any, error: type[Exception]) -> None:
        with pytest.raises(error):
            list(MapDataComponent(source(dp), str, index))


class TestSelectComponent:
    def test_documented_example(self) -> None:
        assert list(SelectComponent(source(["c1", "c2", "c3"]), [2, 1])) == [["c3", "c2"]]

    def test_keys_and_tuples_give_lists(self) -> None:
        assert list(SelectComponent(source({"a": 1, "b": 2}), ["b", "a", "b"])) == [[2, 1, 2]]
        assert list(SelectComponent(source((1, 2)), (1,))) == [[2]]

    def test_it_can_be_pickled_and_says_what_it_does(self) -> None:
        df = pickle.loads(pickle.dumps(SelectComponent(source([1, 2]), [1])))
        assert list(df) == [[2]]
        assert "select [1]" in repr(df)
        assert isinstance(df, MapData)

    @pytest.mark.parametrize("idxs", [1, "image"])
    def test_bad_indices(self, idxs: Any) -> None:
        with pytest.raises(TypeError, match="idxs"):
            SelectComponent(flow(1), idxs)
