"""Memory is used again when nobody can see it any more, and not before."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow._core.lease import Recycler
from dataflow.common import BatchData
from dataflow.raw import DataFromList

MEGABYTE = (1 << 20,)


def address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def test_memory_is_used_again_when_the_last_array_over_it_is_garbage() -> None:
    recycler = Recycler()
    first = recycler.empty((1024, 1024), np.float32)
    place = address(first)
    derived: list[Any] = [first.T, first[5:7], np.asarray(first).view(np.uint8), memoryview(first)]
    del first
    while derived:
        other = recycler.empty((1024, 1024), np.float32)
        assert address(other) != place
        del other
        derived.pop()
        gc.collect()
    both = [recycler.empty((4 << 20,), np.uint8), recycler.empty((1 << 19,), "i8")]
    assert place in map(address, both), "the other one has the memory of ``other``"


def test_arrays_are_as_others() -> None:
    recycler = Recycler()
    many = 1 << 20
    for shape, dtype in (((3, many), "f8"), ((2,), "i4"), ((0, 5), "u1"), ((many,), "O"), ((many,), "M8[s]")):
        array = recycler.empty(shape, dtype)
        assert array.shape == shape and array.dtype == np.dtype(dtype)
        assert array.flags.writeable and array.flags.c_contiguous and array.flags.aligned
        array[...] = array


def test_little_is_kept() -> None:
    tracemalloc.start()
    try:
        recycler = Recycler()
        held = [recycler.empty(MEGABYTE, np.uint8) for _ in range(10)]
        held.clear()
        for size in range(1, 20):
            recycler.empty(((1 << 20) + size,), np.uint8)
            assert tracemalloc.get_traced_memory()[0] < 4 << 20
    finally:
        tracemalloc.stop()


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.sampled_from([1, 2])), max_size=60))
@settings(max_examples=30)
def test_what_is_held_never_changes(steps: list[tuple[bool, int, int]]) -> None:
    recycler, held = Recycler(), list[Any]()
    for n, (drop, which, megabytes) in enumerate(steps):
        if drop and held:
            held.pop(which % len(held))
            continue
        array = recycler.empty((megabytes << 20,), np.uint8)
        array[:] = n % 251
        held.append((n % 251, array[which:]))
    assert all((array[::4096] == n).all() for n, array in held)


def test_batches_that_are_kept_keep_their_values() -> None:
    df = BatchData(
        DataFromList([[np.full((512, 1024), i, np.uint8), i] for i in range(12)], shuffle=False), 2
    )
    df.reset_state()
    batches = list(df)
    assert [b[0][:, 0, 0].tolist() for b in batches] == [[2 * i, 2 * i + 1] for i in range(6)]
    places = [address(b[0]) for b in df]
    assert len(set(places)) < len(places), "memory is used again"
