"""The base class of proxies that carry state from one pass to the next."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from ..base import DataFlowReentrantGuard, ProxyDataFlow


class StatefulProxy(ProxyDataFlow[Any]):
    """A proxy with a state that outlives its iterators, so at most one of them may be open.

    A subclass defines ``_iterate``, the body of ``__iter__``, and ``_forget``, which sets up an empty state.
    It lists in ``_state`` the attributes that are not pickled: a copy starts with an empty state.
    """

    _state: ClassVar[tuple[str, ...]] = ()
    _guard: DataFlowReentrantGuard | None = None  # None: not reset yet

    def reset_state(self) -> None:
        """Reset the wrapped dataflow and forget everything kept from earlier passes."""
        super().reset_state()
        self._start()

    def close(self) -> None:
        """Close what this dataflow reads. An iterator that is still open does not count as open any more."""
        super().close()
        if self._guard is not None:
            self._start()

    def _start(self) -> DataFlowReentrantGuard:
        self._forget()
        self._guard = DataFlowReentrantGuard()
        return self._guard

    def __iter__(self) -> Iterator[Any]:
        """Yield datapoints.

        Raises:
            ReentrancyError: an iterator of this dataflow is still open.
        """
        if self._guard is None:
            self.reset_state()
        with self._guard or self._start():  # the latter if reset_state was overridden without super()
            yield from self._iterate()

    @abstractmethod
    def _forget(self) -> None:
        """Drop the state, and set up an empty one."""

    @abstractmethod
    def _iterate(self) -> Iterator[Any]:
        """Yield the datapoints of one pass."""

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: everything but the state."""
        return {name: value for name, value in vars(self).items() if name not in ("_guard", *self._state)}
