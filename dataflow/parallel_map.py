"""Mappers: one dataflow, its map function in n processes or threads.

The dataflow itself is read in the process of the consumer, by a thread of its own. Every datapoint is a task
with a number. A worker sends back its result, or that it was dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import numpy as np

from ._compat.old_names import old_names
from ._compat.renamed import renamed_arguments
from ._core.checks import whole_number
from ._core.sources import as_source
from ._flows.map import copy_datapoint
from ._parallel.dispatcher import Dispatcher
from ._parallel.engines import Engine
from ._parallel.jobs import map_and_batch, map_tasks
from ._parallel.mapper import Mapper
from ._transport.launch import check_start_method
from .base import InfiniteLengthError, ProxyDataFlow, length_of
from .parallel import _MultiProcessZMQDataFlow
from .utils.argtools import log_once

__all__ = [
    "MultiProcessMapAndBatchData",
    "MultiProcessMapAndBatchDataZMQ",
    "MultiProcessMapData",
    "MultiProcessMapDataComponentSharedArray",
    "MultiProcessMapDataZMQ",
    "MultiThreadMapData",
]


class _ParallelMapData(Mapper, ProxyDataFlow[Any]):
    """What the mappers over processes and over threads are."""

    map_func: Callable[[Any], Any]
    buffer_size: int
    strict: bool
    ordered: bool

    def _set(
        self,
        ds: Iterable[Any],
        map_func: Callable[[Any], Any] | None,
        buffer_size: int,
        strict: bool,
        ordered: bool,
    ) -> None:
        if not callable(map_func):
            raise TypeError(
                f"{type(self).__name__}: map_func must be a function of a datapoint, got {map_func!r}"
            )
        self.ds, self.map_func = as_source(ds), map_func
        self.buffer_size = whole_number(buffer_size, 1, f"{type(self).__name__}: buffer_size")
        self.strict, self.ordered = strict, ordered

    def _open_map(self, engine: Engine, codes: Any, number: int, start_method: str | None = None) -> None:
        dispatcher = self._open(engine, map_tasks, codes, number, self.buffer_size, start_method=start_method)
        if not self.strict:
            dispatcher.begin(endless=True)

    def __iter__(self) -> Iterator[Any]:
        """Yield the mapped datapoints: of one pass if strict, else for ever."""
        return self.get_data_strict() if self.strict else self.get_data_non_strict()

    def get_data_strict(self) -> Iterator[Any]:
        """Yield the mapped datapoints of one pass over ``ds``."""
        with self._iterating():
            dispatcher = self._under_way(endless=False)
            try:
                yield from dispatcher.results_in_order() if self.ordered else dispatcher.results()
            finally:
                dispatcher.break_off()

    def get_data_non_strict(self) -> Iterator[Any]:
        """Yield the mapped datapoints of endless passes over ``ds``. A new iterator goes on from there."""
        log_once(
            f"{type(self).__name__}(strict=False) is read for ever: a loop over it does not end by itself. "
            "Use strict=True for exact passes, or FixedSizeData around it"
        )
        with self._iterating():
            dispatcher = self._under_way(endless=True)
            yield from dispatcher.results_in_order() if self.ordered else dispatcher.results()

    def _under_way(self, endless: bool) -> Dispatcher:
        dispatcher = cast(Dispatcher, self._dispatcher)  # there is one when there is a pool
        if not dispatcher.is_under_way:
            dispatcher.begin(endless)
        return dispatcher


class MultiThreadMapData(_ParallelMapData):
    """Like ``MapData``, but the function runs in threads.

    Useful when the function is the bottleneck and spends its time where Python lets other threads run: in
    NumPy, OpenCV, decompression, files.

    With ``strict=True`` a pass yields exactly the datapoints of ``MapData(ds, map_func)``, in another order.
    With ``strict=False`` the iterator never ends: it yields a reordering of
    ``RepeatedData(MapData(ds, map_func), -1)``, without a gap between the passes.

    Args:
        ds: the dataflow to map.
        num_thread: number of threads; 0 maps in this thread, for debugging.
        map_func: takes a datapoint (a shallow copy) and returns a new one, or None to discard it.
        buffer_size: how many datapoints may be on their way: read from ``ds`` and not yielded.
        strict: see above.
        ordered: keep the order of ``ds``. A slow datapoint then holds back those after it.

    Raises:
        Exception: while iterating: what the function or ``ds`` raised, with its traceback as the cause.
        RuntimeError: iterated before ``reset_state()``, after an error of the function, or in a forked
        process.
    """

    @renamed_arguments(nr_thread="num_thread")
    def __init__(
        self,
        ds: Iterable[Any],
        num_thread: int | None = None,
        map_func: Callable[[Any], Any] | None = None,
        buffer_size: int = 200,
        strict: bool = False,
        *,
        ordered: bool = False,
    ) -> None:
        self._set(ds, map_func, buffer_size, strict, ordered)
        self.num_thread = whole_number(num_thread, 0, f"{type(self).__name__}: num_thread")

    def reset_state(self) -> None:
        """Reset ``ds`` and start the threads."""
        func = self.map_func

        def on_copy(dp: Any) -> Any:
            return func(copy_datapoint(dp))

        self._open_map("threads", [on_copy] * (self.num_thread or 1), self.num_thread)


class MultiProcessMapDataZMQ(_ParallelMapData, _MultiProcessZMQDataFlow):
    """Like ``MapData``, but the function runs in processes.

    With ``strict=True`` a pass yields exactly the datapoints of ``MapData(ds, map_func)``, in another order.
    With ``strict=False`` the iterator never ends: it yields a reordering of
    ``RepeatedData(MapData(ds, map_func), -1)``, without a gap between the passes.

    Args:
        ds: the dataflow to map. It is read in this process.
        num_proc: number of processes; 0 maps in this process, for debugging.
        map_func: takes a datapoint and returns a new one, or None to discard it. It may be a lambda.
        buffer_size: how many datapoints may be on their way: read from ``ds`` and not yielded.
        strict: see above.
        ordered: keep the order of ``ds``. A slow datapoint then holds back those after it.
        start_method: of the processes: ``"fork"``, ``"spawn"`` or ``"forkserver"``; None for the default of
            the platform.

    Raises:
        WorkerError: while iterating: a process died.
        Exception: while iterating: what the function or ``ds`` raised, with its traceback as the cause.
        RuntimeError: iterated before ``reset_state()``, after an error of the function, or in a forked
        process.
    """

    @renamed_arguments(nr_proc="num_proc")
    def __init__(
        self,
        ds: Iterable[Any],
        num_proc: int | None = None,
        map_func: Callable[[Any], Any] | None = None,
        buffer_size: int = 200,
        strict: bool = False,
        *,
        ordered: bool = False,
        start_method: str | None = None,
    ) -> None:
        self._set(ds, map_func, buffer_size, strict, ordered)
        self.num_proc = whole_number(num_proc, 0, f"{type(self).__name__}: num_proc")
        self.start_method = check_start_method(start_method, type(self).__name__)

    def reset_state(self) -> None:
        """Reset ``ds`` and start the processes."""
        self._open_map("processes", self.map_func, self.num_proc, self.start_method)


class MultiProcessMapAndBatchDataZMQ(Mapper, _MultiProcessZMQDataFlow):
    """Like ``BatchData(MapData(ds, map_func), batch_size)``, with both in the worker processes.

    With ``num_proc=1`` it is exactly that. With more, datapoints are grouped in arbitrary order. With
    ``strict=False`` the iterator then never ends, and a batch may have datapoints of two passes over ``ds``.

    Args:
        ds: the dataflow to map. It is read in this process.
        num_proc: number of processes; 0 maps in this process, for debugging.
        map_func: takes a datapoint and returns a new one, or None to discard it. It may be a lambda.
        batch_size: number of datapoints in a batch.
        buffer_size: how many datapoints (not batches) may be on their way; ``batch_size * 10`` by default. It
            is raised to ``batch_size * num_proc``, as each process must be able to fill a batch.
        start_method: as for ``MultiProcessMapDataZMQ``.
        strict: with several processes, too, a pass over ``ds`` ends, and no datapoint comes twice.
        remainder: at the end of a pass, also yield the smaller batches of what is left in each process.
            Without it that is dropped, as ``BatchData`` does.

    Raises:
        ValueError: ``buffer_size`` is less than ``batch_size``.
        WorkerError, Exception, RuntimeError: as ``MultiProcessMapDataZMQ``.
    """

    @renamed_arguments(nr_proc="num_proc")
    def __init__(
        self,
        ds: Iterable[Any],
        num_proc: int,
        map_func: Callable[[Any], Any],
        batch_size: int,
        buffer_size: int | None = None,
        *,
        start_method: str | None = None,
        strict: bool = False,
        remainder: bool = False,
    ) -> None:
        name = type(self).__name__
        if not callable(map_func):
            raise TypeError(f"{name}: map_func must be a function of a datapoint, got {map_func!r}")
        self.ds, self.map_func = as_source(ds), map_func
        self.num_proc = whole_number(num_proc, 0, f"{name}: num_proc")
        self.batch_size = whole_number(batch_size, 1, f"{name}: batch_size")
        if buffer_size is None:
            buffer_size = self.batch_size * 10
        self.buffer_size = whole_number(
            buffer_size, self.batch_size, f"{name}: buffer_size (a batch must fit)"
        )
        self.start_method = check_start_method(start_method, type(self).__name__)
        self.strict, self.remainder = strict, remainder

    def reset_state(self) -> None:
        """Reset ``ds`` and start the processes."""
        self._open(
            "processes",
            map_and_batch,
            (self.map_func, self.batch_size, self.remainder),
            self.num_proc,
            max(self.buffer_size, self.batch_size * self.num_proc),
            held=(self.num_proc or 1) * (self.batch_size - 1),
            start_method=self.start_method,
        )

    def __len__(self) -> int:
        """Return the number of batches of a pass, with one process.

        Raises:
            NotImplementedError: it is infinite, with more; or ``ds`` has no length.
        """
        if not self._is_finite:
            raise InfiniteLengthError(f"{type(self).__name__} with num_proc > 1 and strict=False is infinite")
        batches, left = divmod(length_of(self.ds), self.batch_size)
        return batches + bool(self.remainder and left)

    @property
    def _is_finite(self) -> bool:
        return self.strict or self.num_proc <= 1

    def __iter__(self) -> Iterator[Any]:
        """Yield batches: of one pass if strict or with one process, else for ever."""
        with self._iterating():
            dispatcher = cast(Dispatcher, self._dispatcher)
            if not self._is_finite:
                if not dispatcher.is_under_way:
                    dispatcher.begin(endless=True)
                yield from dispatcher.results()
                return
            dispatcher.begin(endless=False)
            try:
                yield from dispatcher.results()
            finally:
                dispatcher.break_off()


class MultiProcessMapDataComponentSharedArray(MultiProcessMapDataZMQ):
    """Apply a function that returns an array of fixed shape and dtype to one component, in processes.

    An old name for a special case of ``MultiProcessMapData``, whose arrays travel through shared memory
    anyway. The iterator never ends, and the order is arbitrary.

    Args:
        ds: the dataflow to map, which yields lists or dicts.
        nr_proc: number of processes.
        map_func: takes the component, returns an array of ``output_shape`` and ``output_dtype``, or None to
            discard the datapoint.
        output_shape: shape of the result.
        output_dtype: dtype of the result.
        index: position or key of the component.

    Raises:
        ValueError: while iterating: the function returned something else.
    """

    def __init__(
        self,
        ds: Iterable[Any],
        nr_proc: int,
        map_func: Callable[[Any], Any],
        output_shape: tuple[int, ...],
        output_dtype: Any,
        index: Any = 0,
    ) -> None:
        component = _MapToArray(map_func, tuple(output_shape), np.dtype(output_dtype), index)
        super().__init__(ds, nr_proc, component)
        self.nr_proc, self.index = nr_proc, index
        self.output_shape, self.output_dtype = tuple(output_shape), output_dtype


class _MapToArray:
    """Apply a function to a component and check what it returns."""

    def __init__(
        self, func: Callable[[Any], Any], shape: tuple[int, ...], dtype: np.dtype[Any], index: Any
    ) -> None:
        self.func, self.shape, self.dtype, self.index = func, shape, dtype, index

    def __call__(self, dp: Any) -> Any:
        result = self.func(dp[self.index])
        if result is None:
            return None
        array = np.asarray(result)
        if array.shape != self.shape or array.dtype != self.dtype:
            raise ValueError(
                f"map_func returned an array of {array.dtype} and shape {array.shape}, expected {self.dtype} "
                f"and {self.shape}"
            )
        dp = list(dp) if isinstance(dp, tuple) else copy_datapoint(dp)
        dp[self.index] = array
        return dp


MultiProcessMapData = MultiProcessMapDataZMQ
MultiProcessMapAndBatchData = MultiProcessMapAndBatchDataZMQ

__getattr__ = old_names(__name__)
