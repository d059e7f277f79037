"""Measure one contender at one workload, in this process, and print a line of JSON."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import time
from collections.abc import Iterable
from typing import Any

from workloads import WORKLOADS, Workload


def speed(items: Iterable[Any], workload: Workload, seconds: float) -> float:
    """Return units a second, after a warm-up of half of ``seconds``."""
    amount, iterator = workload.amount, iter(items)
    amount(next(iterator))  # the workers are there now
    _consume(iterator, amount, seconds / 2)
    return _consume(iterator, amount, seconds)


def _consume(iterator: Any, amount: Any, seconds: float) -> float:
    total, start = 0.0, time.perf_counter()
    while True:
        for _ in range(16):  # the clock is not asked for each of a million
            total += amount(next(iterator))
        passed = time.perf_counter() - start
        if passed >= seconds:
            return total / passed


def main() -> None:
    """Do it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("contender")
    parser.add_argument("workload")
    parser.add_argument("--seconds", type=float, default=2.0)
    args = parser.parse_args()
    try:
        module = importlib.import_module(f"contenders.{args.contender}")
    except ImportError as e:
        print(json.dumps({"missing": str(e)}))
        return
    make = getattr(module, args.workload, None)
    if make is None:
        print(json.dumps({"not_offered": True}))
        return
    rate = speed(make(), WORKLOADS[args.workload], args.seconds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rate": rate, "peak_mb": round(peak), "cpu": os.times()[:4]}), flush=True)
    os._exit(0)  # some contenders take seconds to end


if __name__ == "__main__":
    main()
