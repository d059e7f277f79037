"""Dataflows that make batches."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from .._compat.old_attributes import OldAttribute
from .._core.checks import whole_number
from .._core.describe import type_in_words
from .._core.lease import Recycler
from ..base import ProxyDataFlow, length_of
from .stack import stack
from .stateful import StatefulProxy

__all__ = ["BatchData", "BatchDataByShape", "aggregate"]

_LISTS = frozenset((list, tuple))


def aggregate(
    dps: list[Any], use_list: bool = False, empty: Callable[..., np.ndarray] = np.empty
) -> list[Any] | dict[Any, Any]:
    """Make one batched datapoint of several datapoints, by the rules of ``BatchData``.

    Args:
        dps: the datapoints: lists, tuples or dicts; at least one.
        use_list: whether to make lists of components rather than arrays.
        empty: makes the arrays that component arrays are copied into: called as ``empty(shape, dtype)``.
    """
    names, components = _transpose(dps)
    if use_list:
        batched: list[Any] = [list(values) for values in components]
    else:
        batched = [stack(values, name, empty) for name, values in zip(names, components, strict=False)]
    return dict(zip(names, batched, strict=True)) if isinstance(dps[0], dict) else batched


def _transpose(dps: list[Any]) -> tuple[Iterable[Any], Iterable[Any]]:
    """Return the component names of the first datapoint, and for each name the values of all datapoints."""
    first = dps[0]
    if isinstance(first, list | tuple):
        if not _LISTS.issuperset(map(type, dps)):
            _check_same_sort(dps, (list, tuple))
        if len(lengths := set(map(len, dps))) > 1:
            other = min(lengths - {len(first)})
            raise IndexError(
                f"can't make a batch: the first datapoint has {len(first)} components, another one {other}. "
                "Give all the same, e.g. with SelectComponent"
            )
        return range(len(first)), zip(*dps, strict=True)
    if isinstance(first, dict):
        _check_same_sort(dps, dict)
        for dp in dps:
            if first.keys() != dp.keys():
                more, missing = (
                    [key for key in dp if key not in first],
                    [key for key in first if key not in dp],
                )
                raise KeyError(
                    f"can't make a batch: the first datapoint has the components {list(first)}, another one "
                    f"{f'lacks {missing}' if missing else f'has {more} as well'}"
                )
        return list(first), [[dp[key] for dp in dps] for key in first]
    raise ValueError(
        f"can't make a batch of datapoints of type {type(first).__name__}: expected lists or dicts"
    )


def _check_same_sort(dps: list[Any], sort: type | tuple[type, ...]) -> None:
    for dp in dps:
        if not isinstance(dp, sort):
            raise ValueError(
                f"can't make a batch: the first datapoint is {type_in_words(dps[0])}, another one is "
                f"{type_in_words(dp)}"
            )


class BatchData(ProxyDataFlow[Any]):
    """Stack datapoints into batches.

    A batch is a datapoint with the same components, each with a new first dimension of size ``batch_size``.

    >>> from dataflow import DataFromList
    >>> df = DataFromList([[1, "a"], [2, "b"], [3, "c"]], shuffle=False)
    >>> list(BatchData(df, 2))
    [[array([1, 2], dtype=int32), array(['a', 'b'], dtype='<U1')]]
    >>> list(BatchData(df, 2, remainder=True, use_list=True))
    [[[1, 2], ['a', 'b']], [[3], ['c']]]

    Lists and tuples make lists, dicts make dicts. All datapoints of a batch have the same components. The
    first one decides the dtype of a component:

    ======================  ===========================================================================
    first value             the batch
    ======================  ===========================================================================
    array, NumPy scalar     the same dtype; masked arrays make a masked array
    Python int or bool      int32
    Python float            float32
    ``str``, ``bytes``      NumPy strings as wide as the longest
    anything else           an error; ``use_list=True`` takes it
    ======================  ===========================================================================

    A later value of a different dtype is cast if the dtype of the batch can hold it; floats may be rounded.
    Otherwise it is an error.

    Args:
        ds: a dataflow that yields lists, tuples or dicts.
        batch_size: the number of datapoints in a batch.
        remainder: whether to make a smaller batch of the last datapoints. If not, they are dropped.
        use_list: whether a batch holds lists of the original components instead of arrays.

    Raises:
        ValueError: ``batch_size`` is less than 1, or, without ``remainder``, more than ``len(ds)``. Raised by
            a pass: the shapes of a component differ, a value does not fit, or lists and dicts are
            mixed.
        TypeError: raised by a pass: a component can't be put into an array.
        LookupError: raised by a pass: a datapoint has other components than the first of the batch.
    """

    def __init__(
        self, ds: Iterable[Any], batch_size: int, remainder: bool = False, use_list: bool = False
    ) -> None:
        super().__init__(ds)
        self.batch_size = whole_number(batch_size, 1, f"{type(self).__name__}: batch_size")
        self.remainder = remainder
        self.use_list = use_list
        if not remainder:
            self._check_length()

    def _check_length(self) -> None:
        try:
            length = length_of(self.ds)
        except NotImplementedError:
            return
        if length < self.batch_size:
            raise ValueError(
                f"{type(self).__name__}: there would be no batch: batch_size={self.batch_size} is more than "
                f"the {length} datapoints there are. Use a smaller one, or remainder=True"
            )

    def __len__(self) -> int:
        """Return the number of batches."""
        batches, left = divmod(length_of(self.ds), self.batch_size)
        return batches + bool(self.remainder and left)

    def __iter__(self) -> Iterator[Any]:
        """Yield batches."""
        aggregate_batch = self._aggregator()
        datapoints = iter(self.ds)
        is_full = True
        while is_full:  # never call next() after the end: a user's iterator may start over
            dps = list(islice(datapoints, self.batch_size))
            is_full = len(dps) == self.batch_size
            if is_full or (dps and self.remainder):
                batch = aggregate_batch(dps, self.use_list)
                # drop every reference while the consumer works, so that the memory can be used again
                del dps
                yield batch
                del batch

    @staticmethod
    def aggregate_batch(data_holder: list[Any], use_list: bool = False) -> Any:
        """Make one batched datapoint of a list of datapoints. A subclass may override it.

        Args:
            data_holder: the datapoints: lists, tuples or dicts; at least one.
            use_list: whether to make lists of components rather than arrays.

        Returns:
            A list or, from dicts, a dict.
        """
        return aggregate(data_holder, use_list)

    _aggregate_batch = aggregate_batch  # the name in earlier releases; some programs override it

    def _aggregator(self) -> Callable[[list[Any], bool], Any]:
        """Return the nearest override of ``aggregate_batch``, under either name, or ``aggregate`` itself."""
        for scope in (vars(self), *map(vars, type(self).__mro__)):
            for name in ("aggregate_batch", "_aggregate_batch"):
                if name in scope and scope[name] is not _ORIGINAL:
                    return getattr(self, name)  # type: ignore[no-any-return]
        return functools.partial(aggregate, empty=Recycler().empty)


_ORIGINAL = vars(BatchData)["aggregate_batch"]


class BatchDataByShape(StatefulProxy, BatchData):
    """Make batches of datapoints whose component ``idx`` has the same shape.

    The other components must fit into a batch as well. Datapoints of a rare shape may never fill a batch.
    Those left at the end of a pass wait for the next pass; ``reset_state()`` drops them.

    Args:
        ds: a dataflow that yields lists, tuples or dicts.
        batch_size: the number of datapoints in a batch.
        idx: position or key of the component whose shape is compared. It must be an array.

    Raises:
        ValueError: ``batch_size`` is less than 1 or more than ``len(ds)``.
        TypeError: raised by a pass: component ``idx`` has no shape.
    """

    _state = ("_groups",)
    holder = OldAttribute("_groups")

    def __init__(self, ds: Iterable[Any], batch_size: int, idx: Any) -> None:
        super().__init__(ds, batch_size)
        self.idx = idx

    def _forget(self) -> None:
        self._groups: dict[tuple[int, ...], list[Any]] = {}

    def _iterate(self) -> Iterator[Any]:
        aggregate_batch = self._aggregator()
        for dp in self.ds:
            shape = getattr(dp[self.idx], "shape", None)
            if shape is None:
                raise TypeError(
                    f"BatchDataByShape: component {self.idx!r} has no shape: expected an array, got "
                    f"{type_in_words(dp[self.idx])}"
                )
            group = self._groups.setdefault(shape, [])
            group.append(dp)
            if len(group) == self.batch_size:
                del self._groups[shape]
                batch = aggregate_batch(group, self.use_list)
                del dp, group  # as in BatchData
                yield batch
                del batch
