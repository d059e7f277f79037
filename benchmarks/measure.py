"""Measure one contender at one workload, in this process, and print a line of JSON."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

from machine import Watch
from workloads import WORKLOADS, Workload

WARM_SECONDS = 0.5
WARM_SECONDS_AT_MOST = 8.0
"""For a measurement of a second or more. Shorter ones are trials, with a shorter warm-up."""


def speed(iterator: Iterator[Any], workload: Workload, seconds: float) -> float:
    """Return units a second of an iterator that has given its first item, once it is warm."""
    warm_up(iterator, workload, min(seconds, 1.0))
    return _consume(iterator, workload, seconds * workload.longer)


def warm_up(iterator: Iterator[Any], workload: Workload, part: float) -> None:
    """Receive items until things are as they will be for the rest of a training.

    That is after half a second, but where every place in the queue is memory to be touched for the first time
    the queue must have gone around twice: ``workload.warm`` items. The rule is the same for all contenders.
    Those that take memory anew for every item never get warm, so there is an end to that.
    """
    start = time.perf_counter()
    received = 0
    while (passed := time.perf_counter() - start) < WARM_SECONDS * part or received < workload.warm:
        if passed > WARM_SECONDS_AT_MOST * part:
            break
        for dp in islice(iterator, workload.burst):
            workload.amount(dp)
        received += workload.burst


def _consume(iterator: Iterator[Any], workload: Workload, seconds: float) -> float:
    amount, burst = workload.amount, workload.burst
    total, start = 0.0, time.perf_counter()
    while True:
        for dp in islice(iterator, burst):  # the clock is not asked for each of a million
            total += amount(dp)
        del dp  # nobody else's memory is held while the next one is waited for
        passed = time.perf_counter() - start
        if passed >= seconds:
            return total / passed


def median_of(iterator: Iterator[float], workload: Workload, seconds: float) -> float:
    """Return the median of what an iterator says itself: at least twice, at most 20 times."""
    values, start = [next(iterator)], time.perf_counter()
    while len(values) < 2 or (len(values) < 20 and time.perf_counter() - start < 2 * seconds):
        values.append(next(iterator))
    return statistics.median(values)


def main() -> None:
    """Do it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contender")
    parser.add_argument("workload")
    parser.add_argument("--seconds", type=float, default=1.0)
    args = parser.parse_args()
    try:
        module = importlib.import_module(f"contenders.{args.contender}")
    except ImportError as e:
        print(json.dumps({"missing": str(e)}))
        return
    workload = WORKLOADS[args.workload]
    iterator = iter(getattr(module, args.workload)())
    first = next(iterator)  # the workers are there now
    watch = Watch()
    if workload.less_is_better:  # the first time, with all imports, is not what is meant
        value = median_of(iterator, workload, args.seconds)
    else:
        workload.amount(first)
        del first
        value = speed(iterator, workload, args.seconds)
    others = round(watch.others(), 2)
    print(json.dumps({"value": value, "others": others}), flush=True)
    os._exit(0)  # some contenders take seconds to end


if __name__ == "__main__":
    main()
