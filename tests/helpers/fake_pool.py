"""A pool without workers, to test what lies above pools."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any

from dataflow._transport.pool import NO_VALUE, Result, Task, Worker, WorkerPool


class FakePool(WorkerPool):
    """Does tasks as late as it can, in random order; settles each fifth by nothing, or several by a batch.

    Args:
        rng: decides.
        reads_ahead: whether a thread reads the source.
        batch_size: how many make a batch, 0 for no batches.
    """

    def __init__(self, rng: random.Random, reads_ahead: bool, batch_size: int = 0) -> None:
        super().__init__("fake")
        self.reads_ahead, self.most, self.drops = reads_ahead, 0, 5
        self._rng, self._batch_size, self._worker = rng, batch_size, Worker("fake")
        self._tasks: list[Task] = []
        self._held: list[Task] = []
        self._done: list[Result] = []
        self._woken = threading.Event()

    def submit(self, number: int, items: deque[Any], count: int) -> None:
        self._tasks += [(number + k, items.popleft()) for k in range(count)]
        self.pending += count
        self.most = max(self.most, self.pending)

    def finish(self) -> None:
        while self._tasks:
            self._do_one()
        self._settle_batch()

    def collect(self) -> Iterator[Result]:
        self.check()
        if not self._tasks and not self._done and self.reads_ahead:
            self._woken.wait()
            self._woken.clear()
        for _ in range(self._rng.randint(0, 3)):  # none, as if it had been woken
            if self._tasks:
                self._do_one()
            if self._done:
                result = self._done.pop(self._rng.randrange(len(self._done)))
                self.pending -= len(result.numbers)
                yield result

    def _do_one(self) -> None:
        number, dp = self._tasks.pop(self._rng.randrange(len(self._tasks)))
        if self._batch_size and not self._is_dropped(dp):
            self._held.append((number, dp))
            if len(self._held) == self._batch_size:
                self._settle_batch()
        else:
            self._done.append(Result(self._worker, (number,), NO_VALUE if self._is_dropped(dp) else dp))

    def _is_dropped(self, dp: Any) -> bool:
        return bool(dp[0] % self.drops == self.drops - 1)

    def _settle_batch(self) -> None:
        if self._held:
            numbers, dps = zip(*self._held, strict=True)
            self._done.append(Result(self._worker, numbers, list(dps)))
            self._held.clear()

    def wake(self) -> None:
        self._woken.set()

    def close(self) -> None:
        self._begin_close()
        self.wake()

    def abandon(self) -> None:
        pass
