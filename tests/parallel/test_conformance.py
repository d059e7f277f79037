"""What a user sees does not depend on where the work is done: one suite over every engine."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest

from dataflow.base import DataFlow, DataFlowTerminated, InfiniteLengthError, WorkerError
from dataflow.common import BatchData, MapData
from dataflow.parallel import MultiProcessRunner, MultiProcessRunnerZMQ, MultiThreadRunner
from dataflow.parallel_map import MultiProcessMapAndBatchData, MultiProcessMapData, MultiThreadMapData
from tests.helpers.parallel import (
    METHODS,
    Count,
    FaultyFlow,
    FaultyMap,
    LockedError,
    UnfriendlyError,
    Unsized,
    double,
    identity,
    nothing_left,
    odd,
    raise_key_error,
    raise_locked,
    raise_unfriendly,
    same,
    sys_exit,
    within,
)

PROCESSES = [*METHODS, "here"]
every_engine = pytest.mark.parametrize("engine", [*PROCESSES, "threads"])
every_process_engine = pytest.mark.parametrize("engine", PROCESSES)


def mapper(engine: str, ds: Any, func: Any = identity, n: int = 2, strict: bool = True, **more: Any) -> Any:
    """Return a mapper that is reset."""
    df: Any
    if engine == "threads":
        df = MultiThreadMapData(ds, n, func, 7, strict, **more)
    elif engine == "here":
        df = MultiProcessMapData(ds, 0, func, 7, strict, **more)
    else:
        df = MultiProcessMapData(ds, n, func, 7, strict, start_method=engine, **more)
    df.reset_state()
    return df


def batcher(engine: str, ds: Any, func: Any, size: int, n: int = 2, **more: Any) -> Any:
    n, method = (0, None) if engine == "here" else (n, engine)
    df = MultiProcessMapAndBatchData(ds, n, func, size, 3 * size, start_method=method, **more)
    df.reset_state()
    return df


def runner(engine: str, ds: Any, n: int = 1) -> Any:
    df: Any
    if engine == "threads":
        df = MultiThreadRunner(lambda: ds, 5, n)
    elif engine == "here":
        df = MultiProcessRunnerZMQ(ds, 0, 5)
    else:
        df = MultiProcessRunnerZMQ(ds, n, 5, start_method=engine)
    df.reset_state()
    return df


def old_runner(engine: str, ds: Any, n: int = 1) -> Any:
    df = MultiProcessRunner(
        ds, 5, 0 if engine == "here" else n, start_method=None if engine == "here" else engine
    )
    df.reset_state()
    return df


STAGES = [
    *((stage, engine) for stage in (mapper, runner) for engine in [*PROCESSES, "threads"]),
    *((old_runner, engine) for engine in PROCESSES),
]
every_stage = pytest.mark.parametrize(("stage", "engine"), STAGES)


# ---- values


class Everything(DataFlow):
    """Datapoints of all kinds. Arrays are writable, small and large, of many types."""

    def __len__(self) -> int:
        return len(self.datapoints())

    def __iter__(self) -> Iterator[Any]:
        yield from self.datapoints()

    def datapoints(self) -> list[Any]:
        record = np.zeros(3, [("a", "<i2"), ("b", "f8", 2)])
        large = np.arange(30_000)
        return [
            [1, "a", None, 2.5, True, b"bytes", 3 + 4j],
            (1, (2, [3])),
            {"image": np.full((90, 90, 3), 7, np.uint8), 5: None},
            [np.float32(2.5), np.int64(3), np.bool_(True), np.str_("x")],
            [large, large.astype(">i8"), np.asfortranarray(large.reshape(100, 300).astype("f4"))],
            [np.zeros((0, 3)), np.zeros(()), np.array(["a", "bc"]), np.array([True, False]), record],
            [np.array([1, "x", None], object), large[::3].copy(), np.zeros(20_000, "m8[s]")],
            "x" * 100_000,
            [],
        ]


@every_stage
def test_types_values_and_dtypes_arrive_as_they_are_and_arrays_are_writable(stage: Any, engine: str) -> None:
    source = Everything()
    with stage(engine, source, n=1) as df:
        got = list(df)
        assert len(got) == len(source)
        for dp, arrived in zip(source.datapoints(), got, strict=True):
            assert same(dp, arrived), dp
        got[2]["image"][:] = 1  # they are the user's own
        assert same(source.datapoints(), list(df))


@every_engine
def test_a_source_may_use_its_array_again(engine: str) -> None:
    class Reusing(Count):
        def __iter__(self) -> Iterator[Any]:
            array = np.empty(self.array, np.uint8)
            for i in range(self.n):
                array[:] = i
                yield [i, array]

    for size in (10, 50_000):
        with mapper(engine, Reusing(20, size)) as df:
            assert all((array == i).all() for i, array in df)


# ---- sets, order, lengths


@every_engine
def test_a_strict_pass_is_exact_pass_after_pass_also_after_one_that_was_broken_off(engine: str) -> None:
    with mapper(engine, Count(23), odd) as df:
        expected = [[i] for i in range(23) if i % 2]
        for stop in (None, 0, 5, None, 1, 22, None):
            got = list(islice(df, stop))
            if stop is None:
                assert sorted(got) == expected
            else:
                assert len(got) == min(stop, len(expected)) and all(dp in expected for dp in got)


@every_engine
def test_ordered_is_the_order_of_the_source(engine: str) -> None:
    def slow_first(dp: Any) -> Any:
        time.sleep(0.02 if dp[0] % 4 == 0 else 0)
        return odd(dp)

    with mapper(engine, Count(12), slow_first, ordered=True) as df:
        for stop in (None, 3, None):
            assert list(islice(df, stop)) == [[i] for i in range(1, 12, 2)][:stop]


@every_engine
def test_not_strict_goes_on_for_ever_and_from_one_iterator_to_the_next(engine: str) -> None:
    with mapper(engine, Count(3), double, strict=False, ordered=True) as df:
        got = [dp[0] for n in (4, 1, 5) for dp in islice(df, n)]
        assert got == [0, 2, 4] * 3 + [0]
    with mapper(engine, Count(3), double, strict=False) as df:
        counts = Counter(dp[0] for dp in islice(df, 30))
        assert set(counts) == {0, 2, 4} and sum(counts.values()) == 30


class OldIdiom(Unsized):
    """A user's class that has no length, as they wrote it."""

    def __len__(self) -> int:
        raise NotImplementedError


@pytest.mark.parametrize("source", [Unsized, OldIdiom])
@every_engine
def test_a_source_without_a_length(engine: str, source: Any) -> None:
    with mapper(engine, source(5), double) as df:
        with pytest.raises(NotImplementedError):
            len(df)
        for read in (list, tuple, sorted):
            assert sorted(read(df)) == [[2 * i] for i in range(5)]
    with runner(engine, source(5)) as df:
        with pytest.raises(NotImplementedError):
            len(df)
        assert [dp[0] for dp in islice(df, 12)] == [i % 5 for i in range(12)], "it never ends"


@every_engine
def test_lengths_are_those_of_the_source(engine: str) -> None:
    with mapper(engine, Count(5), double) as df:
        assert len(df) == 5
    with runner(engine, Count(5)) as df:
        assert len(df) == 5 and len(list(df)) == 5
    with mapper(engine, [[1], [2]], double) as df:
        assert len(df) == 2 and sorted(df) == [[2], [4]], "any iterable will do"


@every_engine
def test_a_runner_goes_on_with_the_stream(engine: str) -> None:
    with runner(engine, Count(5)) as df:
        assert list(df) == list(df) == [[i] for i in range(5)]
        assert list(islice(df, 3)) == [[0], [1], [2]]
        assert list(df) == [[3], [4], [0], [1], [2]]
    with runner(engine, Count(4), n=3) as df:
        for _ in range(3):
            assert {dp[0] for dp in df} <= {0, 1, 2, 3}


# ---- batches


@every_process_engine
@pytest.mark.parametrize("remainder", [False, True])
def test_one_worker_makes_the_batches_of_batch_data(engine: str, remainder: bool) -> None:
    source = Count(11, 9_000)
    with batcher(engine, source, odd, 2, n=1, remainder=remainder) as df:
        expected = list(BatchData(MapData(source, odd), 2, remainder=remainder))
        assert len(expected) == 3 if remainder else 2
        for _ in range(2):
            assert same(expected, list(df))
        list(islice(df, 1))
        assert same(expected, list(df)), "of a pass that was broken off nothing is left"
        assert len(df) == (6 if remainder else 5)


@every_process_engine
@pytest.mark.parametrize("remainder", [False, True])
def test_a_strict_pass_of_batches_has_no_datapoint_twice(engine: str, remainder: bool) -> None:
    with batcher(engine, Count(23), odd, 3, n=3, strict=True, remainder=remainder) as df:
        for stop in (None, 1, None, 2, None):
            batches = [batch[0].tolist() for batch in islice(df, stop)]
            got = Counter(i for batch in batches for i in batch)
            expected = Counter(range(1, 23, 2))
            assert got == expected if remainder and stop is None else got <= expected
            if not remainder:
                assert {len(batch) for batch in batches} <= {3}
                # each of three workers can have two left
                assert stop is not None or len(batches) >= 2


@every_process_engine
def test_batches_that_are_not_strict_never_end(engine: str) -> None:
    with batcher(engine, Count(5), double, 2) as df:
        if engine == "here":  # as with one process
            assert len(df) == len(list(df)) == 2
            return
        with pytest.raises(InfiniteLengthError):
            len(df)
        got = Counter(i for batch in islice(df, 20) for i in batch[0].tolist())
        assert set(got) == {0, 2, 4, 6, 8} and sum(got.values()) == 40


# ---- errors


FAULTS = [(raise_key_error, KeyError), (raise_unfriendly, UnfriendlyError), (raise_locked, LockedError)]


def text_of(e: BaseException) -> str:
    """Return what a user sees of an error."""
    return "".join(traceback.format_exception(type(e), e, e.__traceback__))


@every_engine
@pytest.mark.parametrize(("fault", "kind"), FAULTS)
def test_an_error_of_the_function_arrives_with_its_type_and_traceback(
    engine: str, fault: Any, kind: Any
) -> None:
    with mapper(engine, Count(50), FaultyMap(fault)) as df:
        with within(5.0), pytest.raises(Exception) as caught:
            list(df)
        text = text_of(caught.value)
        if kind is LockedError and engine in METHODS:
            assert type(caught.value).__name__ in ("LockedError", "WorkerError")  # a lock can't be sent
        else:
            assert type(caught.value) is kind
        assert fault.__name__ in text and "tests/helpers/parallel.py" in text, "its frames, in its file"
        if engine != "here":
            assert type(df).__name__ in str(caught.value.__cause__), "the stage"
        with pytest.raises(RuntimeError, match="stopped after an error and can't go on"):
            list(df)
        df.close()
        df.map_func = identity
        df.reset_state()
        assert sorted(df) == [[i] for i in range(50)], "it can be started anew"


@every_process_engine
def test_an_error_of_the_function_of_batches(engine: str) -> None:
    with batcher(engine, Count(50), FaultyMap(raise_key_error), 3, strict=True) as df:
        with within(5.0), pytest.raises(KeyError, match="the key") as caught:
            list(df)
        assert "raise_key_error" in text_of(caught.value)
        with pytest.raises(RuntimeError, match="stopped after an error"):
            list(df)


@every_engine
def test_an_error_of_a_runners_dataflow(engine: str) -> None:
    with runner(engine, FaultyFlow(raise_key_error)) as df:
        iterator = iter(df)
        assert [next(iterator) for _ in range(3)] == [[0], [1], [2]]
        with within(5.0), pytest.raises(KeyError, match="the key") as caught:
            next(iterator)
        assert "raise_key_error" in text_of(caught.value)
        if engine != "here":
            assert type(df).__name__ in str(caught.value.__cause__)
        with pytest.raises(RuntimeError, match="stopped after an error"):
            next(iter(df))


class Broken(Count):
    """Raises at its end, as long as ``broken``."""

    broken = True

    def __iter__(self) -> Iterator[Any]:
        yield from super().__iter__()
        if self.broken:
            raise OSError("cable pulled")


@every_engine
@pytest.mark.parametrize("ordered", [False, True])
def test_an_error_of_the_source_comes_after_all_before_it_and_the_next_pass_is_new(
    engine: str, ordered: bool
) -> None:
    ds = Broken(10)
    with mapper(engine, ds, double, ordered=ordered) as df:
        for _ in range(2):
            got: list[int] = []
            with within(5.0), pytest.raises(OSError, match="cable pulled") as caught:
                got.extend(dp[0] for dp in df)
            assert sorted(got) == [2 * i for i in range(10)]
            assert f"{type(df).__name__}, its source" in str(caught.value.__cause__)
        ds.broken = False
        assert sorted(dp[0] for dp in df) == [2 * i for i in range(10)]


@every_process_engine
def test_an_error_of_the_source_of_batches(engine: str) -> None:
    with batcher(engine, Broken(10), double, 3, strict=True) as df:
        for _ in range(2):
            with within(5.0), pytest.raises(OSError, match="cable pulled"):
                list(df)


@every_stage
def test_system_exit_in_a_worker_does_not_end_the_program(stage: Any, engine: str) -> None:
    if stage is mapper:
        df = mapper(engine, Count(50), FaultyMap(sys_exit))
    else:
        df = stage(engine, FaultyFlow(sys_exit))
    with df, within(5.0), pytest.raises(WorkerError, match="SystemExit: enough"):
        list(islice(df, 50))


# ---- Ctrl-C


@every_engine
def test_ctrl_c_in_the_loop_ends_the_loop_and_not_the_stage(engine: str) -> None:
    for df in (mapper(engine, Count(20), double), mapper(engine, Count(20), double, ordered=True)):
        with df:
            for _ in range(2):
                with pytest.raises(KeyboardInterrupt):
                    for _ in df:
                        raise KeyboardInterrupt
                assert sorted(df) == [[2 * i] for i in range(20)]
    with runner(engine, Count(5)) as df:
        with pytest.raises(KeyboardInterrupt):
            for _ in df:
                raise KeyboardInterrupt
        assert list(df) == [[1], [2], [3], [4], [0]]


@contextlib.contextmanager
def ctrl_c_after(seconds: float) -> Iterator[None]:
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def slow(dp: Any) -> Any:
    time.sleep(0.3 if dp[0] == 4 else 0)
    return dp


@every_engine
def test_ctrl_c_while_it_waits_ends_the_loop_and_not_the_stage(engine: str) -> None:
    with mapper(engine, Count(9), slow) as df:
        list(islice(df, 1))  # the workers are up
        for _ in range(2):
            with ctrl_c_after(0.1), pytest.raises(KeyboardInterrupt):
                list(df)
        assert sorted(df) == [[i] for i in range(9)]


@every_engine
def test_ctrl_c_while_an_endless_mapper_waits_loses_nothing(engine: str) -> None:
    with mapper(engine, Count(9), slow, n=1, strict=False) as df:
        got: list[Any] = []
        with ctrl_c_after(0.1), pytest.raises(KeyboardInterrupt):
            for dp in df:
                got.append(dp)  # it ends with an error
        got += islice(df, 18 - len(got))
        assert got == [[i % 9] for i in range(18)]


@every_process_engine
def test_ctrl_c_while_batches_are_made(engine: str) -> None:
    with batcher(engine, Count(11), slow, 3, n=1, remainder=True) as df:
        list(islice(df, 1))
        with ctrl_c_after(0.1), pytest.raises(KeyboardInterrupt):
            list(df)
        assert [batch[0].tolist() for batch in df] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10]]


# ---- close


@every_stage
def test_closed_any_number_of_times_and_started_anew(stage: Any, engine: str) -> None:
    with nothing_left():
        df = stage(engine, Count(5))
        assert sorted(df) == [[i] for i in range(5)]
        for _ in range(2):
            df.close()
            df.close()
            with pytest.raises(RuntimeError, match=r"was closed: call reset_state\(\)") as caught:
                list(df)
            assert not isinstance(caught.value, DataFlowTerminated)
            df.reset_state()
            assert sorted(df) == [[i] for i in range(5)]
        df.close()
        del df, caught


@every_stage
def test_closed_in_the_middle_of_an_iterator(stage: Any, engine: str) -> None:
    with nothing_left():
        df = stage(engine, Count(500, 50_000))
        iterator = iter(df)
        next(iterator)
        df.close()
        with within(5.0), pytest.raises(DataFlowTerminated):
            list(iterator)
        with pytest.raises(RuntimeError, match=r"call reset_state\(\)"):
            next(iter(df))
        df.reset_state()
        assert len(list(df)) == 500
        df.close()
        del df, iterator


@pytest.mark.parametrize("stage", [mapper, runner])
@pytest.mark.parametrize("engine", ["fork", "here", "threads"])
def test_iterated_before_it_was_reset(stage: Any, engine: str) -> None:
    df = stage(engine, Count(5))
    again = type(df).__new__(type(df))
    again.__dict__.update(df.__getstate__())
    df.close()
    with pytest.raises(RuntimeError, match=r"call reset_state\(\) before iterating"):
        next(iter(again))


@every_stage
def test_dropped_in_the_middle_it_leaves_nothing(stage: Any, engine: str) -> None:
    with nothing_left():
        df = stage(engine, Count(500, 50_000))
        iterator = iter(df)
        next(iterator)
        del df, iterator
