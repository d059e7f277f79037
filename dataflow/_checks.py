"""Checks of constructor arguments."""

from __future__ import annotations

from typing import Any


def whole_number(value: Any, minimum: int, what: str) -> int:
    """Return ``int(value)``, which must be at least ``minimum``.

    Raises:
        TypeError: ``value`` is no number.
        ValueError: it is too small. Both messages begin with ``what``.
    """
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError) as e:
        raise TypeError(f"{what}: expected a whole number, got {value!r}") from e
    if number < minimum:
        raise ValueError(f"{what}: expected at least {minimum}, got {value!r}")
    return number
