"""The mappers: exact sets, order, bounds, batches, and how they end."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.base import DataFlow, DataFlowTerminated, InfiniteLengthError, ReentrancyError
from dataflow.common import BatchData, MapData, RepeatedData
from dataflow.parallel import MultiProcessRunnerZMQ, _MultiProcessZMQDataFlow
from dataflow.parallel_map import (
    MultiProcessMapAndBatchData,
    MultiProcessMapAndBatchDataZMQ,
    MultiProcessMapData,
    MultiProcessMapDataComponentSharedArray,
    MultiProcessMapDataZMQ,
    MultiThreadMapData,
    _ParallelMapData,
)
from tests.helpers.parallel import (
    LIMIT,
    METHODS,
    Augmentor,
    Color,
    Count,
    Logged,
    Point,
    Rebuilt,
    Sleepy,
    Unsized,
    double,
    nothing_left,
    odd,
    same,
    wait_until,
    with_pid,
    within,
)

every_method = pytest.mark.parametrize("method", METHODS)
every_kind = pytest.mark.parametrize("kind", [*METHODS, "thread"])


def mapper(
    kind: str, ds: Any, n: int, func: Any, bound: int = 200, strict: bool = True, **options: Any
) -> Any:
    """Return a mapper that is reset: over threads, or over processes started so."""
    if kind == "thread":
        df: Any = MultiThreadMapData(ds, n, func, bound, strict, **options)
    else:
        df = MultiProcessMapData(ds, n, func, bound, strict, start_method=kind, **options)
    df.reset_state()
    return df


def batcher(kind: str, ds: Any, n: int, func: Any, size: int, bound: int | None = None) -> Any:
    df = MultiProcessMapAndBatchData(ds, n, func, size, bound, start_method=kind)
    df.reset_state()
    return df


def numbers(df: Any) -> list[int]:
    return [dp[0] for dp in df]


# ---- strict


@every_kind
def test_strict_gives_exactly_what_map_data_gives(kind: str) -> None:
    with mapper(kind, Changing(), 2, odd, 8) as df:
        for n in [0, 1, 3, 8, 100, 0, 7]:
            df.ds.n = n
            assert sorted(numbers(df)) == list(range(1, n, 2))
            it = iter(df)
            for _ in islice(it, 2):
                pass
            del it  # broken off in the middle


class Changing(Unsized):
    """Its length can be changed between passes."""

    def __init__(self) -> None:
        super().__init__(0)


@every_kind
@pytest.mark.parametrize("n", [0, 1, 5, 50])
def test_strict_and_ordered_is_map_data(kind: str, n: int) -> None:
    func = lambda dp: [dp[0] * 3] if dp[0] % 7 else None  # noqa: E731
    plain = list(MapData(Count(n), func))
    with mapper(kind, Count(n), 3, func, 4, ordered=True) as df:
        assert len(df) == n
        for stop in (None, 3, None, 0, 1, None):
            assert list(islice(df, stop)) == plain[:stop]


@every_kind
def test_a_single_worker_keeps_the_order(kind: str) -> None:
    with mapper(kind, Count(50), 1, double, 7) as df:
        assert numbers(df) == [2 * i for i in range(50)]


@given(st.integers(0, 30), st.integers(1, 9), st.integers(1, 4), st.booleans(), st.lists(st.integers(0, 9)))
@settings(max_examples=30)
def test_strict_law(n: int, bound: int, workers: int, ordered: bool, stops: list[int]) -> None:
    for kind in ("fork", "thread"):
        with mapper(kind, Unsized(n), workers, odd, bound, ordered=ordered) as df:
            for stop in [*stops[:3], None]:
                got = numbers(islice(df, stop))
                expected = list(range(1, n, 2))
                if ordered:
                    assert got == expected[:stop]
                elif stop is None:
                    assert sorted(got) == expected
                else:
                    assert len(got) == min(stop, len(expected)) and set(got) <= set(expected)


def test_one_slow_datapoint_does_not_keep_the_others_out_of_order() -> None:
    def slow_first(dp: Any) -> Any:
        time.sleep(0.3 if dp[0] == 0 else 0)
        return dp

    with mapper("thread", Count(10), 2, slow_first) as df:
        assert numbers(df)[-1] == 0
    with mapper("thread", Count(10), 2, slow_first, ordered=True) as df:
        assert numbers(df) == list(range(10))


# ---- not strict


@every_kind
def test_not_strict_is_a_reordering_of_endless_passes(kind: str) -> None:
    with mapper(kind, Unsized(10), 2, double, 6, strict=False) as df:
        got = numbers(islice(df, 15))
        got += numbers(islice(df, 185))  # a new iterator goes on
    counts = [got.count(2 * i) for i in range(10)]
    assert sum(counts) == 200
    assert all(17 <= c <= 20 + 1 for c in counts), "at most 6 of the stream are still under way"


@every_kind
@pytest.mark.parametrize("ordered", [False, True])
def test_not_strict_one_worker_or_ordered_is_the_stream_itself(kind: str, ordered: bool) -> None:
    plain = RepeatedData(MapData(Count(5), odd), -1)
    with mapper(kind, Count(5), 3 if ordered else 1, odd, 4, strict=False, ordered=ordered) as df:
        got = numbers(islice(df, 7)) + numbers(islice(df, 6))
    assert got == numbers(islice(plain, 13))


def test_an_ordered_iterator_goes_on_with_what_a_dropped_one_held() -> None:
    """All that fits is read, and done, and held back by the first: nothing more will come by itself."""
    release = threading.Event()

    def first_waits(dp: Any) -> Any:
        if dp[0] == 0:
            release.wait(5)
        return dp

    with mapper("thread", Count(1000), 2, first_waits, 8, strict=False, ordered=True) as df:
        threading.Timer(0.2, release.set).start()
        assert numbers(islice(df, 1)) == [0]
        with within(1.0):
            assert numbers(islice(df, 20)) == list(range(1, 21))


@pytest.mark.parametrize("kind", ["fork", "thread"])
def test_not_strict_reads_ahead_from_the_start_and_across_passes(kind: str, tmp_path: Any) -> None:
    ds = Logged(tmp_path, 5)
    with mapper(kind, ds, 2, with_pid, 12, strict=False) as df:
        wait_until(lambda: len(ds.made) == 12)
        for _ in islice(df, 30):
            pass
        wait_until(lambda: len(ds.made) >= 30 + 9)
        time.sleep(0.05)
        assert len(ds.made) <= 30 + 12
        assert len(ds.resets) == 1


@pytest.mark.parametrize("kind", ["fork", "thread"])
def test_an_empty_source_of_an_endless_mapper_says_so(kind: str) -> None:
    with (
        mapper(kind, Unsized(0), 2, double, strict=False) as df,
        pytest.raises(RuntimeError, match="is empty"),
    ):
        next(iter(df))


# ---- bounds, and no waiting


@pytest.mark.parametrize("kind", ["fork", "spawn", "thread"])
@pytest.mark.parametrize("bound", [1, 2, 5, 40])
@pytest.mark.parametrize("ordered", [False, True])
def test_datapoints_under_way_are_bounded(kind: str, bound: int, ordered: bool, tmp_path: Any) -> None:
    ds = Logged(tmp_path)
    with mapper(kind, ds, 2, lambda dp: dp, bound, ordered=ordered) as df:
        for taken, _ in enumerate(islice(df, 60), 1):
            assert len(ds.made) <= taken + bound
        if not ordered:
            iterator = iter(df)
            next(iterator)
            wait_until(lambda: len(ds.made) >= 60, 1.0)


@every_kind
def test_what_is_ready_does_not_wait(kind: str) -> None:
    for ordered in (False, True):
        df = mapper(kind, Sleepy(), 2, double, ordered=ordered)
        iterator = iter(df)
        next(iterator)
        with within(1.0):
            assert sorted(numbers(islice(iterator, 9)))[-1] == 18
        with within(LIMIT):
            df.close()


@every_kind
def test_of_fast_results_none_waits_for_a_slow_one(kind: str) -> None:
    def func(dp: Any) -> Any:
        if dp[0] == 500:
            time.sleep(60)
        return dp

    df = mapper(kind, Count(10**6), 1, func)
    with within(2.0):
        assert numbers(islice(df, 500)) == list(range(500))
    with within(LIMIT):
        df.close()


def test_a_pass_broken_off_stops_reading_at_once() -> None:
    class Slow(Count):
        def __iter__(self) -> Iterator[Any]:
            for dp in super().__iter__():
                time.sleep(0.02)
                yield dp

    with mapper("thread", Slow(100), 1, double) as df:
        next(iter(df))
        with within(0.5):
            next(iter(df))


# ---- map and batch


@every_method
def test_batches_with_one_process_are_those_of_batch_data(method: str) -> None:
    for n, size, bound in [(10, 3, None), (12, 4, 4), (30, 10, 10)]:
        for func in (double, odd):
            plain = BatchData(MapData(Unsized(n), func), size)
            with batcher(method, Unsized(n), 1, func, size, bound) as df:
                for stop in (None, 1, None, 0, 2, None):
                    got = list(islice(df, stop))
                    expected = list(islice(plain, stop))
                    assert len(got) == len(expected)
                    assert all(same(a, b) for a, b in zip(expected, got, strict=True))
            if method != "fork":
                break


@every_method
def test_batches_of_several_processes_are_endless_and_have_all_datapoints(method: str) -> None:
    with batcher(method, Count(100), 3, double, 10, 40) as df:
        with pytest.raises(InfiniteLengthError):
            len(df)
        batches = list(islice(df, 60)) + list(islice(df, 40))
    assert all(b[0].shape == (10,) for b in batches)
    seen = np.concatenate([b[0] for b in batches])
    counts = np.bincount(seen, minlength=200)[::2]
    assert counts.min() >= 5 and counts.max() <= 15, counts


@pytest.mark.parametrize("workers", [1, 2, 4, 5])
@pytest.mark.parametrize("bound", [10, 13, 40, 100])
def test_filtered_batches_never_wait_for_ever(workers: int, bound: int) -> None:
    """Workers keep what is no batch yet, and the source is read on although much of the room is taken."""
    for modulus in (2, 3, 10):
        with batcher(
            "fork", Count(100), workers, lambda dp, m=modulus: dp if dp[0] % m else None, 10, bound
        ) as df:
            for _ in range(3):
                for batch in islice(df, 20):
                    assert len(batch[0]) == 10


def test_batches_arguments() -> None:
    df = MultiProcessMapAndBatchData(Count(100), 2, double, 7)
    assert df.buffer_size == 70
    assert MultiProcessMapAndBatchData(Count(100), 1, double, 7).__len__() == 14
    with pytest.raises(ValueError, match="buffer_size"):
        MultiProcessMapAndBatchData(Count(100), 2, double, 7, 6)
    with pytest.raises(ValueError, match="batch_size"):
        MultiProcessMapAndBatchData(Count(100), 2, double, 0)
    with pytest.raises(TypeError, match="map_func"):
        MultiProcessMapAndBatchData(Count(100), 2, None, 7)  # type: ignore[arg-type]


def test_a_batch_that_can_not_be_made_is_the_workers_error() -> None:
    with (
        batcher("fork", Count(100), 2, lambda dp: [np.zeros(dp[0] % 2)], 4) as df,
        pytest.raises(ValueError, match=r"can't make a batch|shapes"),
    ):
        next(iter(df))


# ---- types


def scalars() -> st.SearchStrategy[Any]:
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.complex_numbers(),
        st.text(max_size=20),
        st.binary(max_size=20),
        st.sampled_from([b"x" * 20_000, "\u20ac" * 9_000, 1 << 10_000]),
        hnp.from_dtype(np.dtype("f4")),
        hnp.from_dtype(np.dtype("M8[us]")),
        hnp.from_dtype(np.dtype("i2")),
    )


def arrays() -> st.SearchStrategy[Any]:
    dtypes = st.one_of(
        hnp.scalar_dtypes(),
        hnp.array_dtypes(max_size=3),
        st.sampled_from([np.dtype("O"), np.dtype("f2"), np.dtype(">i4"), np.dtype("c16"), np.dtype("V5")]),
    )
    shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)

    def build(pair: tuple[Any, Any]) -> st.SearchStrategy[Any]:
        dtype, shape = pair
        if dtype.hasobject:
            return st.just(np.full(shape, None, dtype))
        size = int(np.prod(shape)) * dtype.itemsize
        return st.binary(min_size=size, max_size=size).map(
            lambda raw: (
                np.frombuffer(bytearray(raw), dtype, int(np.prod(shape))).reshape(shape)
                if size
                else np.zeros(shape, dtype)
            )
        )

    def vary(array: Any, how: int) -> Any:
        if how == 1:
            return np.asfortranarray(array)
        if how == 2:
            return array[::-1] if array.ndim else array
        if how == 3:
            array.flags.writeable = False
            return array
        if how == 4:  # large enough for shared memory
            return np.broadcast_to(array, (5000, *array.shape))
        if how == 5:
            return np.repeat(array[None], 3000, axis=0).T
        return array

    return st.builds(vary, st.tuples(dtypes, shapes).flatmap(build), st.integers(0, 5))


def datapoints() -> st.SearchStrategy[Any]:
    keys = st.one_of(st.text(max_size=3), st.integers(), st.tuples(st.integers(), st.text(max_size=2)))
    return st.recursive(
        scalars() | arrays(),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.lists(inner, max_size=4).map(tuple),
            st.dictionaries(keys, inner, max_size=3),
        ),
        max_leaves=6,
    ).filter(lambda dp: dp is not None)


class Queued(DataFlow):
    """What somebody puts into a queue."""

    def __init__(self) -> None:
        self.queue: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def __iter__(self) -> Iterator[Any]:
        while True:
            yield self.queue.get()


@pytest.fixture(scope="module", params=METHODS)
def round_trip(request: Any) -> Iterator[Any]:
    """A function that sends something through a worker and back."""
    source = Queued()
    with mapper(request.param, source, 1, lambda dp: dp, 3, strict=False) as df:
        iterator = iter(df)

        def send(dp: Any) -> Any:
            source.queue.put(dp)
            return next(iterator)

        yield send
        source.queue.put(0)


@given(dp=datapoints())
@settings(max_examples=60)
def test_types_and_values_travel_both_ways(round_trip: Any, dp: Any) -> None:
    assert same(dp, round_trip(dp))


def test_sets_dataclasses_and_other_objects_travel(round_trip: Any) -> None:
    import collections
    import datetime
    import decimal
    import fractions
    import pathlib

    for dp in [
        {1, 2},
        frozenset({1}),
        Color.RED,
        Point(1, np.float32(2)),
        decimal.Decimal("1.10"),
        fractions.Fraction(1, 3),
        datetime.datetime(2020, 1, 1),
        pathlib.PurePosixPath("/a"),
        collections.OrderedDict(b=1, a=2),
        collections.deque([1, 2], 3),
        range(5),
        slice(1, 2),
        bytearray(b"x" * 30_000),
        np.ma.masked_array([1, 2, 3], [0, 1, 0]).filled(0),
        [np.arange(6).reshape(2, 3).view(np.recarray)],
    ]:
        got = round_trip(dp)
        assert type(got) is type(dp)
        assert repr(got) == repr(dp)


def test_a_thread_mapper_hands_the_function_a_copy() -> None:
    dps = [[1], [2]]

    def spoil(dp: Any) -> Any:
        dp[0] = "spoilt"
        return dp

    with mapper("thread", dps, 1, spoil) as df:
        assert len(list(df)) == 2
    assert dps == [[1], [2]]


@every_method
def test_arrays_are_the_users_own_and_nothing_stalls(method: str) -> None:
    with mapper(method, Count(300, 200_000), 2, lambda dp: [dp[0], dp[1] + 1], 20) as df:
        kept = list(df)
        for _ in df:
            pass
        assert all(a.flags.writeable and (a == (i % 251) + 1).all() for i, a in kept)


# ---- functions


@every_method
def test_lambdas_closures_bound_methods_and_local_classes(method: str) -> None:
    offset = [5]

    class Local:
        def add(self, dp: Any) -> Any:
            return [dp[0] + offset[0]]

        __call__ = add

    for func in (lambda dp: [dp[0] + offset[0]], Local().add, Local()):
        with mapper(method, Count(3), 1, func) as df:
            assert numbers(df) == [5, 6, 7]
        if method == "spawn":
            break


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_function_that_can_not_travel_is_named(method: str) -> None:
    lock = threading.Lock()

    class WithLock:
        def __init__(self) -> None:
            self.inner = {"lock": lock}

        def __call__(self, dp: Any) -> Any:
            return dp

    with nothing_left(), pytest.raises(TypeError, match=r"WithLock.inner\['lock'\] is a lock"):
        mapper(method, Count(1), 1, WithLock())


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_datapoint_that_can_not_travel_to_the_worker_is_named(method: str) -> None:
    class Bad(Count):
        def __iter__(self) -> Iterator[Any]:
            yield [1, 2]
            yield [1, {"x": threading.Lock()}]

    with mapper(method, Bad(2), 1, double) as df:
        with pytest.raises(TypeError, match=r"datapoint\[1\]\['x'\] is a lock"):
            list(df)
        with pytest.raises(TypeError, match=r"is a lock"), within():
            list(df)  # the workers are unharmed, so another pass is tried
        df.close()
        df.ds = Count(3)
        df.reset_state()
        assert numbers(df) == [0, 2, 4]


@every_method
def test_a_result_that_can_not_be_rebuilt_here_is_an_error_and_no_hang(method: str) -> None:
    with mapper(method, Count(20), 2, lambda dp: Rebuilt() if dp[0] == 5 else dp) as df:
        with pytest.raises(ValueError, match="can't be rebuilt"):
            list(df)
        with pytest.raises(RuntimeError, match="stopped after an error"), within():
            list(df)


# ---- errors of the source


@pytest.mark.parametrize("kind", ["fork", "thread"])
@pytest.mark.parametrize("strict", [False, True])
def test_an_error_of_the_source_comes_after_all_before_it_and_the_next_pass_is_new(
    kind: str, strict: bool
) -> None:
    class Broken(Count):
        broken = True

        def __iter__(self) -> Iterator[Any]:
            yield from super().__iter__()
            if self.broken:
                raise OSError("cable pulled")

    ds = Broken(30)
    with mapper(kind, ds, 2, double, 7, strict) as df:
        for _ in range(2):
            got: list[int] = []
            with pytest.raises(OSError, match="cable pulled") as caught:
                for dp in df:
                    got.append(dp[0])
            assert sorted(got) == [2 * i for i in range(30)]
            assert "its source" in str(caught.value.__cause__)
        ds.broken = False
        # if not strict, up to 7 of the stream of passes may still be under way, whichever they are
        taken, read = (30, 30) if strict else (60, 67)
        got = numbers(islice(df, taken))
        assert Counter(got) <= Counter(2 * (i % 30) for i in range(read))


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_of_the_source_of_batches(workers: int) -> None:
    class Broken(Count):
        def __iter__(self) -> Iterator[Any]:
            yield from super().__iter__()
            raise OSError("cable pulled")

    with batcher("fork", Broken(30), workers, double, 4, 8) as df, within(5.0):
        for _ in range(2):
            with pytest.raises(OSError, match="cable pulled"):
                for _ in df:
                    pass


# ---- use and misuse


@every_kind
def test_use_before_reset_state_and_reset_twice_and_close(kind: str) -> None:
    with nothing_left():
        for strict in (False, True):
            df: Any
            if kind == "thread":
                df = MultiThreadMapData(Count(3), 1, double, 10, strict)
            else:
                df = MultiProcessMapData(Count(3), 1, double, 10, strict, start_method=kind)
            with pytest.raises(RuntimeError, match="call reset_state"):
                next(iter(df))
            df.reset_state()
            with pytest.raises(RuntimeError, match="called twice"):
                df.reset_state()
            assert numbers(islice(df, 3)) == [0, 2, 4]
            df.close()
            df.close()
            with pytest.raises(RuntimeError, match=r"was closed: call reset_state\(\)"):
                next(iter(df))
            df.reset_state()
            assert numbers(islice(df, 3)) == [0, 2, 4]
        del df


@every_kind
def test_two_consumers_at_once_are_an_error(kind: str) -> None:
    with mapper(kind, Count(10), 1, double) as df:
        iterator = iter(df)
        next(iterator)
        with pytest.raises(ReentrancyError):
            next(iter(df))
        iterator.close()
        assert len(list(df)) == 10


@every_kind
def test_an_object_that_is_dropped_in_the_middle_leaves_nothing(kind: str) -> None:
    with nothing_left():
        df = mapper(kind, Count(1000, 50_000), 2, lambda dp: dp, 10)
        iterator = iter(df)
        next(iterator)
        del df, iterator


@every_kind
def test_closed_in_the_middle_of_an_iterator(kind: str) -> None:
    with nothing_left():
        for strict in (False, True):
            df = mapper(kind, Count(1000, 50_000), 2, lambda dp: dp, 10, strict)
            iterator = iter(df)
            next(iterator)
            df.close()
            with pytest.raises(DataFlowTerminated):
                list(iterator)
        df = batcher("fork" if kind == "thread" else kind, Count(1000), 1, double, 5)
        iterator = iter(df)
        next(iterator)
        df.close()
        iterator.close()
        del df, iterator


@every_kind
def test_closed_by_another_thread_while_the_consumer_waits(kind: str) -> None:
    df = mapper(kind, Sleepy(), 2, double)
    ended: list[BaseException] = []

    def consume() -> None:
        try:
            for _ in df:
                pass
        except BaseException as e:
            ended.append(e)

    thread = threading.Thread(target=consume)
    thread.start()
    time.sleep(0.5)
    with within():
        df.close()
        thread.join()
    assert [type(e) for e in ended] == [DataFlowTerminated]


@pytest.mark.parametrize("kind", ["fork", "thread"])
def test_in_a_forked_process_it_is_an_error_and_the_parent_goes_on(kind: str) -> None:
    with mapper(kind, Count(100, 20_000), 2, lambda dp: dp, 10) as df:
        iterator = iter(df)
        got = [next(iterator)]
        time.sleep(0.05)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                with within():
                    for used in (iterator, iter(df)):
                        try:
                            list(used)
                        except RuntimeError as e:
                            status = 0 if "forked" in str(e) else 2
                    df.close()
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        got += iterator
        assert sorted(i for i, _ in got) == list(range(100))
        assert all((array == i % 251).all() for i, array in got)


@every_method
def test_a_mapper_inside_a_runner(method: str) -> None:
    inner = MultiProcessMapData(Count(10), 2, double, 5, True, start_method=method)
    with nothing_left():
        with MultiProcessRunnerZMQ(inner, 1, start_method=method) as df:
            df.reset_state()
            assert sorted(numbers(df)) == [2 * i for i in range(10)]
        del df


def test_random_augmentors_in_the_function_differ_between_workers_and_from_the_parent() -> None:
    for method in METHODS:
        augmentor = Augmentor()
        own = augmentor([0])[1]
        with mapper(method, Count(60), 3, augmentor, 30) as df:
            streams: dict[int, list[tuple[int, int]]] = {}
            while len(streams) < 3:
                for pid, mine, numpys in df:
                    streams.setdefault(pid, []).append((mine, numpys))
        for kind in range(2):
            seen = [n[kind] for stream in streams.values() for n in stream[:5]]
            assert len(set(seen)) == len(seen)
        assert own not in [n[0] for stream in streams.values() for n in stream[:5]]


# ---- names


def test_names_and_positions() -> None:
    assert MultiProcessMapData is MultiProcessMapDataZMQ
    assert MultiProcessMapAndBatchData is MultiProcessMapAndBatchDataZMQ
    assert issubclass(MultiThreadMapData, _ParallelMapData)
    assert issubclass(MultiProcessMapData, _ParallelMapData)
    assert issubclass(MultiProcessMapData, _MultiProcessZMQDataFlow)
    assert issubclass(MultiProcessMapAndBatchData, _MultiProcessZMQDataFlow)
    for cls in (MultiThreadMapData, MultiProcessMapData):
        df = cls(Count(1), 2, double, 30, True)
        assert (df.buffer_size, df.strict) == (30, True)
        df = cls(Count(1), 2, double)
        assert (df.buffer_size, df.strict) == (200, False)
        with pytest.raises(TypeError, match="map_func"):
            cls(Count(1), 2)
        with pytest.raises(TypeError, match=r"num_"):
            cls(Count(1), map_func=double)
        with pytest.raises(ValueError, match="buffer_size"):
            cls(Count(1), 2, double, 0)
    with pytest.warns(DeprecationWarning, match="nr_thread"):
        assert MultiThreadMapData(Count(1), nr_thread=2, map_func=double).num_thread == 2
    with pytest.warns(DeprecationWarning, match="nr_proc"):
        assert MultiProcessMapData(Count(1), nr_proc=2, map_func=double).num_proc == 2
    with pytest.warns(DeprecationWarning, match="nr_proc"):
        assert MultiProcessMapAndBatchData(Count(9), nr_proc=2, map_func=double, batch_size=2).num_proc == 2


def test_component_shared_array() -> None:
    ds = [[i, "x"] for i in range(20)]
    df = MultiProcessMapDataComponentSharedArray(
        ds, 2, lambda x: np.full((3, 2), x, np.float32), (3, 2), np.float32
    )
    with df:
        df.reset_state()
        for array, x in islice(df, 40):
            assert array.shape == (3, 2) and array.dtype == np.float32 and x == "x"
    wrong = MultiProcessMapDataComponentSharedArray(ds, 1, lambda x: np.zeros(3), (3, 2), np.float32)
    with wrong, pytest.raises(ValueError, match=r"float64 and shape \(3,\), expected float32 and \(3, 2\)"):
        wrong.reset_state()
        next(iter(wrong))
