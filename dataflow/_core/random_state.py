"""Random state: one stream per object, reproducible by one fixed seed, different in every worker.

A worker has a path: ``()`` in the main process, ``(2,)`` in worker 2 of a runner, ``(2, 0)`` in worker 0 of
something that runs inside it. Without a fixed seed every stream comes from the entropy of the operating
system. With one, the main process and each "worker 0 of worker 0 ..." get exactly the stream of that
seed, so that an experiment gives the same data with one worker as with none; the others mix their path in.
"""

from __future__ import annotations

import os
import weakref
from typing import Any, NamedTuple, Protocol

import numpy as np


class Resettable(Protocol):
    """Anything whose ``reset_state()`` makes its random state anew."""

    def reset_state(self) -> Any:
        """Make the random state anew."""


class _Process(NamedTuple):
    """What decides the random streams of a process."""

    seed: int | None = None
    path: tuple[int, ...] = ()


_process = _Process()
# by id: what users write may be equal to others, or have no hash, such as a dataclass
_reseeded: weakref.WeakValueDictionary[int, Resettable] = weakref.WeakValueDictionary()
_fork_hook_registered = False


def fix_rng_seed(seed: int) -> None:
    """Make every random state that ``get_rng`` returns from now on start from one seed.

    It holds in this process and in all workers started from it. Call it before the dataflows are reset.

    Args:
        seed: 0 to 2**32 - 1.

    Raises:
        TypeError: ``seed`` is not a number.
        ValueError: ``seed`` is out of range.
    """
    global _process
    seed = int(seed)
    if not 0 <= seed < 2**32:
        raise ValueError(f"fix_rng_seed: expected a seed from 0 to 2**32 - 1, got {seed}")
    _process = _process._replace(seed=seed)


def get_rng(obj: object = None) -> np.random.RandomState:
    """Return a new random state, initialized correctly for this process.

    Args:
        obj: the object that will use it. Accepted for compatibility; streams differ without it.

    Returns:
        A ``RandomState`` of its own for each call, or, after ``fix_rng_seed``, one that starts from that
        seed each time.
    """
    if _process.seed is None:
        return np.random.RandomState()
    if any(_process.path):
        return np.random.RandomState(np.array([_process.seed, *_process.path], dtype=np.uint32))
    return np.random.RandomState(_process.seed)


class LazyRng:
    """The class attribute ``rng``: None on the class, made at first use on an instance.

    So a forgotten ``reset_state()`` costs nothing, and a subclass need not call any base ``__init__``.
    ``reset_state`` assigns ``self.rng``, which hides this descriptor from then on.
    """

    def __get__(self, obj: Any, owner: type | None = None) -> Any:
        """Return None for the class, a new random state for an instance that has none yet."""
        if obj is None:
            return None
        rng = obj.__dict__["rng"] = get_rng(obj)
        return rng


def reseed_in_children(obj: Resettable) -> None:
    """Have ``obj.reset_state()`` called in every child process that inherits ``obj`` by fork.

    Workers call it as well for objects that reached them by pickle. ``obj`` is held weakly.
    """
    global _fork_hook_registered
    _reseeded[id(obj)] = obj
    if not _fork_hook_registered and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=reseed)
        _fork_hook_registered = True


def reseed() -> None:
    """Reset the random state of everything that was given to ``reseed_in_children``."""
    error = None
    for obj in list(_reseeded.values()):
        try:
            obj.reset_state()
        except Exception as e:  # of one user's class: the others shall not keep the parent's stream
            error = e
    if error is not None:
        raise error


def process_state() -> tuple[int | None, tuple[int, ...]]:
    """Return what a worker needs to derive its streams: hand it to ``enter_worker`` there."""
    return _process.seed, _process.path


def enter_worker(state: tuple[int | None, tuple[int, ...]], index: int) -> None:
    """Make this process worker ``index`` of the process that had ``state``, with streams of its own."""
    global _process
    seed, path = state
    _process = _Process(seed, (*path, index))
    _reseed_global(path, index)
    reseed()


def _reseed_global(path: tuple[int, ...], index: int) -> None:
    """Part the ways of ``np.random`` itself, which map functions use and every forked worker has alike.

    Worker 0 goes on with the state of its parent. A program that seeds it gets the same streams again.
    """
    if index:
        np.random.seed([int(np.random.randint(2**32, dtype=np.uint64)), len(path), index])
