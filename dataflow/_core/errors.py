"""The named errors, one docstring each. All are public through ``dataflow.base``."""

from __future__ import annotations


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
