"""A task belongs to a worker when it begins it: a slow task delays only itself, and each is done once."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest

from dataflow.base import DataFlow
from dataflow.parallel_map import MultiProcessMapAndBatchData, MultiProcessMapData
from tests.helpers.parallel import Count, Log, within


class Varied(DataFlow):
    """[i, seconds to sleep, array of i]: another order of seconds in each pass, arrays small and large."""

    def __init__(self, n: int, most: float, sizes: tuple[int, ...], seed: int = 0) -> None:
        self.n, self.most, self.sizes, self.rng = n, most, sizes, random.Random(seed)

    def __iter__(self) -> Iterator[Any]:
        for i in range(self.n):
            seconds = self.rng.choice([0, 0, 0, self.rng.uniform(0, self.most)])
            yield [i, seconds, np.full(self.rng.choice(self.sizes), i, np.int32)]


def work(dp: Any) -> Any:
    """Sleep as long as the datapoint says, and add 1 to its array."""
    i, seconds, array = dp
    assert (array == i).all(), "the slot was somebody else's"
    if seconds:
        time.sleep(seconds)
    assert (array == i).all(), "the slot was taken meanwhile"
    return [i, array + 1] if i % 7 else None


def of(n: int) -> Counter[int]:
    return Counter(i for i in range(n) if i % 7)


def assert_right(dp: Any) -> int:
    i, array = dp
    assert (array == i + 1).all()
    return int(i)


@pytest.mark.parametrize("array", [0, 50_000])
@pytest.mark.parametrize("start", [0, 50, 989])
def test_ten_slow_tasks_of_a_thousand_delay_only_themselves(start: int, array: int) -> None:
    """Wherever they are: 10 of 0.1 s take 4 workers 0.3 s. In the hands of one they would take 1 s."""

    def func(dp: Any) -> Any:
        time.sleep(0.1 if start <= dp[0] < start + 10 else 0)
        return dp[:1]

    with MultiProcessMapData(Count(1000, array), 4, func, strict=True) as df:
        df.reset_state()
        list(islice(df, 1))  # they are up, and what was under way is of no use
        with within(0.95):
            assert sorted(df) == [[i] for i in range(1000)]


def test_a_task_that_is_given_back_is_done_once(tmp_path: Any) -> None:
    log = Log(tmp_path / "done")

    def func(dp: Any) -> Any:
        log.add()
        return work(dp)

    with MultiProcessMapData(Varied(60, 0.02, (1, 9_000)), 4, func, 40, strict=True) as df:
        df.reset_state()
        for done in (60, 120, 180):
            assert Counter(map(assert_right, df)) == of(60)
            assert len(log) == done


@pytest.mark.parametrize("remainder", [False, True])
def test_of_batches_too(remainder: bool) -> None:
    df = MultiProcessMapAndBatchData(
        Varied(60, 0.02, (5_000,)), 3, work, 4, 40, strict=True, remainder=remainder
    )
    with df:
        df.reset_state()
        for stop in (None, None, 3, None):
            got: Counter[int] = Counter()
            for numbers, arrays in islice(df, stop):
                assert (arrays == numbers[:, None] + 1).all()
                got.update(numbers.tolist())
            if stop is None:
                # each of three workers may have three left, and no more, whoever did what
                assert got == of(60) if remainder else got <= of(60) and got.total() >= of(60).total() - 3 * 3
            else:
                assert got <= of(60)


def test_passes_that_are_broken_off_leave_nothing_to_the_next() -> None:
    with MultiProcessMapData(Varied(60, 0.01, (1, 9_000)), 3, work, 50, strict=True) as df:
        df.reset_state()
        for stop in [0, 1, 5, 30, 50, None] * 4:
            got = Counter(map(assert_right, islice(df, stop)))
            assert got == of(60) if stop is None else got <= of(60) and got.total() == stop


def test_in_order_and_with_little_room() -> None:
    for room in (1, 3, 8):
        source = Varied(40, 0.01, (1, 9_000))
        with MultiProcessMapData(source, 4, work, room, strict=True, ordered=True) as df:
            df.reset_state()
            for _ in range(2):
                assert list(map(assert_right, df)) == list(of(40))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_each_datapoint_once_whatever_the_tasks_take(seed: int) -> None:
    """Random sleeps of up to 5 ms, sizes, room, workers, order and passes that are broken off, 5 s in all."""
    rng = random.Random(seed)
    end = time.monotonic() + 5 / 3
    while time.monotonic() < end:
        n, sizes = rng.randint(1, 200), rng.choice([(1,), (9_000,), (1, 6_000, 60_000)])
        ordered, workers, room = rng.random() < 0.3, rng.randint(1, 5), rng.randint(1, 120)
        source = Varied(n, rng.choice([0.0, 0.002, 0.005]), sizes, seed)
        with MultiProcessMapData(source, workers, work, room, strict=True, ordered=ordered) as df:
            df.reset_state()
            for _ in range(4):
                stop = rng.choice([None, None, rng.randint(0, n)])
                got = list(map(assert_right, islice(df, stop)))
                if ordered:
                    assert got == list(of(n))[:stop]
                elif stop is None:
                    assert Counter(got) == of(n)
                else:
                    assert Counter(got) <= of(n) and len(got) == min(stop, of(n).total())
