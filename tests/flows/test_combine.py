"""RandomChooseData, RandomMixData, JoinData, ConcatData."""

from __future__ import annotations

import collections
import doctest
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow import (
    CacheData,
    ConcatData,
    DataFromList,
    JoinData,
    RandomChooseData,
    RandomMixData,
    RepeatedData,
)
from dataflow._flows import combine as combine_module
from dataflow.base import InfiniteLengthError, ReentrancyError
from dataflow.utils import logger
from tests.helpers.flows import Broken, NoLength, flow, values


def source(*dps: Any) -> DataFromList:
    return DataFromList(list(dps), shuffle=False)


class Lying(NoLength):
    """Says that it has 5 datapoints."""

    def __len__(self) -> int:
        return 5


def test_doctests() -> None:
    assert doctest.testmod(combine_module).failed == 0


@pytest.mark.parametrize("cls", [RandomChooseData, RandomMixData, JoinData, ConcatData])
def test_an_instance_listed_twice_is_reset_once(cls: Any) -> None:
    a, b = Lying(), Lying()
    df = cls([a, b, a])
    df.reset_state()
    assert (a.resets, b.resets) == (1, 1)
    assert df.df_lists == [a, b, a]


@pytest.mark.parametrize("cls", [RandomChooseData, RandomMixData, JoinData])
def test_an_empty_list_of_dataflows(cls: Any) -> None:
    with pytest.raises(ValueError, match=cls.__name__):
        cls([])


class TestRandomChooseData:
    def test_reference_sequences(self, seed: None) -> None:
        df = RandomChooseData([flow(6), flow(6, 10)])
        df.reset_state()
        assert values(df) == [0, 10, 11, 12, 1, 2, 3, 13, 14, 15, 4]
        df = RandomChooseData([(flow(6), 0.2), (flow(6, 10), 0.8)])
        df.reset_state()
        assert values(df) == [10, 11, 12, 13, 0, 1, 2, 14, 15]

    @pytest.mark.parametrize("probs", [[0.1] * 10, [0.3, 0.3, 0.4], [0.0, 1.0], [1 / 3] * 3])
    def test_the_draws_of_choice(self, probs: list[float], seed: None) -> None:
        flows = [RepeatedData(source([i]), -1) for i in range(len(probs))]
        df = RandomChooseData(list(zip(flows, probs, strict=True)))
        rng = np.random.RandomState(42)
        assert values(df, 500) == [rng.choice(len(probs), p=probs) for _ in range(500)]

    def test_rounded_probabilities_and_lists(self) -> None:
        df = RandomChooseData([[flow(2), 0.3333333], [flow(2), 0.3333333], [flow(2), 0.3333333]])
        assert len(values(df)) >= 2

    def test_plain_iterables(self) -> None:
        assert len(values(RandomChooseData([[[1], [2]], [[1], [2]]]))) >= 2

    @pytest.mark.parametrize(
        "probs", [(0.5, 0.6), (0.5, 0.49), (-0.5, 1.5), (float("nan"), 1), (0, 0), (0.5, None)]
    )
    def test_bad_probabilities(self, probs: Any) -> None:
        with pytest.raises(ValueError, match="RandomChooseData"):
            RandomChooseData([(flow(1), p) if p is not None else flow(1) for p in probs])

    def test_no_length(self) -> None:
        with pytest.raises(NotImplementedError):
            len(RandomChooseData([flow(1)]))

    def test_ends_with_an_empty_one(self) -> None:
        assert list(RandomChooseData([flow(0)])) == []


class TestRandomMixData:
    def test_reference_sequence(self, seed: None) -> None:
        df = RandomMixData([flow(3), flow(4, 10)])
        df.reset_state()
        assert values(df) == [0, 1, 10, 2, 11, 12, 13]
        assert len(df) == 7

    @given(sizes=st.lists(st.integers(0, 8), min_size=1, max_size=5), rng_seed=st.integers(0, 99))
    def test_it_is_a_permutation_that_keeps_each_order(self, sizes: list[int], rng_seed: int) -> None:
        if not sum(sizes):
            return
        df = RandomMixData([source(*((k, i) for i in range(n))) for k, n in enumerate(sizes)])
        df.rng = np.random.RandomState(rng_seed)
        mixed = list(df)
        assert sorted(mixed) == [(k, i) for k, n in enumerate(sizes) for i in range(n)]
        for k, n in enumerate(sizes):
            assert [i for flow_, i in mixed if flow_ == k] == list(range(n))

    def test_all_positions_are_equally_likely(self, seed: None) -> None:
        df = RandomMixData([source("a"), source(*"bbb")])
        positions = collections.Counter("".join(df).index("a") for _ in range(4000))
        # seed 42 and 4000 passes: 1000 each, standard deviation 27
        assert sorted(positions) == [0, 1, 2, 3]
        assert all(abs(n - 1000) < 140 for n in positions.values())

    def test_lengths_are_needed_at_once(self) -> None:
        with pytest.raises(NotImplementedError):
            RandomMixData([flow(1), NoLength()])

    def test_all_empty(self) -> None:
        df = RandomMixData([flow(0), flow(0)])
        assert len(df) == 0
        with pytest.raises(ValueError, match="empty"):
            list(df)

    def test_some_empty(self) -> None:
        assert sorted(values(RandomMixData([flow(0), flow(2), flow(0)]))) == [0, 1]

    def test_a_length_that_is_not_true(self) -> None:
        df = RandomMixData([Lying(3), flow(4, 10)])
        for _ in range(2):
            assert sorted(values(df)) == [0, 1, 2, 10, 11, 12, 13]
        assert sorted(values(RandomMixData([Lying(9), flow(1, 10)]))) == [0, 1, 2, 3, 4, 10]

    def test_an_error_of_a_source(self) -> None:
        broken = Broken(3, 1)
        broken_with_length = DataFromList([0])
        df = RandomMixData([broken_with_length, flow(2)])
        df.df_lists[0] = broken
        df.sizes[0] = 3
        with pytest.raises(OSError, match="cable"):
            list(df)
        assert len(list(df)) == 5


class TestJoinData:
    def test_documented_examples(self) -> None:
        assert list(JoinData([source(["c1", "c2"]), source(["c3", "c4"])])) == [["c1", "c2", "c3", "c4"]]
        joined = list(JoinData([source({"a": "c1", "b": "c2"}), source({"c": "c3"})]))
        assert joined == [{"a": "c1", "b": "c2", "c": "c3"}]

    def test_the_later_dict_wins(self) -> None:
        assert list(JoinData([source({"a": 1, "b": 1}), source({"b": 2})])) == [{"a": 1, "b": 2}]

    def test_tuples(self) -> None:
        point = collections.namedtuple("point", "x y")
        assert list(JoinData([source((1,)), source([2]), source(point(3, 4))])) == [[1, 2, 3, 4]]

    def test_the_sources_stay_as_they_are(self) -> None:
        for dps in (([1], [2]), ({"a": 1}, {"b": 2})):
            [joined] = JoinData([source(dps[0]), source(dps[1])])
            joined.clear()
            assert all(dps)

    def test_it_ends_with_the_shortest(self) -> None:
        df = JoinData([flow(3), flow(2, 10), RepeatedData(flow(1, 20), -1)])
        assert list(df) == [[0, 10, 20], [1, 11, 20]]
        assert len(df) == 2

    def test_lengths(self) -> None:
        with pytest.raises(NotImplementedError):
            len(JoinData([flow(3), NoLength()]))
        with pytest.raises(InfiniteLengthError):
            len(JoinData([RepeatedData(flow(1), -1)]))

    def test_unequal_lengths_are_a_debug_message(self, monkeypatch: pytest.MonkeyPatch) -> None:
        messages: list[str] = []
        monkeypatch.setattr(logger, "debug", lambda text, *args: messages.append(text % args))
        JoinData([flow(3), flow(3)])
        JoinData([flow(3), flow(2)])
        JoinData([flow(3), NoLength()])
        assert len(messages) == 2
        assert "[3, 2]" in messages[0] and "NoLength" in messages[1]

    @pytest.mark.parametrize(
        "dps", [([1], {"a": 1}), ({"a": 1}, [1]), ([1], 5), (5, 6), ({"a": 1}, (1,)), ("ab", "cd")]
    )
    def test_lists_and_dicts_do_not_join(self, dps: tuple[Any, Any]) -> None:
        df = JoinData([source(dps[0]), source(dps[1])])
        kinds = rf"got an? {type(dps[0]).__name__}, an? {type(dps[1]).__name__}$"
        with pytest.raises(ValueError, match=f"^JoinData.*{kinds}"):
            list(df)
        df.df_lists[:] = [flow(1), flow(1)]
        assert list(df) == [[0, 0]]

    def test_the_same_instance_twice(self) -> None:
        df = flow(2)
        assert list(JoinData([df, df])) == [[0, 0], [1, 1]]

    def test_the_same_not_reentrant_instance_twice(self) -> None:
        cache = CacheData(flow(2))
        with pytest.raises(ReentrancyError, match="two instances"):
            list(JoinData([cache, cache]))
        assert values(cache) == [0, 1]


class TestConcatData:
    @given(sizes=st.lists(st.integers(0, 5), max_size=5))
    def test_length_and_order(self, sizes: list[int]) -> None:
        df = ConcatData([flow(n, 10 * k) for k, n in enumerate(sizes)])
        assert len(df) == len(list(df)) == sum(sizes)
        assert values(df) == [10 * k + i for k, n in enumerate(sizes) for i in range(n)]

    def test_lengths(self) -> None:
        with pytest.raises(NotImplementedError):
            len(ConcatData([flow(1), NoLength()]))
        with pytest.raises(InfiniteLengthError):
            len(ConcatData([flow(1), RepeatedData(flow(1), -1)]))
