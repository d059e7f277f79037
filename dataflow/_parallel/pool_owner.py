"""A dataflow that owns a pool of workers: when they start, when they end, and one iterator at a time."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, TypeVar

from .._transport.pool import WorkerPool
from ..base import DataFlowReentrantGuard

_Self = TypeVar("_Self", bound="PoolOwner")


class PoolOwner:
    """What has a pool of workers: from ``reset_state()`` until it is closed, garbage, or the program ends."""

    _pool: WorkerPool | None = None
    _guard: DataFlowReentrantGuard | None = None
    _closer: Callable[[], object] | None = None

    def close(self) -> None:
        """End the workers. Can be called again; ``reset_state()`` starts new ones."""
        if self._closer is not None:
            self._closer()

    def __enter__(self: _Self) -> _Self:
        """Return the dataflow itself; leaving the ``with`` block closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """Pickle as before ``reset_state()``: workers don't travel."""
        return {k: v for k, v in vars(self).items() if k not in ("_pool", "_guard", "_closer")}

    def _check_not_started(self) -> None:
        if self._pool is not None and self._pool.is_running():
            raise RuntimeError(
                f"{type(self).__name__}.reset_state() was called twice: its workers are running. Call it "
                "once, in the process that iterates; close() it first to start anew"
            )

    def _use(self, pool: WorkerPool, close: Callable[[], None] | None = None) -> None:
        self._pool = pool
        self._guard = DataFlowReentrantGuard()
        # called when self is garbage, too; for the end of the program the pool has a hook of its own
        closer = weakref.finalize(self, close or pool.close)
        closer.atexit = False
        self._closer = closer

    @contextlib.contextmanager
    def _iterating(self) -> Iterator[WorkerPool]:
        """Be the one iterator over what the pool gives."""
        if self._pool is None or self._guard is None:
            raise RuntimeError(
                f"{type(self).__name__}: call reset_state() before iterating: it starts the workers"
            )
        pool = self._pool
        pool.check()
        with self._guard:
            try:
                yield pool
            except GeneratorExit:
                raise
            except BaseException as e:  # in particular what a signal handler raises
                try:
                    pool.interrupted(e)
                finally:
                    if not pool.is_running():
                        self.close()  # all of it, not only the pool
                raise
