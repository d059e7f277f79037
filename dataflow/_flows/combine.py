"""Dataflows made of several others."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from numbers import Real
from typing import Any, NoReturn

import numpy as np

from .._core.describe import type_in_words
from .._core.sources import as_source
from ..base import (
    DataFlow,
    InfiniteLengthError,
    RNGDataFlow,
    UpstreamProperty,
    length_of,
    reset_all,
    upstream_of,
)
from ..utils import logger

__all__ = ["ConcatData", "JoinData", "RandomChooseData", "RandomMixData"]

_END = object()
_LISTS = frozenset((list, tuple))
_ROWS = (list, tuple, np.ndarray)  # what is joined to a list


class RandomChooseData(RNGDataFlow[Any]):
    """Choose at random, for each datapoint, which dataflow it comes from.

    A pass ends as soon as the chosen dataflow is exhausted. Each datapoint takes one uniform draw from
    ``rng``.

    Args:
        df_lists: a list of dataflows, all equally likely; or a list of pairs ``(dataflow, probability)``.

    Raises:
        ValueError: the list is empty, only some items have a probability, or the probabilities are
            negative or do not sum to 1 (within 1e-6).
    """

    probs: list[float] | None = None  # None: all equal

    def __init__(self, df_lists: Sequence[Any], *others: NoReturn) -> None:
        flows = _at_least_one(df_lists, others, "RandomChooseData")
        self.df_lists = flows
        pairs = [_is_pair(item) for item in flows]
        if not any(pairs):
            return
        if not all(pairs):
            raise ValueError("RandomChooseData: either all dataflows or none need a probability")
        self.probs = [float(p) for _, p in flows]
        if not all(p >= 0 for p in self.probs):
            raise ValueError(f"RandomChooseData: expected probabilities, got {self.probs}")
        if abs(sum(self.probs) - 1) > 1e-6:
            raise ValueError(
                f"RandomChooseData: the probabilities {self.probs} must sum to 1, not to {sum(self.probs)}"
            )

    def reset_state(self) -> None:
        """Make ``rng`` anew, then reset each distinct dataflow once."""
        super().reset_state()
        reset_all(upstream_of(self))

    @UpstreamProperty
    def upstream(self) -> tuple[Any, ...]:
        """The dataflows of ``df_lists``, without their probabilities."""
        return self._flows()

    def _flows(self) -> tuple[Any, ...]:
        return tuple(item[0] if _is_pair(item) else item for item in self.df_lists)

    def __iter__(self) -> Iterator[Any]:
        """Yield datapoints until a dataflow is exhausted."""
        iterators = [iter(ds) for ds in self._flows()]
        if self.probs is not None and len(self.probs) != len(iterators):
            raise ValueError(
                f"RandomChooseData: got {len(iterators)} dataflows, but {len(self.probs)} probabilities"
            )
        # the same choice as rng.choice(n, p=probs) from the same single draw, without its overhead
        cumulative = np.cumsum(self.probs or [1 / len(iterators)] * len(iterators))
        borders = (cumulative / cumulative[-1]).tolist()
        draw = self.rng.random
        while True:
            dp = next(iterators[bisect_right(borders, draw())], _END)
            if dp is _END:
                return
            yield dp


def _is_pair(item: Any) -> bool:
    return isinstance(item, tuple | list) and len(item) == 2 and isinstance(item[1], Real)


class RandomMixData(RNGDataFlow[Any]):
    """Mix all datapoints of several dataflows in random order, each dataflow keeping its own order.

    Args:
        df_lists: a list of dataflows, all with a length. The lengths are read once, when the object is
            made. A dataflow that yields fewer datapoints than its length drops out early; if it yields more,
            the rest is not used.

    Raises:
        ValueError: the list is empty. Also raised by a pass when all dataflows are empty.
        NotImplementedError: a dataflow has no length.
    """

    def __init__(self, df_lists: Sequence[Iterable[Any]], *others: NoReturn) -> None:
        self.df_lists = _at_least_one(df_lists, others, "RandomMixData")
        self.sizes = [length_of(ds) for ds in self.df_lists]

    def reset_state(self) -> None:
        """Make ``rng`` anew, then reset each distinct dataflow once."""
        super().reset_state()
        reset_all(upstream_of(self))

    def __len__(self) -> int:
        """Return the sum of the lengths."""
        return sum(self.sizes)

    def __iter__(self) -> Iterator[Any]:
        """Yield the datapoints of all dataflows."""
        if not len(self):
            raise ValueError("RandomMixData: all dataflows are empty: there is nothing to mix")
        iterators = [iter(ds) for ds in self.df_lists]
        order = self.rng.permutation(len(self))
        for k in np.searchsorted(np.cumsum(self.sizes), order, side="right").data:
            dp = next(iterators[k], _END)
            if dp is not _END:
                yield dp


class JoinData(DataFlow[Any]):
    """Join the components of one datapoint from each dataflow into one datapoint.

    >>> from dataflow import DataFromList
    >>> list(JoinData([DataFromList([["c1", "c2"]]), DataFromList([["c3", "c4"]])]))
    [['c1', 'c2', 'c3', 'c4']]
    >>> list(JoinData([DataFromList([{"a": "c1", "b": "c2"}]), DataFromList([{"c": "c3"}])]))
    [{'a': 'c1', 'b': 'c2', 'c': 'c3'}]

    A pass ends when one of the dataflows is exhausted.

    Args:
        df_lists: a list of dataflows. Either all yield lists (or tuples, or arrays), joined to a list, or
            all yield dicts, which are joined to a dict. If a key occurs twice, the later dataflow wins. An
            instance that occurs twice in the list has two iterators open at the same time.

    Raises:
        ValueError: the list is empty. Also raised by a pass when lists and dicts are mixed.
    """

    def __init__(self, df_lists: Sequence[Iterable[Any]], *others: NoReturn) -> None:
        self.df_lists = _at_least_one(df_lists, others, "JoinData")
        try:
            sizes = [length_of(ds) for ds in self.df_lists]
            if len(set(sizes)) > 1:
                logger.debug("JoinData: the lengths differ: %s; a pass ends with the shortest", sizes)
        except NotImplementedError as e:
            logger.debug("JoinData: not all dataflows have a length: %s", e)

    def reset_state(self) -> None:
        """Reset each distinct dataflow once."""
        reset_all(upstream_of(self))

    def __len__(self) -> int:
        """Return the smallest length; dataflows that never end are left out.

        Raises:
            NotImplementedError: a dataflow has no length, or none of them ends.
        """
        sizes = []
        for ds in self.df_lists:
            try:
                sizes.append(length_of(ds))
            except InfiniteLengthError:
                continue
        if not sizes:
            raise InfiniteLengthError("JoinData: no length: none of the dataflows ever ends")
        return min(sizes)

    def __iter__(self) -> Iterator[Any]:
        """Yield the joined datapoints."""
        for dps in zip(*self.df_lists, strict=False):
            if _LISTS.issuperset(map(type, dps)):
                yield list(chain.from_iterable(dps))
            else:
                yield _join(dps)


def _join(dps: tuple[Any, ...]) -> Any:
    if all(isinstance(dp, _ROWS) for dp in dps):
        return list(chain.from_iterable(dps))
    if all(isinstance(dp, dict) for dp in dps):
        joined: dict[Any, Any] = {}
        for dp in dps:
            joined.update(dp)
        return joined
    kinds = ", ".join(map(type_in_words, dps))
    raise ValueError(
        f"JoinData: expected datapoints that are all lists (or tuples) or all dicts, got {kinds}"
    )


class ConcatData(DataFlow[Any]):
    """Go through several dataflows, one after the other.

    >>> from dataflow import DataFromList
    >>> list(ConcatData([DataFromList([["a"]]), DataFromList([["b"]])]))
    [['a'], ['b']]

    Args:
        df_lists: a list of dataflows. An instance may occur more than once.
    """

    def __init__(self, df_lists: Sequence[Iterable[Any]], *others: NoReturn) -> None:
        self.df_lists = _one_list(df_lists, others, "ConcatData")

    def reset_state(self) -> None:
        """Reset each distinct dataflow once."""
        reset_all(upstream_of(self))

    def __len__(self) -> int:
        """Return the sum of the lengths."""
        return sum(length_of(ds) for ds in self.df_lists)

    def __iter__(self) -> Iterator[Any]:
        """Yield the datapoints of each dataflow."""
        for ds in self.df_lists:
            yield from ds


def _at_least_one(df_lists: Sequence[Any], others: tuple[Any, ...], name: str) -> list[Any]:
    flows = _one_list(df_lists, others, name)
    if not flows:
        raise ValueError(f"{name}: expected a list of dataflows, got an empty one")
    return flows


def _one_list(df_lists: Sequence[Any], others: tuple[Any, ...], name: str) -> list[Any]:
    if others or isinstance(df_lists, DataFlow):
        raise TypeError(
            f"{name}: expected one list of dataflows, as in {name}([a, b]), got {1 + len(others)} arguments"
            + (" that are dataflows" if isinstance(df_lists, DataFlow) else "")
        )
    return [as_source(ds) for ds in df_lists]
