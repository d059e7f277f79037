"""Random state: one stream per object, reproducible by one fixed seed, different in every worker.

A worker has a path: ``()`` in the main process, ``(2,)`` in worker 2 of a runner, ``(2, 0)`` in worker 0 of
something that runs inside it. Without a fixed seed, every stream is seeded by the operating system. With a
fixed seed, the main process and each "worker 0 of worker 0 ..." get exactly the stream of that seed, so one
worker yields exactly the data of the pipeline without workers. Other workers mix their path into the seed.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any, NamedTuple, Protocol

import numpy as np

from . import global_streams


class Resettable(Protocol):
    """Anything whose ``reset_state()`` makes its random state anew."""

    def reset_state(self) -> Any:
        """Make the random state anew."""


class _Process(NamedTuple):
    """What decides the random streams of a process."""

    seed: int | None = None
    path: tuple[int, ...] = ()


_process = _Process()
_thread = threading.local()
"""``_thread.process``, in a worker thread, takes the place of ``_process``."""

# by id: users' objects may compare equal to each other, or have no hash, e.g. dataclasses
_reseeded: weakref.WeakValueDictionary[int, Resettable] = weakref.WeakValueDictionary()
_fork_hook_registered = False


def _here() -> _Process:
    return getattr(_thread, "process", _process)


def fix_rng_seed(seed: int) -> None:
    """Make every random state that ``get_rng`` returns from now on start from one seed.

    The seed holds in this process and in all workers started from it. Call this before dataflows are reset.

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
    global_streams.restart()


def get_rng(obj: object = None) -> np.random.RandomState:
    """Return a new random state, initialized correctly for this process.

    Args:
        obj: accepted for compatibility, and not used.

    Returns:
        A ``RandomState`` of its own for each call, or, after ``fix_rng_seed``, one that starts from that
        seed each time.
    """
    seed, path = _here()
    if seed is None:
        return np.random.RandomState()
    if any(path):
        return np.random.RandomState(np.array([seed, *path], dtype=np.uint32))
    return np.random.RandomState(seed)


class LazyRng:
    """The class attribute ``rng``: None on the class, created at first use on an instance.

    So ``rng`` works without ``reset_state()``, and without the ``__init__`` of a base class.
    ``reset_state`` assigns ``self.rng``, which hides this descriptor from then on.
    """

    def __get__(self, obj: Any, owner: type | None = None) -> Any:
        """Return None for the class, a new random state for an instance that has none yet."""
        if obj is None:
            return None
        rng = obj.__dict__["rng"] = get_rng(obj)
        return rng


def reseed_in_children(obj: Resettable) -> None:
    """Arrange that ``obj.reset_state()`` runs in every child process that inherits ``obj`` by fork.

    Workers also call it for objects that were pickled to them. ``obj`` is held by a weak reference.
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
        except Exception as e:  # raised by a user's class: the other objects must still be reset
            error = e
    if error is not None:
        raise error


class PoolStreams:
    """The numbers of the random streams of one pool's workers. Two pools never share one while both exist.

    Args:
        plain: whether worker 0 uses the stream of the dataflow without workers, unless another pool uses
            it. True for runners. False for mappers: their source uses that stream itself.
    """

    def __init__(self, plain: bool) -> None:
        self._plain = plain
        number = 0
        while _pools.setdefault((plain, number), self) is not self:
            number += 1
        self._number = number

    def stream_of(self, index: int) -> int:
        """Return the 32-bit stream number of worker ``index``; 0 is the stream of the plain dataflow."""
        return (not self._plain) << 31 | (self._number & 0x7FFF) << 16 | index & 0xFFFF

    def close(self) -> None:
        """Free the stream numbers for the next pool. Can be called again."""
        if _pools.get((self._plain, self._number)) is self:
            del _pools[self._plain, self._number]


_pools: weakref.WeakValueDictionary[tuple[bool, int], PoolStreams] = weakref.WeakValueDictionary()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pools.clear)  # the pools belong to the parent


def process_state() -> tuple[int | None, tuple[int, ...]]:
    """Return what a worker needs to derive its streams: hand it to ``enter_worker`` there."""
    seed, path = _here()
    return seed, path


def worker_index() -> int:
    """Return which one of its pool the worker is that runs here."""
    return _here().path[-1] & 0xFFFF


def enter_worker(
    state: tuple[int | None, tuple[int, ...]],
    stream: int,
    seeds: global_streams.Seeds | None = None,
) -> None:
    """Make this process a worker of the process whose state is given, with random streams of its own.

    Args:
        state: the ``process_state()`` of the parent.
        stream: ``PoolStreams.stream_of`` its index.
        seeds: the ``seeds_of_worker(stream)`` of the parent; None makes them here.
    """
    global _process
    seed, path = state
    if seeds is None:
        seeds = seeds_of_worker(stream)
    _thread.__dict__.clear()  # values of the thread that forked
    _process = _Process(seed, (*path, stream))
    _pools.clear()
    seeds.enter()
    reseed()


def enter_thread(state: tuple[int | None, tuple[int, ...]], stream: int) -> None:
    """Make this thread a worker of the thread whose state is given; see ``enter_worker``."""
    seed, path = state
    _thread.process = _Process(seed, (*path, stream))


def thread_of_caller() -> Any:
    """Return what ``enter_thread_of`` takes, so that another thread continues as this one."""
    return getattr(_thread, "process", None)


def enter_thread_of(caller: Any) -> None:
    """Give this thread the random streams of another: see ``thread_of_caller``."""
    if caller is not None:
        _thread.process = caller


def seeds_of_worker(stream: int) -> global_streams.Seeds:
    """Return the seeds of ``np.random`` and the like for a worker that is about to be started."""
    seed, path = _here()
    return global_streams.Seeds.new(seed, (*path, stream))
