"""How many GPUs this process may use, asked without any GPU library."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import AbstractContextManager

from .._compat.renamed import warn_renamed
from . import logger
from .utils import change_env

__all__ = ["change_gpu", "get_nr_gpu", "get_num_gpu"]


def change_gpu(val: object) -> AbstractContextManager[None]:
    """Return a context manager in which this process and its children see other GPUs.

    Args:
        val: what ``CUDA_VISIBLE_DEVICES`` is set to, such as 0 or ``"0,1"``; None unsets it.
    """
    return change_env("CUDA_VISIBLE_DEVICES", None if val is None else str(val))


def get_num_gpu() -> int:
    """Return the number of visible NVIDIA GPUs.

    ``CUDA_VISIBLE_DEVICES`` decides if it is set, else what ``nvidia-smi`` lists; 0 without either.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        count = 0
        for device in visible.split(","):
            if not device.strip() or device.strip().startswith("-"):
                break  # as CUDA does: what follows an invalid entry is not visible
            count += 1
        return count
    smi = shutil.which("nvidia-smi")
    if smi is None:
        return 0
    try:
        listed = subprocess.run([smi, "-L"], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as e:
        logger.warning("nvidia-smi can't list the GPUs, counting none: %s", e, stacklevel=2)
        return 0
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def get_nr_gpu() -> int:
    """Return ``get_num_gpu()``: the old name."""
    warn_renamed("get_nr_gpu()", "get_num_gpu()")
    return get_num_gpu()
