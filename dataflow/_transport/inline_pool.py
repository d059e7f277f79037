"""A pool whose only worker is this process, in the thread that collects: for debugging."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np

from .pool import Job, Result, Task, Worker, WorkerPool


class InlinePool(WorkerPool):
    """A worker that does a task when its result is collected.

    What it raises is raised there, as it is: a debugger shows the user's own frames.

    Args:
        job: see ``pool.Job``.
        code: what it works with.
        name: the stage of the pipeline, for messages.
        tasks: whether it gets tasks.
    """

    reads_ahead = False

    def __init__(self, job: Job, code: Any, *, name: str, tasks: bool) -> None:
        super().__init__(name)
        self._worker = Worker(name)
        self._has_tasks = tasks
        self._tasks: deque[Task | None] = deque()
        self._results: Iterator[Any] = job(self._taken(), code, np.empty) if tasks else job(code)

    def _taken(self) -> Iterator[Task | None]:
        while True:
            yield self._tasks.popleft()  # there is one: a result is asked for only then, and takes one

    def submit(self, number: int, items: deque[Any], count: int) -> None:
        """Keep ``count`` tasks off ``items``."""
        self.pending += count
        self._tasks.extend((number + k, items.popleft()) for k in range(count))

    def finish(self) -> None:
        """Have it settle what it holds back, when it has done what was submitted before."""
        self._tasks.append(None)

    def collect(self) -> Iterator[Result]:
        """Do the tasks, and yield their results; without tasks, yield datapoints for ever."""
        self.check()
        while self._tasks or not self._has_tasks:
            try:
                result = next(self._results)
            except BaseException as e:
                self._fail(self.name, e)
                raise
            numbers, value = result if self._has_tasks else ((), result)
            if type(numbers) is int:
                numbers = (numbers,)
            self.pending -= len(numbers)
            if numbers or not self._has_tasks:
                yield Result(self._worker, numbers, value)
            self._check_open()

    def wake(self) -> None:
        """Do nothing: it never waits."""

    def close(self) -> None:
        """Forget the tasks."""
        if self._begin_close():
            self._tasks.clear()

    def abandon(self) -> None:
        """Do nothing: there is nothing of the process in it."""
