#!/usr/bin/env python3
"""Do what takes longer than ``.ci/run`` should: run this once before a larger change is called finished.

The steps, each in a copy of this checkout and in an environment of its own, as in ``.ci/run``:

- the documentation is built, its code is run, and so are short benchmarks;
- the soak goes on for half an hour;
- all tests run with each Python from 3.10 to 3.14 that is on this machine (those of pyenv count);
- all tests run once more, and 95 % of the package's branches must have been taken, in workers too.

All of it takes about an hour and a half on two cores. A failure does not keep the later steps from running.
Steps can be chosen by the beginnings of their names: ``.ci/full soak coverage``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from run import SOAK, run_all

TOX = 'python -m pip install "tox>=4" && tox run -e '
STEPS = {
    "docs and benchmarks": TOX + "docs,bench",
    "soak": SOAK.format(1800),
    "pythons": TOX + "py310,py311,py312,py313,py314",
    "coverage": TOX + "coverage",
}


def main(chosen: list[str]) -> int:
    """Run the steps whose names begin with one of ``chosen``; all of them if it is empty."""
    if shutil.which("pyenv"):  # let python3.10, python3.11 ... be found, and not only the one in use
        root = subprocess.run(["pyenv", "root"], capture_output=True, text=True).stdout.strip()
        folders = [str(folder) for folder in sorted(Path(root).glob("versions/*/bin"))]
        os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *folders])
    steps = {k: v for k, v in STEPS.items() if not chosen or k.startswith(tuple(chosen))}
    if not steps:
        sys.exit(f"{sys.argv[0]}: expected beginnings of {', '.join(map(repr, STEPS))}, got {chosen}")
    return run_all(steps)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
