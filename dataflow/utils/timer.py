"""Measure and log time."""

from __future__ import annotations

import atexit
import time
from collections.abc import Iterator
from contextlib import contextmanager

from . import logger
from .stats import StatCounter

__all__ = ["IterSpeedCounter", "Timer", "timed_operation"]

timer = time.perf_counter

_totals: dict[str, StatCounter] = {}


@contextmanager
def timed_operation(msg: str, log_start: bool = False) -> Iterator[None]:
    """Log how long a ``with`` block took, or that it failed.

    Args:
        msg: the name of the operation, e.g. ``"load the data"``.
        log_start: log a line at the start as well.

    Raises:
        ValueError: ``msg`` is empty.
    """
    if not msg:
        raise ValueError("timed_operation: expected a message, got an empty one")
    # stacklevel: this generator, contextlib's __enter__ or __exit__, the with statement
    if log_start:
        logger.info("Start %s ...", msg, stacklevel=3)
    msg = msg[0].upper() + msg[1:]
    start = timer()
    end = "failed"
    try:
        yield
        end = "finished"
    finally:
        logger.info("%s %s, time: %.4f sec.", msg, end, timer() - start, stacklevel=3)


@contextmanager
def total_timer(msg: str) -> Iterator[None]:
    """Add the time of a ``with`` block to a total that is logged when the program ends.

    Args:
        msg: the name of the total.
    """
    if not _totals:
        atexit.register(print_total_timer)
    counter = _totals.setdefault(msg, StatCounter())
    start = timer()
    try:
        yield
    finally:
        counter.feed(timer() - start)


def print_total_timer() -> None:
    """Log the totals of ``total_timer``: seconds, number of times, seconds each time."""
    for msg, counter in _totals.items():
        if counter.count:
            logger.info(
                "Total Time: %s -> %.4f sec., %d times, %.6g sec/time",
                msg,
                counter.sum,
                counter.count,
                counter.average,
            )


class IterSpeedCounter:
    """Count calls and log their speed now and then.

    The average is over all calls since the first one, or since ``reset()``.

    Args:
        print_every: log once in so many calls.
        name: what the line says; by default ``IterSpeed``.
    """

    def __init__(self, print_every: int, name: str | None = None) -> None:
        self.print_every = int(print_every)
        self.name = name or "IterSpeed"
        self.reset()

    def reset(self) -> None:
        """Start anew: the clock starts at the next call."""
        self.cnt = 0
        self.start = 0.0

    def __call__(self) -> None:
        """Count one iteration."""
        if self.cnt == 0:
            self.start = timer()
        self.cnt += 1
        if self.cnt % self.print_every == 0:
            seconds = timer() - self.start
            logger.info(
                "%s: %.2f sec., %d times, %.6g sec/time",
                self.name,
                seconds,
                self.cnt,
                seconds / self.cnt,
                stacklevel=2,
            )


class Timer:
    """A stop watch, running from the start."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start again from zero, running."""
        self._before = 0.0
        self._since: float | None = timer()

    def is_paused(self) -> bool:
        """Return whether it is paused."""
        return self._since is None

    def pause(self) -> None:
        """Stop the watch.

        Raises:
            RuntimeError: it is paused already.
        """
        if self._since is None:
            raise RuntimeError("Timer.pause(): the timer is paused already")
        self._before = self.seconds()
        self._since = None

    def resume(self) -> None:
        """Let the watch go on.

        Raises:
            RuntimeError: it is running.
        """
        if self._since is not None:
            raise RuntimeError("Timer.resume(): the timer is running already")
        self._since = timer()

    def seconds(self) -> float:
        """Return the seconds it ran, without the pauses."""
        return self._before + (0.0 if self._since is None else timer() - self._since)
