"""Attributes by the names that they have in the original: subclasses and scripts of users touch them.

Classes of the library name them in one line each, and otherwise keep names of their own. This module knows
none of those classes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np

__all__ = ["OldAttribute", "ReadTransaction", "SharedQueue", "SharedQueueAttribute"]


class OldAttribute:
    """An attribute that is another one, by an old name: read, set and deleted there.

    >>> class Box:
    ...     content = OldAttribute("_things")
    >>> box = Box()
    >>> box.content = [1]
    >>> box._things
    [1]

    Args:
        name: the name of today.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, obj: Any, owner: type | None = None) -> Any:
        """Return the attribute; from the class, this object."""
        return self if obj is None else getattr(obj, self.name)

    def __set__(self, obj: Any, value: Any) -> None:
        """Set the attribute."""
        setattr(obj, self.name, value)

    def __delete__(self, obj: Any) -> None:
        """Delete the attribute."""
        delattr(obj, self.name)


class SharedQueue(deque[Any]):
    """A queue of a fixed size that the user's code works on as well: a plain deque.

    Args:
        items: what is in it.
        size: how many items it should hold.
        nothing: what ``push`` returns while it is not full.
    """

    def __init__(self, items: Iterable[Any], size: int, nothing: object) -> None:
        super().__init__(items)
        self.size = size
        self._nothing = nothing

    def push(self, item: Any) -> Any:
        """Add an item at the end. If the queue is full, take out the first one and return it."""
        first = self.popleft() if len(self) >= self.size else self._nothing
        self.append(item)
        return first

    def shuffle(self, rng: np.random.RandomState) -> None:
        """Shuffle as ``rng`` shuffles a list."""
        rng.shuffle(self)


class SharedQueueAttribute(OldAttribute):
    """A queue that is kept in a faster form until somebody asks for it.

    The object has a method ``_share_queue(items)``. It puts a ``SharedQueue`` in the place of its own, of the
    same items if ``items`` is None, and returns it.
    """

    def __get__(self, obj: Any, owner: type | None = None) -> Any:
        """Return the queue, which the object works on itself from now on."""
        return self if obj is None else obj._share_queue(None)

    def __set__(self, obj: Any, value: Iterable[Any]) -> None:
        """Replace the items."""
        obj._share_queue(value)


class ReadTransaction:
    """A transaction of the LMDB database that an object has open; a new one when that is opened anew.

    Args:
        database: the name of the method that returns the database, whose ``env`` is LMDB's environment.
    """

    def __init__(self, database: str) -> None:
        self._database = database

    def __get__(self, obj: Any, owner: type | None = None) -> Any:
        """Return the transaction."""
        if obj is None:
            return self
        database = getattr(obj, self._database)()
        kept = vars(obj).get("_txn")
        if kept is None or kept[0] is not database:
            kept = vars(obj)["_txn"] = database, database.env.begin()
        return kept[1]

    def __set__(self, obj: Any, value: Any) -> None:
        """Refuse: the library would not use it."""
        raise AttributeError("_txn can only be read")
