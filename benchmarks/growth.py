"""How speed and memory change with what grows: datapoints, processes, pipelines, buffers, runs.

    python benchmarks/growth.py --json growth.json       # in about 4 minutes
    python benchmarks/growth.py --quick                  # a few small points, to see that it works
    python benchmarks/growth.py -c runner_processes

Each point is measured in a process of its own, rounds interleaved, medians. A table for each curve goes
to the terminal; its last column says whether the point is as it should be, or else what is wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import workloads
from machine import HERE, Watch, cores, describe, measured
from measure import speed
from table import short

from dataflow import (
    DataFromGenerator,
    LocallyShuffleData,
    MapData,
    MultiProcessMapData,
    MultiProcessRunnerZMQ,
)

Figures = dict[str, float]
MB = 1_000_000


def _rate(df: Any, seconds: float, amount: Any = workloads.count, **options: Any) -> float:
    """Return datapoints a second of a dataflow."""
    workload = workloads.Workload("", "", "1/s", amount, **options)
    df.reset_state()
    iterator = iter(df)
    workload.amount(next(iterator))
    return speed(iterator, workload, seconds)


def _touched(dp: Any) -> float:
    """Look at every page, with less ado than ``workloads.pages``: here some arrays are tiny."""
    np.add.reduce(dp[0][:: workloads.PAGE])
    return 1.0


def size(nbytes: int, seconds: float) -> Figures:
    """Run 2 processes that send arrays of ``nbytes``."""
    array = np.ones(nbytes, np.uint8)
    df = MultiProcessRunnerZMQ(DataFromGenerator(lambda: itertools.repeat([array])), 2)
    options = {"warm": workloads.TWICE_HWM, "burst": 2 if nbytes >= MB else 64}
    rate = _rate(df, seconds, _touched, **options)
    return {"1/s": rate, "GB/s": rate * nbytes / 1e9}


def _work(dp: Any) -> Any:
    """Compute for about a millisecond."""
    sum(range(50_000))
    return dp


def runner_processes(num: int, seconds: float) -> Figures:
    """Run ``num`` processes that compute."""
    df = MultiProcessRunnerZMQ(MapData(DataFromGenerator(workloads.tiny), _work), num)
    return {"1/s": _rate(df, seconds)}


def map_processes(num: int, seconds: float) -> Figures:
    """Map in ``num`` processes, which compute."""
    return {"1/s": _rate(MultiProcessMapData(DataFromGenerator(workloads.tiny), num, _work), seconds)}


def depth(stages: int, seconds: float) -> Figures:
    """Chain ``stages`` maps, and compare with the source alone."""
    source = DataFromGenerator(lambda: itertools.repeat([1, 2]))
    df: Any = source
    for _ in range(stages):
        df = MapData(df, workloads.identity)
    rate, bare = (_rate(flow, seconds / 2, burst=1024) for flow in (df, source))
    return {"1/s": rate, "ns a stage": (1 / rate - 1 / bare) / stages * 1e9}


def shuffle(buffer: int, seconds: float) -> Figures:
    """Shuffle tiny datapoints in a buffer: at least three times as many as fit, so several shuffles."""
    df = LocallyShuffleData(DataFromGenerator(workloads.tiny), buffer)
    return {"1/s": _rate(df, seconds, warm=buffer // 10, burst=max(buffer, 1000))}


def memory() -> float:
    """Return the MB that this process and its children use; what they share counts once."""
    kilobytes = 0
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    kilobytes += int(line.split()[1])
    return kilobytes * 1024 / MB


LENGTHS = {"runner": 1_000_000, "strict mapper": 1_000_000, "runner, short": 50_000}


def run_length(kind: str, seconds: float) -> Figures:
    """Note the memory of parent and workers along a run of a million datapoints."""
    total = LENGTHS[kind]
    source = DataFromGenerator(lambda: itertools.islice(workloads.tiny(), total), total)
    df: Any = (
        MultiProcessMapData(source, 2, workloads.identity, strict=True)
        if kind == "strict mapper"
        else MultiProcessRunnerZMQ(source, 2)
    )
    df.reset_state()
    marks = {total // 10: "MB at 10 %", total // 2: "at 50 %", total: "at 100 %"}
    return {marks[k]: memory() for k, _ in enumerate(df, 1) if k in marks}


def peak(case: str, seconds: float) -> Figures:
    """Note the most memory that a runner takes, with a consumer that is slow, fast, and slow again."""
    hwm, megabytes = map(int, case.split(" x "))
    array = np.ones(megabytes * MB, np.uint8)
    before = memory()
    df = MultiProcessRunnerZMQ(DataFromGenerator(lambda: itertools.repeat([array])), 2, hwm)
    df.reset_state()
    most, iterator = 0.0, iter(df)
    for pause in (0.02, 0.0, 0.02):
        for _ in range(2 * hwm):
            _touched(next(iterator))
            time.sleep(pause)
        time.sleep(0.2)
        most = max(most, memory() - before)
    return {"MB": most, "hwm x size, MB": hwm * megabytes}


Rows = list[tuple[Any, Figures]]


def _no_collapse(rows: Rows) -> Iterator[str]:
    best = max(figures["1/s"] for _, figures in rows)
    for num, figures in rows:
        part = figures["1/s"] / best
        yield "" if num < cores() else _ok(part >= 0.9, f"{part:.2f} of the best")


def _same_cost(rows: Rows) -> Iterator[str]:
    usual = statistics.median(figures["ns a stage"] for _, figures in rows)
    for _, figures in rows:
        part = figures["ns a stage"] / usual
        yield _ok(part <= 1.5, f"{part:.2f} x the median stage")


def _linear(rows: Rows) -> Iterator[str]:
    """A datapoint may cost more where the buffer no longer fits a cache, but not in proportion to it."""
    for _, figures in rows:
        part = rows[0][1]["1/s"] / figures["1/s"]
        yield _ok(part <= 4, f"{part:.1f} x the time of the smallest")


def _flat(rows: Rows) -> Iterator[str]:
    for _, figures in rows:
        growth = max(figures.values()) / min(figures.values()) - 1
        yield _ok(growth <= 0.05, f"grew by {growth:.1%}")


def _bounded(rows: Rows) -> Iterator[str]:
    for _, figures in rows:
        beyond = figures["MB"] - figures["hwm x size, MB"]
        yield _ok(beyond <= 50, f"{beyond:.0f} MB beyond")


def _nothing_asked(rows: Rows) -> Iterator[str]:
    return iter([""] * len(rows))


def _ok(as_asked: bool, text: str) -> str:
    return f"ok ({text})" if as_asked else f"NO: {text}"


@dataclass(frozen=True)
class Curve:
    """One curve: a function that measures a point, and where."""

    text: str
    point: Callable[[Any, float], Figures]
    points: Iterable[Any]
    quick: Iterable[Any]
    judge: Callable[[Rows], Iterator[str]] = _nothing_asked
    timed: bool = True


CURVES = {
    curve.point.__name__: curve
    for curve in (
        Curve("bytes of a datapoint, runner of 2", size, [10**k for k in range(2, 9)], [100, MB]),
        Curve(
            "processes of a runner, 1 ms of work", runner_processes, (1, 2, 3, 4, 6, 8), (2, 4), _no_collapse
        ),
        Curve("processes of a map, 1 ms of work", map_processes, (1, 2, 3, 4, 6, 8), (2, 4), _no_collapse),
        Curve("maps in a chain", depth, (1, 2, 5, 10, 20), (2, 20), _same_cost),
        Curve("buffer of a local shuffle", shuffle, [10**k for k in range(3, 7)], [1000, 10_000], _linear),
        Curve(
            "run of a million",
            run_length,
            ("runner", "strict mapper"),
            ("runner, short",),
            _flat,
            timed=False,
        ),
        Curve(
            "hwm x MB of a datapoint",
            peak,
            ("50 x 1", "10 x 10", "50 x 10", "5 x 100"),
            ("10 x 1",),
            _bounded,
            timed=False,
        ),
    )
}


def main() -> None:
    """Measure all curves, print their tables, write the file asked for; or measure one point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-c", "--curve", action="append", choices=list(CURVES))
    parser.add_argument("--rounds", type=int, default=3, help="of the curves in seconds")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement, without warm-up")
    parser.add_argument("--tries", type=int, default=4, help="of a measurement that others disturb")
    parser.add_argument("--quick", action="store_true", help="a few points, one round of 0.1 seconds")
    parser.add_argument("--json", type=Path, help="write the figures to this file, after each curve")
    parser.add_argument("--point", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.point:
        measure_point(CURVES[args.curve[0]], json.loads(args.point), args.seconds)
    if args.quick:
        args.rounds, args.seconds, args.tries = 1, 0.1, 1
    result: dict[str, Any] = {"machine": describe(), "curves": {}}
    for name in args.curve or CURVES:
        rows = measure_curve(name, args)
        judgements = list(CURVES[name].judge(rows)) if rows else []
        print_curve(CURVES[name].text, rows, judgements)
        result["curves"][name] = [
            {"at": value, **figures, "as asked": judgement}
            for (value, figures), judgement in zip(rows, judgements, strict=True)
        ]
        if args.json:
            args.json.write_text(json.dumps(result, indent=1) + "\n")


def measure_point(curve: Curve, value: Any, seconds: float) -> None:
    """Be the process of one point: print a line of JSON, and end."""
    watch = Watch()
    figures = curve.point(value, seconds)
    print(json.dumps({"figures": figures, "others": watch.others() if curve.timed else 0.0}), flush=True)
    os._exit(0)


def measure_curve(name: str, args: argparse.Namespace) -> Rows:
    """Return the points of a curve, with the median of each figure."""
    curve = CURVES[name]
    found: dict[Any, list[Figures]] = {}
    for _ in range(args.rounds if curve.timed else 1):
        for value in curve.quick if args.quick else curve.points:
            command = [str(HERE / "growth.py"), "-c", name, "--point", json.dumps(value)]
            result = measured([*command, "--seconds", str(args.seconds)], 120, args.tries)
            print(f"  {name} {value}: {result}", file=sys.stderr, flush=True)
            if "figures" in result:
                found.setdefault(value, []).append(result["figures"])
    return [
        (value, {key: statistics.median(f[key] for f in all_rounds) for key in all_rounds[0]})
        for value, all_rounds in found.items()
    ]


def print_curve(text: str, rows: Rows, judgements: list[str]) -> None:
    """Print the table of a curve."""
    heads = [text, *(rows[0][1] if rows else ())]
    print("  ".join([*(f"{head:>12}" for head in heads), "as asked"]))
    for (value, figures), judgement in zip(rows, judgements, strict=True):
        cells = [f"{short(value) if isinstance(value, int) else value:>{max(12, len(text))}}"]
        cells += [f"{short(figure):>{max(12, len(key))}}" for key, figure in figures.items()]
        print("  ".join([*cells, judgement]), flush=True)


if __name__ == "__main__":
    main()
