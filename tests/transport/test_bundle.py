"""Small datapoints that travel together arrive as if each had travelled alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow._transport.bundle import SMALL, Large, compact, dumps, loads
from dataflow._transport.pool import NO_VALUE
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
    numbers, arrived = loads(dumps(list(range(len(items))), items))
    assert list(numbers) == list(range(len(items)))
    return list(arrived)


@given(st.lists(VALUES | st.lists(NUMBERS, max_size=5) | st.tuples(NUMBERS, NUMBERS), max_size=20))
def test_types_and_values_are_kept(values: list[Any]) -> None:
    assert same(through(values), values)


@pytest.mark.parametrize("numbers", [[7, 8, 9], [(7,), (8, 9, 10), ()]])
def test_numbers_and_what_is_no_value(numbers: list[Any]) -> None:
    got, values = loads(dumps(numbers, [compact([1]), None, compact("x")]))
    assert list(got) == numbers
    assert list(values) == [[1], NO_VALUE, "x"]


class Stops:
    """Raises StopIteration when it is rebuilt."""

    def __reduce__(self) -> Any:
        return next, (iter(()),)


def test_one_that_can_not_be_rebuilt_does_not_end_the_bundle_without_a_word() -> None:
    _, values = loads(dumps([0, 1, 2], [compact(["a"]), compact(Stops()), compact(["b"])]))
    with pytest.raises(RuntimeError, match="can't be rebuilt"):
        list(values)


def test_it_is_the_value_at_the_time() -> None:
    """A source may use one list for all its datapoints."""
    for value in ([0, 1], ["a", 1], {"a": 1}):
        item = compact(value)
        value.clear()
        (arrived,) = loads(dumps([0], [item]))[1]
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
