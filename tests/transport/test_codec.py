"""A datapoint to bytes and back."""

from __future__ import annotations

import sys
import threading
import types
from typing import Any
from unittest import mock

import numpy as np
import pytest

from dataflow._transport import codec
from tests.helpers.parallel import same


def back(obj: Any) -> Any:
    stream, buffers = codec.encode(obj)
    return codec.decode(stream, [bytearray(b) for b in buffers])


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 5), "f4"),
        np.array(3.5),
        np.arange(10_000.0),
        np.asfortranarray(np.arange(40_000).reshape(200, 200)),
        np.arange(40_000).reshape(20, 20, 100).transpose(2, 0, 1),
        np.arange(40_000)[::-3],
        np.broadcast_to(np.arange(10), (3000, 10)),
        np.array(["a", None, {1: 2}], object),
        np.zeros(3000, [("a", "i4"), ("b", "f8", 2)]),
        np.array(["2020-01-01", "NaT"] * 3000, "M8[D]"),
        np.array([1, 2], "m8[s]"),
        np.array([b"ab", b"c"]),
        np.array(["ab", "\u20ac"] * 5000),
        np.arange(5000, dtype=">u2"),
        np.ones(3000, np.longdouble),
        np.zeros(20_000, bool),
    ],
    ids=lambda a: f"{a.dtype}-{a.shape}".replace(" ", ""),
)
@pytest.mark.parametrize("writeable", [True, False])
def test_arrays(array: Any, writeable: bool) -> None:
    if not writeable:
        array = array.view()
        array.flags.writeable = False
    got = back([array, {"x": (array, array)}])
    assert same([array, {"x": (array, array)}], got)
    if array.flags.f_contiguous and array.ndim > 1:
        assert got[0].flags.f_contiguous
    before = array.copy()
    got[0][...] = np.zeros((), array.dtype)
    assert same(before, array.copy()), "a copy"
    assert got[0] is got[1]["x"][0] is got[1]["x"][1], "what was one object is one"


def test_large_arrays_go_out_of_band_and_small_ones_do_not() -> None:
    large, small = np.zeros(codec.OUT_OF_BAND, np.uint8), np.zeros(codec.OUT_OF_BAND - 1, np.uint8)
    for array, n in [
        (large, 1),
        (small, 0),
        (large[::-1], 1),
        (large.reshape(4, 4, -1).transpose(1, 0, 2), 1),
    ]:
        stream, buffers = codec.encode([array])
        assert len(buffers) == n
        assert len(stream) < 300 or not n


def test_not_more_buffers_than_a_frame_can_count(monkeypatch: Any) -> None:
    monkeypatch.setattr(codec, "MAX_BUFFERS", 3)
    dp = [np.full(20_000, i, np.uint8) for i in range(5)]
    assert len(codec.encode(dp)[1]) == 3
    assert same(dp, back(dp))


def test_what_can_not_be_pickled_is_named() -> None:
    class Holder:
        def __init__(self) -> None:
            self.me = self  # a part that refers to the whole
            self.lock = threading.Lock()

    cyclic: list[Any] = [1]
    cyclic += [cyclic, threading.Lock()]
    for dp, text in [
        ([1, {"a": (2, threading.Lock())}], r"datapoint\[1\]\['a'\]\[1\] is a lock"),
        (cyclic, r"datapoint\[2\] is a lock"),
        ([Holder()], r"datapoint\[0\].lock is a lock"),
        ((x for x in ()), r"datapoint is a generator"),
    ]:
        with pytest.raises(TypeError, match=text):
            codec.encode(dp)
    with pytest.raises(TypeError, match=r"Stage can't be sent to a worker process: .*Holder.lock is a lock"):
        codec.dumps_code(Holder(), "Stage")


def test_arrays_beside_what_only_cloudpickle_sends() -> None:
    small, large, times = np.zeros(3), np.zeros(100_000), np.zeros(5000, ">M8[s]")
    small.flags.writeable = large.flags.writeable = False
    dp = [small, large[::2], times, {"f": times[:3]}]
    for got in (back(dp), back([*dp, lambda: 1])[:4]):
        assert same(dp, got)
    assert len(codec.encode([*dp, lambda: 1])[1]) == len(codec.encode(dp)[1]) == 2


def test_what_has_a_name_is_the_same_on_the_other_side() -> None:
    main = types.ModuleType("__main__")
    exec("class Point: pass", main.__dict__)
    with mock.patch.dict(sys.modules, {"__main__": main}):
        point = main.Point()
        for dp in ([point], [point, lambda: 1], [main.Point, lambda: 1]):
            got = back(dp)[0]
            assert got is main.Point or type(got) is main.Point


def test_code_keeps_its_file_and_its_read_only_arrays() -> None:
    array = np.zeros(3, ">M8[s]")
    array.flags.writeable = False

    def function() -> Any:
        return lambda: array

    got = codec.loads_code(codec.dumps_code(function, "it"))
    assert got.__code__.co_filename == got().__code__.co_filename == __file__
    assert got()().dtype == array.dtype


def test_local_functions_and_classes_travel() -> None:
    class Local:
        x = 3

    assert codec.loads_code(codec.dumps_code(lambda: Local.x, "it"))() == 3
    assert back([Local()])[0].x == 3
