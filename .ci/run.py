#!/usr/bin/env python3
"""Do what the README tells a newcomer to do, soak the parallel classes, and fail if any of it fails.

The commands are read from the README: the blocks below lines ``<!-- run: NAME -->``. Each runs in a copy of
this checkout and in a new, empty virtual environment, both in a temporary folder. All that it takes is Python
and a way to install packages. The tests come last, so that their summary ends the output.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STEPS = ["main job", "style and types", "tests"]
SOAK = 'python -m pip install -e ".[test]" && python benchmarks/soak.py --seconds {}'
# what a fresh clone does not have
NOT_COPIED = (".git", ".hypothesis", ".tox", ".venv", ".*_cache", "*.egg-info", "__pycache__", "build")


def commands(readme: str) -> dict[str, str]:
    """Return the shell commands of each marked block, by its name."""
    blocks = re.findall(r"^<!-- run: (.+?) -->\n+```sh\n(.+?)^```$", readme, re.MULTILINE | re.DOTALL)
    found = dict(blocks)
    if sorted(found) != sorted(STEPS) or len(found) != len(blocks):
        sys.exit(f"README.md: expected one marked block for each of {STEPS}, found {[b[0] for b in blocks]}")
    return found


def run(command: str, folder: Path) -> bool:
    """Run a command in a copy of the checkout, in an environment of its own; return whether it succeeded."""
    checkout, environment = folder / "dataflow", folder / "venv"
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(*NOT_COPIED), symlinks=True)
    venv.create(environment, with_pip=True)
    programs = environment / ("Scripts" if os.name == "nt" else "bin")
    # as the environment's activate script does; and nothing of the caller's Python comes along
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH")}
    env |= {"PATH": f"{programs}{os.pathsep}{env['PATH']}", "VIRTUAL_ENV": str(environment)}
    env |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_PROGRESS_BAR": "off"}
    # -e: a line that fails ends the block
    shell = ["sh", "-e", "-c", command]
    return subprocess.run(shell, cwd=checkout, env=env, stdin=subprocess.DEVNULL).returncode == 0


def run_all(steps: Mapping[str, str]) -> int:
    """Run the command of each step, also after a failure; return the exit status."""
    status = 0
    for number, (step, command) in enumerate(steps.items(), 1):
        print(f"\n=== {step}\n{command.strip()}\n", flush=True)
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="dataflow-ci-") as folder:
            succeeded = run(command, Path(folder))
        status = status if succeeded else 1
        if number < len(steps):  # the last one's own summary ends the output
            seconds = time.monotonic() - start
            print(f"=== {step}: {'ok' if succeeded else 'FAILED'}, {seconds:.0f} s", flush=True)
    return status


def main() -> int:
    """Run the steps, the tests last."""
    found = commands((ROOT / "README.md").read_text(encoding="utf-8"))
    tests = found.pop("tests")
    return run_all({**found, "soak": SOAK.format(60), "tests": tests})


if __name__ == "__main__":
    sys.exit(main())
