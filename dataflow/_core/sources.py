"""Things that can be iterated over, but not as a source is: in order, and as often as one likes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_END = object()


def as_source(ds: Any) -> Any:
    """Return ``ds``, or an iterable around it if it is no good source by itself.

    An iterator has one pass: the next would be empty, and nobody would say so. A sequence without
    ``__iter__``, such as a data set of torch, would be asked for items beyond its end.
    """
    if hasattr(ds, "reset_state"):
        return ds
    if isinstance(ds, Iterator):
        return OnePass(ds)
    if not hasattr(type(ds), "__iter__") and hasattr(ds, "__getitem__") and hasattr(ds, "__len__"):
        return InOrder(ds)
    return ds


class OnePass:
    """An iterator: its second pass is an error, once the first has come to its end."""

    def __init__(self, iterator: Iterator[Any]) -> None:
        self.iterator = iterator
        self._has_ended = False

    def __len__(self) -> int:
        """Return the length of the iterator, if it has one."""
        return len(self.iterator)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        """Yield what is left.

        Raises:
            RuntimeError: there is nothing left.
        """
        if self._has_ended:
            first = next(self.iterator, _END)  # some start over
            if first is _END:
                raise RuntimeError(
                    f"{self.iterator!r:.100} is an iterator and has nothing left for a second pass: give "
                    "what makes one, such as a list, or DataFromGenerator with the generator function itself"
                )
            yield first
        yield from self.iterator
        self._has_ended = True

    def __repr__(self) -> str:
        """Return that of the iterator."""
        return repr(self.iterator)


class InOrder:
    """A sequence that has only ``__len__`` and ``__getitem__``."""

    def __init__(self, sequence: Any) -> None:
        self.sequence = sequence

    def __len__(self) -> int:
        """Return its length."""
        return len(self.sequence)

    def __getitem__(self, index: int) -> Any:
        """Return an item."""
        return self.sequence[index]

    def __iter__(self) -> Iterator[Any]:
        """Yield its items."""
        return map(self.sequence.__getitem__, range(len(self.sequence)))

    def __repr__(self) -> str:
        """Return that of the sequence."""
        return repr(self.sequence)
