"""Small datapoints that travel together arrive as if each had travelled alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dataflow._transport.bundle import SMALL, Large, compact, dumps, loads
from dataflow._transport.connection import DATA, DROPPED
from tests.helpers.parallel import same

NUMBERS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.integers(-(10**40), 10**40)
)
VALUES = st.recursive(
    NUMBERS | st.text(max_size=9) | st.binary(max_size=9) | st.just(np.float32(2.5)) | st.just(np.arange(3)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def through(values: list[Any]) -> list[Any]:
    items = [compact(value) for value in values]
    return [value for _, _, _, value in loads(dumps(list(range(len(items))), items))]


@given(st.lists(VALUES | st.lists(NUMBERS, max_size=5) | st.tuples(NUMBERS, NUMBERS), max_size=20))
def test_types_and_values_are_kept(values: list[Any]) -> None:
    assert same(through(values), values)


def test_kinds_and_numbers() -> None:
    body = dumps([7, 8, 9], [compact([1]), None, compact("x")])
    assert list(loads(body, "me")) == [("me", DATA, 7, [1]), ("me", DROPPED, 8, None), ("me", DATA, 9, "x")]


def test_it_is_the_value_at_the_time() -> None:
    """A source may use one list for all its datapoints."""
    for value in ([0, 1], ["a", 1], {"a": 1}):
        item = compact(value)
        value.clear()
        (arrived,) = [v for *_, v in loads(dumps([0], [item]))]
        assert arrived


def test_datapoints_share_nothing() -> None:
    inner = [1]
    for value in ([1, 2], [inner, inner], {"k": inner}):
        first, second = through([value, value])
        assert first == second == value
        assert first is not second
    a, b = through([[inner, inner], [inner]])
    assert a[0] is a[1] is not b[0]


def test_large_ones_travel_alone() -> None:
    for value in (b"x" * SMALL, ["x" * SMALL], list(range(SMALL)), np.zeros(20_000), [1] * (SMALL // 2)):
        assert isinstance(compact(value), Large)
    assert compact((1, 2)) == (1, 2)
    assert not isinstance(compact(["x" * (SMALL // 2)]), Large)
