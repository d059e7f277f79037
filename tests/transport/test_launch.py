"""How worker processes are started."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.helpers.parallel import ROOT


@pytest.mark.skipif(sys.platform != "linux", reason="fork is the default on Linux only")
@pytest.mark.parametrize(
    "chosen, kind", [("", "ForkProcess"), ("fork", "ForkProcess"), ("forkserver", "ForkServerProcess")]
)
def test_fork_stays_the_default_on_linux(chosen: str, kind: str) -> None:
    """From Python 3.14 on, that of ``multiprocessing`` is forkserver; what the program sets counts."""
    program = f"""
import multiprocessing
default = multiprocessing.context._default_context
default._default_context = default.get_context("forkserver")  # as in Python 3.14
default._actual_context = None
if {chosen!r}:
    multiprocessing.set_start_method({chosen!r})
from dataflow import DataFromList, MultiProcessMapData

def kind_of_process(dp):
    return [type(multiprocessing.current_process()).__name__]

if __name__ == "__main__":
    with MultiProcessMapData(DataFromList([[0]]), 1, kind_of_process, strict=True) as df:
        df.reset_state()
        print(*next(iter(df)))
    if not {chosen!r}:
        print(multiprocessing.get_start_method())
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": ROOT},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.stdout, done.stderr) == (kind + "\n" + ("" if chosen else "forkserver\n"), "")
