"""LocallyShuffleData and CacheData."""

from __future__ import annotations

import collections
import itertools
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow import CacheData, DataFromList, LocallyShuffleData, RepeatedData
from dataflow.base import InfiniteLengthError, ReentrancyError
from tests.helpers.flows import Broken, NoLength, flow, values


def by_the_book(rng: Any, n: int, buffer_size: int, num_reuse: int, interval: int) -> Iterator[int]:
    """What LocallyShuffleData does with range(n), as its description says, with a deque."""
    queue: collections.deque[int] = collections.deque()
    for count, dp in enumerate(itertools.cycle(range(n)), 1):
        if count % interval == 0:
            rng.shuffle(queue)
        for _ in range(num_reuse):
            queue.append(dp)
            if len(queue) > buffer_size:
                yield queue.popleft()


class TestLocallyShuffleData:
    def test_reference_sequences(self, seed: None) -> None:
        df = LocallyShuffleData(flow(10), 6)
        df.reset_state()
        assert values(df, 16) == [0, 4, 1, 7, 2, 3, 0, 9, 2, 4, 8, 1, 6, 5, 5, 6]
        df = LocallyShuffleData(flow(10), 6, num_reuse=2, shuffle_interval=3)
        df.reset_state()
        assert values(df, 16) == [0, 1, 0, 1, 3, 2, 4, 2, 4, 3, 6, 5, 5, 7, 7, 6]

    @given(
        n=st.integers(1, 12),
        buffer_size=st.integers(1, 15),
        num_reuse=st.integers(1, 4),
        interval=st.integers(1, 20),
        cuts=st.lists(st.integers(1, 9), max_size=4),
    )
    def test_same_draws_and_order_as_described(
        self, n: int, buffer_size: int, num_reuse: int, interval: int, cuts: list[int]
    ) -> None:
        df = LocallyShuffleData(flow(n), buffer_size, num_reuse, interval)
        df.reset_state()
        df.rng = np.random.RandomState(7)
        expected = by_the_book(np.random.RandomState(7), n, buffer_size, num_reuse, interval)
        for cut in [*cuts, 60]:  # broken off and gone on with: nothing is lost
            assert values(df, cut) == list(itertools.islice(expected, cut))

    @given(n=st.integers(1, 10), buffer_size=st.integers(1, 25), num_reuse=st.integers(1, 3))
    def test_each_datapoint_is_yielded_num_reuse_times(
        self, n: int, buffer_size: int, num_reuse: int
    ) -> None:
        count = n * num_reuse * (buffer_size // n + 2)
        seen = values(LocallyShuffleData(flow(n), buffer_size, num_reuse), count)
        taken = (dp for dp in itertools.cycle(range(n)) for _ in range(num_reuse))
        came_in = itertools.islice(taken, count + buffer_size)  # the buffer still holds the others
        assert collections.Counter(seen) <= collections.Counter(came_in)

    def test_length_is_that_of_a_pass(self) -> None:
        assert len(LocallyShuffleData(flow(10), 4, num_reuse=3)) == 30
        with pytest.raises(NotImplementedError):
            len(LocallyShuffleData(NoLength(), 4))
        with pytest.raises(InfiniteLengthError):
            len(LocallyShuffleData(RepeatedData(flow(1), -1), 4))

    @pytest.mark.parametrize("size", [1, 2, 3])
    def test_small_buffers(self, size: int) -> None:
        df = LocallyShuffleData(flow(3), size)
        assert df.shuffle_interval == 1
        assert set(values(df, 30)) == {0, 1, 2}

    def test_default_interval(self) -> None:
        assert LocallyShuffleData(flow(3), 100).shuffle_interval == 33

    def test_datapoints_are_passed_on_uncopied(self) -> None:
        dps = [[1], {"a": 1}, (1,), "s", None]
        df = LocallyShuffleData(DataFromList(dps, shuffle=False), 2)
        assert {id(dp) for dp in itertools.islice(df, 20)} == {id(dp) for dp in dps}

    def test_reset_empties_the_buffer(self, seed: None) -> None:
        df = LocallyShuffleData(flow(10), 6)
        first = values(df, 9)
        df.reset_state()
        assert values(df, 9) == first

    def test_one_iterator_at_a_time(self) -> None:
        df = LocallyShuffleData(flow(5), 3)
        first = iter(df)
        next(first)
        with pytest.raises(ReentrancyError):
            next(iter(df))
        next(first)

    def test_an_error_of_the_source_keeps_the_buffer(self) -> None:
        df = LocallyShuffleData(Broken(6, 3), 2)
        seen = []
        with pytest.raises(OSError, match="cable"):
            for dp in df:
                seen.append(dp[0])
        # 0, 1, 2 came in before the error, then it starts over
        came_in = [0, 1, 2, *itertools.islice(itertools.cycle(range(6)), 19)]  # two of them are held
        assert collections.Counter(seen + values(df, 20 - len(seen))) <= collections.Counter(came_in)

    def test_empty_source(self) -> None:
        with pytest.raises(RuntimeError, match="no datapoint"):
            next(iter(LocallyShuffleData(NoLength(0), 2)))

    @pytest.mark.parametrize("arguments", [(0,), (5, 0), (5, 1, 0), (5, 1, -3)])
    def test_bad_numbers(self, arguments: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match="LocallyShuffleData"):
            LocallyShuffleData(flow(3), *arguments)

    def test_old_arguments(self) -> None:
        with pytest.warns(DeprecationWarning) as seen:
            df = LocallyShuffleData(flow(3), cache_size=5, nr_reuse=2)  # type: ignore[call-arg]
        assert (df.buffer_size, df.num_reuse) == (5, 2)
        assert sorted(str(w.message).rsplit(" ", 2)[1] for w in seen) == ["'buffer_size'", "'num_reuse'"]

    def test_time_is_linear_in_the_buffer(self) -> None:
        def seconds(size: int) -> float:
            df = LocallyShuffleData(RepeatedData([[1]], -1), size)
            start = time.perf_counter()
            collections.deque(itertools.islice(df, 2 * size), maxlen=0)
            return time.perf_counter() - start

        # ten times the buffer: about 10 times the time; 100 times if it were quadratic
        assert min(seconds(100_000) for _ in range(2)) < 40 * min(seconds(10_000) for _ in range(3))


class TestCacheData:
    def test_reference_sequence(self, seed: None) -> None:
        df = CacheData(flow(6), shuffle=True)
        df.reset_state()
        assert values(df) == [0, 1, 2, 3, 4, 5]
        assert values(df) == [0, 1, 5, 2, 4, 3]
        assert values(df) == [2, 0, 1, 5, 3, 4]

    def test_the_source_is_read_once(self) -> None:
        source = NoLength(3)
        df = CacheData(source)
        first, source.n = list(df), 99
        assert all(a is b for a, b in zip(first, df, strict=True))
        assert df.buffer == first

    def test_the_length_is_known_once_it_is_full(self) -> None:
        df = CacheData(NoLength(3))
        with pytest.raises(NotImplementedError):
            len(df)
        list(df)
        assert len(df) == 3
        assert len(CacheData(flow(5))) == 5

    @pytest.mark.parametrize("shuffle", [True, False])
    def test_a_pass_broken_off(self, shuffle: bool) -> None:
        df = CacheData(flow(5), shuffle)
        for n in (0, 1, 4, 5):  # 5: all datapoints were seen, but not the end
            assert values(df, n) == list(range(n))
        assert values(df) == [0, 1, 2, 3, 4]
        assert sorted(values(df)) == [0, 1, 2, 3, 4]

    def test_a_pass_from_the_cache_broken_off(self) -> None:
        df = CacheData(flow(5), shuffle=True)
        values(df)
        values(df, 2)
        assert sorted(values(df)) == [0, 1, 2, 3, 4]

    def test_an_error_of_the_source(self) -> None:
        df = CacheData(Broken(4, 2))
        with pytest.raises(OSError, match="cable"):
            list(df)
        assert values(df) == values(df) == [0, 1, 2, 3]

    def test_reset_empties_it(self) -> None:
        source = NoLength(2)
        df = CacheData(source)
        list(df)
        source.n = 3
        df.reset_state()
        assert len(list(df)) == 3

    def test_an_empty_source_is_asked_again(self) -> None:
        source = NoLength(0)
        df = CacheData(source)
        assert list(df) == []
        source.n = 2
        assert values(df) == [0, 1]

    def test_one_iterator_at_a_time(self) -> None:
        df = CacheData(flow(3))
        first = iter(df)
        next(first)
        with pytest.raises(ReentrancyError):
            next(iter(df))
        assert values(first) == [1, 2]
