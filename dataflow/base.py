"""What a dataflow is: the protocol, and the base classes that keep it.

A dataflow is an object with ``__iter__``, and perhaps ``__len__`` and ``reset_state``. It yields
datapoints: lists or dicts of components. Everything else in this package is a small class around another
dataflow.
"""

from __future__ import annotations

import functools
import inspect
import reprlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic

import numpy as np

from ._core.describe import describe
from ._core.errors import (
    DataFlowTerminated,
    InfiniteLengthError,
    LengthUnknownError,
    ReentrancyError,
    WorkerError,
)
from ._core.random_state import LazyRng, get_rng
from ._core.sources import as_source

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    T_co = TypeVar("T_co", covariant=True, default=Any)
else:
    from typing import TypeVar

    T_co = TypeVar("T_co", covariant=True)

_Self = TypeVar("_Self", bound="DataFlow[Any]")

__all__ = [
    "DataFlow",
    "DataFlowReentrantGuard",
    "DataFlowTerminated",
    "InfiniteLengthError",
    "LengthUnknownError",
    "ProxyDataFlow",
    "RNGDataFlow",
    "ReentrancyError",
    "WorkerError",
    "close_all",
    "length_of",
    "reset_all",
    "upstream_of",
]


def _pair_names(cls: type, new: str, old: str) -> None:
    """Define on ``cls`` whichever of two method names the nearest class that defines one of them lacks."""
    for owner in cls.__mro__:
        has_new, has_old = callable(vars(owner).get(new)), callable(vars(owner).get(old))
        if has_new != has_old:
            missing, present = (old, new) if has_new else (new, old)
            setattr(cls, missing, _call(cls, present))
        if has_new or has_old:
            return


def _call(cls: type, name: str) -> Callable[[Any], Any]:
    def method(self: Any) -> Any:
        # of cls, not of self: super().get_data() in an override must not come back to the override;
        # looked up when called: programs replace methods
        return getattr(cls, name)(self)

    method.__qualname__ = f"{cls.__qualname__}.{name}"
    method.__doc__ = f"Call ``{name}``, which is the same under its other name."
    return method


def _convert_length_error(cls: type) -> None:
    """Have a ``__len__`` of ``cls`` that raises ``NotImplementedError`` raise ``LengthUnknownError``.

    ``list()``, ``tuple()`` and ``sorted()`` ask for a length and take only ``TypeError`` for "there is none".
    """
    length = vars(cls).get("__len__")
    if not inspect.isfunction(length):
        return

    @functools.wraps(length)
    def __len__(self: Any) -> int:
        try:
            return length(self)  # type: ignore[no-any-return]
        except NotImplementedError as e:
            if isinstance(e, LengthUnknownError):
                raise
            raise LengthUnknownError(str(e) or f"{type(self).__name__} has no length") from e

    cls.__len__ = __len__  # type: ignore[attr-defined]


class UpstreamProperty:
    """Like ``property``, but an attribute of an instance wins over it: an old class may have one of the name.

    Args:
        find: the function that it decorates.
    """

    def __init__(self, find: Callable[[Any], tuple[Any, ...]]) -> None:
        self.find = find
        self.__doc__ = find.__doc__

    def __get__(self, obj: Any, owner: type | None = None) -> Any:
        return self if obj is None else self.find(obj)


def _usual_upstream(ds: DataFlow[Any]) -> tuple[Any, ...]:
    # not by vars(): an object whose __dict__ was asked for has slower attributes from then on
    flows = None if isinstance(ds, ProxyDataFlow) else getattr(ds, "df_lists", None)
    if isinstance(flows, list | tuple):
        return tuple(flows)
    return (ds.ds,) if hasattr(ds, "ds") and _may_be_read(ds.ds) else ()


class DataFlow(ABC, Generic[T_co]):
    """Base class of all dataflows.

    A subclass defines ``__iter__``, and ``__len__`` and ``reset_state`` where they make sense. It need not
    call ``super().__init__()``. The old names ``get_data`` and ``size`` work as well: a class that
    defines one name of a pair gets the other.
    """

    upstream: tuple[Any, ...] = UpstreamProperty(_usual_upstream)  # type: ignore[assignment]
    """The dataflows that this one reads: ``(self.ds,)`` or ``tuple(self.df_lists)``, or none. A class that
    keeps them elsewhere overrides it with a property."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Give the class both names of each pair, whichever one it defines."""
        super().__init_subclass__(**kwargs)
        _pair_names(cls, "__iter__", "get_data")
        _pair_names(cls, "__len__", "size")
        _convert_length_error(cls)

    @abstractmethod
    def __iter__(self) -> Iterator[T_co]:
        """Yield datapoints: lists or dicts of components.

        It may be finite or not. A finite dataflow can be iterated again at once when the previous iterator
        has ended. Many dataflows are not reentrant: one iterator of an instance at a time, and a second
        one raises ``ReentrancyError``.
        """

    def __len__(self) -> int:
        """Return the number of datapoints of one pass: exact where it can be, else a hint.

        Raises:
            NotImplementedError: the length can't be known.
        """
        raise LengthUnknownError(
            f"{type(self).__name__} has no length: how many datapoints it yields is not known"
        )

    def __bool__(self) -> bool:
        """Return True always, even when ``len(self) == 0``."""
        return True

    def reset_state(self) -> None:
        """Prepare for iteration in this process: make random states, start workers, open files.

        The process that uses the dataflow calls it once, before the first iteration; workers call it for
        the dataflow they run. Dataflows without processes take any number of calls. After it, a
        dataflow is not fork-safe.
        """

    def close(self) -> None:
        """End the workers and close the files of this dataflow and of those it reads.

        It can be called again, and ``reset_state()`` starts anew. A dataflow that has neither workers nor
        files can be iterated over after it as before.
        """
        close_all(upstream_of(self))

    def __enter__(self: _Self) -> _Self:
        """Return the dataflow itself; leaving the ``with`` block closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        close_all([self])

    def get_data(self) -> Iterator[T_co]:
        """Return ``iter(self)``: the old name."""
        return iter(self)

    def size(self) -> int:
        """Return ``len(self)``: the old name."""
        return len(self)

    @reprlib.recursive_repr()
    def __repr__(self) -> str:
        """Return this stage with its arguments and, nested, the stages it wraps."""
        return describe(self, DataFlow)


class RNGDataFlow(DataFlow[T_co]):
    """A dataflow with randomness."""

    rng: np.random.RandomState = LazyRng()  # type: ignore[assignment]
    """A ``np.random.RandomState`` with a stream of its own in each process. Made by ``reset_state()``, or at
    first use if that was forgotten; None on the class."""

    def reset_state(self) -> None:
        """Make ``self.rng`` anew."""
        self.rng = get_rng(self)


class ProxyDataFlow(DataFlow[T_co]):
    """Base class for a dataflow around another. Every method goes to ``self.ds`` unless overridden.

    Args:
        ds: the dataflow to wrap. Any iterable will do; one without ``reset_state`` is not reset.
    """

    ds: Iterable[Any]

    def __init__(self, ds: Iterable[Any]) -> None:
        self.ds = as_source(ds)

    def reset_state(self) -> None:
        """Reset the wrapped dataflow."""
        reset_all(upstream_of(self))

    def __len__(self) -> int:
        """Return the length of the wrapped dataflow."""
        return length_of(self.ds)

    def __iter__(self) -> Iterator[T_co]:
        """Return an iterator of the wrapped dataflow."""
        return iter(self.ds)


class DataFlowReentrantGuard:
    """A context manager that refuses a second entry while the first is still inside.

    >>> guard = DataFlowReentrantGuard()
    >>> with guard:
    ...     with guard:
    ...         pass
    Traceback (most recent call last):
    ...
    dataflow._core.errors.ReentrancyError: ...
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        """Enter, or raise ``ReentrancyError`` if another iterator is inside."""
        if not self._lock.acquire(blocking=False):
            raise ReentrancyError(
                "this dataflow is not reentrant: an iterator of it is still open. It counts as open until it "
                "ends or is garbage. Finish it first, or make two instances of the dataflow. If you can't "
                "reach it, because an exception that a notebook has kept holds it, call the dataflow's "
                "close() and then reset_state()"
            )

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave."""
        self._lock.release()

    def __reduce__(self) -> tuple[type[DataFlowReentrantGuard], tuple[()]]:
        """Pickle as a new guard: no iterator of the copy is open."""
        return type(self), ()


def length_of(ds: Iterable[Any]) -> int:
    """Return ``len(ds)`` of a dataflow or any other iterable.

    Raises:
        NotImplementedError: there is no length (``LengthUnknownError``, also where Python's own answer
            would be a plain ``TypeError``).
    """
    try:
        return len(ds)  # type: ignore[arg-type]
    except LengthUnknownError:
        raise
    except (NotImplementedError, TypeError) as e:
        raise LengthUnknownError(f"{type(ds).__name__} has no length: {e}") from e


def _may_be_read(flow: Any) -> bool:
    return hasattr(flow, "__iter__") and not isinstance(flow, str | bytes)


def upstream_of(ds: Any) -> tuple[Any, ...]:
    """Return what a dataflow reads, each distinct object once.

    A user's class may use the name ``upstream`` for something else. Then it is what its base class says.
    """
    upstream = getattr(ds, "upstream", None)
    if not isinstance(upstream, tuple | list) or not all(map(_may_be_read, upstream)):
        said = (vars(cls).get("upstream") for cls in type(ds).__mro__)
        upstream = next((p.find(ds) for p in said if isinstance(p, UpstreamProperty)), ())
    return tuple({id(flow): flow for flow in upstream}.values())


def reset_all(flows: Iterable[Any]) -> None:
    """Reset each distinct dataflow once, in order. Iterables without ``reset_state`` are skipped."""
    for ds in {id(flow): flow for flow in flows}.values():
        if callable(getattr(ds, "reset_state", None)):
            ds.reset_state()


def close_all(flows: Iterable[Any]) -> None:
    """Close each distinct dataflow once. If one raises, the others are still closed.

    An object without ``reset_state`` is not a dataflow: a wrapped file or generator is left to the user.
    """
    error = None
    for ds in {id(flow): flow for flow in flows}.values():
        if not hasattr(ds, "reset_state"):
            continue
        try:
            if callable(getattr(ds, "close", None)):
                ds.close()
            else:
                close_all(upstream_of(ds))
        except Exception as e:
            error = error or e
    if error is not None:
        raise error
