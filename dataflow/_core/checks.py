"""Checks of constructor arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

INTEGERS = (int, np.integer)  # isinstance() takes a tuple faster than a union


def whole_number(value: Any, minimum: int, what: str) -> int:
    """Return ``int(value)``, which must be at least ``minimum``.

    Raises:
        TypeError: ``value`` is not a whole number. The message begins with ``what``.
        ValueError: ``value`` is too small. The message begins with ``what``.
    """
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError) as e:
        raise TypeError(f"{what}: expected a whole number, got {value!r}") from e
    if number < minimum:
        raise ValueError(f"{what}: expected at least {minimum}, got {value!r}")
    return number


def number_range(value: Any, what: str) -> Any:
    """Return ``value``, a pair (low, high), or raise a ``TypeError`` that begins with ``what``."""
    if not isinstance(value, list | tuple | np.ndarray) or len(value) != 2:
        raise TypeError(f"{what}: expected a pair (low, high), got {value!r}")
    return value


def integer_range(value: Any, what: str) -> Any:
    """Return ``value``, a pair (low, high) that stands for the integers from low to high - 1.

    Raises:
        TypeError: ``value`` is not a pair. The message begins with ``what``.
        ValueError: the range is empty. The message begins with ``what``.
    """
    low, high = number_range(value, what)
    if low >= high:
        raise ValueError(f"{what}: expected low < high, since high is excluded; got {value!r}")
    return value


def probability(value: float, what: str) -> float:
    """Return ``value``, which must be from 0 to 1, or raise a ``ValueError`` that begins with ``what``."""
    if not 0 <= value <= 1:
        raise ValueError(f"{what}: expected a probability from 0 to 1, got {value!r}")
    return value
