"""What workers do: the same functions in a process, in a thread, and in this process.

A *producer* makes datapoints of its own. A job *with tasks* takes tasks and yields once for each: the numbers
of the tasks that are settled now, and their value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from .._core.errors import name_datapoint
from .._flows.batch import aggregate
from .._transport.pool import NO_VALUE, Task
from ..base import reset_all

MAX_EMPTY = 100
"""Passes in a row without a datapoint after which a source that is read for ever is declared empty."""

_END = object()


def endless(ds: Iterable[Any]) -> Iterator[Any]:
    """Return an iterator over pass after pass of a dataflow.

    Raises:
        RuntimeError: while iterating: ``MAX_EMPTY`` passes in a row had no datapoint.
    """
    return chain.from_iterable(_passes(ds))  # nothing of ours runs for each datapoint


def _passes(ds: Iterable[Any]) -> Iterator[Iterable[Any]]:
    empty = 0
    while empty < MAX_EMPTY:
        datapoints = iter(ds)
        first = next(datapoints, _END)
        if first is _END:
            empty += 1
        else:
            empty = 0
            yield chain((first,), datapoints)
    raise RuntimeError(f"the dataflow is empty: {empty} passes in a row gave no datapoint")


def produce(ds: Iterable[Any]) -> Iterator[Any]:
    """Be a worker of a runner: reset ``ds``, then yield its datapoints, pass after pass."""
    reset_all([ds])
    return endless(ds)


def map_tasks(tasks: Iterator[Task | None], func: Callable[[Any], Any], empty: Any) -> Iterator[Any]:
    """Be a worker of a mapper: each task is settled by its result, or by nothing."""
    for task in tasks:
        if task is None:  # the end of a pass: nothing is held back
            yield (), NO_VALUE
            continue
        number, dp = task
        try:
            result = func(dp)
        except Exception as e:
            name_datapoint(e, number, dp)
            raise
        yield number, NO_VALUE if result is None else result


def map_and_batch(
    tasks: Iterator[Task | None], code: tuple[Callable[[Any], Any], int, bool], empty: Callable[..., Any]
) -> Iterator[Any]:
    """Be a worker that also makes batches. A batch settles the tasks of its datapoints.

    At the end of a pass the remainder is a smaller batch if ``remainder``, else dropped.
    """
    func, batch_size, remainder = code
    held: list[Any] = []
    numbers: list[int] = []
    for task in tasks:
        if task is None:
            value = aggregate(held, empty=empty) if held and remainder else NO_VALUE
            yield tuple(numbers), value
            held, numbers = [], []
            continue
        number, dp = task
        try:
            result = func(dp)
        except Exception as e:
            name_datapoint(e, number, dp)
            raise
        if result is None:
            yield (number,), NO_VALUE
            continue
        held.append(result)
        numbers.append(number)
        if len(held) == batch_size:
            yield tuple(numbers), aggregate(held, empty=empty)  # stacked where it is sent from
            held, numbers = [], []
        else:
            yield (), NO_VALUE
