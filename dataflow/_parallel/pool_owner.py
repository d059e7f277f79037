"""A dataflow that has workers: when they start, when they end, and one iterator at a time."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

from .._transport.pool import WorkerPool
from ..base import DataFlow, DataFlowReentrantGuard, close_all, length_of, upstream_of


class PoolOwner(DataFlow[Any]):
    """What has a pool of workers: from ``reset_state()`` until it is closed, garbage, or the program ends."""

    _pool: WorkerPool | None = None
    _guard: DataFlowReentrantGuard | None = None
    _closer: Callable[[], object] | None = None
    _was_closed = False

    def close(self) -> None:
        """End the workers, and close what this dataflow reads. ``reset_state()`` starts new workers."""
        self._was_closed = self._was_closed or self._pool is not None
        self._end_workers()
        close_all(upstream_of(self))

    def _end_workers(self) -> None:
        if self._closer is not None:
            self._closer()

    def __getstate__(self) -> dict[str, Any]:
        """Pickle as before ``reset_state()``: workers don't travel."""
        own = ("_pool", "_guard", "_closer", "_was_closed")
        return {k: v for k, v in vars(self).items() if k not in own}

    def _check_not_started(self) -> None:
        if self._pool is not None and self._pool.is_running:
            raise RuntimeError(
                f"{type(self).__name__}.reset_state() was called twice: its workers are running. Call it "
                "once, in the process that iterates; close() it first to start anew"
            )

    def _use(self, pool: WorkerPool, close: Callable[[], None] | None = None) -> None:
        self._pool = pool
        self._guard = DataFlowReentrantGuard()
        self._was_closed = False
        # called when self is garbage, too; for the end of the program the pool has a hook of its own
        closer = weakref.finalize(self, close or pool.close)
        closer.atexit = False
        self._closer = closer

    def _iterating(self) -> _Iteration:
        """Return a context for the one iterator over what the pool gives."""
        name = type(self).__name__
        if self._pool is None or self._guard is None:
            raise RuntimeError(f"{name}: call reset_state() before iterating: it starts the workers")
        if self._was_closed:
            raise RuntimeError(f"{name} was closed: call reset_state() to start new workers")
        self._pool.check()
        return _Iteration(self, self._pool, self._guard)


class _Iteration:
    """The context of an iterator over what a pool gives.

    Not a ``contextlib.contextmanager``: on Python 3.10 that leaves a reference cycle with the dataflow in it.
    """

    def __init__(self, owner: PoolOwner, pool: WorkerPool, guard: DataFlowReentrantGuard) -> None:
        self._owner, self._pool, self._guard = owner, pool, guard

    def __enter__(self) -> WorkerPool:
        self._guard.__enter__()
        return self._pool

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is not None and not isinstance(error, GeneratorExit):
                self._pool.interrupted(error)  # in particular what a signal handler raises
        finally:
            if error is not None and not self._pool.is_running:
                self._owner._end_workers()  # all of it, not only the pool
            self._guard.__exit__(kind, error, traceback)


def known_length(ds: Iterable[Any]) -> int | None:
    """Return the length of a dataflow, None if it has none."""
    try:
        return length_of(ds)
    except NotImplementedError:
        return None
