"""Forked processes, which have all arrays of this one too until they end or run another program.

The memory of such an array can't be used again as long as they may read it. Each fork beside arrays in shared
memory makes a pipe: the child keeps its write end, which the kernel closes with the child, or as it starts
another program. Processes that the child forks keep it open in turn.
"""

from __future__ import annotations

import os
import select
import threading
import weakref
from typing import Protocol

from .descriptors import close_quietly, new_pipe


class Lender(Protocol):
    """What lends memory to arrays."""

    @property
    def lends(self) -> bool:
        """Whether there are arrays."""

    def share(self, child: ForkedChild) -> None:
        """Note that ``child`` has all arrays too that exist now."""

    def inherited(self) -> None:
        """In a forked process: all that was lent is the parent's to take back."""


class ForkedChild:
    """A child that was forked from this process."""

    def __init__(self) -> None:
        self._gone = False
        try:
            self._read, self._write = new_pipe()
        except OSError:  # no more descriptors: never known to be gone
            self._read = self._write = -1
        _children.add(self)

    def was_forked(self) -> None:
        """In the parent: only the child has the write end."""
        close_quietly(self._write)
        self._write = -1

    def is_another(self) -> None:
        """In a child: know nothing of the others, and keep the write end of one's own."""
        close_quietly(self._read)
        self._read = -1

    @property
    def is_gone(self) -> bool:
        """Whether it has ended or runs another program, and so have those that it forked."""
        if not self._gone and self._read >= 0 and self._write < 0:
            poll = select.poll()
            poll.register(self._read, select.POLLIN)
            if poll.poll(0):
                self._gone = True
                close_quietly(self._read)
                self._read = -1
        return self._gone

    def __del__(self) -> None:
        """Close what is open: nobody asks any more."""
        close_quietly(self._read)


_children: weakref.WeakSet[ForkedChild] = weakref.WeakSet()
_lenders: weakref.WeakSet[Lender] = weakref.WeakSet()
_forking = threading.local()
_hooked = False


def watch_forks(lender: Lender) -> None:
    """Tell ``lender`` of all forks from now on."""
    global _hooked
    _lenders.add(lender)
    if not _hooked and hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
        _hooked = True


def _before() -> None:
    lenders = [lender for lender in list(_lenders) if lender.lends]
    _forking.child = ForkedChild() if lenders else None
    for lender in lenders:
        lender.share(_forking.child)


def _in_parent() -> None:
    if _forking.child is None:
        return
    for lender in list(_lenders):  # again: an array may have come in between
        lender.share(_forking.child)
    _forking.child.was_forked()
    _forking.child = None


def _in_child() -> None:
    _kept.append(_forking.child)
    for child in list(_children):
        child.is_another()
    for lender in list(_lenders):
        lender.inherited()


_kept: list[ForkedChild | None] = []
"""In a forked process: those whose write end it holds open."""
