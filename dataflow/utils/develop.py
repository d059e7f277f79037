"""Helpers for writing libraries: deprecation, placeholders for missing dependencies, lazy modules."""

from __future__ import annotations

import functools
import importlib
import os
import sys
import types
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NoReturn, ParamSpec, TypeVar

from . import logger

__all__ = [
    "HIDE_DOC",
    "LazyLoader",
    "building_rtfd",
    "create_dummy_class",
    "create_dummy_func",
    "deprecated",
    "log_deprecated",
]

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F")

_warned: Counter[str] = Counter()


def building_rtfd() -> bool:
    """Return whether documentation is being built (``READTHEDOCS`` or ``DOC_BUILDING`` is set)."""
    return bool(os.environ.get("READTHEDOCS") == "True" or os.environ.get("DOC_BUILDING"))


def create_dummy_class(klass: str, dependency: str | Sequence[str]) -> type:
    """Return a class that stands for one whose dependency is missing.

    Args:
        klass: its name.
        dependency: what is missing.

    Returns:
        A class that raises ``ImportError`` when constructed and ``AttributeError`` for class attributes.
    """
    message = _missing(klass, dependency)

    class _Meta(type):
        def __getattr__(cls, name: str) -> NoReturn:
            raise AttributeError(f"no attribute {name!r}: {message}")

    def construct(cls: type, *args: Any, **kwargs: Any) -> NoReturn:
        raise ImportError(message)

    return _Meta(klass, (), {"__new__": construct, "__doc__": message})


def create_dummy_func(func: str, dependency: str | Sequence[str]) -> Callable[..., NoReturn]:
    """Return a function that stands for one whose dependency is missing.

    Args:
        func: its name.
        dependency: what is missing: a name or several.

    Returns:
        A function that raises ``ImportError`` when called.
    """
    message = _missing(func, dependency)

    def dummy(*args: Any, **kwargs: Any) -> NoReturn:
        raise ImportError(message)

    dummy.__name__ = dummy.__qualname__ = func
    return dummy


def _missing(name: str, dependency: str | Sequence[str]) -> str:
    needed = dependency if isinstance(dependency, str) else ",".join(dependency)
    return f"{name} needs {needed}, which is not installed"


def log_deprecated(
    name: str = "", text: str = "", eos: str = "", max_num_warnings: int | None = None
) -> None:
    """Log a warning that something is deprecated.

    Args:
        name: the name of the deprecated thing.
        text: why, and what to use instead.
        eos: the day from which on it may be gone, as ``YYYY-MM-DD``.
        max_num_warnings: at most so many for the same text.

    Raises:
        ValueError: neither name nor text is given, or ``eos`` is not such a date.
    """
    _log_deprecated(name, text, eos, max_num_warnings)


def _log_deprecated(name: str, text: str, eos: str, max_num_warnings: int | None) -> None:
    if not name and not text:
        raise ValueError("log_deprecated: expected a name or a text")
    message = "[Deprecated] " + (f"{name} is deprecated. " if name else "") + text
    if eos:
        date = datetime.strptime(eos, "%Y-%m-%d").strftime("%d %b %Y")
        message = f"{message.rstrip()} Legacy support ends after {date}."
    if max_num_warnings is None or _warned[message] < max_num_warnings:
        _warned[message] += 1
        logger.warning("%s", message.rstrip(), stacklevel=3)


def deprecated(
    text: str = "", eos: str = "", max_num_warnings: int | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that logs a warning with each call, naming the caller's file and line.

    Args:
        text: why, and what to use instead.
        eos: the day from which on the function may be gone, as ``YYYY-MM-DD``.
        max_num_warnings: at most so many for each calling line.
    """

    def decorate(func: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(func)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            caller = sys._getframe(1)
            place = f"{os.path.basename(caller.f_code.co_filename)}:{caller.f_lineno}"
            _log_deprecated(f"{func.__name__} [{place}]", text, eos, max_num_warnings)
            return func(*args, **kwargs)

        return wrapper

    return decorate


def HIDE_DOC(func: F) -> F:
    """Mark a function or class as not for the documentation."""
    func.__HIDE_SPHINX_DOC__ = True  # type: ignore[attr-defined]
    return func


class LazyLoader(types.ModuleType):
    """A module that is imported when it is first used.

    Args:
        local_name: the name that stands for it in ``parent_globals``, where the module replaces it.
        parent_globals: ``globals()`` of the module that uses it.
        name: the full name of the module.
    """

    def __init__(self, local_name: str, parent_globals: dict[str, Any], name: str) -> None:
        super().__init__(name)
        self._local_name = local_name
        self._parent_globals = parent_globals

    def _load(self) -> types.ModuleType:
        module = importlib.import_module(self.__name__)
        self._parent_globals[self._local_name] = module
        return module

    def __getattr__(self, item: str) -> Any:
        """Import the module and return its attribute."""
        return getattr(self._load(), item)

    def __dir__(self) -> list[str]:
        """Import the module and return its names."""
        return dir(self._load())
