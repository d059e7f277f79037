"""Dataflows over LMDB databases."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from .._compat.old_attributes import OldAttribute, ReadTransaction
from .._flows.map import MapData
from ..base import DataFlowReentrantGuard, RNGDataFlow
from ..utils import logger
from ..utils.serialize import decoder, loads
from ..utils.utils import get_tqdm
from .lmdb_file import KEYS, Database, open_database
from .lmdb_keys import FormattedKeys, Keys, PackedKeys, as_key, decode_keys
from .reading import error_at

__all__ = ["LMDBData", "LMDBDataDecoder", "LMDBDatapoints", "deserialize_pair"]


class LMDBData(RNGDataFlow[list[bytes]]):
    """Read an LMDB database and yield lists ``[key, value]`` of raw bytes.

    The raw bytes are usually not what you want: put a ``LMDBDataDecoder`` around it, or decode in a parallel
    map.

    Any number of instances, iterators, threads and processes may read one database. Nothing may write to it
    meanwhile.

    Args:
        lmdb_path: a directory with ``data.mdb`` in it, or a file.
        shuffle: whether each pass has an order of its own. Otherwise the order is that of the keys in the
            database: sorted as bytes.
        keys: which records to read, used only if shuffled: a list of keys; or a format string such as
            ``"{:0>8d}"``, to be formatted with 0, 1, ... up to the number of records.
            Default: all records, by the list of keys under ``__keys__`` which ``LMDBSerializer.save`` stores.
            Without that list and with ``shuffle``, all the database is read once to find the keys.
        allow_pickle: whether ``__keys__`` may be a pickle of any content; see ``utils.serialize.loads``.

    Raises:
        FileNotFoundError: there is no database.
        ValueError: the file is no database or truncated.
        TypeError: ``keys`` are neither str nor bytes.
    """

    def __init__(
        self,
        lmdb_path: str,
        shuffle: bool = True,
        keys: Iterable[str | bytes] | str | None = None,
        *,
        allow_pickle: bool | None = None,
    ) -> None:
        self._lmdb_path = os.fspath(lmdb_path)
        self.shuffle = shuffle
        self._allow_pickle = allow_pickle
        self._database: Database | None = None
        database = self._opened()
        self._lists_keys = database.get(KEYS) is not None
        self._size = database.records - self._lists_keys
        self._keys: Keys | None = None
        self._shared: list[bytes] | None = None  # once a program has read or set ``keys``: what it works on
        self._chosen = False  # whether passes follow the keys even if unshuffled: a program has set them
        self._order: np.ndarray[Any, Any] | None = None
        self._set_keys(keys)

    def _set_keys(self, keys: Iterable[str | bytes] | str | None = None) -> None:
        """Find the keys that shuffled passes read.

        A subclass may override it and set ``self.keys``. All passes follow these keys then.
        """
        if keys is not None:
            self._keys = self._given(keys)
            if self.shuffle:
                self._size = len(self._keys)
            else:
                logger.warning("LMDBData: keys= has no effect without shuffle=True: all records are read")
        elif self.shuffle and not self._lists_keys:
            self._keys = self._scan()

    def _given(self, keys: Iterable[str | bytes] | str) -> Keys:
        if isinstance(keys, str):
            return FormattedKeys(keys, self._opened().records - self._lists_keys)
        if isinstance(keys, bytes):
            raise TypeError(f"LMDBData: keys: expected a list of keys or a format string, got {keys!r}")
        return PackedKeys.of(map(as_key, keys))

    def _scan(self) -> PackedKeys:
        logger.warning(
            "%s has no list of keys under __keys__: reading all of it to find them. LMDBSerializer.save "
            "stores that list; keys= or shuffle=False avoids the need",
            self._lmdb_path,
        )
        with self._opened().env.begin() as txn, get_tqdm(total=self._size, unit="keys", delay=1) as bar:
            return PackedKeys.of(key for key in self._counted(txn.cursor().iternext(values=False), bar))

    @staticmethod
    def _counted(keys: Iterable[bytes], bar: Any) -> Iterator[bytes]:
        for key in keys:
            bar.update()
            yield key

    @property
    def keys(self) -> list[bytes] | None:
        """The keys; None if they are not known and not needed.

        A program may change the list, or set another one: all passes follow it then. A shuffled pass shuffles
        the list.
        """
        if self._shared is None:
            known = self._known()
            if known is not None:
                self._shared = list(known if self._order is None else known.take(self._order))
        return self._shared

    @keys.setter
    def keys(self, keys: Iterable[str | bytes] | str | None) -> None:
        self._chosen, self._order = keys is not None, None
        self._keys = self._shared = None
        self._size = self._opened().records - self._lists_keys
        if keys is not None:
            self._shared = list(self._given(keys))
            self._size = len(self._shared)

    def _known(self) -> Keys | None:
        """Return the keys in little memory."""
        if self._keys is None and self._lists_keys:
            value = self._opened().get(KEYS)
            try:
                self._keys = decode_keys(value or b"", self._allow_pickle)
            except ValueError as e:
                raise error_at(f"{self._lmdb_path}: the list of keys under __keys__", e) from e
        return self._keys

    def _overrides_keys(self) -> bool:
        return type(self).keys is not LMDBData.keys

    def _follows_keys(self) -> bool:
        """Return whether a pass looks up keys, rather than reads all records in the order of the database."""
        if self.shuffle or self._chosen or self._overrides_keys():
            return True
        return self._shared is not None and self._shared != self._known()

    def reset_state(self) -> None:
        """Make ``self.rng`` anew. The next pass begins with the order of the keys."""
        super().reset_state()
        self._order = None
        self.__dict__.pop("_guard", None)  # an iterator that was left is forgotten

    # what subclasses use
    _shuffle = OldAttribute("shuffle")
    _txn = ReadTransaction("_opened")

    @cached_property
    def _guard(self) -> DataFlowReentrantGuard:
        return DataFlowReentrantGuard()

    def __len__(self) -> int:
        """Return the number of records that one pass yields."""
        if self._overrides_keys():
            return len(self.keys or ())
        return len(self._shared) if self._shared is not None and self._follows_keys() else self._size

    def __iter__(self) -> Iterator[list[bytes]]:
        """Yield lists ``[key, value]``.

        Raises:
            KeyError: a key is not in the database.
        """
        if not self._follows_keys():
            with self._opened().env.begin() as txn:
                for key, value in txn.cursor():
                    if key != KEYS:
                        yield [key, value]
            return
        keys = self._keys_of_pass()
        with self._opened().env.begin() as txn:
            for key in keys:
                value = txn.get(key)
                if value is None:
                    raise self._unknown(key)
                yield [key, value]

    def decoded(self, decode: Callable[[memoryview], Any]) -> Iterator[Any]:
        """Yield the values alone, decoded; ``decode`` gets a view of the database, not a copy.

        Raises:
            ValueError: ``decode`` raised one; the record is named.
        """
        with self._opened().env.begin(buffers=True) as txn:
            cursor = txn.cursor()
            key = None
            try:
                if self._follows_keys():
                    for key in self._keys_of_pass():
                        value = txn.get(key)
                        if value is None:
                            raise self._unknown(key)
                        yield decode(value)
                elif cursor.last() and (not self._lists_keys or cursor.key() == KEYS):
                    # the list of keys comes last: there is nothing to skip, so the keys need not be looked at
                    cursor.first()
                    for value in islice(cursor.iternext(keys=False), self._size):
                        yield decode(value)
                else:
                    for name, value in cursor:
                        if name != KEYS:
                            yield decode(value)
            except ValueError as e:
                raise error_at(f"{self._lmdb_path}: the record {key or bytes(cursor.key())!r}", e) from e

    def _keys_of_pass(self) -> Iterable[bytes]:
        """Return the keys in the order of a new pass. A later pass does not change it."""
        if self._shared is not None or self._overrides_keys():
            keys = self.keys if isinstance(self.keys, list) else list(self.keys or ())
            if self.shuffle:
                self.rng.shuffle(keys)
            return [as_key(key) for key in keys]
        known = self._known()
        if known is None:  # shuffle was switched on later
            known = self._keys = self._scan()
        if not self.shuffle:
            return known
        if self._order is None:
            self._order = np.arange(len(known), dtype=np.uint32)
        # in place: each pass shuffles the order of the last one, as a fixed seed always had it
        self.rng.shuffle(self._order)
        return known.take(self._order.copy())

    def _unknown(self, key: bytes) -> KeyError:
        return KeyError(f"{self._lmdb_path} has no record with the key {key!r}")

    def _opened(self) -> Database:
        """Return the database, opened in this process."""
        if self._database is None or self._database.pid != os.getpid():
            self._database = open_database(self._lmdb_path)
        return self._database

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open database out: a copy opens its own."""
        return {k: v for k, v in self.__dict__.items() if k != "_txn"} | {"_database": None}


_PAIRS = LMDBData.__iter__


class LMDBDataDecoder(MapData):
    """Read an LMDB database with a decoder of your own.

    Args:
        lmdb_data: a ``LMDBData``.
        decoder: takes ``key, value``, both bytes, and returns a datapoint, or None to discard it.
    """

    def __init__(self, lmdb_data: LMDBData, decoder: Callable[[bytes, bytes], Any]) -> None:
        super().__init__(lmdb_data, _DecodePair(decoder))


class _DecodePair:
    """A class rather than a lambda, so that the dataflow can be pickled."""

    def __init__(self, decoder: Callable[[bytes, bytes], Any]) -> None:
        self._decoder = decoder

    def __call__(self, pair: list[bytes]) -> Any:
        return self._decoder(pair[0], pair[1])

    def __repr__(self) -> str:
        return repr(self._decoder)


def deserialize_pair(pair: Sequence[Any]) -> Any:
    """Return the datapoint of a ``[key, value]`` pair as ``LMDBSerializer`` stores them."""
    return loads(pair[1])


class LMDBDatapoints(MapData):
    """The datapoints that ``LMDBSerializer.save`` stored: a map over ``LMDBData``, with a copy less.

    Args:
        lmdb_data: the pairs.
        allow_pickle: see ``utils.serialize.loads``.
    """

    def __init__(self, lmdb_data: LMDBData, allow_pickle: bool | None = None) -> None:
        super().__init__(lmdb_data, deserialize_pair)
        self._allow_pickle = allow_pickle

    def __iter__(self) -> Iterator[Any]:
        """Yield the datapoints."""
        if (
            self.func is not deserialize_pair
            or not isinstance(self.ds, LMDBData)
            or type(self.ds).__iter__ is not _PAIRS
        ):
            yield from super().__iter__()  # a program has put something of its own there
            return
        for dp in self.ds.decoded(decoder(self._allow_pickle)):
            if dp is not None:  # as everywhere in maps
                yield dp
