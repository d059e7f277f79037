"""Datapoints in a directory of the package diskcache."""

from __future__ import annotations

import os
import re
import sqlite3
import urllib.parse
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from typing import Any

from .._core.optional import require
from ..base import RNGDataFlow
from .atomic import new_directory
from .reading import order_of_pass

__all__ = ["DiskCacheData", "write_index"]

_COUNTERS = ("count", "size", "hits", "misses")  # kept among the settings
_FILE = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]+\.val")


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


def _check(path: str) -> None:
    """Refuse a database that would steer the reader: by settings, triggers, or names of files elsewhere."""
    known = {*require("diskcache", "diskcache").DEFAULT_SETTINGS, *_COUNTERS}
    uri = "file:" + urllib.parse.quote(os.path.join(os.path.abspath(path), "cache.db")) + "?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as database:
            settings = dict(database.execute("select key, value from Settings"))
            [(count,)] = database.execute("select count(*) from Cache")
            files = [
                name for (name,) in database.execute("select filename from Cache where filename not null")
            ]
            steering = database.execute(
                "select name from sqlite_master where type = 'view' or (type = 'trigger' and name not in "
                "('Settings_count_insert', 'Settings_count_delete', 'Settings_size_insert', "
                "'Settings_size_update', 'Settings_size_delete'))"
            ).fetchall()
    except (sqlite3.Error, ValueError, TypeError) as e:
        raise ValueError(f"{path}: its database can't be read: {e}") from e
    if steering or not known.issuperset(settings):
        strange = [name for (name,) in steering] + sorted(str(key) for key in settings.keys() - known)
        raise ValueError(f"{path}: its database has {strange[:5]}, which diskcache does not make")
    if settings.get("count") != count:
        raise ValueError(f"{path} is damaged: it counts {settings.get('count')!r} records and has {count}")
    for name in files:
        if type(name) is not str or not _FILE.fullmatch(name):
            raise ValueError(f"{path}: a value is in the file {name!r:.80}, where diskcache puts none")
        if os.path.realpath(os.path.join(path, name)) != os.path.join(os.path.realpath(path), name):
            raise ValueError(f"{path}: a value is behind a link, {name!r}")


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
        ValueError: its database is damaged, or is not as diskcache makes it.
    """

    def __init__(self, path: str, shuffle: bool = True) -> None:
        self.path = os.fspath(path)
        self.shuffle = shuffle
        if not os.path.isfile(os.path.join(self.path, "cache.db")):
            raise FileNotFoundError(f"{self.path} is not a directory of diskcache")
        _check(self.path)
        with _opened(self.path) as index:
            self._size = len(index)

    def __len__(self) -> int:
        """Return the number of values."""
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        """Yield the values."""
        with _opened(self.path) as index:  # here: a connection of SQLite can't cross a fork
            for k in order_of_pass(self._size, self.rng if self.shuffle else None):
                try:
                    value = index[k]
                except KeyError as e:
                    raise ValueError(f"{self.path} is damaged: the record {k} is missing") from e
                if type(value) is not bytes:
                    raise ValueError(f"{self.path}: the record {k} is no bytes, but a {type(value).__name__}")
                yield value
