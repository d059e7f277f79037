"""The two formats on the wire, and keys."""

from __future__ import annotations

import contextlib
import struct
from typing import Any

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
import zmq
from hypothesis import given

from dataflow._remote.curve import curve_of
from dataflow._remote.wire import choose_format, dump_arrays, load_arrays
from dataflow.utils import serialize

CODES = {
    "float32": 1,
    "float64": 2,
    "int32": 3,
    "uint8": 4,
    "int16": 5,
    "int8": 6,
    "complex64": 8,
    "int64": 9,
    "bool": 10,
    "uint16": 17,
    "complex128": 18,
    "float16": 19,
    "uint32": 22,
    "uint64": 23,
}


def test_the_layout_of_zmq_ops() -> None:
    image = np.arange(6, dtype=np.uint8).reshape(2, 3)
    expected = struct.pack("<i", 3)
    expected += struct.pack("<iiiiq", 4, 2, 2, 3, 6) + bytes(range(6))
    expected += struct.pack("<iiqi", 3, 0, 4, -7)  # a Python int: int32, no dimensions
    expected += struct.pack("<iiqf", 1, 0, 4, 0.5)  # a Python float: float32
    assert dump_arrays([image, -7, 0.5]) == expected
    assert dump_arrays((image, -7, 0.5)) == expected


@pytest.mark.parametrize("name, code", CODES.items())
def test_every_dtype_has_its_code(name: str, code: int) -> None:
    array = np.array([[1, 0, 1]], name)
    data = dump_arrays([array])
    assert struct.unpack_from("<ii", data, 4) == (code, 2)
    [back] = load_arrays(data)
    np.testing.assert_array_equal(back, array)
    assert back.dtype == array.dtype and back.flags.writeable


@given(
    st.lists(
        st.sampled_from(list(CODES)).flatmap(
            lambda name: hnp.arrays(name, hnp.array_shapes(min_dims=0, min_side=0, max_dims=4, max_side=4))
        ),
        max_size=4,
    )
)
def test_arrays_come_back(arrays: list[np.ndarray]) -> None:
    back = load_arrays(memoryview(dump_arrays(arrays)))
    assert [a.dtype for a in back] == [a.dtype for a in arrays]
    for ours, theirs in zip(arrays, back, strict=True):
        np.testing.assert_array_equal(theirs, ours)


def test_order_of_bytes_and_of_memory_do_not_matter() -> None:
    array = np.arange(12, dtype=">i4").reshape(3, 4).T
    [back] = load_arrays(dump_arrays([array]))
    np.testing.assert_array_equal(back, array)
    [scalar] = load_arrays(dump_arrays([np.float64(2.5)]))
    assert scalar.dtype == np.float64 and scalar == 2.5


@pytest.mark.parametrize(
    "dp, error, words",
    [
        ({"a": 1}, TypeError, "list or tuple"),
        ([np.zeros(2), "text"], TypeError, "component 1: .*str"),
        ([np.array([None])], TypeError, "object"),
        ([2**31], ValueError, "int32"),
        ([np.zeros((1,) * 9)], ValueError, "8 dimensions"),
    ],
)
def test_what_has_no_place_in_zmq_ops(dp: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        dump_arrays(dp)


@given(st.binary(max_size=60))
def test_any_bytes_are_arrays_or_a_value_error(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert dump_arrays(load_arrays(data)) == data


@given(st.integers(0, 59), st.integers(1, 255))
def test_a_damaged_message_is_arrays_or_a_value_error(at: int, change: int) -> None:
    data = bytearray(dump_arrays([np.arange(4, dtype=np.int16), np.ones((2, 2), np.float32)]))
    data[at % len(data)] ^= change
    with contextlib.suppress(ValueError):
        load_arrays(data)


@pytest.mark.parametrize("cut", [0, 3, 10, 20, 30])
def test_a_cut_message_is_a_value_error(cut: int) -> None:
    data = dump_arrays([np.arange(10)])
    with pytest.raises(ValueError, match="zmq_ops"):
        load_arrays(data[:cut])
    with pytest.raises(ValueError, match="too many"):
        load_arrays(data + b"x" * (cut + 1))


def test_names_of_formats() -> None:
    assert choose_format(None, "x").dumps is serialize.dumps
    assert choose_format("zmq_op", "x") == choose_format("zmq_ops", "x")
    with pytest.raises(ValueError, match=r"here: .*'json'"):
        choose_format("json", "here")


PUBLIC, SECRET = zmq.curve_keypair()


@pytest.mark.parametrize(
    "keys",
    [
        (SECRET, None, None, None),
        (None, [PUBLIC], None, None),
        (None, None, PUBLIC, None),
        (None, None, None, SECRET),
        (SECRET, [PUBLIC], PUBLIC, SECRET),
        (SECRET, [PUBLIC], PUBLIC, None),
    ],
)
def test_keys_that_do_not_go_together(keys: tuple) -> None:
    with pytest.raises(ValueError, match="server_secretkey and client_keys"):
        curve_of(*keys)


def test_keys_that_are_none() -> None:
    secret = "this is much too short"
    with pytest.raises(ValueError, match="server_secretkey: expected a key of 40") as info:
        curve_of(secret, [PUBLIC], None, None)
    assert secret not in str(info.value)
    for bad in (b"#" * 40, " " * 40, "ö" * 40):  # too large a number, not in the alphabet
        with pytest.raises(ValueError, match="client_keys"):
            curve_of(SECRET, [bad], None, None)
    with pytest.raises(TypeError, match="single"):
        curve_of(SECRET, PUBLIC, None, None)
    with pytest.raises(TypeError, match="int"):
        curve_of(None, None, PUBLIC, 5)  # type: ignore[arg-type]


def test_keys_may_be_text_and_are_not_shown() -> None:
    curve = curve_of(None, None, PUBLIC.decode(), SECRET.decode())
    assert curve == curve_of(None, None, PUBLIC, SECRET)
    assert SECRET.decode() not in repr(curve)
    assert curve_of(None, None, None, None) is None
