"""The way through a mapper: what is left of a pass that was broken off, and whether it ever stalls."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from dataflow._parallel.dispatch import Stream
from dataflow._transport.connection import DATA, DROPPED
from dataflow._transport.pool import Message, Worker, WorkerPool
from dataflow.parallel_map import MultiProcessMapAndBatchData, MultiProcessMapData, MultiThreadMapData
from tests.helpers.parallel import Unsized, identity, odd


class LazyPool(WorkerPool):
    """Gives a result for each task, in random order, only when nothing else is left to do."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__("lazy")
        self.rng, self.worker = rng, Worker()
        self.tasks: list[tuple[int, Any]] = []
        self.most = 0

    def submit(self, number: int, items: deque[Any], count: int) -> None:
        for task in range(number, number + count):
            self.tasks.append((task, items.popleft()))
        self.worker.outstanding += count
        self.most = max(self.most, len(self.tasks))

    def collect(self) -> Iterator[Message]:
        for _ in range(self.rng.randint(0, 3)):
            if self.tasks:
                number, value = self.tasks.pop(self.rng.randrange(len(self.tasks)))
                kind = DROPPED if value[0] % 5 == 4 else DATA
                yield self.worker, kind, number, None if kind == DROPPED else value

    def submit_end(self) -> None:
        raise NotImplementedError

    def wake(self) -> None:
        pass

    def close(self) -> None:
        self._closed = True

    def abandon(self) -> None:
        pass


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_results_of_a_broken_off_pass_never_show_up(seed: int) -> None:
    rng = random.Random(seed)
    room = rng.randint(1, 10)
    pool = LazyPool(rng)
    ds = [[i] for i in range(23)]
    stream = Stream(pool, ds, room)
    expected = [dp for dp in ds if dp[0] % 5 != 4]
    for _ in range(6):
        ordered, stop = rng.random() < 0.5, rng.choice([None, rng.randint(0, 20)])
        stream.begin(endless=False)
        got = list(islice(stream.results_in_order() if ordered else stream.results(), stop))
        stream.break_off()
        if ordered:
            assert got == expected[:stop]
        elif stop is None:
            assert sorted(got) == expected
        else:
            assert len(got) == min(stop, len(expected))
        assert pool.most <= room
    stream.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["process", "thread"])
def test_no_stall_in_500_short_runs(kind: str) -> None:
    """Strict, ordered, endless; buffers of 1 to 8; 1 to 4 workers; passes broken off anywhere."""
    rng = random.Random(7)
    for run in range(250):  # of two passes each
        n, bound, workers = rng.randint(0, 12), 1 + run % 8, 1 + run // 8 % 4
        func = rng.choice([identity, odd])
        strict, ordered = rng.random() < 0.8, rng.random() < 0.3
        options = n + (not strict), workers, func, bound, strict, ordered
        stall_once(kind, rng, *options)


def stall_once(
    kind: str, rng: random.Random, n: int, workers: int, func: Any, bound: int, strict: bool, ordered: bool
) -> None:
    n += 1 if func is odd and not strict else 0
    cls = MultiThreadMapData if kind == "thread" else MultiProcessMapData
    with cls(Unsized(n), workers, func, bound, strict, ordered=ordered) as df:
        df.reset_state()
        for _ in range(2):
            stop = rng.choice([None, rng.randint(0, 6)])
            expected = [i for i in range(n) if func is identity or i % 2]
            if not strict:
                stop = stop or 9
                assert len(list(islice(df, stop))) == stop
            else:
                got = [dp[0] for dp in islice(df, stop)]
                assert sorted(got) == expected if stop is None else len(got) == min(stop, len(expected))


@pytest.mark.slow
def test_no_stall_of_batches() -> None:
    rng = random.Random(3)
    for run in range(100):
        workers, size = 1 + run % 4, rng.randint(1, 4)
        n, bound = rng.randint(2 * size, 20), rng.randint(size, 3 * size)
        with MultiProcessMapAndBatchData(Unsized(n), workers, rng.choice([identity, odd]), size, bound) as df:
            df.reset_state()
            for _ in range(3):
                for batch in islice(df, rng.randint(0, 5)):
                    assert len(batch[0]) == size
