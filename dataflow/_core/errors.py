"""The named errors, one docstring each. All are public through ``dataflow.base``."""

from __future__ import annotations

import contextlib
from typing import Any

from .describe import short_repr


class DataFlowTerminated(BaseException):
    """The dataflow was closed under its consumer and can't produce any more data.

    Derives from ``BaseException``, as documented: an ``except Exception`` around the loop body does not
    swallow it. Most dataflows never raise it.
    """


class LengthUnknownError(NotImplementedError, TypeError):
    """``len()`` of a dataflow whose length can't be known.

    It is a ``NotImplementedError``, as documented. It is a ``TypeError`` as well because that is what
    ``list()`` and friends expect when they ask for a length that does not exist.
    """


class InfiniteLengthError(LengthUnknownError, ValueError):
    """``len()`` of a dataflow that never ends."""


class ReentrancyError(RuntimeError):
    """A second iterator of a dataflow was started while the first was still open."""


class WorkerError(RuntimeError):
    """A worker process or thread died, or raised something that can't be raised here again.

    The message names the worker, the stage of the pipeline and what is known of the cause: the signal or
    exit status of a process, or the text of the exception with its traceback.
    """


def text_of(e: BaseException) -> str:
    """Return ``str(e)``; for one whose class can't make a text, what it was made of."""
    try:
        return str(e)
    except Exception:
        return f"(its text can't be made) {short_repr(e.args)}"


def add_note(e: BaseException, text: str) -> None:
    """Add a line to what Python prints of an exception, once. (Python 3.10 keeps it, and prints none.)"""
    with contextlib.suppress(Exception):  # a class of the user's may allow no new attributes
        notes = getattr(e, "__notes__", [])
        if text not in notes:
            BaseException.__setattr__(e, "__notes__", [*notes, text])


def name_datapoint(e: BaseException, number: int, dp: Any) -> None:
    """Have an exception of a user's function say which datapoint it got: the number in the pass, from 0."""
    add_note(e, f"with datapoint {number}: {short_repr(dp)}")
