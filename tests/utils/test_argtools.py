"""dataflow.utils.argtools."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from dataflow.utils import argtools
from dataflow.utils.argtools import (
    call_only_once,
    get_data_format,
    graph_memoized,
    log_once,
    map_arg,
    memoized,
    memoized_ignoreargs,
    memoized_method,
    shape2d,
    shape4d,
)


def test_map_arg():
    @map_arg(a=int, c=str)
    def f(a, /, b, *args, c=5, **kwargs):
        return a, b, args, c, kwargs

    assert f("1", 2, 3, 4, d=6) == (1, 2, (3, 4), 5, {"d": 6})  # a default is not mapped
    assert f("1", b=2, c=7) == (1, 2, (), "7", {})
    with pytest.raises(TypeError, match="no argument x"):
        map_arg(x=int)(lambda a: a)


def test_memoized():
    calls = []

    @memoized
    def f(x):
        calls.append(x)
        return [x]

    assert f(1) is f(1)
    f(2)
    assert calls == [1, 2]


def test_memoized_ignoreargs():
    calls = []

    @memoized_ignoreargs
    def f(*args, **kwargs):
        calls.append(args)

    assert f(1) is f(2, a=3) is None
    assert calls == [(1,)]


class Thing:
    def __init__(self):
        self.calls = []

    @memoized_method
    def get(self, x=0, y=0):
        self.calls.append((x, y))
        return None if x == "none" else [x, y]


class SubThing(Thing):
    @memoized_method
    def get(self, x=0, y=0):
        return ["sub", *super().get(x, y)]


def test_memoized_method():
    a, b = Thing(), Thing()
    assert a.get(1) is a.get(1)
    assert a.get(1) is not b.get(1)
    assert a.get(y=1) == [0, 1]
    assert a.get(y=2) == [0, 2]  # values of keywords count
    a.get("none"), a.get("none")
    assert a.calls == [(1, 0), (0, 1), (0, 2), ("none", 0)]
    assert SubThing().get(1) == ["sub", 1, 0]


def test_memoized_method_leaves_objects_picklable():
    a = Thing()
    a.get(1)
    for clone in (pickle.loads(pickle.dumps(a)), copy.deepcopy(a)):
        clone.get(1)
        assert clone.calls == [(1, 0), (1, 0)]


def test_graph_memoized_says_why():
    with pytest.raises(RuntimeError, match="TensorFlow"):

        @graph_memoized
        def f():
            pass


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_shape2d_of_an_integer(value):
    assert shape2d(value) == [3, 3]
    assert all(type(n) is int for n in shape2d(value))


def test_shape2d_of_a_pair():
    assert shape2d((1, 2)) == [1, 2]
    assert shape2d([1, 2]) == [1, 2]


@pytest.mark.parametrize("value", [True, 1.0, "ab", (1,), (1, 2, 3), np.array([1, 2]), None])
def test_shape2d_of_anything_else(value):
    with pytest.raises(RuntimeError, match="2-D shape"):
        shape2d(value)


def test_shape4d():
    assert shape4d(2) == shape4d(2, "NHWC") == shape4d(2, "channels_last") == [1, 2, 2, 1]
    assert shape4d((2, 3), "NCHW") == shape4d((2, 3), data_format="channels_first") == [1, 1, 2, 3]
    with pytest.raises(ValueError):
        shape4d(2, "HWC")


def test_get_data_format():
    assert get_data_format("NCHW") == get_data_format("channels_first") == "channels_first"
    assert get_data_format("NHWC", keras_mode=False) == get_data_format("channels_last", False) == "NHWC"
    with pytest.raises(ValueError, match="'NWC'"):
        get_data_format("NWC")


def test_log_once(capsys, monkeypatch):
    monkeypatch.setattr(argtools, "_logged", set())
    for _ in range(2):
        log_once("hello")
        log_once("hello", "info")
        log_once("hello", func="warn")
        log_once("100%")
    out = capsys.readouterr().out
    assert out.count("hello") == 2
    assert out.count("WRN hello") == 1
    assert out.count("@test_argtools.py") == 3


def test_call_only_once():
    class A:
        @call_only_once
        def f(self):
            return 1

        @property
        @call_only_once
        def p(self):
            return 2

    a = A()
    assert (a.f(), a.p, A().f()) == (1, 2, 1)
    with pytest.raises(RuntimeError, match="only once"):
        a.f()
    with pytest.raises(RuntimeError):
        _ = a.p
