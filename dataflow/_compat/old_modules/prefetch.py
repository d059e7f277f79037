"""The runners and mappers by the name that their module had until 0.8.0. Importing it warns."""

from __future__ import annotations

import sys
import warnings

from dataflow._compat.old_classes import PrefetchOnGPUs, ThreadedMapData
from dataflow.parallel import (
    MultiProcessPrefetchData,
    MultiProcessRunner,
    MultiProcessRunnerZMQ,
    MultiThreadPrefetchData,
    MultiThreadRunner,
    PrefetchData,
    PrefetchDataZMQ,
)
from dataflow.parallel_map import MultiProcessMapData, MultiThreadMapData

__all__ = [
    "MultiProcessMapData",
    "MultiProcessPrefetchData",
    "MultiProcessRunner",
    "MultiProcessRunnerZMQ",
    "MultiThreadMapData",
    "MultiThreadPrefetchData",
    "MultiThreadRunner",
    "PrefetchData",
    "PrefetchDataZMQ",
    "PrefetchOnGPUs",
    "ThreadedMapData",
]


def _warn() -> None:
    """Warn at the line that imports this module, which is past the import system and our own modules."""
    frame = sys._getframe()
    while frame.f_back and frame.f_globals["__name__"].partition(".")[0] in ("importlib", "dataflow"):
        frame = frame.f_back
    warnings.warn_explicit(
        "the module dataflow.prefetch is deprecated: it is called dataflow.parallel and parallel_map now",
        DeprecationWarning,
        frame.f_code.co_filename,
        frame.f_lineno,
        frame.f_globals["__name__"],
        frame.f_globals.setdefault("__warningregistry__", {}),
    )


_warn()
