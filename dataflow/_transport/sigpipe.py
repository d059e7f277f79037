"""SIGPIPE, which ends a program that has it at its default, as those have that are used with ``| head``."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def sigpipe_blocked() -> Iterator[None]:
    """Have this thread get no SIGPIPE: a write that nobody reads raises ``BrokenPipeError`` only."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
    try:
        yield
    finally:
        forget_sigpipe(before)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def forget_sigpipe(before: set[int] | set[signal.Signals]) -> None:
    """Take a SIGPIPE that came while it was blocked, unless it was blocked in ``before`` already."""
    if signal.SIGPIPE not in before and signal.SIGPIPE in signal.sigpending():
        signal.sigwait({signal.SIGPIPE})
