"""A datapoint to bytes and back."""

from __future__ import annotations

import dataclasses
import datetime
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dataflow._transport.codec import OUT_OF_BAND, decode, dumps_code, encode, loads_code


def round_trip(value: Any) -> Any:
    stream, buffers = encode(value)
    return decode(stream, [bytearray(b) for b in buffers])


def same(a: Any, b: Any) -> bool:
    """Equal values of equal types, all the way down."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        if a.dtype.hasobject:
            return all(same(x, y) for x, y in zip(a.ravel().tolist(), b.ravel().tolist(), strict=True))
        return a.tobytes() == b.tobytes()
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return same(list(a), list(b)) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, np.generic):
        return a.dtype == b.dtype and a.tobytes() == b.tobytes()
    return bool(a == b) or (a != a and b != b)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**200), 2**200)
    | st.floats()
    | st.complex_numbers()
    | st.text()
    | st.binary()
    | st.sampled_from([np.float32(1.5), np.uint8(3), np.bool_(True), np.datetime64("2020-01-01")])
)
DTYPES = (
    hnp.boolean_dtypes()
    | hnp.integer_dtypes()
    | hnp.floating_dtypes()
    | hnp.complex_number_dtypes()
    | hnp.datetime64_dtypes()
    | hnp.timedelta64_dtypes()
    | hnp.byte_string_dtypes(max_len=4)
    | hnp.unicode_string_dtypes(max_len=4)
    | hnp.array_dtypes(hnp.integer_dtypes() | hnp.floating_dtypes(), max_size=3)
)
ARRAYS = DTYPES.flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0, max_side=4)))
KEYS = st.text() | st.integers() | st.tuples(st.integers(), st.text()) | st.none()
VALUES = st.recursive(
    SCALARS | ARRAYS | st.sets(st.integers()) | st.frozensets(st.text()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_values_and_types_survive(value: Any) -> None:
    assert same(round_trip(value), value)


LARGE = np.arange(4 * OUT_OF_BAND, dtype=np.float32).reshape(4, -1)


@pytest.mark.parametrize(
    "array",
    [
        LARGE,
        np.asfortranarray(LARGE),
        LARGE[:, ::-1],
        LARGE[::2, 1::3],
        LARGE.astype("datetime64[s]"),
        np.zeros(5000, [("a", "<f4"), ("b", "u1", 3)]),
        np.broadcast_to(LARGE[0], (3, LARGE.shape[1])),
    ],
    ids=["C", "Fortran", "reversed", "strided", "datetime64", "structured", "broadcast"],
)
@pytest.mark.parametrize("writable", [True, False])
def test_large_arrays_go_out_of_band_and_arrive_writable(array: np.ndarray, writable: bool) -> None:
    if not writable:
        array = array.view()
        array.flags.writeable = False
    stream, buffers = encode([array, 1])
    assert len(stream) < 1000
    assert sum(b.nbytes for b in buffers) == array.nbytes
    got, one = decode(stream, [bytearray(b) for b in buffers])
    assert one == 1
    assert same(got, np.array(array))
    assert got.flags.writeable


def test_small_arrays_arrive_writable() -> None:
    array = np.arange(3)
    array.flags.writeable = False
    assert round_trip([array])[0].flags.writeable


@dataclasses.dataclass
class Box:
    x: int
    when: datetime.date


def test_objects() -> None:
    assert round_trip(Box(1, datetime.date(2020, 1, 2))) == Box(1, datetime.date(2020, 1, 2))
    assert round_trip({"f": len})["f"] is len


def test_shared_and_recursive_parts_stay_so() -> None:
    part = [1]
    whole: list[Any] = [part, part]
    whole.append(whole)
    got = round_trip(whole)
    assert got[0] is got[1]
    assert got[2] is got


def test_what_pickle_can_not_but_cloudpickle_can() -> None:
    assert round_trip([lambda x: x + 1])[0](2) == 3


def test_what_can_not_travel_is_named() -> None:
    with pytest.raises(TypeError, match=r"datapoint\[1\]\['lock'\] is a lock"):
        encode([1, {"lock": threading.Lock()}])


def test_code_travels() -> None:
    offset = 10

    class Local:
        def add(self, x: int) -> int:
            return x + offset

    assert loads_code(dumps_code(Local().add, "stage"))(1) == 11


def test_code_that_can_not_travel_is_named() -> None:
    class Holder:
        def __init__(self) -> None:
            self.inner = {"a": threading.Lock()}

    with pytest.raises(TypeError, match=r"stage can't be sent.*Holder.inner\['a'\] is a lock"):
        dumps_code(Holder(), "stage")
