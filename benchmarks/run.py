"""Measure workloads x contenders: rounds interleaved, medians, and the ratio within each round.

    python benchmarks/run.py                      # everything that is installed
    python benchmarks/run.py --quick              # one short round
    python benchmarks/run.py -w runner_tiny_1 -c ours -c torch_loader

Each pair runs in a process of its own, one at a time. A measurement that others disturbed is repeated.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from workloads import WORKLOADS

HERE = Path(__file__).parent

CONTENDERS = ("ours", "torch_loader", "torchdata_nodes", "grain_loader", "tf_data", "plain_mp", "limit")
DISTURBED = 0.15  # of one core, used by others
TRIES = 4


def main() -> None:
    """Measure, print the table, write the files asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-w", "--workload", action="append", choices=list(WORKLOADS))
    parser.add_argument("-c", "--contender", action="append", choices=CONTENDERS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--quick", action="store_true", help="one round of half a second")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--plot", type=Path, help="write a picture to this file (needs matplotlib)")
    args = parser.parse_args()
    rounds, seconds = (1, 0.5) if args.quick else (args.rounds, args.seconds)
    contenders = args.contender or list(CONTENDERS)
    figures = {}
    for name in args.workload or WORKLOADS:
        figures[name] = measure_workload(name, contenders, rounds, seconds)
        print_row(name, figures[name])
    result = {"machine": machine(), "rounds": rounds, "seconds": seconds, "figures": figures}
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    if args.plot:
        from plot import draw

        draw(result, args.plot)


def measure_workload(name: str, contenders: list[str], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Return the rates of each contender, one for each round."""
    rates: dict[str, list[float]] = {}
    absent: set[str] = set()
    for _ in range(rounds):
        for contender in contenders:
            if contender in absent:
                continue
            rate = measure(contender, name, seconds)
            if rate is None:
                absent.add(contender)
            else:
                rates.setdefault(contender, []).append(rate)
    return rates


def measure(contender: str, workload: str, seconds: float) -> float | None:
    """Return a rate, or None, with a line that says why, if the contender does not do the workload here."""
    command = [sys.executable, str(HERE / "measure.py"), contender, workload, "--seconds", str(seconds)]
    quietest = (float("inf"), 0.0)
    for _ in range(TRIES):
        busy, start = busy_seconds(), time.perf_counter()
        own = os.times()
        output, errors, status = run(command, timeout=60 + 20 * seconds)
        passed = time.perf_counter() - start
        now = os.times()
        used = now.children_user + now.children_system - own.children_user - own.children_system
        lines = [line for line in output.splitlines() if line.startswith("{")]
        if status or not lines:
            print(f"  {contender} failed at {workload}: {errors.strip().splitlines()[-1:]}", file=sys.stderr)
            return None
        result = json.loads(lines[-1])
        if "rate" not in result:
            if "missing" in result:
                print(f"  {contender} is not installed: {result['missing']}", file=sys.stderr)
            return None
        others = max(0.0, busy_seconds() - busy - used) / passed
        quietest = min(quietest, (others, result["rate"]))
        # workers that outlive the measurement for a moment are not in ``used``: those are no disturbance
        if others < DISTURBED or busy == 0:
            break
    return quietest[1]


def run(command: list[str], timeout: float) -> tuple[str, str, int]:
    """Run a command, end what it leaves behind, and return its output, its errors and its exit status."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
        process = subprocess.Popen(
            command, stdout=output, stderr=errors, start_new_session=True, env=environment
        )
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            errors.write(f"no result after {timeout:.0f} seconds\n")
            status = 1
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        output.seek(0)
        errors.seek(0)
        return output.read(), errors.read(), status


def busy_seconds() -> float:
    """Return the processor time used by the whole machine so far, 0 where that is not known."""
    try:
        fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    except OSError:
        return 0.0
    user, nice, system, _idle, _iowait, irq, softirq = map(int, fields[:7])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def print_row(name: str, rates: dict[str, list[float]]) -> None:
    """Print the medians of a workload and how many times the others' ours is, in the median of the rounds."""
    workload = WORKLOADS[name]
    print(f"{workload.text} ({workload.unit})")
    for contender, values in rates.items():
        line = f"  {contender:16} {short(statistics.median(values)):>9}"
        if contender != "ours" and "ours" in rates:
            ratios = [o / v for o, v in zip(rates["ours"], values, strict=True)]
            line += f"   ours: {statistics.median(ratios):7.2f} x  ({min(ratios):.2f} - {max(ratios):.2f})"
        print(line, flush=True)


def short(value: float) -> str:
    """Return a number with three digits and a letter for thousands or millions."""
    for factor, letter in ((1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.3g} {letter}"
    return f"{value:.3g}"


def machine() -> dict[str, Any]:
    """Describe this machine."""
    model = platform.processor()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
    }


if __name__ == "__main__":
    main()
