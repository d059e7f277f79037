"""Waking: never lost, never blocks, and a late call costs nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from dataflow._transport.pipes import readable
from dataflow._transport.waker import Waker
from tests.helpers.parallel import nothing_left, within


@pytest.fixture
def waker() -> Iterator[Waker]:
    with nothing_left():
        waker = Waker()
        yield waker
        waker.close()
        waker.close()
        waker.wake()  # by somebody who does not know


def wait(waker: Waker, timeout: float = 5.0) -> bool:
    """Wait as the pool does; return whether it was woken."""
    if waker.begin_wait():
        readable(waker.fd, timeout)
    return waker.end_wait()


def test_a_call_during_the_wait_ends_it(waker: Waker) -> None:
    timer = threading.Timer(0.05, waker.wake)
    timer.start()
    with within(2.0):
        assert wait(waker)
    timer.join()
    assert not wait(waker, 0.0)


def test_a_call_before_the_wait_prevents_it_once(waker: Waker) -> None:
    waker.wake()
    with within(2.0):
        assert wait(waker)
    assert not wait(waker, 0.0)


def test_many_calls_are_one_and_never_block(waker: Waker) -> None:
    assert waker.begin_wait()
    with within(5.0):
        for _ in range(100_000):
            waker.wake()
        assert waker.end_wait()
    assert not wait(waker, 0.0)


def test_no_call_is_lost(waker: Waker) -> None:
    """Two threads call each other, as fast as they can."""
    other = Waker()
    with within(10.0):
        thread = threading.Thread(target=lambda: [(wait(other), waker.wake()) for _ in range(2000)])
        thread.start()
        for _ in range(2000):
            other.wake()
            assert wait(waker)
        thread.join()
    other.close()
