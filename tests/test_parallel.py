"""The runners: what arrives, how much is under way, where randomness comes from, and how they end."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest

from dataflow.base import DataFlow, DataFlowTerminated, InfiniteLengthError, ReentrancyError
from dataflow.parallel import (
    MultiProcessPrefetchData,
    MultiProcessRunner,
    MultiProcessRunnerZMQ,
    MultiThreadPrefetchData,
    MultiThreadRunner,
    PrefetchData,
    PrefetchDataZMQ,
    _MultiProcessZMQDataFlow,
)
from dataflow.utils import fix_rng_seed
from tests.helpers.parallel import (
    LIMIT,
    METHODS,
    Count,
    Counting,
    Logged,
    Random,
    Sleepy,
    Unsized,
    nothing_left,
    same,
    wait_until,
    within,
)

every_method = pytest.mark.parametrize("method", METHODS)


def zmq(ds: Any, n: int = 1, bound: int = 50, method: str | None = None) -> Any:
    df = MultiProcessRunnerZMQ(ds, n, bound, start_method=method)
    df.reset_state()
    return df


def plain(ds: Any, n: int = 1, bound: int = 50, method: str | None = None) -> Any:
    df = MultiProcessRunner(ds, bound, n, start_method=method)
    df.reset_state()
    return df


def threads(ds: Any, n: int = 1, bound: int = 50, method: str | None = None) -> Any:
    df = MultiThreadRunner(lambda: ds, bound, n)
    df.reset_state()
    return df


RUNNERS = [(r, m) for m in METHODS for r in (zmq, plain)] + [(threads, None)]
every_runner = pytest.mark.parametrize(("runner", "method"), RUNNERS)


@every_runner
def test_one_worker_gives_the_same_in_the_same_order_pass_after_pass(runner: Any, method: str) -> None:
    with runner(Count(7), method=method) as df:
        assert len(df) == 7
        for _ in range(3):
            assert list(df) == [[i] for i in range(7)]


def test_without_a_length_it_never_ends() -> None:
    for runner in (zmq, plain, threads):
        with runner(Unsized(3)) as df:
            assert [dp[0] for dp in islice(df, 10)] == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]
            with pytest.raises(NotImplementedError):
                len(df)


@every_runner
def test_each_worker_resets_its_copy_once(runner: Any, method: str, tmp_path: Any) -> None:
    ds = Logged(tmp_path)
    with runner(ds, 3, 6, method) as df:
        seen = {dp[1] for dp in islice(df, 60)}
        wait_until(lambda: len(ds.resets) == 3, 5.0)
        for _ in islice(df, 30):
            pass
        assert len(ds.resets) == 3
        if runner is not threads:
            assert os.getpid() not in seen


def test_a_thread_runner_makes_one_dataflow_for_each_thread_and_resets_it_in_it() -> None:
    where: list[tuple[int, str]] = []

    class Noted(Count):
        def reset_state(self) -> None:
            where.append((id(self), threading.current_thread().name))

    with MultiThreadRunner(lambda: Noted(5), 10, 3) as df:
        assert not where
        df.reset_state()
        wait_until(lambda: len(where) == 3)
        assert len({i for i, _ in where}) == len({name for _, name in where}) == 3
        assert len(list(df)) == 5


@every_method
def test_a_process_runner_starts_in_init_and_the_other_in_reset_state(method: str, tmp_path: Any) -> None:
    ds = Logged(tmp_path)
    with MultiProcessRunner(ds, 4, 1, start_method=method) as df:
        wait_until(lambda: len(ds.resets) == 1, 5.0)
        df.reset_state()
        df.reset_state()  # does nothing
        assert next(iter(df))[0] == 0
        assert len(ds.resets) == 1
    with MultiProcessRunnerZMQ(ds, 1, start_method=method) as df:
        time.sleep(0.05)
        assert len(ds.resets) == 1
        with pytest.raises(RuntimeError, match="call reset_state"):
            next(iter(df))
        df.reset_state()
        next(iter(df))
        assert len(ds.resets) == 2


@every_method
def test_nested_runners_have_exactly_a_workers_and_lose_nothing(method: str, tmp_path: Any) -> None:
    ds = Logged(tmp_path, None, 30_000)
    with nothing_left():
        inner = MultiProcessRunner(ds, 4, 2, start_method=method)
        outer = MultiProcessRunnerZMQ(inner, 3, 6, start_method=method)
        outer.reset_state()
        stream = iter(outer)
        got: list[tuple[int, int, bool]] = []
        while len(got) < 300 or len({pid for _, pid, _ in got}) < 2:
            i, pid, array = next(stream)
            got.append((i, pid, bool((array == i % 251).all())))
        del array
        stream.close()
        outer.close()
        inner.close()
        del outer, inner
    assert len({pid for _, pid, _ in got}) == len(ds.resets) == 2
    assert all(right for _, _, right in got)
    numbers = Counter((i, pid) for i, pid, _ in got)
    assert set(numbers.values()) == {1}, "nothing comes twice"
    for worker in {pid for _, pid, _ in got}:
        own = sorted(i for i, pid, _ in got if pid == worker)
        # at most: 4 and those in the outer runner's hands
        assert own[-1] - len(own) < 4 + 6 + 3 * 2


@pytest.mark.parametrize(
    ("runner", "method"), [(zmq, "fork"), (zmq, "spawn"), (plain, "fork"), (threads, None)]
)
@pytest.mark.parametrize(("bound", "workers"), [(1, 1), (8, 2), (10, 3), (40, 1)])
def test_datapoints_under_way_are_bounded(
    runner: Any, method: str, bound: int, workers: int, tmp_path: Any
) -> None:
    ds = Logged(tmp_path)
    with runner(ds, workers, bound, method) as df:
        iterator = iter(df)
        for taken in (1, 20):
            for _ in range(taken):
                next(iterator)
        # each worker may have made one that it can't put yet
        wait_until(lambda: len(ds.made) >= 21 + bound * 3 // 4, 5.0)
        time.sleep(0.1)
        assert len(ds.made) <= 21 + max(bound, workers) + workers


@every_runner
def test_what_is_ready_does_not_wait(runner: Any, method: str) -> None:
    with runner(Sleepy(), method=method) as df:
        iterator = iter(df)
        next(iterator)
        with within(1.0):
            assert [dp[0] for dp in islice(iterator, 9)] == list(range(1, 10))
        with within(LIMIT):
            df.close()


@every_runner
def test_of_fast_ones_none_waits_either(runner: Any, method: str) -> None:
    with runner(Sleepy(1234), 1, 50, method) as df:
        with within(2.0):
            assert [dp[0] for dp in islice(df, 1234)] == list(range(1234))
        with within(LIMIT):
            df.close()


@pytest.mark.parametrize("bound", [1, 2, 3, 10, 50, 300])
def test_fast_datapoints_under_way_are_bounded(bound: int) -> None:
    """Also when they travel together."""
    ds = Counting()
    with zmq(ds, 1, bound, "fork") as df:
        for taken, dp in enumerate(islice(df, 5000), 1):
            assert dp == [taken - 1]
            assert ds.made[0] <= taken + bound + 1, "and one that it can't put yet"
        wait_until(lambda: ds.made[0] >= 5000 + bound // 2)


class Datapoints(DataFlow):
    """Given ones."""

    def __init__(self, dps: list[Any]) -> None:
        self.dps = dps

    def __len__(self) -> int:
        return len(self.dps)

    def __iter__(self) -> Iterator[Any]:
        yield from self.dps


@every_method
def test_arrays_are_the_users_own(method: str) -> None:
    """Keep all arrays of 500 messages, write to them, and see no other change and no stall."""
    n, size = 500, 200_000
    with zmq(Count(n, size), 2, 20, method) as df:
        kept = [array for _, array in islice(df, n)]
        values = [int(array[0]) for array in kept]
        for array in kept:
            assert array.flags.writeable
        kept[0][:] = 255
        for _ in islice(df, 100):
            pass
        assert all((array == value).all() for array, value in zip(kept[1:], values[1:], strict=True))
        assert (kept[0] == 255).all()
    assert all((array == value).all() for array, value in zip(kept[1:], values[1:], strict=True))


def test_arrays_survive_the_dataflow() -> None:
    df = zmq(Count(3, 100_000))
    arrays = [array for _, array in df]
    part = arrays[1][10:20]
    del arrays[1]
    df.close()
    del df
    gc.collect()
    assert (arrays[0] == 0).all() and (part == 1).all() and (arrays[1] == 2).all()


@every_method
def test_lambdas_closures_and_local_classes(method: str) -> None:
    offset = 5

    class Local(DataFlow):
        def __init__(self) -> None:
            self.function = lambda x: x + offset

        def __iter__(self) -> Iterator[Any]:
            for i in range(3):
                yield [self.function(i)]

    for runner in (zmq, plain):
        with runner(Local(), method=method) as df:
            assert [dp[0] for dp in islice(df, 4)] == [5, 6, 7, 5]


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_what_can_not_travel_to_the_worker_is_named(method: str) -> None:
    ds = Datapoints([{"deep": [1, threading.Lock()]}])
    with nothing_left():
        with pytest.raises(TypeError, match=r"MultiProcessRunnerZMQ.*dps\[0\]\['deep'\]\[1\] is a lock"):
            zmq(ds, 2, method=method)
        with pytest.raises(TypeError, match=r"MultiProcessRunner .*dps\[0\]\['deep'\]\[1\] is a lock"):
            plain(ds, 2, method=method)


@every_method
def test_a_datapoint_that_can_not_travel_is_named(method: str) -> None:
    ds = Datapoints([[1], {"a": 1, "b": (2, (x for x in ()))}]) if method == "fork" else Generators()
    with zmq(ds, method=method) as df:
        with pytest.raises(TypeError, match=r"datapoint\['b'\]\[1\] is a generator"):
            list(df)
        with pytest.raises(RuntimeError, match="stopped after an error"):
            list(df)


class Generators(DataFlow):
    def __len__(self) -> int:
        return 2

    def __iter__(self) -> Iterator[Any]:
        yield [1]
        yield {"a": 1, "b": (2, (x for x in ()))}


# ---- use and misuse


@pytest.mark.parametrize("runner", [zmq, threads])
def test_reset_state_twice_is_an_error_and_after_close_a_new_start(runner: Any) -> None:
    with nothing_left():
        df = runner(Count(3))
        with pytest.raises(RuntimeError, match="called twice"):
            df.reset_state()
        assert len(list(df)) == 3
        df.close()
        df.close()
        with pytest.raises(RuntimeError, match=r"was closed: call reset_state\(\)"):
            list(df)
        df.reset_state()
        assert list(df) == [[0], [1], [2]]
        del df


@every_runner
def test_two_consumers_at_once_are_an_error(runner: Any, method: str) -> None:
    with runner(Count(5), method=method) as df:
        first = iter(df)
        next(first)
        with pytest.raises(ReentrancyError, match="not reentrant"):
            next(iter(df))
        first.close()
        assert next(iter(df)) == [1]


@every_runner
def test_an_iterator_that_is_dropped_does_not_disturb_the_next(runner: Any, method: str) -> None:
    with runner(Count(5), method=method) as df:
        assert [dp[0] for dp in islice(df, 2)] == [0, 1]
        assert [dp[0] for dp in df] == [2, 3, 4, 0, 1], "the stream goes on"


@every_runner
def test_an_object_that_is_dropped_in_the_middle_leaves_nothing(runner: Any, method: str) -> None:
    with nothing_left():
        df = runner(Count(100, 50_000), 2, 10, method)
        iterator = iter(df)
        next(iterator)
        del df, iterator


def test_in_a_forked_process_it_is_an_error_and_the_parent_goes_on() -> None:
    for runner in (zmq, threads):
        with runner(Count(100, 20_000), 1, 10) as df:
            iterator = iter(df)
            next(iterator)
            time.sleep(0.05)  # some have come
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    with within():
                        try:
                            next(iterator)
                        except RuntimeError as e:
                            status = 0 if "forked" in str(e) else 2
                finally:
                    os._exit(status)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
            assert [(i, (array == i).all()) for i, array in islice(iterator, 50)] == [
                (i, True) for i in range(1, 51)
            ]


def test_a_process_runner_can_be_used_in_a_forked_process() -> None:
    with plain(Unsized(10_000), 1, 10) as df:
        iterator = iter(df)
        first = [next(iterator)[0] for _ in range(5)]
        iterator.close()
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.write(write, bytes(dp[0] for dp in islice(df, 50)))
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        theirs = list(os.read(read, 100))
        os.close(read)
        os.close(write)
        rest = [dp[0] for dp in islice(df, 50)]
        assert first + theirs + rest == list(range(105))


@every_runner
def test_reset_in_one_thread_and_consumed_in_another(runner: Any, method: str) -> None:
    made: list[Any] = []
    thread = threading.Thread(target=lambda: made.append(runner(Count(20), method=method)))
    thread.start()
    thread.join()
    with made.pop() as df:
        time.sleep(0.1)  # a worker that dies with the thread that started it would be gone now
        got: list[Any] = []
        thread = threading.Thread(target=lambda: got.extend(df))
        thread.start()
        thread.join(10)
        assert got == [[i] for i in range(20)]


@every_runner
def consume(df: Any, ended: list[BaseException]) -> None:
    """Iterate until something is raised."""
    try:
        while True:
            for _ in df:
                pass
    except BaseException as e:
        ended.append(e)


@every_runner
def test_closed_by_another_thread_while_the_consumer_waits(runner: Any, method: str) -> None:
    df = runner(Sleepy(), 2, method=method)
    ended: list[BaseException] = []
    thread = threading.Thread(target=consume, args=(df, ended))
    thread.start()
    time.sleep(0.5)
    with within():
        df.close()
        thread.join()
    assert [type(e) for e in ended] == [DataFlowTerminated]


@pytest.mark.parametrize("array", [0, 50_000])
def test_closed_by_another_thread_at_any_moment(array: int) -> None:
    for i in range(40):
        df = zmq(Count(1_000_000, array), 2)
        ended: list[BaseException] = []
        thread = threading.Thread(target=consume, args=(df, ended))
        thread.start()
        time.sleep(i / 4000)
        df.close()
        thread.join(LIMIT)
        assert [type(e) for e in ended] == [DataFlowTerminated], ended


def test_wrong_arguments_are_named() -> None:
    for make, match in [
        (lambda: MultiProcessRunnerZMQ(Count(1), -1), "num_proc"),
        (lambda: MultiProcessRunnerZMQ(Count(1), 1, 0), "hwm"),
        (lambda: MultiProcessRunner(Count(1), 0, 1), "num_prefetch"),
        (lambda: MultiThreadRunner(lambda: Count(1), 1, -1), "num_thread"),
        (lambda: zmq(Count(1), method="teleport"), "fork, spawn, forkserver"),
        (lambda: plain(Count(1), method="teleport"), "fork, spawn, forkserver"),
    ]:
        with nothing_left(), pytest.raises(ValueError, match=match):
            make()
    with pytest.raises(TypeError, match="get_df"):
        MultiThreadRunner(Count(1), 1, 1)  # type: ignore[arg-type]


def test_old_names() -> None:
    assert PrefetchData is MultiProcessPrefetchData is MultiProcessRunner
    assert PrefetchDataZMQ is MultiProcessRunnerZMQ
    assert MultiThreadPrefetchData is MultiThreadRunner
    assert issubclass(MultiProcessRunnerZMQ, _MultiProcessZMQDataFlow)
    assert not issubclass(MultiProcessRunner, _MultiProcessZMQDataFlow)
    with pytest.warns(DeprecationWarning, match="nr_proc"):
        df = PrefetchDataZMQ(Count(3), nr_proc=2)
    assert df.num_proc == 2


def test_an_empty_dataflow_says_so() -> None:
    for runner in (zmq, plain, threads):
        with runner(Unsized(0)) as df, pytest.raises(RuntimeError, match="is empty"):
            next(iter(df))
        with runner(Count(0)) as df:
            assert list(df) == []


def test_before_reset_it_travels_and_after_it_its_workers_do_not() -> None:
    import pickle

    df = zmq(Count(3))
    with df:
        list(df)
        copy = pickle.loads(pickle.dumps(df))
    copy.reset_state()
    with copy:
        assert len(list(copy)) == 3


# ---- randomness


def streams_of_3(df: Any) -> list[list[list[int]]]:
    """Return what each of three workers yielded, at least once each."""
    streams: dict[int, list[list[int]]] = {}
    while len(streams) < 3:
        for pid, *numbers in df:
            streams.setdefault(pid, []).append(numbers)
    return list(streams.values())


@every_method
def test_a_fixed_seed_gives_worker_0_the_plain_stream_and_the_others_their_own(method: str) -> None:
    fix_rng_seed(42)
    alone = Random()
    alone.reset_state()
    expected = [dp[1] for dp in alone]
    runs = []
    for _ in range(2):
        with zmq(Random(), 1, method=method) as df:
            assert [dp[1] for dp in df] == expected
        with zmq(Random(), 3, 6, method) as df:
            firsts = sorted(stream[0][0] for stream in streams_of_3(df))
        assert len(set(firsts)) == 3 and expected[0] in firsts
        runs.append(firsts)
    assert runs[0] == runs[1], "the same in each run"


@every_method
def test_all_randomness_differs_between_workers(method: str) -> None:
    with zmq(Random(), 3, 6, method) as df:
        streams = streams_of_3(df)
    for kind in range(3):
        seen = [n[kind] for stream in streams for n in stream[:5]]
        assert len(set(seen)) == len(seen), ["rng", "np.random", "augmentor"][kind]


# ---- the shape of what arrives


def test_datapoints_arrive_as_they_are() -> None:
    dps = [
        [1, "a", b"b", None, True, 2.5, 1j, 10**40],
        {"x": np.arange(3), ("a", 1): {1, 2}},
        (np.float32(1.5), np.array(3), np.zeros((0, 3)), np.asfortranarray(np.ones((200, 300)))),
        [np.arange(100_000)[::2], np.broadcast_to(np.arange(5), (2000, 5)), [[], [np.zeros(20_000)]]],
    ]
    with zmq(Datapoints(dps)) as df:
        for sent, got in zip(dps, df, strict=True):
            assert same(sent, got)


def test_an_infinite_mapper_inside_has_no_length() -> None:
    class Endless(Unsized):
        def __len__(self) -> int:
            raise InfiniteLengthError("endless")

    with zmq(Endless(2)) as df:
        assert [dp[0] for dp in islice(df, 5)] == [0, 1, 0, 1, 0]
