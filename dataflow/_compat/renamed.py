"""Accept keyword arguments by their old names, with a warning that names the new one."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def warn_renamed(old: str, new: str, stacklevel: int = 2) -> None:
    """Warn that ``old`` is now called ``new``.

    Args:
        old: the old name, in words that tell where it belongs, e.g. ``TestDataSpeed.start_test()``.
        new: the new name.
        stacklevel: as in ``warnings.warn``, counted from the function that calls this one: 2 is its caller.
    """
    warnings.warn(
        f"{old} is deprecated: it is called {new} now", DeprecationWarning, stacklevel=stacklevel + 1
    )


def renamed_arguments(**new_names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that lets a function take keyword arguments by their old names too.

    The signature that ``inspect`` and type checkers see is that of the new names.

    >>> @renamed_arguments(nr="num")
    ... def repeat(thing, num):
    ...     return [thing] * num
    >>> repeat("a", nr=2)
    ['a', 'a']

    Args:
        **new_names: ``old="new"``; several old names may lead to one new name.

    Returns:
        The decorator. The function it makes warns with one ``DeprecationWarning`` for each old name
        given, at the line of the caller, and raises ``TypeError`` if an argument is given twice.
    """

    def decorate(func: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(func)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            for old in new_names.keys() & kwargs.keys() if kwargs else ():
                new = new_names[old]
                name = func.__qualname__.removesuffix(".__init__")
                if new in kwargs:
                    raise TypeError(
                        f"{name}() got both {new!r} and {old!r}, the old name of the same argument"
                    )
                warn_renamed(f"the argument {old!r} of {name}()", repr(new))
                kwargs[new] = kwargs.pop(old)
            return func(*args, **kwargs)

        return wrapper

    return decorate
