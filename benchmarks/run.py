"""Measure workloads x contenders: rounds interleaved, medians, and the ratio within each round.

    python benchmarks/run.py                      # everything that is installed, in less than 20 minutes
    python benchmarks/run.py --quick              # one short round
    python benchmarks/run.py -w runner_tiny_1 -c ours -c torch_loader
    python benchmarks/run.py --json figures.json --resume      # only what is not in the file yet

Each pair runs in a process of its own, one at a time. A measurement that others disturbed is repeated. The
table goes to the terminal, progress to stderr, and the figures to the file after each workload.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from machine import DISTURBED, HERE, describe, measured
from table import Figures, row
from workloads import WORKLOADS

CONTENDERS = (
    "ours",
    "torch_loader",
    "torchdata_nodes",
    "grain_loader",
    "tf_data",
    "plain_mp",
    "limit",
    "ring",
)


def main() -> None:
    """Measure, print the table, write the files asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-w", "--workload", action="append", choices=list(WORKLOADS))
    parser.add_argument("-c", "--contender", action="append", choices=CONTENDERS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement, without warm-up")
    parser.add_argument("--tries", type=int, default=4, help="of a measurement that others disturb")
    parser.add_argument("--quick", action="store_true", help="one round of 0.1 seconds, one try")
    parser.add_argument("--json", type=Path, help="write the figures to this file, after each workload")
    parser.add_argument("--resume", action="store_true", help="skip the workloads that are in that file")
    parser.add_argument("--plot", type=Path, help="write a picture to this file (needs matplotlib)")
    args = parser.parse_args()
    if args.quick:
        args.rounds, args.seconds, args.tries = 1, 0.1, 1
    result: dict[str, Any] = {"machine": describe(), "rounds": args.rounds, "seconds": args.seconds}
    result["figures"] = {}
    if args.resume and args.json and args.json.exists():
        result["figures"] = json.loads(args.json.read_text())["figures"]
    contenders = args.contender or list(CONTENDERS)
    for name in args.workload or WORKLOADS:
        if name not in result["figures"]:
            result["figures"][name] = measure_workload(name, contenders, args)
            if args.json:
                args.json.write_text(json.dumps(result, indent=1) + "\n")
        print(row(WORKLOADS[name], result["figures"][name]), flush=True)
    if args.plot:
        from plot import draw

        draw(result, args.plot)


def measure_workload(name: str, contenders: list[str], args: argparse.Namespace) -> Figures:
    """Return the figures of each contender that does the workload, one for each round.

    Those that turn out not to be installed are taken off ``contenders``.
    """
    figures: Figures = {contender: [] for contender in contenders if offers(contender, name)}
    for number in range(args.rounds):
        for contender in list(figures):
            result = measure(contender, name, f"round {number + 1} of {args.rounds}", args)
            if "value" in result:
                figures[contender].append(result["value"])
                continue
            del figures[contender]  # what it did in earlier rounds is no figure either
            if "missing" in result:
                contenders.remove(contender)
    return figures


def offers(contender: str, workload: str) -> bool:
    """Say whether a contender does a workload; its file says so, since imports of some take seconds."""
    return f"\ndef {workload}(" in (HERE / "contenders" / f"{contender}.py").read_text()


def measure(contender: str, workload: str, where: str, args: argparse.Namespace) -> dict[str, Any]:
    """Return what ``measure.py`` says, and print a line about it."""
    start = time.perf_counter()
    command = [str(HERE / "measure.py"), contender, workload, "--seconds", str(args.seconds)]
    result = measured(command, 40 + 20 * args.seconds, args.tries)
    if "value" in result:
        line = f"{result['value']:.4g} after {time.perf_counter() - start:.1f} s"
        if result["others"] >= DISTURBED:
            line += f", DISTURBED: others used {result['others']:.2f} of a core"
    elif "missing" in result:
        line = f"is not installed: {result['missing']}"
    else:
        line = f"FAILED: {result['failed']}"
    print(f"  {workload}, {where}: {contender} {line}", file=sys.stderr, flush=True)
    return result


if __name__ == "__main__":
    main()
