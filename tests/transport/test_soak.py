"""The soak of benchmarks/, for half a minute."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.parallel import ROOT


@pytest.mark.timeout(120)
def test_soak() -> None:
    done = subprocess.run(
        [sys.executable, str(Path(ROOT) / "benchmarks" / "soak.py"), "--seconds", "30"],
        env={**os.environ, "PYTHONPATH": ROOT},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rounds" in done.stdout
    assert done.stderr == ""
