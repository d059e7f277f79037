"""Sources in memory."""

from __future__ import annotations

import doctest
import queue
import warnings
from itertools import islice
from typing import Any

import numpy as np
import pytest

import dataflow.raw
from dataflow import BatchData, DataFromGenerator, DataFromIterable, DataFromList, DataFromQueue, FakeData
from dataflow.base import InfiniteLengthError
from dataflow.common import RepeatedData
from tests.helpers.flows import flow, values


def test_doctests() -> None:
    assert doctest.testmod(dataflow.raw).failed == 0


class TestFakeData:
    def test_reference_sequence(self, seed: None) -> None:
        df = FakeData([[2], [1, 2]], 2, dtype=["uint8", "float32"], domain=[(0, 256), (-1, 1)])
        df.reset_state()
        (a, b), (c, d) = df
        np.testing.assert_array_equal(a, np.array([95, 243], np.uint8))
        np.testing.assert_array_equal(c, np.array([39, 39], np.uint8))
        np.testing.assert_allclose(b, [[0.46398789, 0.19731697]], rtol=1e-6)
        np.testing.assert_allclose(d, [[-0.88383275, 0.73235232]], rtol=1e-6)
        assert (a.dtype, b.dtype, b.shape) == (np.uint8, np.float32, (1, 2))

    def test_defaults(self) -> None:
        df = FakeData([[3, 2]])
        assert len(df) == 1000
        [component] = next(iter(df))
        assert component.shape == (3, 2) and component.dtype == np.float32
        assert component.min() >= 0 and component.max() <= 1

    def test_not_random_shares_arrays_within_a_pass_only(self) -> None:
        df = FakeData([[4]], 3, random=False)
        first, second = list(df), list(df)
        assert all(dp[0] is first[0][0] for dp in first)
        assert first[0] is not first[1]
        assert (first[0][0] != second[0][0]).any()

    def test_not_random_draws_once_per_pass(self, seed: None) -> None:
        df = FakeData([[2]], 3, random=False, dtype="float64")
        rng = np.random.RandomState(42)
        for _ in range(2):
            np.testing.assert_array_equal(next(iter(df))[0], rng.rand(2))

    @pytest.mark.parametrize("dtype", ["int16", np.int16, np.dtype("int16"), ["int16"], [np.int16]])
    def test_dtypes(self, dtype: Any) -> None:
        [component] = next(iter(FakeData([[2]], dtype=dtype, domain=(-5, 5))))
        assert component.dtype == np.int16

    def test_a_shape_without_dimensions(self, seed: None) -> None:
        [component] = next(iter(FakeData([()], dtype="float64")))
        assert component.shape == ()
        assert component == np.random.RandomState(42).rand()

    @pytest.mark.parametrize(
        ("arguments", "error"),
        [
            ({"size": -1}, ValueError),
            ({"size": "many"}, TypeError),
            ({"shapes": [3, 4]}, TypeError),
            ({"shapes": [[-1]]}, ValueError),
            ({"dtype": ["uint8"]}, ValueError),
            ({"domain": [(0, 1)] * 3}, ValueError),
            ({"domain": (2, 1)}, ValueError),
            ({"domain": (float("nan"), 1)}, ValueError),
            ({"domain": 5}, TypeError),
            ({"domain": ("a", 1)}, TypeError),
            ({"domain": (0, 257), "dtype": "uint8"}, ValueError),
            ({"domain": (-1, 1), "dtype": "uint8"}, ValueError),
        ],
    )
    def test_bad_arguments(self, arguments: dict[str, Any], error: type[Exception]) -> None:
        with pytest.raises(error, match="FakeData"):
            FakeData(**{"shapes": [[2], [3]], **arguments})


class TestDataFromList:
    def test_reference_sequence(self, seed: None) -> None:
        df = DataFromList([[i] for i in range(8)])
        df.reset_state()
        assert values(df) == [1, 5, 0, 7, 2, 4, 3, 6]
        assert values(df) == [3, 7, 0, 4, 5, 2, 1, 6]

    def test_keeps_the_list_and_its_items(self) -> None:
        items = [[1], [2], [3]]
        df = DataFromList(items)
        assert df.lst is items and df.shuffle
        assert sorted(map(id, df)) == sorted(map(id, items))
        assert items == [[1], [2], [3]]

    def test_without_shuffle(self) -> None:
        assert list(DataFromList((1, "b", None), shuffle=False)) == [1, "b", None]
        assert list(DataFromList({"k": 1, "l": 2}, shuffle=False)) == ["k", "l"]

    def test_arrays_and_empty_lists(self) -> None:
        assert sorted(DataFromList(np.arange(5))) == [0, 1, 2, 3, 4]
        assert list(DataFromList([])) == []
        assert len(DataFromList([])) == 0


class TestDataFromGenerator:
    def test_a_function_is_called_for_each_pass(self) -> None:
        df = DataFromGenerator(lambda: ([i] for i in range(3)))
        assert list(df) == list(df) == [[0], [1], [2]]

    def test_an_iterable_is_iterated_in_each_pass(self) -> None:
        df = DataFromGenerator([[0], [1]])
        assert list(df) == list(df) == [[0], [1]]
        assert len(df) == 2

    @pytest.mark.parametrize("make", [DataFromGenerator, DataFromIterable])
    def test_an_iterator_has_no_second_pass(self, make: Any) -> None:
        df = make(iter([[0], [1], [2]]))
        for dp in df:
            assert dp == [0]
            break
        assert list(df) == [[1], [2]]
        with pytest.raises(RuntimeError, match=r"list_iterator.* nothing left for a second pass: give what"):
            list(df)

    def test_without_a_length(self) -> None:
        df = DataFromGenerator(lambda: iter([[1], [2]]))
        with pytest.raises(NotImplementedError):
            len(df)
        assert [dp[0].tolist() for dp in BatchData(df, 2)] == [[1, 2]]

    def test_a_given_length(self) -> None:
        assert len(DataFromGenerator(lambda: iter(()), length=7)) == 7
        assert len(DataFromGenerator(lambda: iter(()), 7)) == 7, "by position, as size was before"
        with pytest.raises(ValueError, match="length"):
            DataFromGenerator([], length=-1)

    def test_the_old_argument_size(self) -> None:
        with pytest.warns(DeprecationWarning, match="'length'"):
            assert len(DataFromGenerator(lambda: iter(()), size=7)) == 7  # type: ignore[call-arg]


class TestDataFromIterable:
    def test_datapoints_and_length(self) -> None:
        df = DataFromIterable(range(3))
        assert list(df) == list(df) == [0, 1, 2]
        assert len(df) == 3

    def test_the_length_is_asked_for_once(self) -> None:
        items = [1, 2]
        df = DataFromIterable(items)
        items.append(3)
        assert len(df) == 2

    def test_without_a_length(self) -> None:
        with pytest.raises(NotImplementedError):
            len(DataFromIterable(iter([1])))
        with pytest.raises(InfiniteLengthError):
            len(DataFromIterable(RepeatedData(flow(1), -1)))


class TestDataFromQueue:
    def test_yields_what_comes(self) -> None:
        q: queue.Queue[Any] = queue.Queue()
        for i in range(3):
            q.put([i])
        df = DataFromQueue(q)
        assert list(islice(df, 2)) == [[0], [1]]
        assert next(iter(df)) == [2]
        with pytest.raises(NotImplementedError):
            len(df)


def test_new_names_do_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DataFromGenerator([], length=3)


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_fake_data_takes_a_dtype_and_a_range_for_each(kind: Any) -> None:
    df = FakeData(kind([(2,), (2,)]), 1, dtype=kind(["int32", "float32"]), domain=kind([(0, 10), (5, 6)]))
    a, b = next(iter(df))
    assert (a.dtype, b.dtype) == (np.int32, np.float32)
    assert (b >= 5).all()


@pytest.mark.parametrize("domain", [(5, 6), np.array([5, 6])])
def test_fake_data_takes_one_range(domain: Any) -> None:
    assert all((part >= 5).all() for part in next(iter(FakeData([[9], [9]], 1, domain=domain))))


def test_fake_data_whatever_seterr_says() -> None:
    with np.errstate(all="raise"):
        list(FakeData([[99]], 1, dtype="float16", domain=(0, 1e-6)))
