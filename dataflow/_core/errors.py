"""The exception classes of the package, public in ``dataflow.base``, and helpers for messages."""

from __future__ import annotations

import contextlib
from typing import Any

from .describe import short_repr


class DataFlowTerminated(BaseException):
    """The dataflow was closed while it was being read, and can't produce more data.

    Derives from ``BaseException``, as documented: an ``except Exception`` around the loop body does not
    swallow it. Most dataflows never raise it.
    """


class LengthUnknownError(NotImplementedError, TypeError):
    """``len()`` of a dataflow whose length can't be known.

    It is a ``NotImplementedError``, as documented. It is a ``TypeError`` as well because that is what
    ``list()`` and friends expect from an object without a length.
    """


class InfiniteLengthError(LengthUnknownError, ValueError):
    """``len()`` of a dataflow that never ends."""


class ReentrancyError(RuntimeError):
    """A second iterator of a dataflow was started while the first was still open."""


class WorkerError(RuntimeError):
    """A worker process or thread died, or raised an exception that can't be raised again in this process.

    The message names the worker, the stage of the pipeline and the known cause: the signal or
    exit status of a process, or the text of the exception with its traceback.
    """


def text_of(e: BaseException) -> str:
    """Return ``str(e)``, or its arguments if ``str(e)`` itself raises."""
    try:
        return str(e)
    except Exception:
        return f"(its text can't be made) {short_repr(e.args)}"


def add_note(e: BaseException, text: str) -> None:
    """Add a note to an exception, once: Python prints it below the traceback (3.10 stores it, unprinted)."""
    with contextlib.suppress(Exception):  # a class of the user's may allow no new attributes
        notes = getattr(e, "__notes__", [])
        if text not in notes:
            BaseException.__setattr__(e, "__notes__", [*notes, text])


def name_datapoint(e: BaseException, number: int, dp: Any) -> None:
    """Add a note with the datapoint that a user's function failed on, and its number in the pass, from 0."""
    add_note(e, f"with datapoint {number}: {short_repr(dp)}")
