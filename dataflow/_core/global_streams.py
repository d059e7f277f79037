"""The generators that all code of a process shares: ``np.random``, ``random``, and torch's if it is loaded.

Forked workers inherit them and would all draw the same numbers; so would those of the next epoch. So each
worker that is ever started gets seeds of its own, made of the state in the parent, the worker's path, and how
many were started before. With ``fix_rng_seed`` that seed takes the place of the state. The parent's own are
not touched.
"""

from __future__ import annotations

import hashlib
import itertools
import pickle
import random
import sys
from typing import Any, NamedTuple

import numpy as np

_started = itertools.count()
_starts: tuple[int, ...] = ()  # of this worker, and of those that it is inside of
_plain_given = False


def restart() -> None:
    """Count from the beginning: the same seed gives the same streams again."""
    global _started, _plain_given
    _started, _plain_given = itertools.count(), False


class Seeds(NamedTuple):
    """What the shared generators of a worker start from."""

    starts: tuple[int, ...]
    numpy: tuple[int, ...]
    python: tuple[int, ...]
    torch: tuple[int, ...]
    plain: Any
    """States to go on with instead, or None: so worker 0 of a runner gives the data of no worker."""

    @classmethod
    def new(cls, seed: int | None, path: tuple[int, ...]) -> Seeds:
        """Return those of a worker that is about to be started.

        Args:
            seed: that of ``fix_rng_seed``, if any.
            path: of the worker; all zeros is the one that may go on with the streams of the program.
        """
        global _plain_given
        starts = (*_starts, next(_started))
        where = (len(path), *path, *starts)
        numpy_state, python_state, torch_state = _states()

        def words(state: Any) -> tuple[int, ...]:
            return (*(_digest(state) if seed is None else (seed,)), *where)

        plain = None
        if not any(path) and not _plain_given and _seeded_by_program():
            _plain_given = True
            plain = numpy_state, python_state, torch_state
        late = (numpy_state, python_state) if torch_state is None else torch_state
        return cls(starts, words(numpy_state), words(python_state), words(late), plain)

    def enter(self) -> None:
        """Start the generators of this process anew."""
        global _starts
        restart()
        _starts = self.starts
        if self.plain is None:
            _seed_numpy(np.random.SeedSequence(self.numpy))
            random.seed(_number(self.python))
        else:
            np.random.set_state(self.plain[0])
            random.setstate(self.plain[1])
        self.enter_torch()

    def enter_torch(self) -> None:
        """Start torch's generator anew: in a spawned worker it may be loaded late."""
        torch = _torch()
        if torch is None:
            return
        if self.plain is not None and self.plain[2] is not None:
            torch.set_rng_state(torch.from_numpy(self.plain[2].copy()))
        else:
            torch.manual_seed(_number(self.torch))


def _states() -> tuple[Any, Any, Any]:
    torch = _torch()
    state = None if torch is None else torch.get_rng_state().numpy()
    return np.random.get_state(legacy=False), random.getstate(), state


def _torch() -> Any:
    torch = sys.modules.get("torch")
    return torch if hasattr(torch, "get_rng_state") and hasattr(torch, "manual_seed") else None


def _generator() -> Any:
    return np.random.mtrand._rand._bit_generator


def _seeded_by_program() -> bool:
    """Say whether somebody seeded ``np.random``: else nobody knows its stream, nor misses it."""
    generator: Any = _generator()
    return type(generator).__name__ == "MT19937" and generator._seed_seq is None


def _seed_numpy(seed: np.random.SeedSequence) -> None:
    kind = type(_generator())
    if kind is np.random.MT19937:
        np.random.seed(seed.generate_state(8))
    else:  # the program put another one in its place
        np.random.set_bit_generator(kind(seed))  # type: ignore[attr-defined]


def _digest(state: Any) -> tuple[int, ...]:
    digest = hashlib.blake2b(pickle.dumps(state, 4), digest_size=16).digest()
    return tuple(np.frombuffer(digest, np.uint32).tolist())


def _number(words: tuple[int, ...]) -> int:
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0]) >> 1
