"""This machine: what it is, what others do on it meanwhile, and how to run something on it alone."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
DISTURBED = 0.15  # of one core, used by others


def describe() -> dict[str, Any]:
    """Describe this machine."""
    model = platform.processor()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {
        "cpu": model,
        "cores": cores(),
        "python": platform.python_version(),
        "system": platform.system(),
    }


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Watch:
    """Sees how much of the machine others used since it was made."""

    def __init__(self) -> None:
        self._start, self._busy, self._own = time.perf_counter(), _busy_seconds(), _session_seconds()

    def others(self) -> float:
        """Return the cores that others used, on average; 0 where that is not known."""
        used = _busy_seconds() - self._busy - (_session_seconds() - self._own)
        return max(0.0, used) / (time.perf_counter() - self._start)


def _busy_seconds() -> float:
    """Return the processor time of the whole machine so far, with what its host took away (steal)."""
    try:
        fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    except OSError:
        return 0.0
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) / TICK


def _session_seconds() -> float:
    """Return the processor time of this session so far: of this process, its workers, and theirs."""
    if not Path("/proc/self/stat").exists():
        return 0.0
    session, ticks = str(os.getsid(0)), 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile; its parent, if any, has its time now
            fields = stat.read_text().rpartition(")")[2].split()
            if fields[3] == session:
                ticks += sum(map(int, fields[11:15]))
    return ticks / TICK


def measured(command: list[str], timeout: float, tries: int) -> dict[str, Any]:
    """Run a Python script that prints a line of JSON; again, up to ``tries`` times, if others disturbed it.

    Returns:
        the JSON of the least disturbed run, or ``{"failed": ...}``.
    """
    least: dict[str, Any] = {"others": float("inf")}
    for _ in range(tries):
        output, errors, status = _run([sys.executable, *command], timeout)
        lines = [line for line in output.splitlines() if line.startswith("{")]
        if status or not lines:
            if "failed" in least:
                break
            # once more: some contenders stall now and then when they start
            least = {"failed": " ".join(errors.strip().splitlines()[-1:]) or f"exit status {status}"} | least
            continue
        result: dict[str, Any] = json.loads(lines[-1])
        least = min(least, {"others": 0.0} | result, key=lambda r: r["others"])
        if least["others"] < DISTURBED:
            break
    return least


def _run(command: list[str], timeout: float) -> tuple[str, str, int]:
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
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        errors.seek(0)
        return output.read(), errors.read(), status
