"""A pipeline can be seen by printing it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from dataflow import (
    BatchData,
    ConcatData,
    DataFlow,
    DataFromList,
    FakeData,
    FixedSizeData,
    LocallyShuffleData,
    MapData,
    ProxyDataFlow,
    RandomChooseData,
    RepeatedData,
    SelectComponent,
)
from dataflow._core.describe import type_in_words
from tests.helpers.flows import flow


def half(dp: Any) -> Any:
    return dp


def test_a_source() -> None:
    assert repr(DataFromList([1, 2], shuffle=False)) == "DataFromList(lst=[1, 2], shuffle=False)"


def test_a_pipeline() -> None:
    df = BatchData(MapData(flow(2), half), 2)
    assert repr(df) == (
        "BatchData(\n"
        "  ds=MapData(\n"
        "    ds=DataFromList(lst=[[0], [1]], shuffle=False),\n"
        "    func=half),\n"
        "  batch_size=2, remainder=False, use_list=False)"
    )


def test_several_sources() -> None:
    df = ConcatData([flow(1), RepeatedData(flow(1), 2)])
    assert repr(df) == (
        "ConcatData(\n"
        "  df_lists=[\n"
        "    DataFromList(lst=[[0]], shuffle=False),\n"
        "    RepeatedData(\n"
        "      ds=DataFromList(lst=[[0]], shuffle=False),\n"
        "      num=2)])"
    )
    assert repr(RandomChooseData([(flow(1), 0.25), (flow(1), 0.75)])) == (
        "RandomChooseData(\n"
        "  df_lists=[\n"
        "    DataFromList(lst=[[0]], shuffle=False),\n"
        "    DataFromList(lst=[[0]], shuffle=False)],\n"
        "  probs=[0.25, 0.75])"
    )


def test_an_argument_called_like_a_method() -> None:
    assert "size=7," in repr(FixedSizeData(flow(1), 7))
    assert "size=7," in repr(FakeData([[1]], 7))


def test_a_function_that_makes_a_dataflow() -> None:
    assert "select [1]" in repr(SelectComponent(flow(1), [1]))


def test_old_argument_names_do_not_show() -> None:
    assert "cache_size" not in repr(LocallyShuffleData(flow(1), 5))
    assert "buffer_size=5" in repr(LocallyShuffleData(flow(1), 5))


def test_big_values_are_short() -> None:
    assert len(repr(DataFromList([[i] for i in range(10_000)]))) < 100
    assert len(repr(DataFromList(np.zeros((1000, 1000))))) < 100
    assert len(repr(DataFromList(["x" * 10_000]))) < 200
    lst = [[np.zeros((8, 9), np.uint8), 1]]
    assert repr(DataFromList(lst)) == "DataFromList(lst=[[<ndarray uint8 (8, 9)>, 1]], shuffle=True)"


def test_lambdas_and_local_functions() -> None:
    assert "lambda" in repr(MapData(flow(1), lambda dp: dp))


def test_an_argument_of_several_lines() -> None:
    class Lines:
        def __init__(self, n: int) -> None:
            self.n = n

        def __repr__(self) -> str:
            return "\n".join(["Lines("] + ["  x" * 30] * self.n + [")"])

    class Mine(ProxyDataFlow):
        def __init__(self, ds: Any, lines: Lines) -> None:
            self.ds = ds
            self.lines = lines

    line = "\n  " + "  x" * 30
    assert repr(Mine(flow(0), Lines(2))) == (
        "Mine(\n  ds=DataFromList(lst=[], shuffle=False),\n  lines=Lines(" + 2 * line + "\n  ))"
    )
    assert repr(Mine(flow(0), Lines(100))).count("\n") < 30


def test_subclasses_of_users() -> None:
    class Mine(ProxyDataFlow):
        def __init__(self, ds: Any, strength: float) -> None:
            self.ds = ds
            self._strength = strength

    class Bare(DataFlow):
        def __iter__(self) -> Iterator[Any]:
            yield 1

        @property
        def broken(self) -> Any:
            raise OSError

    assert repr(Mine(Bare(), 0.5)) == "Mine(\n  ds=Bare(),\n  strength=0.5)"


def test_a_dataflow_inside_itself() -> None:
    df = ConcatData([])
    df.df_lists.append(df)
    assert "..." in repr(df)


@pytest.mark.parametrize(
    "value, words",
    [
        (None, "None"),
        (1, "an int"),
        ("x", "a str"),
        ([], "a list"),
        (object(), "an object"),
        (np.zeros(2), "an ndarray"),
        (np.uint8(1), "a uint8"),
        (UnicodeError(), "a UnicodeError"),
    ],
)
def test_types_in_messages_have_the_right_article(value: Any, words: str) -> None:
    assert type_in_words(value) == words
