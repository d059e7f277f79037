"""The thread that reads the source."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

from dataflow._parallel.source_reader import Pass, PassEnded, SourceReader
from tests.helpers.parallel import nothing_left, wait_until, within


class Source:
    """Counts what was made and how many iterators are open."""

    def __init__(self, n: int) -> None:
        self.n, self.made, self.open, self.threads = n, 0, 0, set()

    def __iter__(self) -> Iterator[int]:
        self.open += 1
        self.threads.add(threading.get_ident())
        try:
            for i in range(self.n):
                self.made += 1
                yield i
        finally:
            self.open -= 1


class Pool:
    """What a pass needs of a pool."""

    def __init__(self, pending: int = 0, reads_ahead: bool = True) -> None:
        self.pending, self.reads_ahead = pending, reads_ahead
        self.prepare, self.wake = (lambda item: item), (lambda: None)


def a_pass_of(
    source: Any,
    room: int = 10,
    low_water: int = 5,
    pending: int = 0,
    endless: bool = False,
    reads_ahead: bool = True,
) -> Pass:
    pool: Any = Pool(pending, reads_ahead)
    return Pass(source, endless, room, low_water, pool)


def run(*args: Any, **options: Any) -> tuple[SourceReader, Pass]:
    reader = SourceReader("test")
    a_pass = a_pass_of(*args, **options)
    reader.start(a_pass)
    return reader, a_pass


def test_a_pass_reads_to_the_end_in_its_own_thread() -> None:
    with nothing_left():
        source = Source(5)
        reader, a_pass = run(source, 10)
        wait_until(lambda: len(a_pass.items) == 6)
        *items, end = a_pass.items
        assert items == [0, 1, 2, 3, 4] and isinstance(end, PassEnded) and end.error is None
        assert source.threads != {threading.get_ident()} and source.open == 0
        reader.close()


def test_it_never_reads_more_than_there_is_room_for() -> None:
    source = Source(1000)
    reader, a_pass = run(source, 10, 7, pending=4)
    wait_until(lambda: source.made == 6)
    time.sleep(0.02)
    assert source.made == 6
    a_pass.done(2)  # 8 are left: not yet few enough
    time.sleep(0.02)
    assert source.made == 6
    a_pass.done(1)
    wait_until(lambda: source.made == 9)
    for _ in range(500):
        a_pass.done()
        assert source.made - a_pass.taken + 4 <= 10
    a_pass.cancel()
    reader.close()
    assert source.open == 0


def test_a_cancelled_pass_stops_at_once_and_the_next_begins() -> None:
    class Slow(Source):
        def __iter__(self) -> Iterator[int]:
            for i in super().__iter__():
                time.sleep(0.02)
                yield i

    slow = Slow(1000)
    reader, first = run(slow, 1000)
    wait_until(lambda: first.items)
    first.cancel()
    second = a_pass_of(Source(3))
    with within(0.5):
        reader.start(second)
        wait_until(lambda: len(second.items) == 4)
    assert slow.made < 30
    reader.close()


def test_an_error_is_the_last_item_and_the_iterator_is_closed() -> None:
    class Bad(Source):
        def __iter__(self) -> Iterator[int]:
            yield from super().__iter__()
            raise SystemExit("even that")

    reader, a_pass = run(Bad(2), 10)
    wait_until(lambda: len(a_pass.items) == 3)
    assert str(a_pass.items[-1].error) == "even that"
    reader.close()


def test_endless_passes_and_an_empty_source() -> None:
    reader, a_pass = run(Source(3), 7, 3, endless=True)
    wait_until(lambda: len(a_pass.items) == 7)
    assert list(a_pass.items) == [0, 1, 2, 0, 1, 2, 0]
    a_pass.cancel()
    reader.close()
    reader, a_pass = run(Source(0), 7, 3, endless=True)
    wait_until(lambda: a_pass.items)
    assert "is empty" in str(a_pass.items[0].error)
    reader.close()


def test_closing_does_not_wait_for_a_source_that_sleeps() -> None:
    class Asleep:
        def __iter__(self) -> Iterator[int]:
            event.wait(20)
            yield 1

    event = threading.Event()
    reader, a_pass = run(Asleep(), 7)
    a_pass.cancel()
    with within(1.0):
        reader.close()
    event.set()


def test_what_is_read_is_prepared_before_the_source_goes_on() -> None:
    """A source may use one list, or one array, for all its datapoints."""

    def reusing() -> Iterator[list[int]]:
        dp = [0]
        for i in range(5):
            dp[0] = i
            yield dp

    for reads_ahead in (True, False):
        pool: Any = Pool(reads_ahead=reads_ahead)
        pool.prepare = list
        a_pass = Pass(reusing(), False, 10, 5, pool)
        a_pass.run()
        assert list(a_pass.items)[:-1] == [[i] for i in range(5)]


def test_without_a_thread_it_reads_one_at_a_time_and_never_beyond_the_room() -> None:
    source = Source(5)
    a_pass = a_pass_of(source, 3, reads_ahead=False)
    for read in (1, 2, 3, 3, 3):
        a_pass.step()
        assert source.made == len(a_pass.items) == read
    a_pass.done(1)
    a_pass.step()
    assert source.made == 4 and source.open == 1
    a_pass.cancel()
    assert source.open == 0, "a source that is used by one at a time can be read again"


def test_without_a_thread_the_end_and_an_error_are_items_too() -> None:
    a_pass = a_pass_of(Source(1), reads_ahead=False)
    a_pass.step()
    a_pass.step()
    assert a_pass.items[0] == 0 and a_pass.items[1].error is None
    a_pass = a_pass_of(map(int, ["x"]), reads_ahead=False)
    a_pass.step()
    assert isinstance(a_pass.items[0].error, ValueError)
