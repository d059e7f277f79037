"""Helpers for arguments: caching, mapping, shapes."""

from __future__ import annotations

import functools
import inspect
import numbers
from collections.abc import Callable
from typing import Any, NoReturn, ParamSpec, TypeVar

from . import logger

P = ParamSpec("P")
R = TypeVar("R")

__all__ = [
    "call_only_once",
    "get_data_format",
    "graph_memoized",
    "log_once",
    "map_arg",
    "memoized",
    "memoized_ignoreargs",
    "memoized_method",
    "shape2d",
    "shape4d",
]

memoized = functools.cache
"""Remember the results of a function for ever, by its arguments, which must be hashable."""

_logged: set[tuple[str, str]] = set()


def map_arg(**maps: Callable[[Any], Any]) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Return a decorator that applies a function to an argument before the call, if it is given.

    >>> @map_arg(size=shape2d)
    ... def area(size=(1, 1)):
    ...     return size[0] * size[1]
    >>> area(3), area(size=[2, 5]), area()
    (9, 10, 1)

    Args:
        **maps: argument name -> function of the value.

    Raises:
        TypeError: when decorating, if there is no argument of that name.
    """

    def decorate(func: Callable[..., R]) -> Callable[..., R]:
        signature = inspect.signature(func)
        unknown = maps.keys() - signature.parameters.keys()
        if unknown:
            raise TypeError(f"map_arg: {func.__qualname__}() has no argument {', '.join(sorted(unknown))}")

        @functools.wraps(func)
        def wrapper(*args: Any, **kwargs: Any) -> R:
            bound = signature.bind(*args, **kwargs)
            for name in maps.keys() & bound.arguments.keys():
                bound.arguments[name] = maps[name](bound.arguments[name])
            return func(*bound.args, **bound.kwargs)

        return wrapper

    return decorate


class _Results(dict[Any, Any]):
    """What ``memoized_method`` remembers. A pickled or deep-copied object starts with none."""

    def __reduce__(self) -> tuple[type[_Results], tuple[()]]:
        return type(self), ()


def memoized_method(func: Callable[P, R]) -> Callable[P, R]:
    """Remember the results of a method for each instance, by its arguments, which must be hashable.

    The results live on the instance, and die with it.
    """
    # the name, not the function: super() of a memoized method is a method of its own
    method = func.__module__, func.__qualname__

    @functools.wraps(func)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        cache = vars(args[0]).setdefault("_MEMOIZED_CACHE", _Results())
        key = method, args[1:], tuple(sorted(kwargs.items()))
        if key not in cache:
            cache[key] = func(*args, **kwargs)
        result: R = cache[key]
        return result

    return wrapper


def memoized_ignoreargs(func: Callable[P, R]) -> Callable[P, R]:
    """Remember the first result of a function and return it for ever, whatever the arguments."""
    results: list[R] = []

    @functools.wraps(func)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        if not results:
            results.append(func(*args, **kwargs))
        return results[0]

    return wrapper


def graph_memoized(func: Callable[..., Any]) -> NoReturn:
    """Not available: it kept one cache for each TensorFlow graph.

    Raises:
        RuntimeError: always.
    """
    raise RuntimeError("graph_memoized keeps results by TensorFlow graph, and there is none; use memoized")


def shape2d(a: Any) -> list[Any]:
    """Return a 2-D shape as a list: ``[a, a]`` of a number, or the list of a pair.

    Raises:
        RuntimeError: ``a`` is neither an integer nor a list or tuple of two.
    """
    if isinstance(a, numbers.Integral) and not isinstance(a, bool):
        return [int(a), int(a)]
    if isinstance(a, list | tuple) and len(a) == 2:
        return list(a)
    raise RuntimeError(f"expected an integer, or a list or tuple of two, as a 2-D shape; got {a!r}")


def shape4d(a: Any, data_format: str = "NHWC") -> list[Any]:
    """Return a 4-D shape with 1 for batch and channel around ``shape2d(a)``.

    Args:
        a: as for ``shape2d``.
        data_format: ``NHWC`` (or ``channels_last``) or ``NCHW`` (or ``channels_first``).

    Raises:
        ValueError: the format is unknown.
    """
    height, width = shape2d(a)
    if get_data_format(data_format, keras_mode=False) == "NHWC":
        return [1, height, width, 1]
    return [1, 1, height, width]


def get_data_format(data_format: str, keras_mode: bool = True) -> str:
    """Return a data format in one spelling, whichever one it came in.

    Args:
        data_format: ``NCHW``, ``NHWC``, ``channels_first`` or ``channels_last``.
        keras_mode: return ``channels_first`` or ``channels_last``, else ``NCHW`` or ``NHWC``.

    Raises:
        ValueError: the format is unknown.
    """
    for pair in (("NCHW", "channels_first"), ("NHWC", "channels_last")):
        if data_format in pair:
            return pair[keras_mode]
    raise ValueError(
        f"unknown data format {data_format!r}: expected NCHW, NHWC, channels_first or channels_last"
    )


def log_once(message: str, func: str = "info") -> None:
    """Log a message the first time only.

    Args:
        message: it, and ``func``, decide whether this was logged before.
        func: a function of ``logger``: ``info``, ``warning``, ``error`` ...
    """
    if (message, func) not in _logged:
        _logged.add((message, func))
        getattr(logger, func)(message, stacklevel=2)


def call_only_once(func: Callable[P, R]) -> Callable[P, R]:
    """Let a method or property be used once for each instance.

    Raises:
        RuntimeError: at the second use.
    """
    mark = f"_called_{func.__module__}.{func.__qualname__}"

    @functools.wraps(func)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        state = vars(args[0])
        if mark in state:
            raise RuntimeError(f"{func.__qualname__} can be called only once for each instance")
        state[mark] = True
        return func(*args, **kwargs)

    return wrapper
