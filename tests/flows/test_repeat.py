"""RepeatedData, RepeatedDataPoint, FixedSizeData."""

from __future__ import annotations

import doctest
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow import FixedSizeData, RepeatedData, RepeatedDataPoint
from dataflow._flows import repeat as repeat_module
from dataflow.base import InfiniteLengthError, ReentrancyError
from tests.helpers.flows import Broken, NoLength, flow, values


def test_doctests() -> None:
    assert doctest.testmod(repeat_module).failed == 0


class TestRepeatedData:
    @pytest.mark.parametrize("num", [0, 1, 3])
    def test_finite(self, num: int) -> None:
        df = RepeatedData(flow(2), num)
        assert values(df) == [0, 1] * num
        assert len(df) == 2 * num
        assert values(df) == [0, 1] * num

    def test_for_ever(self) -> None:
        df = RepeatedData(flow(2), -1)
        assert values(df, 5) == [0, 1, 0, 1, 0]
        with pytest.raises(ValueError, match="never ends"):
            len(df)
        with pytest.raises(NotImplementedError):
            len(df)
        with pytest.raises(InfiniteLengthError):
            df.size()

    def test_for_ever_over_nothing_is_an_error(self) -> None:
        with pytest.raises(RuntimeError, match=r"NoLength.*no datapoint"):
            next(iter(RepeatedData(NoLength(0), -1)))
        assert list(RepeatedData(NoLength(0), 3)) == []

    def test_below_minus_one(self) -> None:
        with pytest.raises(ValueError, match="num"):
            RepeatedData(flow(2), -2)

    def test_without_a_length(self) -> None:
        df = RepeatedData(NoLength(2), 2)
        assert len(list(df)) == 4
        with pytest.raises(NotImplementedError):
            len(df)

    def test_the_source_is_closed_with_the_iterator(self) -> None:
        source = NoLength()
        iterator: Any = iter(RepeatedData(source, -1))
        next(iterator)
        assert source.open == 1
        iterator.close()
        assert source.open == 0


class TestRepeatedDataPoint:
    def test_same_object_repeated(self) -> None:
        df = RepeatedDataPoint(flow(2), 3)
        dps = list(df)
        assert dps == [[0]] * 3 + [[1]] * 3
        assert dps[0] is dps[2]
        assert len(df) == 6

    @pytest.mark.parametrize("num", [0, -1])
    def test_less_than_once(self, num: int) -> None:
        with pytest.raises(ValueError, match="num"):
            RepeatedDataPoint(flow(2), num)


@pytest.mark.parametrize("cls", [RepeatedData, RepeatedDataPoint])
def test_the_old_argument_nr(cls: Any) -> None:
    with pytest.warns(DeprecationWarning, match="'nr'.*'num'"):
        assert cls(flow(2), nr=2).num == 2


class TestFixedSizeData:
    @pytest.mark.parametrize(
        ("size", "keep", "passes"),
        [
            (3, True, [[1, 2, 3], [4, 5, 1], [2, 3, 4]]),
            (3, False, [[1, 2, 3], [1, 2, 3]]),
            (6, False, [[1, 2, 3, 4, 5, 1], [1, 2, 3, 4, 5, 1]]),
            (12, True, [[1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2], [3, 4, 5, 1, 2, 3, 4, 5, 1, 2, 3, 4]]),
            (5, True, [[1, 2, 3, 4, 5], [1, 2, 3, 4, 5]]),
            (0, True, [[], []]),
            (0, False, [[], []]),
        ],
    )
    def test_documented_examples(self, size: int, keep: bool, passes: list[list[int]]) -> None:
        df = FixedSizeData(flow(5, 1), size, keep)
        df.reset_state()
        assert [values(df) for _ in passes] == passes
        assert len(df) == size
        assert values(FixedSizeData(flow(5, 1), size, keep)) == passes[0]  # reset_state forgotten

    def test_broken_off(self) -> None:
        df = FixedSizeData(flow(5), 3)
        assert values(df, 1) == [0]
        assert values(df) == [1, 2, 3]
        df = FixedSizeData(flow(5), 3, keep_state=False)
        assert values(df, 1) == [0]
        assert values(df) == [0, 1, 2]

    def test_reset_starts_over(self) -> None:
        df = FixedSizeData(flow(5), 3)
        values(df)
        df.reset_state()
        assert values(df) == [0, 1, 2]

    def test_empty_source(self) -> None:
        source = NoLength(0)
        for keep in (True, False):
            df = FixedSizeData(source, 3, keep)
            source.n = 0
            with pytest.raises(RuntimeError, match=r"NoLength.*no datapoint"):
                list(df)
            source.n = 2
            assert values(df) == [0, 1, 0]

    @pytest.mark.parametrize("keep", [True, False])
    def test_an_error_of_the_source(self, keep: bool) -> None:
        df = FixedSizeData(Broken(5, 2), 4, keep)
        with pytest.raises(OSError, match="cable"):
            list(df)
        assert values(df) == [0, 1, 2, 3]

    def test_negative_size(self) -> None:
        with pytest.raises(ValueError, match="size"):
            FixedSizeData(flow(1), -1)

    def test_one_iterator_at_a_time(self) -> None:
        df = FixedSizeData(flow(5), 3)
        first = iter(df)
        second = iter(df)
        next(first)
        with pytest.raises(ReentrancyError):
            next(second)
        assert values(first) == [1, 2]
        assert values(df) == [3, 4, 0]

    def test_without_keep_state_the_source_is_free_after_a_pass(self) -> None:
        source = NoLength(5)
        values(FixedSizeData(source, 3, keep_state=False))
        assert source.open == 0

    def test_a_pickled_copy_starts_over(self) -> None:
        df = FixedSizeData(flow(5), 3)
        values(df)
        copy = pickle.loads(pickle.dumps(df))
        assert values(copy) == [0, 1, 2]
        assert values(df) == [3, 4, 0]

    def test_reset_state_of_a_subclass_without_super(self) -> None:
        class Mine(FixedSizeData):
            def reset_state(self) -> None:
                self.ready = True

        df = Mine(flow(3), 2)
        assert values(df) == [0, 1]
        assert values(df) == [2, 0]
        assert df.ready

    @given(n=st.integers(1, 6), size=st.integers(0, 15), passes=st.integers(1, 3))
    def test_with_keep_state_nothing_is_left_out(self, n: int, size: int, passes: int) -> None:
        df = FixedSizeData(flow(n), size)
        seen = [v for _ in range(passes) for v in values(df)]
        assert seen == [i % n for i in range(size * passes)]
