"""PrintData and TestDataSpeed: what they show, and that nothing makes them fail."""

from __future__ import annotations

import collections
import io
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow import CacheData, DataFromList, FakeData, PrintData, TestDataSpeed
from dataflow._flows.print import describe_datapoint
from dataflow.utils import logger
from tests.helpers.flows import Broken, NoLength, StartsOver, flow, values


@pytest.fixture
def infos(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list that collects what is logged."""
    messages: list[str] = []
    for level in ("info", "warning"):
        monkeypatch.setattr(logger, level, lambda text, *args: messages.append(text % args))
    return messages


def source(*dps: Any) -> DataFromList:
    return DataFromList(list(dps), shuffle=False)


def ramp(shape: Any, dtype: str, low: float, high: float) -> np.ndarray:
    return np.linspace(low, high, int(np.prod(shape))).astype(dtype).reshape(shape)


class TestPrintData:
    def test_documented_example(self, infos: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        images = [ramp((64, 64), "int32", -128, 80), ramp((64, 64), "float32", 0.6845, 0.84)] * 25
        dp = [0.0816501893251, ramp(64, "int32", 0, 10), ramp((64, 64), "float32", -1.2248, 1.2177), images]
        df = PrintData(source(dp, dp, dp), num=2, max_list=2)
        assert len(df) == len(list(df)) == 3
        one = """ with 4 components consists of
   0: float with value 0.0816501893251
   1: ndarray:int32 of shape (64,) in range [0, 10]
   2: ndarray:float32 of shape (64, 64) in range [-1.2248, 1.2177]
   3: list of len 50
      0: ndarray:int32 of shape (64, 64) in range [-128, 80]
      1: ndarray:float32 of shape (64, 64) in range [0.6845, 0.8400]
      ...
"""
        assert capsys.readouterr().out == f"datapoint 0<2{one}datapoint 1<2{one}"
        assert infos == ["DataFlow Info:"]

    def test_name(self, infos: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        list(PrintData(flow(2), name="train"))
        assert infos == ["DataFlow Info (train):"]
        with pytest.warns(DeprecationWarning, match="'name'"):
            assert PrintData(flow(1), label="old").name == "old"  # type: ignore[call-arg]

    def test_once_after_each_reset(self, infos: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        df = PrintData(flow(3), num=2)
        for _ in range(2):
            df.reset_state()
            values(df, 1)
            assert capsys.readouterr().out.startswith("datapoint 0<2 ")
            assert values(df) == [0, 1, 2]
            assert capsys.readouterr().out.startswith("datapoint 1<2 ")
            values(df)
            assert capsys.readouterr().out == ""
        assert len(infos) == 2

    def test_num_0_prints_nothing(self, infos: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert values(PrintData(flow(2), num=0)) == [0, 1]
        assert capsys.readouterr().out == "" and infos == []

    def test_datapoints_are_passed_on_uncopied(self, capsys: pytest.CaptureFixture[str]) -> None:
        dps = [[1], (1,), {"a": 1}, "abc", None]
        assert all(a is b for a, b in zip(PrintData(source(*dps), num=9), dps, strict=True))

    def test_an_iterator(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert list(PrintData(iter([[1], [2]]))) == [[1], [2]]

    def test_a_pass_ends_where_the_source_ends(self) -> None:
        assert values(PrintData(StartsOver(3), num=5)) == [0, 1, 2]

    def test_a_terminal_without_the_characters(self, monkeypatch: pytest.MonkeyPatch) -> None:
        terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        monkeypatch.setattr(sys, "stdout", terminal)
        list(PrintData(source(["grün", "\ud800"])))
        terminal.flush()
        printed = terminal.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]
        assert r"gr\xfcn" in printed and r"\ud800" in printed

    def test_no_terminal_at_all(self, monkeypatch: pytest.MonkeyPatch, infos: list[str]) -> None:
        monkeypatch.setattr(sys, "stdout", None)
        assert values(PrintData(flow(1))) == [0]


def lines(component: Any, **limits: int) -> list[str]:
    head, *rest = describe_datapoint([component], **limits)
    assert head == "with 1 components consists of"
    return rest


Point = collections.namedtuple("Point", "x y")


class TestDescription:
    @pytest.mark.parametrize(
        ("component", "text"),
        [
            (7, "int with value 7"),
            (True, "bool with value True"),
            (1 + 2j, "complex with value (1+2j)"),
            ("some text", "str with value some text"),
            ("two\nlines", r"str with value 'two\nlines'"),
            (b"raw", "bytes with value b'raw'"),
            ("x" * 500, "str of len 500 with value " + "x" * 80 + "..."),
            (b"x" * 500, "bytes of len 500 with value b'" + "x" * 80 + "'..."),
            (np.float32(0.5), "float32 with value 0.5"),
            (np.int64(3), "int64 with value 3"),
            (None, "NoneType"),
            ({1, 2}, "set"),
            (10**100, "int with value 1" + "0" * 79 + "..."),
            (np.zeros((0, 3)), "ndarray:float64 of shape (0, 3)"),
            (np.array(["a"]), "ndarray:<U1 of shape (1,)"),
            (np.array([None, 1]), "ndarray:object of shape (2,)"),
            (np.array([1j]), "ndarray:complex128 of shape (1,)"),
            (np.zeros(2, "i4,f4"), "ndarray:[('f0', '<i4'), ('f1', '<f4')] of shape (2,)"),
            (np.array(5, "i8"), "ndarray:int64 of shape () in range [5, 5]"),
            (np.array([True, False]), "ndarray:bool of shape (2,) in range [False, True]"),
            (np.uint8([3, 255]), "ndarray:uint8 of shape (2,) in range [3, 255]"),
            (np.float16([0.5, 2]), "ndarray:float16 of shape (2,) in range [0.5000, 2.0000]"),
            (np.array([np.nan, 1, 2]), "ndarray:float64 of shape (3,) in range [1.0000, 2.0000], 1 nan"),
            (np.array([np.nan] * 2), "ndarray:float64 of shape (2,), all nan"),
            (np.array([-np.inf, 1e-9]), "ndarray:float64 of shape (2,) in range [-inf, 1.0000e-09]"),
            (np.array([0, 1e300]), "ndarray:float64 of shape (2,) in range [0.0000, 1.0000e+300]"),
            (
                np.array(["2020-01-01", "NaT"], "M8[D]"),
                "ndarray:datetime64[D] of shape (2,) in range [2020-01-01, 2020-01-01], 1 nan",
            ),
        ],
    )
    def test_one_line(self, component: Any, text: str) -> None:
        assert lines(component) == [f"   0: {text}"]

    def test_nested(self) -> None:
        assert lines({"im": [np.zeros(1, "u1")] * 2, 5: Point(1, "a"), "more": 0, "left": 0}) == [
            "   0: dict of len 4",
            "      im: list of len 2",
            "         0: ndarray:uint8 of shape (1,) in range [0, 0]",
            "         1: ndarray:uint8 of shape (1,) in range [0, 0]",
            "      5: Point of len 2",
            "         0: int with value 1",
            "         1: str with value a",
            "      more: int with value 0",
            "      ...",
        ]

    def test_max_depth(self) -> None:
        nested = [[[["deep"]]]]
        assert lines(nested, max_depth=1) == ["   0: list of len 1", "      ..."]
        assert lines(nested, max_depth=2) == ["   0: list of len 1", "      0: list of len 1", "         ..."]
        assert "deep" in "".join(lines(nested, max_depth=5))

    def test_max_list_leaves_the_datapoint_whole(self) -> None:
        assert len(describe_datapoint(list(range(50)), max_list=2)) == 51
        assert lines([1, 2, 3], max_list=3)[-1] == "      2: int with value 3"
        assert lines([], max_list=3) == ["   0: list of len 0"]
        assert lines([1], max_list=0) == ["   0: list of len 1", "      ..."]

    def test_a_dict_by_key(self) -> None:
        assert describe_datapoint({"label": 3}) == [
            "with 1 components consists of",
            "   label: int with value 3",
        ]

    def test_no_container(self) -> None:
        assert describe_datapoint(np.zeros(2)) == [
            "is not a list, tuple or dict, but",
            "   ndarray:float64 of shape (2,) in range [0.0000, 0.0000]",
        ]

    def test_a_list_in_itself(self) -> None:
        loop: list[Any] = []
        loop.append(loop)
        assert len(describe_datapoint(loop, max_depth=50)) == 52

    def test_classes_that_raise(self) -> None:
        class Bad(list):  # type: ignore[type-arg]
            def __len__(self) -> int:
                raise OSError

            def __iter__(self) -> Iterator[Any]:
                raise OSError

        class BadKey:
            def __repr__(self) -> str:
                raise OSError

        class BadFloat(float):
            __str__ = __repr__ = __format__ = BadKey.__repr__  # type: ignore[assignment]

        assert describe_datapoint(Bad()) == ["is of type Bad"]
        assert lines(Bad()) == ["   0: Bad"]
        assert lines({BadKey(): 1}) == ["   0: dict"]
        assert lines(10**9999)[0].startswith("   0: int")  # Python may refuse to print it
        assert lines(BadFloat(1)) == ["   0: BadFloat"]

    @given(
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.binary(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
        )
    )
    def test_any_datapoint(self, dp: Any) -> None:
        assert len(describe_datapoint(dp)) >= 1


class TestSpeed:
    def test_a_bar_per_phase(self, capsys: pytest.CaptureFixture[str], infos: list[str]) -> None:
        df = TestDataSpeed(flow(10), size=6, warmup=3)
        assert df.start() is None
        bars = capsys.readouterr().err
        assert "Warmup" in bars and "0/3" in bars and "6/6" in bars and "it/s" in bars
        assert infos == []

    def test_defaults(self, capsys: pytest.CaptureFixture[str], infos: list[str]) -> None:
        TestDataSpeed(flow(1)).start()
        assert infos == ["TestDataSpeed: the dataflow ended after 1 of 5000 datapoints"]

    @pytest.mark.parametrize(
        ("warmup", "report"), [(0, "3 of 6"), (2, "1 of 6"), (5, "3 of 5"), (3, "0 of 6")]
    )
    def test_a_dataflow_that_ends_early(
        self, warmup: int, report: str, capsys: pytest.CaptureFixture[str], infos: list[str]
    ) -> None:
        TestDataSpeed(flow(3), 6, warmup).start()
        assert infos == [f"TestDataSpeed: the dataflow ended after {report} datapoints"]

    def test_resets_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        counting = NoLength(9)
        df = TestDataSpeed(counting, 2)
        df.start()
        df.start()
        assert counting.resets == 1
        df = TestDataSpeed(counting, 2)
        df.reset_state()
        df.start()
        assert counting.resets == 2

    def test_iterating_tests_first(self, capsys: pytest.CaptureFixture[str]) -> None:
        df = TestDataSpeed(CacheData(flow(5)), 3)  # not reentrant: the test's iterator must be closed
        assert values(df) == [0, 1, 2, 3, 4]
        assert "3/3" in capsys.readouterr().err
        assert len(df) == 5

    def test_the_old_name(self, capsys: pytest.CaptureFixture[str]) -> None:
        df = TestDataSpeed(FakeData([[2]], 4), 4)
        with pytest.warns(DeprecationWarning, match=r"start\(\)") as seen:
            df.start_test()
        assert seen[0].filename == __file__
        assert "4/4" in capsys.readouterr().err

    def test_an_error_of_the_source(self, capsys: pytest.CaptureFixture[str]) -> None:
        df = TestDataSpeed(Broken(5, 2), 4)
        with pytest.raises(OSError, match="cable"):
            df.start()
        df.start()

    @pytest.mark.parametrize("arguments", [(-1,), (1, -1)])
    def test_bad_numbers(self, arguments: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match="TestDataSpeed"):
            TestDataSpeed(flow(1), *arguments)
