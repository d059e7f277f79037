"""Dataflows that apply a function to each datapoint, or to one component of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from .._core.errors import name_datapoint
from ..base import ProxyDataFlow

__all__ = ["MapData", "MapDataComponent", "SelectComponent", "copy_datapoint"]


def copy_datapoint(dp: Any) -> Any:
    """Return a copy of a datapoint that shares its components, like ``copy.copy``, only faster."""
    kind = type(dp)
    if kind is list or kind is dict:
        return dp.copy()
    return dp if kind is tuple else copy.copy(dp)


class MapData(ProxyDataFlow[Any]):
    """Apply a function to each datapoint. It may also discard datapoints.

    >>> from dataflow import DataFromList
    >>> df = DataFromList([[1, "a"], [2, "b"], [3, "c"]], shuffle=False)
    >>> list(MapData(df, lambda dp: [dp[0] * 10, dp[1]] if dp[0] != 2 else None))
    [[10, 'a'], [30, 'c']]

    The function gets a shallow copy of the datapoint: it may replace components, or return the datapoint
    that it got with some added. It should not modify a component (e.g. an array) in place, unless that is
    known to be safe.

    Args:
        ds: the dataflow whose datapoints to map.
        func: takes a datapoint and returns a new one, of any type; or None to discard it. If it ever does,
            ``len()`` is too large.
    """

    def __init__(self, ds: Iterable[Any], func: Callable[[Any], Any]) -> None:
        super().__init__(ds)
        self.func = func

    def __iter__(self) -> Iterator[Any]:
        """Yield the results of the function that are not None."""
        func = self.func
        for number, dp in enumerate(self.ds):
            try:
                # lists, the usual datapoints, are copied inline: calling a function costs more than the copy
                mapped = func(dp.copy() if type(dp) is list else copy_datapoint(dp))
            except Exception as e:
                name_datapoint(e, number, dp)
                raise
            if mapped is not None:
                yield mapped


class MapDataComponent(MapData):
    """Apply a function to one component of each datapoint.

    >>> from dataflow import DataFromList
    >>> df = DataFromList([[1, "a"], [2, "b"]], shuffle=False)
    >>> list(MapDataComponent(df, str.upper, 1))
    [[1, 'A'], [2, 'B']]

    The datapoint itself is copied: lists and tuples become new lists, dicts new dicts.

    Args:
        ds: the dataflow, which yields lists, tuples or dicts.
        func: takes the component and returns a new one, or None to discard the whole datapoint. If it ever
            does, ``len()`` is too large. It should not modify the component in place, unless that is known
            to be safe.
        index: which component: a position, negative ones count from the end, or the key in a dict.

    Attributes:
        func: takes and returns a whole datapoint, as that of any ``MapData``, and changes a list in place.
    """

    def __init__(self, ds: Iterable[Any], func: Callable[[Any], Any], index: Any = 0) -> None:
        super().__init__(ds, OnComponent(func, index))
        self.index = index


class OnComponent:
    """Maps a datapoint, whose component it replaces. A class, so that the dataflow can be pickled."""

    def __init__(self, func: Callable[[Any], Any], index: Any) -> None:
        self._func, self._index = func, index

    def __call__(self, dp: Any) -> Any:
        component = self._func(dp[self._index])
        if component is None:
            return None
        if type(dp) is not list and isinstance(dp, list | tuple):
            dp = list(dp)
        dp[self._index] = component
        return dp

    def __repr__(self) -> str:
        return getattr(self._func, "__qualname__", repr(self._func)).replace("<locals>.", "")


def SelectComponent(ds: Iterable[Any], idxs: Sequence[Any]) -> MapData:
    """Select and reorder the components of each datapoint.

    >>> from dataflow import DataFromList
    >>> list(SelectComponent(DataFromList([["c1", "c2", "c3"]]), [2, 1]))
    [['c3', 'c2']]

    Args:
        ds: the dataflow, which yields lists, tuples or dicts.
        idxs: the positions, or for dicts the keys, of the components to keep.

    Returns:
        A dataflow that yields lists, from dicts as well.

    Raises:
        TypeError: ``idxs`` is not a list of positions or keys.
    """
    return MapData(ds, _Select(idxs))


class _Select:
    """A class rather than a lambda, so that the dataflow can be pickled."""

    def __init__(self, idxs: Sequence[Any]) -> None:
        if isinstance(idxs, str | bytes) or not isinstance(idxs, Iterable):
            raise TypeError(f"SelectComponent: idxs: expected a list of positions or keys, got {idxs!r}")
        self.idxs = list(idxs)

    def __call__(self, dp: Any) -> list[Any]:
        return [dp[i] for i in self.idxs]

    def __repr__(self) -> str:
        return f"select {self.idxs}"
