"""An exception on its way from a worker to the consumer."""

from __future__ import annotations

import pickle
import traceback
from typing import Any, NamedTuple

from .._core.errors import DataFlowTerminated, WorkerError


class WorkerTraceback(Exception):
    """The cause of an exception that a worker raised: where it happened there."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        """Return the traceback as the worker would have printed it."""
        return "\n" + self.text


class Failure(NamedTuple):
    """What is sent instead of an exception."""

    pickled: bytes | None
    summary: str
    traceback: str
    worker: str


def describe_failure(e: BaseException, worker: str) -> Failure:
    """Return what can be sent of an exception."""
    summary = "".join(traceback.format_exception_only(type(e), e)).strip()
    text = "".join(traceback.format_exception(type(e), e, e.__traceback__))
    return Failure(_pickled(e), summary, text, worker)


def _pickled(e: BaseException) -> bytes | None:
    # SystemExit or KeyboardInterrupt of a worker is not one of the consumer
    if not isinstance(e, Exception | DataFlowTerminated):
        return None
    for dumps in (pickle.dumps, _by_value):
        try:
            data = dumps(e)
            if type(pickle.loads(data)) is type(e):
                return data
        except Exception:
            continue
    return None


def _by_value(e: BaseException) -> bytes:
    """Pickle an exception whose class came by value itself, as those of a program's main file do."""
    import cloudpickle

    return bytes(cloudpickle.dumps(e))


def rebuild(failure: Failure) -> BaseException:
    """Return the exception to raise here: of the same type, or a ``WorkerError`` where that can't be."""
    e: Any = None
    if failure.pickled is not None:
        try:
            e = pickle.loads(failure.pickled)
        except Exception:
            e = None
    if not isinstance(e, BaseException):
        e = WorkerError(f"{failure.worker} raised {failure.summary}")
    return explain(e, failure)


def explain(e: BaseException, failure: Failure) -> BaseException:
    """Return ``e``, saying where it was raised: the worker in a note, the traceback there as its cause."""
    if hasattr(e, "add_note"):  # Python 3.11
        e.add_note(f"raised in {failure.worker}")
    e.__cause__ = WorkerTraceback(f"in {failure.worker}:\n{failure.traceback}")
    return e
