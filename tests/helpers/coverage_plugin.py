"""A plugin of coverage.py, which counts what workers run although they are ended by SIGTERM.

A worker gives SIGTERM its default action, so that a handler of the parent's program never runs there. While
coverage is measured it gets a handler that writes the worker's figures and then ends it. The ``sigterm``
option of coverage.py does so in every process, also in those that tests end before they have begun.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from coverage import Coverage

_set_handler = signal.signal


def coverage_init(registry: Any, options: dict[str, Any]) -> None:
    """Be loaded; this is called in each process that is measured."""
    signal.signal = _set_handler_that_writes_figures


def _set_handler_that_writes_figures(number: int, handler: Any) -> Any:
    by = str(sys._getframe(1).f_globals.get("__name__"))
    if number == signal.SIGTERM and handler is signal.SIG_DFL and by.startswith("dataflow._transport."):
        handler = _write_figures_and_end
    return _set_handler(number, handler)


def _write_figures_and_end(number: int, frame: Any) -> None:
    coverage = Coverage.current()
    if coverage is not None:
        coverage.stop()
        coverage.save()
    _set_handler(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
