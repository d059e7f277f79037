"""The thread that reads the source."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

from dataflow._parallel.source_reader import Feed, Pass, PassEnded
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


def run(
    source: Any, room: int, again_at: int = 0, pending: int = 0, endless: bool = False
) -> tuple[Feed, Pass]:
    feed = Feed("test")
    a_pass = Pass(source, endless, room, again_at, pending, lambda: None)
    feed.start(a_pass)
    return feed, a_pass


def test_a_pass_reads_to_the_end_in_its_own_thread() -> None:
    with nothing_left():
        source = Source(5)
        feed, a_pass = run(source, 10)
        wait_until(lambda: len(a_pass.items) == 6)
        *items, end = a_pass.items
        assert items == [0, 1, 2, 3, 4] and isinstance(end, PassEnded) and end.error is None
        assert source.threads != {threading.get_ident()} and source.open == 0
        feed.close()


def test_it_never_reads_more_than_there_is_room_for() -> None:
    source = Source(1000)
    feed, a_pass = run(source, 10, 7, pending=4)
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
    feed.close()
    assert source.open == 0


def test_a_cancelled_pass_stops_at_once_and_the_next_begins() -> None:
    class Slow(Source):
        def __iter__(self) -> Iterator[int]:
            for i in super().__iter__():
                time.sleep(0.02)
                yield i

    slow = Slow(1000)
    feed, first = run(slow, 1000)
    wait_until(lambda: first.items)
    first.cancel()
    second = Pass(Source(3), False, 10, 5, 0, lambda: None)
    with within(0.5):
        feed.start(second)
        wait_until(lambda: len(second.items) == 4)
    assert slow.made < 30
    feed.close()


def test_an_error_is_the_last_item_and_the_iterator_is_closed() -> None:
    class Bad(Source):
        def __iter__(self) -> Iterator[int]:
            yield from super().__iter__()
            raise SystemExit("even that")

    feed, a_pass = run(Bad(2), 10)
    wait_until(lambda: len(a_pass.items) == 3)
    assert str(a_pass.items[-1].error) == "even that"
    feed.close()


def test_endless_passes_and_an_empty_source() -> None:
    feed, a_pass = run(Source(3), 7, 3, endless=True)
    wait_until(lambda: len(a_pass.items) == 7)
    assert list(a_pass.items) == [0, 1, 2, 0, 1, 2, 0]
    a_pass.cancel()
    feed.close()
    feed, a_pass = run(Source(0), 7, 3, endless=True)
    wait_until(lambda: a_pass.items)
    assert "is empty" in str(a_pass.items[0].error)
    feed.close()


def test_closing_does_not_wait_for_a_source_that_sleeps() -> None:
    class Asleep:
        def __iter__(self) -> Iterator[int]:
            event.wait(20)
            yield 1

    event = threading.Event()
    feed, a_pass = run(Asleep(), 7)
    a_pass.cancel()
    with within(1.0):
        feed.close()
    event.set()
