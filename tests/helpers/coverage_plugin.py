"""A plugin of coverage.py, which counts what workers run although they are ended by SIGTERM.

A worker gives SIGTERM its default action, so that a handler of the parent's program never runs there. While
coverage is measured this is left out: coverage.py's own handler writes the worker's figures and then ends it.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

from coverage import Coverage

_set_handler = signal.signal


def coverage_init(registry: Any, options: dict[str, Any]) -> None:
    """Be loaded; this is called in each process that is measured."""
    signal.signal = _set_handler_but_keep_that_of_coverage


def _set_handler_but_keep_that_of_coverage(number: int, handler: Any) -> Any:
    handler_now = signal.getsignal(number)
    by = sys._getframe(1).f_globals.get("__name__")
    is_ours = number == signal.SIGTERM and str(by).startswith("dataflow._transport.")
    if is_ours and isinstance(getattr(handler_now, "__self__", None), Coverage):
        return handler_now
    return _set_handler(number, handler)
