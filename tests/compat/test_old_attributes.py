"""Attributes and methods that users' subclasses and scripts touch, by the names of the original."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from dataflow import (
    BatchDataByShape,
    DataFromList,
    FixedSizeData,
    JoinData,
    LocallyShuffleData,
    PrintData,
    RandomChooseData,
    TestDataSpeed,
)
from dataflow.utils import fix_rng_seed


def numbers(n: int) -> DataFromList:
    return DataFromList([[i] for i in range(n)], shuffle=False)


class TestQueueOfLocallyShuffleData:
    def test_is_a_deque_of_what_waits(self) -> None:
        df = LocallyShuffleData(numbers(9), 4)
        assert df.q == deque()
        df.reset_state()
        first = next(iter(df))
        assert len(df.q) == 4
        assert sorted([first, *df.q]) == [[i] for i in range(5)]

    @pytest.mark.parametrize("looked_at_after", [0, 1, 5, 8, 20])
    def test_looking_does_not_change_the_order(self, looked_at_after: int) -> None:
        def first_30(look: int) -> list[Any]:
            fix_rng_seed(42)
            df = LocallyShuffleData(numbers(10), 6, num_reuse=2, shuffle_interval=3)
            df.reset_state()
            found = []
            for dp in df:
                if len(found) == look:
                    assert isinstance(df.q, deque)
                found.append(dp)
                if len(found) == 30:
                    return found
            raise AssertionError("it ended")

        assert first_30(looked_at_after) == first_30(-1)

    def test_what_is_put_in_comes_out(self) -> None:
        df = LocallyShuffleData(numbers(3), 2, shuffle_interval=1000)
        df.reset_state()
        df.q.append(["mine"])
        df.q.appendleft(["first"])
        iterator = iter(df)
        assert [next(iterator) for _ in range(3)] == [["first"], ["mine"], [0]]

    def test_set(self) -> None:
        df = LocallyShuffleData(numbers(3), 2, shuffle_interval=1000)
        df.reset_state()
        df.q = deque([["a"], ["b"]])
        assert next(iter(df)) == ["a"]

    def test_a_subclass_with_a_loop_of_its_own(self) -> None:
        class Shuffled(LocallyShuffleData):
            def __iter__(self) -> Iterator[Any]:
                for dp in self.ds:
                    self.q.append(dp)
                    if len(self.q) > self.buffer_size:
                        self.rng.shuffle(self.q)
                        yield self.q.popleft()
                yield from self.q

        df = Shuffled(numbers(9), 4)
        df.reset_state()
        assert sorted(df) == [[i] for i in range(9)]

    def test_reset_empties_it(self) -> None:
        df = LocallyShuffleData(numbers(3), 2)
        df.reset_state()
        df.q.append(["old"])
        df.reset_state()
        assert not df.q


def test_holder_of_batch_data_by_shape() -> None:
    arrays = [[np.zeros(n)] for n in (1, 2, 1, 3)]
    df = BatchDataByShape(DataFromList(arrays, shuffle=False), 2, 0)
    df.reset_state()
    assert len(list(df)) == 1
    assert {shape: len(dps) for shape, dps in df.holder.items()} == {(2,): 1, (3,): 1}
    df.holder.clear()
    assert [len(batch[0]) for batch in df] == [2]


class TestIteratorOfFixedSizeData:
    def test_is_there_after_reset_and_goes_on(self) -> None:
        df = FixedSizeData(numbers(5), 3)
        df.reset_state()
        assert next(df.itr) == [0]
        assert list(df) == [[1], [2], [3]]

    def test_set(self) -> None:
        df = FixedSizeData(numbers(2), 3)
        df.reset_state()
        df.itr = iter([["mine"]])
        assert list(df) == [["mine"], [0], [1]]

    def test_without_keep_state_nothing_of_the_source_stays_open(self) -> None:
        inner = FixedSizeData(numbers(5), 4)
        df = FixedSizeData(inner, 3, keep_state=False)
        df.reset_state()
        assert list(df) == [[0], [1], [2]]
        assert len(list(inner)) == 4  # else: not reentrant
        next(iter(df))


def test_size_of_test_data_speed(capsys: pytest.CaptureFixture[str]) -> None:
    df = TestDataSpeed(numbers(9), 3)
    assert df.test_size == 3
    df.test_size = 5
    df.start()
    assert "5/5" in capsys.readouterr().err


def test_print_data(capsys: pytest.CaptureFixture[str]) -> None:
    class Short(PrintData):
        def _get_msg(self, dp: Any) -> str:
            return f"number {self.cnt}: {dp}"

    df = Short(numbers(5), num=2)
    df.reset_state()
    list(df)
    assert capsys.readouterr().out.splitlines()[-2:] == ["number 0: [0]", "number 1: [1]"]
    assert df.cnt == 2
    df.cnt = 0
    next(iter(df))
    assert "number 0" in capsys.readouterr().out


class TestDataflowsOfRandomChooseData:
    def test_are_what_was_given(self) -> None:
        a, b = numbers(1), numbers(2)
        assert RandomChooseData([a, b]).df_lists == [a, b]
        df = RandomChooseData([(a, 0.25), (b, 0.75)])
        assert df.df_lists == [(a, 0.25), (b, 0.75)]
        assert df.upstream == (a, b)

    def test_can_be_replaced(self) -> None:
        df = RandomChooseData([(numbers(1), 1.0)])
        df.df_lists = [(DataFromList([["new"]]), 1.0)]
        df.reset_state()
        assert list(df) == [["new"]]
        df.df_lists = df.df_lists * 2
        with pytest.raises(ValueError, match="2 dataflows, but 1 probabilities"):
            list(df)


@pytest.mark.parametrize("row", [np.array([7, 8]), (7, 8), [7, 8]])
def test_join_data_takes_rows_of_arrays(row: Any) -> None:
    lists, rows = DataFromList([[0]], shuffle=False), DataFromList([row], shuffle=False)
    assert list(JoinData([lists, rows])) == [[0, 7, 8]]
    assert list(JoinData([rows, lists])) == [[7, 8, 0]]
    assert list(JoinData([rows, rows])) == [[7, 8, 7, 8]]
