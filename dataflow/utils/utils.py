"""Small things that programs use everywhere."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .._core.optional import require
from .._core.random_state import fix_rng_seed, get_rng
from . import logger

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["change_env", "execute_only_once", "fix_rng_seed", "get_rng", "get_tqdm", "humanize_time_delta"]

_seen_lines: set[tuple[str, int]] = set()


def humanize_time_delta(sec: float) -> str:
    """Return a duration in words.

    >>> humanize_time_delta(60)
    '1 minute'
    >>> humanize_time_delta(93784)
    '1 day 2 hours 3 minutes 4 seconds'
    >>> humanize_time_delta(0.25)
    '0.25 second'

    Args:
        sec: seconds. Three digits are shown below a minute, whole seconds, cut, above. A negative one logs a
            warning.
    """
    if sec < 0:
        logger.warning("humanize_time_delta() got the negative duration %s", sec, stacklevel=2)
        return f"{sec} seconds"
    shown = f"{sec:.3g}"
    if float(shown) < 60:
        return _count(shown, "second")
    rest = int(sec) if sec >= 60 else 60  # whole seconds are cut; just below a minute it is rounded
    parts = []
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        n, rest = divmod(rest, size)
        if n:
            parts.append(_count(str(n), unit))
    return " ".join(parts)


def _count(number: str, unit: str) -> str:
    return f"{number} {unit}s" if float(number) > 1 else f"{number} {unit}"


@contextmanager
def change_env(name: str, val: str | None) -> Iterator[None]:
    """Set an environment variable inside a ``with`` block; None unsets it.

    >>> with change_env("GREETING", "hello"):
    ...     os.environ["GREETING"]
    'hello'
    >>> "GREETING" in os.environ
    False
    """
    before = os.environ.get(name)
    _set_env(name, val)
    try:
        yield
    finally:
        _set_env(name, before)


def _set_env(name: str, val: str | None) -> None:
    if val is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = val


def execute_only_once() -> bool:
    """Return True the first time that the calling line of source is reached in this process, then False.

    Two calls on one line share their answer.

    >>> for _ in range(3):
    ...     if execute_only_once():
    ...         print("once")
    once
    """
    frame = sys._getframe(1)
    line = frame.f_code.co_filename, frame.f_lineno
    if line in _seen_lines:
        return False
    _seen_lines.add(line)
    return True


def get_tqdm_kwargs(**kwargs: Any) -> dict[str, Any]:
    """Return the keyword arguments that make a progress bar of this library's form.

    A bar refreshes twice a second on a terminal and in a notebook, and seldom in the log file of a batch
    job. The environment variable ``TENSORPACK_PROGRESS_REFRESH`` sets the interval in seconds.

    Args:
        **kwargs: any arguments of ``tqdm``; they override.

    Raises:
        ValueError: ``TENSORPACK_PROGRESS_REFRESH`` is not a number.
    """
    stream = kwargs.get("file")
    return {
        "smoothing": 0.5,
        "dynamic_ncols": True,
        "ascii": True,
        "bar_format": "{l_bar}{bar}|{n_fmt}/{total_fmt}[{elapsed}<{remaining},{rate_noinv_fmt}]",
        "mininterval": _refresh_interval(sys.stderr if stream is None else stream),
        **kwargs,
    }


def _refresh_interval(stream: Any) -> float:
    setting = os.environ.get("TENSORPACK_PROGRESS_REFRESH")
    if setting:
        try:
            return float(setting)
        except ValueError:
            raise ValueError(
                f"TENSORPACK_PROGRESS_REFRESH={setting!r}: expected a number of seconds, such as 0.5"
            ) from None
    is_open = not getattr(stream, "closed", False)
    if (is_open and getattr(stream, "isatty", bool)()) or type(stream).__module__.startswith("ipykernel"):
        return 0.5
    if "SLURM_JOB_ID" in os.environ:
        return 60 if int(os.environ.get("SLURM_JOB_NUM_NODES") or 1) > 1 else 15
    if "OMPI_COMM_WORLD_SIZE" in os.environ:
        return 60
    return 180


def get_tqdm(*args: Any, **kwargs: Any) -> tqdm[Any]:
    """Return a ``tqdm`` progress bar with the arguments of ``get_tqdm_kwargs``."""
    stream = kwargs.get("file") or sys.stderr
    if stream is None or getattr(stream, "closed", False):  # a service, or pythonw
        kwargs["disable"] = True
    bar: tqdm[Any] = require("tqdm", None).tqdm(*args, **get_tqdm_kwargs(**kwargs))
    return bar


def find_library_full_path(name: str) -> str | None:
    """Return the full path of a shared library, or None.

    Args:
        name: its name without ``lib`` and suffix, such as ``"z"``.
    """
    found = ctypes.util.find_library(name)
    if found is None or os.path.isabs(found):
        return found
    for directory in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep):
        path = os.path.join(directory, found)
        if directory and os.path.exists(path):
            return os.path.abspath(path)
    return _linker_cache().get(found)


def _linker_cache() -> dict[str, str]:
    """Return soname -> path of the libraries of this machine's word size that the dynamic linker knows."""
    ldconfig = shutil.which("ldconfig", path=os.environ.get("PATH", "") + os.pathsep + "/sbin:/usr/sbin")
    if ldconfig is None:
        return {}
    lines = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=False).stdout.splitlines()
    found: dict[str, str] = {}
    for line in lines:
        soname, arrow, path = line.strip().partition(" => ")
        soname, _, kind = soname.partition(" ")
        if arrow and ("64" in kind) == (sys.maxsize > 2**32):
            found.setdefault(soname, path)
    return found
