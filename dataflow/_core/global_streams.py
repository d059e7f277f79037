"""Give each worker its own streams of the global generators: ``np.random``, ``random``, and a loaded torch.

Forked workers inherit the state of these generators. Without new seeds, all workers of all epochs would draw
the same numbers. So each worker gets new seeds when it starts. They are derived from the state in the parent,
the worker's path, and the number of workers started before it. After ``fix_rng_seed``, its seed is used in
place of the state. The parent's generators are not changed.
"""

from __future__ import annotations

import hashlib
import itertools
import marshal
import pickle
import random
import sys
from typing import Any, NamedTuple

import numpy as np

_started = itertools.count()
_starts: tuple[int, ...] = ()  # the start numbers of the workers this one is nested in, and its own, last
_plain_given = False


def restart() -> None:
    """Count workers from 0 again, so that the same seed gives the same streams."""
    global _started, _plain_given
    _started, _plain_given = itertools.count(), False


class Seeds(NamedTuple):
    """The seeds, or states, that the global generators of a worker start from."""

    starts: tuple[int, ...]
    numpy: tuple[int, ...]
    python: tuple[int, ...]
    torch: tuple[int, ...]
    plain: Any
    """States to continue from, or None for the seeds above. With them, worker 0 of a runner uses the streams
    that the main process would have used, so one worker yields exactly the data of the pipeline without
    workers."""

    @classmethod
    def new(cls, seed: int | None, path: tuple[int, ...]) -> Seeds:
        """Return the seeds of a worker that is about to be started.

        Args:
            seed: the seed of ``fix_rng_seed``, if any.
            path: the path of the worker. If it is all zeros, the worker may continue the program's streams.
        """
        global _plain_given
        starts = (*_starts, next(_started))
        where = (len(path), *path, *starts)
        numpy_state, python_state, torch_state = _states()

        if seed is None:
            of_numpy, of_python = _digest(numpy_state), _digest(python_state)
            late = (*of_numpy, *of_python) if torch_state is None else _digest(torch_state)
        else:
            of_numpy = of_python = late = (seed,)

        plain = None
        if not any(path) and not _plain_given and _seeded_by_program():
            _plain_given = True
            plain = np.random.get_state(legacy=False), python_state, torch_state
        return cls(starts, (*of_numpy, *where), (*of_python, *where), (*late, *where), plain)

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
    # not by np.random.get_state(), which waits for threads that draw
    return _generator().state, random.getstate(), state


def _torch() -> Any:
    torch = sys.modules.get("torch")
    return torch if hasattr(torch, "get_rng_state") and hasattr(torch, "manual_seed") else None


def _generator() -> Any:
    return np.random.mtrand._rand._bit_generator


def _seeded_by_program() -> bool:
    """Return whether the program seeded ``np.random``. If not, its stream need not be reproduced."""
    generator: Any = _generator()
    return type(generator).__name__ == "MT19937" and generator._seed_seq is None


def _seed_numpy(seed: np.random.SeedSequence) -> None:
    kind = type(_generator())
    if kind is np.random.MT19937:
        np.random.seed(seed.generate_state(8))
    else:  # the program has replaced the bit generator by one of another class
        np.random.set_bit_generator(kind(seed))  # type: ignore[attr-defined]


def _digest(state: Any) -> tuple[int, ...]:
    # marshal is faster for the many numbers of Python's generator, and can't do arrays
    data = marshal.dumps(state, 2) if type(state) is tuple else pickle.dumps(state, 4)
    digest = hashlib.blake2b(data, digest_size=16).digest()
    return tuple(np.frombuffer(digest, np.uint32).tolist())


def _number(words: tuple[int, ...]) -> int:
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0]) >> 1
