"""Sources in memory: made-up data, lists, generators, iterables and queues."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ._compat.renamed import renamed_arguments
from ._core.checks import whole_number
from ._core.sources import as_source
from .base import DataFlow, RNGDataFlow, length_of

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

__all__ = ["DataFromGenerator", "DataFromIterable", "DataFromList", "DataFromQueue", "FakeData"]

_Range = tuple[float, float]


class FakeData(RNGDataFlow[list[Any]]):
    """Make up datapoints of given shapes.

    >>> df = FakeData([[64, 64, 3], [2]], size=100, dtype=["uint8", "float32"], domain=[(0, 256), (-1, 1)])
    >>> image, numbers = next(iter(df))
    >>> image.shape, image.dtype, numbers.shape
    ((64, 64, 3), dtype('uint8'), (2,))

    Args:
        shapes: a list with the shape of each component; ``()`` makes an array without dimensions.
        size: the number of datapoints in one pass.
        random: whether each datapoint has new values. If not, the datapoints of one pass are separate lists
            that share the same arrays; the next pass makes new arrays.
        dtype: one dtype for all components, or a list with the dtype of each.
        domain: the values are uniform in ``[low, high)``: a tuple ``(low, high)`` for all components, or a
            list with the tuple of each.

    Raises:
        TypeError: ``shapes`` is not a list of shapes, or a range is not a pair of numbers.
        ValueError: a negative size; a list of another length than ``shapes``; a range with low > high, or
            one that does not fit the dtype.
    """

    def __init__(
        self,
        shapes: Sequence[Sequence[int]],
        size: int = 1000,
        random: bool = True,
        dtype: DTypeLike | Sequence[DTypeLike] = "float32",
        domain: _Range | list[_Range] = (0, 1),
    ) -> None:
        self.shapes = [_shape(shape) for shape in shapes]
        self._size = whole_number(size, 0, "FakeData: size")
        self.random = random
        n = len(self.shapes)
        self.dtype = [np.dtype(d) for d in _one_each("dtype", dtype, n)]
        self.domain = [_range(*pair) for pair in zip(_one_each("domain", domain, n), self.dtype, strict=True)]

    def __len__(self) -> int:
        """Return ``size``."""
        return self._size

    def __iter__(self) -> Iterator[list[Any]]:
        """Yield lists of arrays."""
        if self.random:
            for _ in range(self._size):
                yield self._datapoint()
        else:
            components = self._datapoint()
            for _ in range(self._size):
                yield components.copy()

    def _datapoint(self) -> list[Any]:
        # one draw per component, in order: a seed must give the same datapoints in every release
        with np.errstate(all="ignore"):  # a program may have them raise
            return [
                np.asarray(self.rng.random(shape) * (high - low) + low).astype(dtype)
                for shape, dtype, (low, high) in zip(self.shapes, self.dtype, self.domain, strict=True)
            ]


def _shape(shape: Sequence[int]) -> tuple[int, ...]:
    try:
        return tuple(whole_number(n, 0, "FakeData: shapes") for n in shape)
    except TypeError as e:
        raise TypeError(f"FakeData: shapes: expected a list of shapes, got the item {shape!r}") from e


def _one_each(name: str, value: Any, n: int) -> list[Any]:
    if isinstance(value, tuple | np.ndarray) and (name == "dtype" or not all(map(np.isscalar, value))):
        value = list(value)  # but a pair of numbers is one range
    if not isinstance(value, list):
        return [value] * n
    if len(value) != n:
        raise ValueError(f"FakeData: {name}: expected one for each of the {n} components, got {len(value)}")
    return value


def _range(domain: _Range, dtype: np.dtype[Any]) -> _Range:
    try:
        low, high = domain
        is_reversed = not low <= high
    except (TypeError, ValueError) as e:
        raise TypeError(f"FakeData: domain: expected a pair of numbers (low, high), got {domain!r}") from e
    if is_reversed:
        raise ValueError(f"FakeData: domain: expected low <= high, got {domain!r}")
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if low < limits.min or high > int(limits.max) + 1:
            raise ValueError(f"FakeData: domain {domain!r} does not fit the dtype {dtype}")
    return low, high


class DataFromQueue(DataFlow[Any]):
    """Take datapoints from a queue; it never ends.

    Args:
        queue: anything with a blocking ``get()``.
    """

    def __init__(self, queue: _Queue) -> None:
        self.queue = queue

    def __iter__(self) -> Iterator[Any]:
        """Yield the items of the queue, waiting for each."""
        while True:
            yield self.queue.get()


class _Queue(Protocol):
    def get(self) -> Any:
        """Return the next item, waiting for it."""


class DataFromList(RNGDataFlow[Any]):
    """Take datapoints from a list.

    >>> list(DataFromList([[1], [2], [3]], shuffle=False))
    [[1], [2], [3]]

    Args:
        lst: a list, or any other object with ``len(lst)`` and ``lst[k]``. Neither the list nor its items
            are copied.
        shuffle: whether each pass has a new random order. ``lst`` itself is not reordered.
    """

    def __init__(self, lst: Any, shuffle: bool = True) -> None:
        self.lst = lst
        self.shuffle = shuffle

    def __len__(self) -> int:
        """Return the length of the list."""
        return len(self.lst)

    def __iter__(self) -> Iterator[Any]:
        """Yield the items."""
        if not self.shuffle:
            yield from as_source(self.lst)
        else:
            for k in self.rng.permutation(len(self.lst)).data:
                yield self.lst[k]


class DataFromGenerator(DataFlow[Any]):
    """Take datapoints from a generator.

    >>> def squares():
    ...     for i in range(3):
    ...         yield [i * i]
    >>> list(DataFromGenerator(squares))
    [[0], [1], [4]]

    Args:
        gen: a function without arguments that returns an iterable, called for each pass; or an iterable,
            iterated in each pass. An iterator has nothing left after the first pass: give the function
            that makes it instead.
        length: the result of ``len()``, a hint for progress bars and steps per epoch. Default: the length of
            ``gen`` if it has one.
    """

    @renamed_arguments(size="length")
    def __init__(self, gen: Callable[[], Iterable[Any]] | Iterable[Any], length: int | None = None) -> None:
        self._gen = gen if callable(gen) else as_source(gen)
        self._len = None if length is None else whole_number(length, 0, "DataFromGenerator: length")

    def __len__(self) -> int:
        """Return ``length``, or the length of the iterable.

        Raises:
            NotImplementedError: neither exists.
        """
        return length_of(self._gen) if self._len is None else self._len  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        """Yield what the generator yields."""
        yield from self._gen() if callable(self._gen) else self._gen


class DataFromIterable(DataFlow[Any]):
    """Take datapoints from an iterable.

    >>> len(DataFromIterable(range(5)))
    5

    Args:
        iterable: an iterable. Its length is read once, when the dataflow is made.
    """

    def __init__(self, iterable: Iterable[Any]) -> None:
        self._itr = iterable
        self._source = as_source(iterable)
        self._len: int | None
        try:
            self._len = length_of(iterable)
        except NotImplementedError:
            self._len = None

    @property
    def iterable(self) -> Iterable[Any]:
        """The iterable."""
        return self._itr

    def __len__(self) -> int:
        """Return the length that the iterable had when the dataflow was made.

        Raises:
            NotImplementedError: the iterable had no length.
        """
        return length_of(self._itr) if self._len is None else self._len

    def __iter__(self) -> Iterator[Any]:
        """Yield what the iterable yields."""
        yield from self._source
