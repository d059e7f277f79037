"""Iterables that need help to be sources."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dataflow import DataFromIterable, DataFromList
from dataflow._core.sources import as_source


class Squares:
    """A data set as those of torch: it computes what it is asked for."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, i: int) -> list[int]:
        return [i * i]


class Restarts:
    """An iterator that starts over."""

    def __init__(self) -> None:
        self.i = 0

    def __iter__(self) -> Restarts:
        return self

    def __next__(self) -> int:
        self.i += 1
        if self.i % 3 == 0:
            raise StopIteration
        return self.i


@pytest.mark.parametrize(
    "ds",
    [[1], (1,), "ab", {"a": 1}, range(3), {1}, DataFromList([1]), None, 5],
    ids=lambda x: type(x).__name__,
)
def test_what_is_a_source_stays_itself(ds: Any) -> None:
    assert as_source(ds) is ds


@pytest.mark.parametrize(
    "make",
    [
        lambda: iter([1, 2]),
        lambda: (i for i in (1, 2)),
        lambda: map(int, "12"),
        lambda: zip([1], [2], strict=True),
        lambda: iter({"a": 1}),
    ],
)
def test_iterators_have_one_pass(make: Any) -> None:
    source = as_source(make())
    assert as_source(source) is source
    assert list(source) == list(make())
    for _ in range(2):
        with pytest.raises(RuntimeError, match="nothing left"):
            list(source)


def test_iterators_that_were_not_read_to_the_end_go_on() -> None:
    source = as_source(iter(range(5)))
    for _ in range(2):
        for _ in source:
            break
    assert list(source) == [2, 3, 4]


def test_iterators_that_start_over_may() -> None:
    source = as_source(Restarts())
    assert [list(source) for _ in range(3)] == [[1, 2], [4, 5], [7, 8]]


def test_an_empty_iterator_has_a_first_pass() -> None:
    assert list(as_source(iter(()))) == []


def test_sequences_end_at_their_length() -> None:
    source = as_source(Squares())
    assert len(source) == 4 and source[3] == [9] and "Squares" in repr(source)
    for _ in range(2):
        assert list(source) == [[0], [1], [4], [9]]
    for df in (DataFromList(Squares(), shuffle=False), DataFromIterable(Squares())):
        assert list(df) == [[0], [1], [4], [9]]  # type: ignore[arg-type]


def test_a_dataflow_that_is_an_iterator_is_its_own_business() -> None:
    class Odd:
        def reset_state(self) -> None:
            pass

        def __iter__(self) -> Iterator[int]:
            return self

        def __next__(self) -> int:
            raise StopIteration

    odd = Odd()
    assert as_source(odd) is odd
