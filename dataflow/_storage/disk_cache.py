"""Datapoints in a directory of the package diskcache."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from typing import Any

from .._core.optional import require
from ..base import RNGDataFlow
from .atomic import new_directory
from .reading import order_of_pass

__all__ = ["DiskCacheData", "write_index"]


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    """Open the ``diskcache.Index`` in a directory, made if there is none, for the length of a block.

    Values must be bytes. What is not, a foreign file may hold as a pickle, and that is not read.
    """
    diskcache = require("diskcache", "diskcache")

    class BytesDisk(diskcache.Disk):  # type: ignore[misc, name-defined]
        def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
            if mode == diskcache.core.MODE_PICKLE:
                raise ValueError(
                    f"{path} holds a pickled value, which is not read: DiskCacheSerializer stores bytes"
                )
            return super().fetch(mode, filename, value, read)

        def get(self, key: Any, raw: bool) -> Any:
            if not raw:
                raise ValueError(f"{path} holds a pickled key, which is not read")
            return super().get(key, raw)

    with closing(diskcache.Cache(path, eviction_policy="none", disk=BytesDisk)) as cache:
        yield diskcache.Index.fromcache(cache)


def write_index(path: str, values: Iterable[bytes], write_frequency: int) -> None:
    """Store values under the keys 0, 1 ...

    Raises:
        FileExistsError: there is something at ``path``.
    """
    numbered = enumerate(values)
    with new_directory(path) as partial, _opened(partial) as index:
        while batch := list(islice(numbered, write_frequency)):
            with index.transact():
                index.update(batch)


class DiskCacheData(RNGDataFlow[bytes]):
    """Yield the values that ``DiskCacheSerializer.save`` stored, as raw bytes.

    Args:
        path: the directory.
        shuffle: whether each pass has an order of its own.

    Raises:
        ImportError: diskcache is missing.
        FileNotFoundError: there is no such directory.
    """

    def __init__(self, path: str, shuffle: bool = True) -> None:
        self.path = os.fspath(path)
        self.shuffle = shuffle
        if not os.path.isfile(os.path.join(self.path, "cache.db")):
            raise FileNotFoundError(f"{self.path} is not a directory of diskcache")
        with _opened(self.path) as index:
            self._size = len(index)

    def __len__(self) -> int:
        """Return the number of values."""
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        """Yield the values."""
        with _opened(self.path) as index:  # here: a connection of SQLite can't cross a fork
            for k in order_of_pass(self._size, self.rng if self.shuffle else None):
                yield index[k]
