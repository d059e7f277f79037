"""The way through a mapper: what is left of a pass that was broken off, and whether it ever stalls."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from dataflow._parallel.dispatcher import Dispatcher
from dataflow._parallel.source_reader import SourceReader
from dataflow.base import DataFlow, DataFlowTerminated
from dataflow.parallel_map import MultiProcessMapAndBatchData, MultiProcessMapData, MultiThreadMapData
from tests.helpers.fake_pool import FakePool
from tests.helpers.parallel import Unsized, identity, odd

SEEDS = range(25)


class Source(DataFlow):
    """[0], [1], ... up to ``n``; an error before number ``bad``. Counts what was read."""

    def __init__(self, n: int) -> None:
        self.n, self.read, self.open, self.bad = n, 0, 0, -1

    def __iter__(self) -> Iterator[Any]:
        self.open += 1
        try:
            for i in range(self.n):
                if i == self.bad:
                    raise OSError("cable pulled")
                self.read += 1
                yield [i]
        finally:
            self.open -= 1

    def results(self, end: int | None = None) -> list[Any]:
        """Return what the fake pool makes of it."""
        return [[i] for i in range(self.n if end is None else end) if i % 5 != 4]


class Rig:
    """A dispatcher over the fake pool, of random size."""

    def __init__(self, seed: int, reads_ahead: bool, batches: bool = False) -> None:
        self.rng = random.Random(seed)
        self.batch_size = self.rng.randint(1, 4) if batches else 0
        self.room = max(1, self.batch_size) + self.rng.randint(0, 8)
        self.source = Source(self.rng.choice([0, 1, 7, 23]))
        self.pool = FakePool(self.rng, reads_ahead, self.batch_size)
        held = self.batch_size - 1 if batches else None
        self.dispatcher = Dispatcher(self.pool, SourceReader("fake"), self.source, self.room, held)
        self.ordered = not batches and self.rng.random() < 0.5

    def results(self, stop: int | None = None) -> list[Any]:
        """Return the next results, all or so many."""
        results = self.dispatcher.results_in_order() if self.ordered else self.dispatcher.results()
        got = []
        for result in islice(results, stop):
            got.append(result)
            assert self.pool.most <= self.room
        return got

    def one_pass(self, stop: int | None = None) -> list[Any]:
        self.dispatcher.begin(endless=False)
        try:
            return self.results(stop)
        finally:
            self.dispatcher.break_off()

    def assert_exact(self, got: list[Any], expected: list[Any]) -> None:
        if self.batch_size:
            assert sum(len(batch) < self.batch_size for batch in got) <= 1, "the remainder"
            got = [dp for batch in got for dp in batch]
        assert got == expected if self.ordered else sorted(got) == expected

    def close(self) -> None:
        self.dispatcher.close()
        assert self.source.open == 0
        assert not [thread for thread in threading.enumerate() if thread.name == "fake-source"]


@pytest.fixture(params=[False, True], ids=["read here", "read ahead"])
def reads_ahead(request: Any) -> Any:
    return request.param


@pytest.mark.parametrize("batches", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_pass_is_exact_whatever_came_before(seed: int, reads_ahead: bool, batches: bool) -> None:
    """Whole passes, and passes that are broken off anywhere, in turn: nothing of one is seen in the next."""
    rig = Rig(seed, reads_ahead, batches)
    for _ in range(5):
        stop = rig.rng.choice([None, rig.rng.randint(0, 20)])
        got = rig.one_pass(stop)
        expected = rig.source.results()
        if stop is None:
            rig.assert_exact(got, expected)
        elif rig.ordered:
            assert got == expected[:stop]
        elif batches:
            dps = Counter(dp[0] for batch in got for dp in batch)
            assert len(got) <= stop and dps <= Counter(range(rig.source.n))
        else:
            assert len(got) == min(stop, len(expected)) and all(dp in expected for dp in got)
    rig.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_an_error_of_the_source_comes_after_all_before_it(seed: int, reads_ahead: bool) -> None:
    rig = Rig(seed, reads_ahead)
    rig.source.n = 23
    for bad in (rig.rng.randrange(23), 0, 22, 7):
        rig.source.bad = bad
        rig.dispatcher.begin(endless=False)
        got = []
        with pytest.raises(OSError, match="cable pulled") as caught:
            for dp in rig.dispatcher.results_in_order() if rig.ordered else rig.dispatcher.results():
                got.append(dp)  # it ends with an error
        assert "fake, its source" in str(caught.value.__cause__)
        rig.assert_exact(got, rig.source.results(bad))
        assert not rig.dispatcher.is_under_way
        rig.source.bad = -1
        rig.assert_exact(rig.one_pass(), rig.source.results())
    rig.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_endless_passes_go_on_from_one_iterator_to_the_next(seed: int, reads_ahead: bool) -> None:
    rig = Rig(seed, reads_ahead)
    rig.source.n = 7
    rig.dispatcher.begin(endless=True)
    got: list[Any] = []
    for _ in range(6):
        got += rig.results(rig.rng.randint(0, 9))
    passes = rig.source.results() * 10
    if rig.ordered:
        assert got == passes[: len(got)]
    else:
        read = Counter(i for dp in got for i in dp)
        most = -(-len(got) // 6) + rig.room
        assert set(read) <= {0, 1, 2, 3, 5, 6} and max(read.values(), default=0) <= most
    rig.dispatcher.break_off()
    rig.assert_exact(rig.one_pass(), rig.source.results())
    rig.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_no_more_is_read_than_there_is_room_for(seed: int, reads_ahead: bool) -> None:
    """Read and not yielded, or settled by nothing: results that wait for their turn count, too."""
    rig = Rig(seed, reads_ahead)
    rig.source.n = 40
    rig.dispatcher.begin(endless=False)
    results = rig.dispatcher.results_in_order() if rig.ordered else rig.dispatcher.results()
    for yielded, dp in enumerate(results):
        before = dp[0] if rig.ordered else yielded + 8  # of 40, 8 are settled by nothing
        assert rig.source.read - before <= rig.room
    rig.close()


def test_an_empty_source_of_endless_passes_says_so(reads_ahead: bool) -> None:
    rig = Rig(0, reads_ahead)
    rig.source.n = 0
    rig.dispatcher.begin(endless=True)
    with pytest.raises(RuntimeError, match="the source is empty"):
        rig.results()
    rig.close()


@pytest.mark.parametrize("ordered", [False, True])
def test_endless_passes_of_which_nothing_comes_say_so(reads_ahead: bool, ordered: bool) -> None:
    rig = Rig(1, reads_ahead)
    rig.ordered = ordered
    rig.source.n = 3
    rig.pool.drops = 1
    rig.dispatcher.begin(endless=True)
    with pytest.raises(RuntimeError, match="returned None for each datapoint"):
        rig.results()
    rig.close()


@pytest.mark.parametrize("reads", [False, True], ids=["before", "in the middle"])
def test_the_source_is_closed_in_the_thread_that_reads_it(reads_ahead: bool, reads: bool) -> None:
    rig = Rig(1, reads_ahead)
    rig.source.n = 23
    rig.dispatcher.begin(endless=False)
    if reads:
        next(rig.dispatcher.results())
    threads: list[str] = []
    rig.dispatcher.close_source(lambda: threads.append(threading.current_thread().name))
    assert threads == ["fake-source" if reads_ahead else threading.current_thread().name]
    assert rig.source.open == 0
    with pytest.raises(OSError, match="can't be closed"):
        rig.dispatcher.close_source(fail)
    rig.close()


def fail() -> None:
    raise OSError("can't be closed")


def test_closed_in_the_middle(reads_ahead: bool) -> None:
    rig = Rig(3, reads_ahead)
    rig.source.n = 23
    rig.dispatcher.begin(endless=False)
    results = rig.dispatcher.results()
    next(results)
    rig.dispatcher.close()
    rig.dispatcher.close()
    with pytest.raises(DataFlowTerminated):
        list(results)
    assert not rig.dispatcher.is_under_way


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
