"""Other packages that a program has, and what they change."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import numpy as np
{before}
from dataflow import DataFromList, LMDBSerializer
from dataflow.utils.serialize import dumps, loads
{after}
value = [(1, 2), np.arange(3), np.float32(2), {{"a": np.zeros((2, 2))}}, b"x", {{3}}, 1 << 70]
assert repr(loads(dumps(value))) == repr(value), loads(dumps(value))
big = [np.arange(100_000)]
assert (loads(dumps(big))[0] == big[0]).all()
import msgpack
print("right", msgpack.Packer.__module__)
"""
PATCH = "import msgpack_numpy; msgpack_numpy.patch()"


@pytest.mark.parametrize(("before", "after"), [(PATCH, ""), ("", PATCH), (PATCH, PATCH)])
def test_msgpack_numpy_patch(before: str, after: str) -> None:
    pytest.importorskip("msgpack_numpy")
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(before=before, after=after)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "right msgpack_numpy\n", done.stderr
