"""The runners and mappers by the name that their module had until 0.8.0. Importing it warns."""

from __future__ import annotations

import importlib
import sys
import warnings

_package = __name__.partition(".")[0]
_library = importlib.import_module(_package)

__all__ = [
    "BlockParallel",
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
    "PrefetchProcess",
    "PrefetchProcessZMQ",
    "ThreadedMapData",
]


BlockParallel = _library.BlockParallel
MultiProcessMapData = _library.MultiProcessMapData
MultiProcessPrefetchData = _library.MultiProcessPrefetchData
MultiProcessRunner = _library.MultiProcessRunner
MultiProcessRunnerZMQ = _library.MultiProcessRunnerZMQ
MultiThreadMapData = _library.MultiThreadMapData
MultiThreadPrefetchData = _library.MultiThreadPrefetchData
MultiThreadRunner = _library.MultiThreadRunner
PrefetchData = _library.PrefetchData
PrefetchDataZMQ = _library.PrefetchDataZMQ
PrefetchOnGPUs = _library.PrefetchOnGPUs
PrefetchProcess = _library.PrefetchProcess
PrefetchProcessZMQ = _library.PrefetchProcessZMQ
ThreadedMapData = _library.ThreadedMapData


def _warn() -> None:
    """Warn at the line that imports this module, which is past the import system and our own modules."""
    frame = sys._getframe()
    while frame.f_back and frame.f_globals["__name__"].partition(".")[0] in ("importlib", _package):
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
