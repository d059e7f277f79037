"""LMDB databases: opened once in each process, checked, and written so that none is lost."""

from __future__ import annotations

import os
import struct
import threading
import weakref
from collections.abc import Iterable

from .._core.optional import require
from ..utils.serialize import dumps
from .atomic import new_file, refuse_existing

__all__ = ["KEYS", "Database", "data_file", "is_lmdb", "open_database", "write_database"]

KEYS = b"__keys__"
"""The record that lists the keys of all others."""

_FIRST_MAP_SIZE = 1 << 30
_PENDING_BYTES = 2 << 20  # committed at once, and kept until then, in case the map must grow
_MAGIC = b"\xde\xc0\xef\xbe"
_TRANSACTION = 144  # where a meta page has the number of its transaction, on machines of 64 bits


class Database:
    """A database open for reading. Made by ``open_database``.

    It takes no locks, as always: nobody may write to the database meanwhile.
    """

    def __init__(self, path: str) -> None:
        lmdb = require("lmdb", None)
        self.path = path
        self.pid = os.getpid()
        try:
            self.env = lmdb.open(
                path, subdir=False, readonly=True, lock=False, readahead=True, max_readers=100
            )
        except (lmdb.InvalidError, lmdb.VersionMismatchError, lmdb.CorruptedError) as e:
            raise ValueError(f"{path} is not an LMDB database: {e}") from e
        except lmdb.Error as e:
            raise OSError(
                f"can't open the LMDB database {path}: {e} A process can have a path open once: by this "
                "library, and not a file that was replaced meanwhile"
            ) from e
        self.close = weakref.finalize(self, self.env.close)
        stat = self.env.stat()
        # A page beyond the end of the file would kill the process when it is touched.
        needed = (self.env.info()["last_pgno"] + 1) * stat["psize"]
        found = os.path.getsize(path)
        if found < needed:
            self.close()
            raise ValueError(f"{path} is truncated: it should have {needed} bytes and has {found}")
        if not self._has_newest_state(stat["psize"]):
            self.close()
            raise ValueError(
                f"{path} is damaged: one of its two meta pages is not of the last two transactions, so LMDB "
                "would give an older state, with records missing. Copy it from its source again"
            )
        self.records: int = stat["entries"]

    def _has_newest_state(self, page_size: int) -> bool:
        """Return whether the meta pages are of consecutive transactions, as LMDB writes them in turns."""
        with open(self.path, "rb") as f:
            head = f.read(2 * page_size)
        numbers: list[int] = [
            struct.unpack_from("=Q", head, start + _TRANSACTION)[0] for start in (0, page_size)
        ]
        if self.env.info()["last_txnid"] != max(numbers):
            return True  # of a machine where the number is elsewhere
        return max(numbers) - min(numbers) <= 1

    def get(self, key: bytes) -> bytes | None:
        """Return a copy of one value."""
        with self.env.begin() as txn:
            value: bytes | None = txn.get(key)
            return value


_open: weakref.WeakValueDictionary[tuple[int, int], Database] = weakref.WeakValueDictionary()
_locks: dict[int, threading.Lock] = {}  # of each process its own: one may be held elsewhere at a fork


def open_database(path: str) -> Database:
    """Return the one ``Database`` that this process has for a path. It is closed when nobody holds it.

    Args:
        path: a directory with ``data.mdb`` in it, or a file.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is no database, or a part of it is missing.
        OSError: it can't be opened.
    """
    file = data_file(path)
    stat = os.stat(file)
    identity = stat.st_dev, stat.st_ino
    with _locks.setdefault(os.getpid(), threading.Lock()):
        database = _open.get(identity)
        if database is not None and database.pid == os.getpid():
            return database
        if database is not None:  # inherited by fork: LMDB forbids its use here
            database.close()
        database = _open[identity] = Database(file)
        return database


def data_file(path: str) -> str:
    """Return the file that holds the data of a database.

    Raises:
        FileNotFoundError: it does not exist.
        ValueError: it is empty.
    """
    if os.path.isdir(path):
        file = os.path.join(path, "data.mdb")
        if not os.path.exists(file):
            raise FileNotFoundError(f"{path} is no LMDB database: it is a directory without a file data.mdb")
    else:
        file = path
        if not os.path.exists(file):
            raise FileNotFoundError(f"there is no LMDB database {path}")
    if os.path.getsize(file) == 0:
        raise ValueError(f"{file} is not an LMDB database: it is empty")
    return file


def is_lmdb(path: str) -> bool:
    """Return whether a path looks like a database."""
    try:
        with open(data_file(path), "rb") as f:
            return f.read(20)[16:] == _MAGIC
    except (OSError, ValueError):
        return False


def write_database(path: str, values: Iterable[bytes], length: int | None, write_frequency: int) -> int:
    """Write values under the keys 00000000, 00000001 ..., and last of all the list of keys.

    Args:
        path: the file to make, or an existing directory without a database in it.
        values: the values.
        length: how many they are expected to be: more than 10**8 need longer keys to sort in order.
        write_frequency: how many values to commit at once.

    Returns:
        The number of values.

    Raises:
        FileExistsError: there is something at ``path``. Nothing has been taken from ``values`` then.
        OSError: LMDB can't write.
    """
    target = os.path.join(path, "data.mdb") if os.path.isdir(path) else path
    refuse_existing(target)
    width = max(8, len(str((length or 1) - 1)))
    with new_file(target) as partial:
        writer = _Writer(partial, write_frequency)
        try:
            keys: list[bytes] = []
            for value in values:
                keys.append(_key(len(keys), width))
                writer.put(keys[-1], value)
            writer.put(KEYS, dumps(keys))
            writer.finish()
        except require("lmdb", None).Error as e:
            raise OSError(f"can't write the LMDB database {target}: {e}. Is the disk full?") from e
        finally:
            writer.close()
    return len(keys)


def _key(index: int, width: int) -> bytes:
    # more than were announced: still in order, since ":" comes after all digits
    return b"%0*d" % (width, index) if index < 10**width else b":%018d" % index


class _Writer:
    """Puts records in ascending order of their keys, in a map that grows as needed."""

    def __init__(self, path: str, frequency: int) -> None:
        self._lmdb = require("lmdb", None)
        self._map_size = _FIRST_MAP_SIZE
        # No lock and no sync until the end: nobody else knows the file before. Pages are set to zero before
        # they are used (meminit): else what this process has freed would be in the file.
        self._env = self._lmdb.open(
            path, map_size=self._map_size, subdir=False, lock=False, sync=False, metasync=False
        )
        self._frequency = frequency
        self._pending: list[tuple[bytes, bytes]] = []
        self._pending_bytes = 0

    def put(self, key: bytes, value: bytes) -> None:
        self._pending.append((key, value))
        self._pending_bytes += len(value)
        if len(self._pending) >= self._frequency or self._pending_bytes >= _PENDING_BYTES:
            self._commit()

    def _commit(self) -> None:
        while self._pending:
            try:
                with self._env.begin(write=True) as txn, txn.cursor() as cursor:
                    cursor.putmulti(self._pending, append=True)
            except self._lmdb.MapFullError:  # nothing of the transaction was kept: do all of it again
                self._map_size *= 2
                self._env.set_mapsize(self._map_size)
            else:
                self._pending.clear()
                self._pending_bytes = 0

    def finish(self) -> None:
        self._commit()
        self._env.sync(True)

    def close(self) -> None:
        self._env.close()
