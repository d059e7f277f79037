"""Errors of decoding that say where."""

from __future__ import annotations

from ..utils.serialize import UnsafePickleError

__all__ = ["located"]


def located(error: ValueError, where: str) -> ValueError:
    """Return an error of the same kind whose message begins with ``where``."""
    kind = UnsafePickleError if isinstance(error, UnsafePickleError) else ValueError
    return kind(f"{where}: {error}")
