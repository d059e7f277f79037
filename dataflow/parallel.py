"""Runners: n clones of a dataflow, each in a process or thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ._compat.old_names import old_names
from ._compat.renamed import renamed_arguments
from ._core.checks import whole_number
from ._core.sources import as_source
from ._parallel.engines import open_pool
from ._parallel.jobs import produce
from ._parallel.pool_owner import PoolOwner, known_length
from ._transport.launch import check_start_method
from ._transport.pool import WorkerPool
from .base import ProxyDataFlow, UpstreamProperty, length_of, upstream_of

__all__ = [
    "MultiProcessPrefetchData",
    "MultiProcessRunner",
    "MultiProcessRunnerZMQ",
    "MultiThreadPrefetchData",
    "MultiThreadRunner",
    "PrefetchData",
    "PrefetchDataZMQ",
]


class _MultiProcessZMQDataFlow(PoolOwner):
    """What all dataflows over processes are, but ``MultiProcessRunner``: for ``isinstance`` checks."""


def _take(pool: WorkerPool, size: int | None) -> Iterator[Any]:
    """Yield ``size`` datapoints of workers without tasks, or endlessly many."""
    taken = 0
    while taken != size:
        for _, _, dp in pool.collect():
            taken += 1
            yield dp
            if taken == size:
                return


class MultiProcessRunnerZMQ(_MultiProcessZMQDataFlow):
    """Run a dataflow in one or more processes, each with its own copy, and yield what they produce.

    The processes start in ``reset_state()``. Each calls ``ds.reset_state()`` once and then iterates over
    its copy for ever; an iterator of this dataflow ends after ``len(ds)`` datapoints, if ``ds`` has a
    length, and the next one goes on with the stream.

    Note:
        1. (Data integrity) With ``num_proc=1`` it yields the datapoints of ``ds`` in the same order. With
           more, the copies run independently: if those are i.i.d. samples, so is the result, but there are
           duplicates and no order. For the exact set use ``MultiProcessMapData`` or ``MultiThreadMapData``.
        2. After ``reset_state()`` it can't be used in a forked process.
        3. Arrays arrive in shared memory, which is reused once all that refers to them is garbage.

    Args:
        ds: the dataflow to run.
        num_proc: number of processes; 0 runs it in this process, for debugging.
        hwm: how many datapoints may be on their way, over all processes. It bounds memory, too.
        start_method: of the processes: ``"fork"``, ``"spawn"`` or ``"forkserver"``; None for the default of
            the platform. With the latter two ``ds`` must be picklable; lambdas and local classes are.

    Raises:
        WorkerError: while iterating: a process died.
        Exception: while iterating: what a process raised, with its traceback as the cause.
        RuntimeError: iterated before ``reset_state()``, after an error, or in a forked process.
    """

    @renamed_arguments(nr_proc="num_proc")
    def __init__(
        self, ds: Iterable[Any], num_proc: int = 1, hwm: int = 50, *, start_method: str | None = None
    ) -> None:
        self.ds = as_source(ds)
        self.num_proc = whole_number(num_proc, 0, f"{type(self).__name__}: num_proc")
        self.hwm = whole_number(hwm, 1, f"{type(self).__name__}: hwm")
        self.start_method = check_start_method(start_method, type(self).__name__)
        self._size = known_length(ds)

    def reset_state(self) -> None:
        """Start the processes."""
        self._check_not_started()
        _restart_shared(self.ds)  # or each of the processes would do it for itself
        self._use(
            open_pool(
                "processes",
                produce,
                self.ds,
                self.num_proc,
                name=type(self).__name__,
                in_flight=self.hwm,
                tasks=False,
                start_method=self.start_method,
            )
        )

    def __len__(self) -> int:
        """Return the length of the wrapped dataflow."""
        return length_of(self.ds)

    def __iter__(self) -> Iterator[Any]:
        """Yield datapoints as they arrive."""
        with self._iterating() as pool:
            yield from _take(pool, self._size)


class MultiProcessRunner(PoolOwner, ProxyDataFlow[Any]):
    """The same as ``MultiProcessRunnerZMQ``, but started when it is made, and usable in several processes.

    With ``MultiProcessRunnerZMQ(MultiProcessRunner(df, num_prefetch, num_proc=a), num_proc=b)``, *a*
    processes run ``df`` and *b* processes read from them. ``reset_state()`` does nothing, unless the
    processes were ended. Elsewhere prefer ``MultiProcessRunnerZMQ``, which is faster.

    Args:
        ds: the dataflow to run.
        num_prefetch: how many datapoints may be on their way, over all processes.
        num_proc: number of processes; 0 runs it in this process, for debugging.
        start_method: as for ``MultiProcessRunnerZMQ``.

    Raises:
        WorkerError, Exception, RuntimeError: as ``MultiProcessRunnerZMQ``.
    """

    @renamed_arguments(nr_prefetch="num_prefetch", nr_proc="num_proc")
    def __init__(
        self, ds: Iterable[Any], num_prefetch: int, num_proc: int, *, start_method: str | None = None
    ) -> None:
        super().__init__(ds)
        self.num_prefetch = whole_number(num_prefetch, 1, f"{type(self).__name__}: num_prefetch")
        self.num_proc = whole_number(num_proc, 0, f"{type(self).__name__}: num_proc")
        self.start_method = check_start_method(start_method, type(self).__name__)
        self._size = known_length(ds)
        self._start()

    def _start(self) -> None:
        self._use(
            open_pool(
                "shared processes",
                produce,
                self.ds,
                self.num_proc,
                name=type(self).__name__,
                in_flight=self.num_prefetch,
                tasks=False,
                start_method=self.start_method,
            )
        )

    def reset_state(self) -> None:
        """Start new processes if there are none any more. Else do nothing: they run since ``__init__``.

        The processes reset their copies of the dataflow themselves.
        """
        if self._pool is None or not self._pool.is_running:
            self._start()

    def __getstate__(self) -> dict[str, Any]:
        """Travel, with the connections to the workers, to a process that is being started."""
        state = {k: v for k, v in vars(self).items() if k not in ("_closer", "ds")}
        return state | {"ds": range(self._size or 0)}  # only its length is of use there

    def __iter__(self) -> Iterator[Any]:
        """Yield datapoints as they arrive."""
        with self._iterating() as pool:
            yield from _take(pool, self._size)


def _restart_shared(ds: Any) -> None:
    """Start each ``MultiProcessRunner`` in a pipeline again, if it was closed."""
    if isinstance(ds, MultiProcessRunner):
        ds.reset_state()
    for flow in upstream_of(ds):
        _restart_shared(flow)


class MultiThreadRunner(PoolOwner):
    """Make several dataflows, run each in a thread, and yield what they produce.

    The threads start in ``reset_state()``, and each resets its dataflow once. An iterator ends after as many
    datapoints as the first dataflow has, if it has a length.

    Note:
        (Data integrity) As for ``MultiProcessRunnerZMQ``, with threads instead of processes.

    Args:
        get_df: called once for each thread; returns a dataflow. It must not return the same one twice, unless
            that has no state.
        num_prefetch: how many datapoints may wait to be taken.
        num_thread: number of threads; 0 runs one in this thread, for debugging.

    Raises:
        Exception: while iterating: what a thread raised, with its traceback as the cause.
        RuntimeError: iterated before ``reset_state()`` or after an error.
    """

    @renamed_arguments(nr_prefetch="num_prefetch", nr_thread="num_thread")
    def __init__(self, get_df: Callable[[], Iterable[Any]], num_prefetch: int, num_thread: int) -> None:
        if not callable(get_df):
            raise TypeError(
                f"{type(self).__name__}: get_df must be callable and return a dataflow, got {get_df!r}"
            )
        self.get_df = get_df
        self.num_prefetch = whole_number(num_prefetch, 1, f"{type(self).__name__}: num_prefetch")
        self.num_thread = whole_number(num_thread, 0, f"{type(self).__name__}: num_thread")
        self._flows = [as_source(get_df()) for _ in range(self.num_thread or 1)]
        self._size = known_length(self._flows[0])

    @UpstreamProperty
    def upstream(self) -> tuple[Any, ...]:
        """The dataflows that ``get_df`` made."""
        return tuple(self._flows)

    def reset_state(self) -> None:
        """Start the threads."""
        self._check_not_started()
        self._use(
            open_pool(
                "threads",
                produce,
                self._flows,
                self.num_thread,
                name=type(self).__name__,
                in_flight=self.num_prefetch,
                tasks=False,
            )
        )

    def __len__(self) -> int:
        """Return the length of the first dataflow."""
        return length_of(self._flows[0])

    def __iter__(self) -> Iterator[Any]:
        """Yield datapoints as they come."""
        with self._iterating() as pool:
            yield from _take(pool, self._size)


PrefetchData = MultiProcessPrefetchData = MultiProcessRunner
PrefetchDataZMQ = MultiProcessRunnerZMQ
MultiThreadPrefetchData = MultiThreadRunner

__getattr__ = old_names(__name__)
