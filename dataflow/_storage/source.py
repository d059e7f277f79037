"""The datapoints that are being saved: a progress bar, and errors that name the datapoint."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from ..base import length_of, reset_all
from ..utils.serialize import dumps
from ..utils.utils import get_tqdm

__all__ = ["Source", "components", "human_size"]

_SHOWN_EVERY = 16 << 20  # bytes after which the bar tells the size anew


class Source:
    """A dataflow being saved to ``path``.

    Iterating resets it and shows a bar.

    Raises:
        TypeError: ``df`` is no dataflow or other iterable of datapoints.
    """

    def __init__(self, df: Iterable[Any], path: str) -> None:
        if isinstance(df, str | bytes | dict) or not hasattr(df, "__iter__"):
            raise TypeError(f"expected a dataflow to save, got {type(df).__name__}")
        self._df = df
        self._name = os.path.basename(os.path.normpath(path))
        self._bytes = 0

    @property
    def length(self) -> int | None:
        """The number of datapoints to expect, if that is known."""
        try:
            return length_of(self._df)
        except NotImplementedError:
            return None

    def __iter__(self) -> Iterator[Any]:
        """Yield the datapoints."""
        reset_all([self._df])
        with get_tqdm(total=self.length, unit="dp", desc=self._name) as bar:
            shown = 0
            for dp in self._df:
                yield dp
                if self._bytes - shown >= _SHOWN_EVERY:
                    shown = self._bytes
                    bar.set_description(f"{self._name} {human_size(shown)}", refresh=False)
                bar.update()
            bar.set_description(f"{self._name} {human_size(self._bytes)}")

    def wrote(self, size: int) -> None:
        """Count bytes for the bar."""
        self._bytes += size

    def encoded(self) -> Iterator[bytes]:
        """Yield the datapoints as bytes.

        Raises:
            TypeError: one can't be stored; its index, the component and the type are named.
        """
        for index, dp in enumerate(self):
            if dp is None:  # maps and decoders discard it
                raise TypeError(f"datapoint {index} can't be stored: None stands for no datapoint")
            try:
                value = dumps(dp)
            except Exception as e:
                raise TypeError(f"datapoint {index} can't be stored: {_culprit(dp)}{e}") from e
            self._bytes += len(value)
            yield value


def _culprit(dp: Any) -> str:
    """Name the first component that can't be stored, or nothing if none can be blamed."""
    for key, value in components(dp):
        try:
            dumps(value)
        except Exception:
            return f"component {key!r} of type {type(value).__qualname__}: "
    return ""


def components(dp: Any) -> Iterable[tuple[Any, Any]]:
    """Return the (position or key, value) pairs of a datapoint; none if it has no components."""
    if isinstance(dp, dict):
        return dp.items()
    return enumerate(dp) if isinstance(dp, list | tuple) else ()


def human_size(size: float) -> str:
    """Return bytes in words, such as ``1.5 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
