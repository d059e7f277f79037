"""BatchData, BatchDataByShape, and the rules for dtypes."""

from __future__ import annotations

import doctest
import enum
import weakref
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dataflow import BatchData, BatchDataByShape, DataFromGenerator, DataFromList, RepeatedData
from dataflow._flows import batch as batch_module
from dataflow._flows.batch import aggregate
from dataflow.base import InfiniteLengthError, ReentrancyError
from tests.helpers.flows import Broken, NoLength, StartsOver, flow, values


def source(dps: list[Any]) -> DataFromList:
    return DataFromList(dps, shuffle=False)


def batch_of(*items: Any) -> Any:
    """Batch datapoints of one component; return that component."""
    [component] = BatchData.aggregate_batch([[item] for item in items])
    return component


def test_doctests() -> None:
    assert doctest.testmod(batch_module).failed == 0


class TestBatches:
    @pytest.mark.parametrize("remainder, n", [(False, 1), (True, 2)])
    def test_a_pass_ends_where_the_source_ends(self, remainder: bool, n: int) -> None:
        df = BatchData(StartsOver(3), 2, remainder=remainder)
        assert [len(list(df)) for _ in range(3)] == [n] * 3

    def test_arrays_are_stacked(self) -> None:
        images = [np.full((2, 3), i, np.uint8) for i in range(4)]
        batches = list(BatchData(source([[im, i] for i, im in enumerate(images)]), 2))
        assert len(batches) == 2
        np.testing.assert_array_equal(batches[1][0], np.stack(images[2:]))
        assert batches[1][0].dtype == np.uint8 and batches[1][0].flags.writeable
        np.testing.assert_array_equal(batches[1][1], [2, 3])

    def test_remainder(self) -> None:
        df = BatchData(flow(5), 2)
        assert [b.tolist() for b in values(df)] == [[0, 1], [2, 3]]
        assert len(df) == 2
        df = BatchData(flow(5), 2, remainder=True)
        assert [b.tolist() for b in values(df)] == [[0, 1], [2, 3], [4]]
        assert len(df) == 3
        assert len(BatchData(flow(4), 2, remainder=True)) == 2

    def test_nothing_is_kept_between_passes(self) -> None:
        df = BatchData(flow(3), 2)
        assert [b.tolist() for b in values(df)] == [b.tolist() for b in values(df)] == [[0, 1]]

    @pytest.mark.parametrize("cls", [BatchData, lambda ds, n: BatchDataByShape(ds, n, 0)])
    def test_no_memory_is_held_while_the_consumer_has_the_batch(self, cls: Any) -> None:
        alive: list[weakref.ref[np.ndarray]] = []

        def datapoint() -> Any:
            image = np.zeros(5)
            alive.append(weakref.ref(image))
            return [image]

        def images() -> Any:
            for _ in range(6):
                yield datapoint()

        batches: list[Any] = []
        for [batch] in cls(DataFromGenerator(images), 2):
            assert all(ref() is None for ref in alive + batches)
            batches.append(weakref.ref(batch))
            del batch
        assert len(batches) == 3

    def test_use_list_keeps_the_objects(self) -> None:
        objects = [object() for _ in range(2)]
        [[components, numbers]] = BatchData(source([[o, 1] for o in objects]), 2, use_list=True)
        assert type(components) is list and all(a is b for a, b in zip(components, objects, strict=True))
        assert numbers == [1, 1]

    @pytest.mark.parametrize("use_list", [True, False])
    def test_dicts(self, use_list: bool) -> None:
        dps = [{"a": 1, "b": "x"}, {"b": "y", "a": 2}]
        [batch] = BatchData(source(dps), 2, use_list=use_list)
        assert type(batch) is dict and list(batch) == ["a", "b"]
        assert list(batch["a"]) == [1, 2] and list(batch["b"]) == ["x", "y"]

    def test_tuples_make_lists_and_may_be_mixed_with_lists(self) -> None:
        [batch] = BatchData(source([(1, 2), [3, 4]]), 2)
        assert type(batch) is list
        assert [c.tolist() for c in batch] == [[1, 3], [2, 4]]

    def test_length_of_odd_sources(self) -> None:
        with pytest.raises(NotImplementedError):
            len(BatchData(NoLength(), 2))
        with pytest.raises(InfiniteLengthError):
            len(BatchData(RepeatedData(flow(2), -1), 2))
        assert len(list(BatchData(NoLength(5), 2))) == 2

    def test_empty_source(self) -> None:
        assert list(BatchData(NoLength(0), 2)) == []
        assert list(BatchData(flow(0), 2, remainder=True)) == []

    def test_batch_size_is_truncated(self) -> None:
        assert BatchData(flow(5), 2.9).batch_size == 2  # type: ignore[arg-type]

    def test_attributes(self) -> None:
        df = BatchData(flow(9), 3, True, True)
        assert (df.batch_size, df.remainder, df.use_list, len(df.ds)) == (3, True, True, 9)


class TestBadBatches:
    @pytest.mark.parametrize("size", [0, -1])
    def test_sizes_below_one(self, size: int) -> None:
        with pytest.raises(ValueError, match="batch_size"):
            BatchData(flow(3), size)

    def test_a_size_that_is_no_number(self) -> None:
        with pytest.raises(TypeError, match="batch_size"):
            BatchData(flow(3), None)  # type: ignore[arg-type]

    @pytest.mark.parametrize("cls", [BatchData, lambda ds, n: BatchDataByShape(ds, n, 0)])
    @pytest.mark.parametrize("n", [0, 3])
    def test_more_than_there_are(self, cls: Any, n: int) -> None:
        with pytest.raises(ValueError, match="remainder=True"):
            cls(flow(n), 4)

    @pytest.mark.parametrize(
        ("dps", "error", "words"),
        [
            ([[1], {"a": 1}], ValueError, "dict"),
            ([{"a": 1}, [1]], ValueError, "list"),
            ([[1, 2], [1]], IndexError, "2 components"),
            ([[1], [1, 2]], IndexError, "1 components, another one 2"),
            ([(1, 2), [1, 2, 3]], IndexError, "another one 3"),
            ([{"a": 1, "b": 1}, {"a": 1}], KeyError, "b"),
            ([{"a": 1}, {"a": 1, "more": 1}], KeyError, "more"),
            ([{"a": 1}, {"b": 1}], KeyError, "lacks .*a"),
            ([5, 6], ValueError, "int"),
            ([None, None], ValueError, "NoneType"),
        ],
    )
    @pytest.mark.parametrize("use_list", [True, False])
    def test_datapoints_that_do_not_match(
        self, dps: Any, error: type[Exception], words: str, use_list: bool
    ) -> None:
        with pytest.raises(error, match=words):
            list(BatchData(source(dps), 2, use_list=use_list))

    def test_ragged_shapes_are_named(self) -> None:
        dps = [["a", np.zeros((2, 3))], ["b", np.zeros((2, 3))], ["c", np.zeros((4, 3))]]
        with pytest.raises(ValueError, match=r"component 1.*\(2, 3\), \(4, 3\)"):
            list(BatchData(source(dps), 3))

    def test_ragged_shapes_in_a_dict(self) -> None:
        dps: list[Any] = [{"img": np.zeros(1)}, {"img": np.zeros((1, 1))}]
        with pytest.raises(ValueError, match=r"component 'img'.*\(1,\), \(1, 1\)"):
            list(BatchData(source(dps), 2))

    def test_shapes_that_would_broadcast_are_ragged_too(self) -> None:
        with pytest.raises(ValueError, match="shapes"):
            batch_of(np.zeros(3), np.zeros(1))
        with pytest.raises(ValueError, match="shapes"):
            batch_of(np.zeros(3), 5)
        with pytest.raises(ValueError, match="shapes"):
            batch_of(1, np.zeros(1, np.int32))

    @pytest.mark.parametrize("item", [None, [1, 2], (1,), {"a": 1}, 1j, object(), bytearray(b"x")])
    def test_types_that_have_no_place_in_an_array(self, item: Any) -> None:
        with pytest.raises(TypeError, match=f"component 0.*{type(item).__name__}.*use_list=True"):
            batch_of(item, item)

    def test_the_dataflow_goes_on_after_an_error(self) -> None:
        dps = [[1], [2**40], [3], [4]]
        df = BatchData(source(dps), 2)
        with pytest.raises(ValueError):
            list(df)
        dps[1] = [2]
        assert [b.tolist() for b in values(df)] == [[1, 2], [3, 4]]

    def test_an_error_of_the_source(self) -> None:
        df = BatchData(Broken(4, 3), 2)
        batches = iter(df)
        assert next(batches)[0].tolist() == [0, 1]
        with pytest.raises(OSError, match="cable"):
            next(batches)
        assert [b.tolist() for b in values(df)] == [[0, 1], [2, 3]]


class Colour(enum.IntEnum):
    RED = 1
    BLUE = 2


class TestDtypes:
    @pytest.mark.parametrize(
        ("items", "dtype"),
        [
            ([1, 2], "int32"),
            ([True, False], "int32"),
            ([True, 5], "int32"),
            ([5, True], "int32"),
            ([2**31 - 1, -(2**31)], "int32"),
            ([Colour.RED, Colour.BLUE], "int32"),
            ([0.5, 2.5], "float32"),
            ([0.5, 3], "float32"),
            ([float("inf"), float("nan")], "float32"),
            ([1, 2.0], "int32"),
            ([1, np.int64(7)], "int32"),
            (["a", "long"], "<U4"),
            ([b"a", b"long"], "S4"),
            ([np.str_("ab"), "c"], "<U2"),
            ([np.float64(1), np.float64(2)], "float64"),
            ([np.float64(1), 2.5], "float64"),
            ([np.int64(1), np.int64(2**40)], "int64"),
            ([np.bool_(True), np.bool_(False)], "bool"),
            ([np.float16(1), np.float16(2)], "float16"),
            ([np.complex64(1j), np.complex64(2)], "complex64"),
            ([np.uint8(1), np.int64(255)], "uint8"),
            ([np.datetime64("2020-01-01"), np.datetime64("2020-01-02T00")], "datetime64[D]"),
            ([np.zeros(2, "f4"), np.ones(2, "f8")], "float32"),
            ([np.zeros(2, "f8"), np.ones(2, "f4")], "float64"),
            ([np.zeros(2, "f8"), np.ones(2, "i4")], "float64"),
            ([np.zeros(2, "i4"), np.ones(2, "i8")], "int32"),
            ([np.zeros(2, ">i4"), np.ones(2, "<i4")], ">i4"),
            ([np.array(1), np.array(2)], np.array(1).dtype),
            ([np.array(["a"]), np.array(["long"])], "<U4"),
            ([np.array([None]), np.array([[1]], object)[0]], "object"),
            ([np.array(None), np.array({}, object)], "object"),
            ([np.zeros(2, "i4,f4"), np.ones(2, "i4,f4")], "i4,f4"),
            ([np.zeros((0, 3)), np.zeros((0, 3))], "float64"),
        ],
    )
    def test_the_first_value_decides(self, items: list[Any], dtype: Any) -> None:
        batch = batch_of(*items)
        assert batch.dtype == np.dtype(dtype)
        assert batch.shape == (len(items), *np.shape(items[0]))
        for row, item in zip(batch, items, strict=True):
            assert np.array_equal(row, item) or np.isnan(item)

    def test_floats_are_rounded(self) -> None:
        assert batch_of(0.1)[0] == np.float32(0.1)
        assert batch_of(np.float32(0), np.float64(0.1))[1] == np.float32(0.1)

    @pytest.mark.parametrize(
        "items",
        [
            (np.uint8([1]), np.float64([300.7])),
            (np.uint8([1]), np.float64([2.5])),
            (np.uint8([1]), np.array([256])),
            (np.int32([1]), np.array([2**40])),
            (np.int8(1), -129),
            (np.bool_(True), 2),
            (np.float32([1]), np.float64([1e300])),
            (np.float32([1]), np.complex64([1j])),
            (np.int32([1]), np.float64([np.nan])),
            (np.float32(1), "2"),
            (np.float32(1), None),
            (np.array(["a"]), np.array([5])),
            (np.array(["a"]), np.array([b"b"])),
            (np.array([b"a"]), np.array(["b"])),
            (np.array([5]), np.array(["5"])),
            (np.zeros(1, "i4,f4"), np.ones(1, "i4")),
            (1, 2.7),
            (1, 2**70),
            (1, np.int64(2**40)),
            (0.5, None),
            ("a", b"b"),
            ("a", 5),
            (b"a", "b"),
        ],
    )
    @pytest.mark.filterwarnings("ignore:Casting complex")
    def test_a_value_that_does_not_fit_is_an_error(self, items: tuple[Any, ...]) -> None:
        with pytest.raises(ValueError, match="component 0"):
            batch_of(*items)

    @pytest.mark.parametrize("number", [2**31, -(2**31) - 1, 2**63, 2**100])
    def test_big_python_ints(self, number: int) -> None:
        with pytest.raises(ValueError, match=rf"component 0.*{number}.*int32.*np\.int64"):
            batch_of(1, number)
        with pytest.raises(ValueError, match="int32"):
            batch_of(number, 1)

    def test_big_python_floats(self) -> None:
        with pytest.raises(ValueError, match=r"1e\+300.*float32.*np\.float64"):
            batch_of(float("inf"), 1e300)

    @pytest.mark.parametrize("text", ["a\0", b"a\0", "\0"])
    def test_strings_that_numpy_would_cut(self, text: Any) -> None:
        with pytest.raises(ValueError, match="null"):
            batch_of(text[:0], text)

    def test_bytes_that_are_no_text(self) -> None:
        assert batch_of(b"\xff\xfe", b"")[0] == b"\xff\xfe"

    def test_memory_layouts(self) -> None:
        base = np.arange(24, dtype=np.int16).reshape(4, 6)
        views = [base[::2, ::-1], np.asfortranarray(base[:2]), base[2:].copy()]
        np.testing.assert_array_equal(batch_of(*views), np.stack(views))

    def test_values_are_copied(self) -> None:
        image = np.zeros(3)
        batch = batch_of(image)
        image += 1
        assert (batch == 0).all()

    def test_the_array_may_come_from_elsewhere(self) -> None:
        made = []

        def empty(shape: Any, dtype: Any) -> np.ndarray:
            made.append(np.empty(shape, dtype))
            return made[-1]

        [a, b] = aggregate([[np.ones(2), 1], [np.ones(2), 2]], empty=empty)
        assert a is made[0] and len(made) == 1
        assert b.tolist() == [1, 2]


class TestMasks:
    def test_masks_are_kept(self) -> None:
        a = np.ma.masked_array([1, 2, 3], [0, 1, 0], fill_value=-1)
        for dps in ([a, a], [a, np.arange(3)], [np.arange(3), a], [a, np.ma.masked_array([4, 5, 6])]):
            batch = batch_of(*dps)
            assert type(batch) is np.ma.MaskedArray and batch.dtype == a.dtype and batch.fill_value == -1
            for got, dp in zip(batch, dps, strict=True):
                assert np.ma.getmaskarray(got).tolist() == np.ma.getmaskarray(dp).tolist()
                assert got.data.tolist() == np.ma.getdata(dp).tolist()

    def test_what_does_not_fit_is_named(self) -> None:
        with pytest.raises(ValueError, match="shapes"):
            batch_of(np.ma.zeros(3), np.ma.zeros(1))


class TestOverrides:
    def test_aggregate_batch_of_a_subclass(self) -> None:
        class Mine(BatchData):
            @staticmethod
            def aggregate_batch(data_holder: list[Any], use_list: bool = False) -> Any:
                return ["mine", len(data_holder), use_list]

        assert list(Mine(flow(2), 2, use_list=True)) == [["mine", 2, True]]

    def test_the_old_name_in_a_subclass_and_below(self) -> None:
        class Old(BatchData):
            @staticmethod
            def _aggregate_batch(data_holder: list[Any], use_list: bool = False) -> Any:
                return [BatchData._aggregate_batch(data_holder, use_list)[0] + 10]

        class Below(Old):
            @staticmethod
            def aggregate_batch(data_holder: list[Any], use_list: bool = False) -> Any:
                return [len(data_holder)]

        assert [dp[0].tolist() for dp in Old(flow(2), 2)] == [[10, 11]]
        assert list(Below(flow(2), 2)) == [[2]]

    @pytest.mark.parametrize("name", ["aggregate_batch", "_aggregate_batch"])
    def test_on_an_instance(self, name: str) -> None:
        df = BatchData(flow(2), 2)
        setattr(df, name, lambda dps, use_list: dps)
        assert list(df) == [[[0], [1]]]

    @pytest.mark.parametrize("name", ["aggregate_batch", "_aggregate_batch"])
    def test_on_the_class(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(BatchData, name, staticmethod(lambda dps, use_list: dps))
        assert list(BatchData(flow(2), 2)) == [[[0], [1]]]

    def test_an_ordinary_method(self) -> None:
        class Mine(BatchData):
            def aggregate_batch(self, data_holder: Any, use_list: bool = False) -> Any:  # type: ignore[override]
                return [self.batch_size]

        assert list(Mine(flow(3), 3)) == [[3]]

    def test_by_shape_uses_it_too(self) -> None:
        df = BatchDataByShape(source([[np.zeros(2)]] * 2), 2, 0)
        df._aggregate_batch = lambda dps, use_list: len(dps)  # type: ignore[method-assign,assignment]
        assert list(df) == [2]


def shaped(*lengths: int) -> list[Any]:
    return [[i, np.zeros(n)] for i, n in enumerate(lengths)]


class TestBatchDataByShape:
    def test_groups(self) -> None:
        df = BatchDataByShape(source(shaped(1, 2, 1, 3, 2)), 2, 1)
        assert [(b[0].tolist(), b[1].shape) for b in df] == [([0, 2], (2, 1)), ([1, 4], (2, 2))]
        assert len(df) == 2

    def test_dicts(self) -> None:
        dps = [{"im": np.zeros(n), "id": i} for i, n in enumerate((1, 2, 1))]
        [batch] = BatchDataByShape(source(dps), 2, "im")
        assert batch["id"].tolist() == [0, 2]

    def test_what_is_left_over_waits_for_the_next_pass(self) -> None:
        df = BatchDataByShape(source(shaped(1, 2, 1)), 2, 1)
        assert [b.tolist() for b in values(df)] == [[0, 2]]
        assert [b.tolist() for b in values(df)] == [[1, 1], [0, 2]]
        assert [b.tolist() for b in values(df)] == [[0, 2]]
        df.reset_state()
        assert [b.tolist() for b in values(df)] == [[0, 2]]

    def test_one_iterator_at_a_time(self) -> None:
        df = BatchDataByShape(source(shaped(1, 1, 1, 1)), 2, 1)
        first = iter(df)
        next(first)
        with pytest.raises(ReentrancyError):
            next(iter(df))
        assert [b.tolist() for b in values(first)] == [[2, 3]]
        assert len(list(df)) == 2

    def test_a_component_without_a_shape(self) -> None:
        df = BatchDataByShape(source([[1], [2]]), 2, 0)
        for _ in range(2):
            with pytest.raises(TypeError, match=r"component 0.*int"):
                list(df)

    def test_a_batch_that_fails_does_not_block_its_shape(self) -> None:
        dps: list[Any] = [["a", np.zeros(1)], [5, np.zeros(1)], [1, np.zeros(1)], [2, np.zeros(1)]]
        df = BatchDataByShape(source(dps), 2, 1)
        with pytest.raises(ValueError, match="component 0"):
            list(df)
        dps[0] = [0, np.zeros(1)]
        assert [b.tolist() for b in values(df)] == [[0, 5], [1, 2]]


@given(
    arrays=hnp.arrays(
        st.sampled_from(["u1", "i8", "f4", "f8", "?", "S3", "U2", "M8[s]"]),
        hnp.array_shapes(min_dims=1, max_dims=3, max_side=4),
    ),
    size=st.integers(1, 5),
)
def test_batch_then_unbatch_is_identity(arrays: np.ndarray, size: int) -> None:
    rows = [[np.asarray(row), i] for i, row in enumerate(arrays)]
    batches = list(BatchData(source(rows), size, remainder=True))
    assert [len(b[0]) for b in batches[:-1]] == [size] * (len(batches) - 1)
    unbatched = [row for batch in batches for row in zip(*batch, strict=True)]
    assert len(unbatched) == len(rows)
    for (a, i), (b, j) in zip(rows, unbatched, strict=True):
        assert i == j
        assert a.dtype == np.asarray(b).dtype
        np.testing.assert_array_equal(a, b)


@given(n=st.integers(0, 20), size=st.integers(1, 7), remainder=st.booleans(), use_list=st.booleans())
def test_the_length_is_exact(n: int, size: int, remainder: bool, use_list: bool) -> None:
    if not remainder and n < size:
        return
    df = BatchData(flow(n), size, remainder, use_list)
    assert len(list(df)) == len(df)


@pytest.mark.parametrize(
    "values",
    [
        [1.0, 1e-60],
        [np.float32(1), 1e-60],
        [np.float16(1), 1e-9],
        [np.ones(1, np.float32), np.full(1, 1e-60)],
    ],
)
def test_rounding_whatever_seterr_says(values: list[Any]) -> None:
    with np.errstate(all="raise"):
        [batch] = next(iter(BatchData(DataFromList([[v] for v in values], shuffle=False), 2)))
    assert batch.ravel().tolist() == [1, 0]
