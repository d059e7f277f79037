"""What a forked worker must set up anew before it uses it.

A fork copies the thread that forks, and none of the others. A lock that one of those held stays locked for
ever in the child, and a pool of threads of a C library has no threads there: whoever uses one of them waits
in vain. ``logging``, OpenBLAS and others see to theirs. This is for those that don't.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import logging
import os
import sys
from typing import Any, NoReturn

import numpy as np

_OPENMP = ("libgomp", "libomp", "libiomp")


def set_up_anew() -> None:
    """Do it, first of all, in a process that was forked."""
    unlock_streams()
    unlock_np_random()
    _use_one_openmp_thread()
    _refuse_jax()


def unlock_streams() -> None:
    """Unlock what is printed and logged to. What the parent has not written yet is the parent's to write."""
    handlers = [ref() for ref in getattr(logging, "_handlerList", ())]
    streams = [getattr(handler, "stream", None) for handler in handlers]
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__, *streams):
        buffer = getattr(stream, "buffer", None)
        if type(buffer) is io.BufferedWriter:
            with contextlib.suppress(OSError, ValueError):  # it is closed
                buffer.__init__(buffer.raw)  # type: ignore[misc]  # makes a new lock


def unlock_np_random() -> None:
    """Unlock the generator of ``np.random``: a thread that was drawing from it may not exist here."""
    lock: Any = np.random.mtrand._rand._bit_generator.lock
    lock._at_fork_reinit()


def _use_one_openmp_thread() -> None:
    """Have OpenMP, which torch, scikit-learn and others use, work in the calling thread alone.

    It can't start threads in a child of a process where it had some. PyTorch's own loader does the same.
    """
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "set_num_threads"):
        torch.set_num_threads(1)
    for path in _loaded_libraries(_OPENMP):
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(path, os.RTLD_NOLOAD | os.RTLD_LAZY).omp_set_num_threads(1)


def _refuse_jax() -> None:
    """Have JAX raise an error, if the parent used it: it would wait for its threads for ever."""
    bridge: Any = sys.modules.get("jax._src.xla_bridge")
    if not getattr(bridge, "_backends", None):
        return

    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(
            "JAX was in use when this worker was forked, and can't be used in it: give start_method='spawn'"
        )

    bridge.backends = bridge.get_backend = refuse
    with contextlib.suppress(Exception):
        sys.modules["jax"].clear_caches()  # compiled functions, which ask for no backend


_found: tuple[int, set[str]] = (-1, set())  # how many modules were loaded then, and the libraries


def find_libraries() -> None:
    """Do in the parent what takes time: its forked workers need not look again."""
    _loaded_libraries(_OPENMP)


def _loaded_libraries(names: tuple[str, ...]) -> set[str]:
    """Return the paths of the loaded shared libraries whose file names begin with one of ``names``.

    They are looked for again when modules have been imported meanwhile.
    """
    global _found
    if _found[0] != len(sys.modules):
        _found = len(sys.modules), _read_libraries(names)
    return _found[1]


def _read_libraries(names: tuple[str, ...]) -> set[str]:
    try:
        with open("/proc/self/maps", "rb") as file:
            lines = file.read().split(b"\n")
    except OSError:
        return set()
    paths = {os.fsdecode(line[line.index(b"/") :]) for line in lines if b"/lib" in line}
    return {path for path in paths if os.path.basename(path).startswith(names)}
