"""A pool whose only worker is this process, in the thread that collects: for debugging."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np

from .failure import describe_failure, explain
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
        self._job, self._code, self._has_tasks = job, code, tasks
        self._tasks: deque[Task | None] = deque()
        self._begun: list[Task | None] = []  # taken by the job and not settled
        self._results = self._start()

    def _start(self) -> Iterator[Any]:
        return self._job(self._taken(), self._code, np.empty) if self._has_tasks else self._job(self._code)

    def _taken(self) -> Iterator[Task | None]:
        while True:
            task = self._tasks.popleft()  # there is one: a result is asked for only then, and takes one
            self._begun.append(task)
            yield task

    def submit(self, number: int, items: deque[Any], count: int) -> None:
        """Keep ``count`` tasks off ``items``."""
        self.pending += count
        self._tasks.extend((number + k, items.popleft()) for k in range(count))

    def finish(self) -> None:
        """Have it settle what it holds back, when it has done what was submitted before."""
        self._tasks.append(None)

    def discard(self, below: int) -> None:
        """Forget tasks that were not begun, with a number below ``below``."""
        tasks = [task for task in self._tasks if task is None or task[0] >= below]
        self.pending -= len(self._tasks) - len(tasks)
        self._tasks = deque(tasks)

    def collect(self) -> Iterator[Result]:
        """Do the tasks, and yield their results; without tasks, yield datapoints for ever."""
        self.check()
        while self._tasks or not self._has_tasks:
            result = self._next()
            numbers, value = result if self._has_tasks else ((), result)
            if type(numbers) is int:
                numbers = (numbers,)
            self.pending -= len(numbers)
            self._begun = [task for task in self._begun if task is not None and task[0] not in numbers]
            if numbers or not self._has_tasks:
                yield Result(self._worker, numbers, value)
            self._check_open()

    def _next(self) -> Any:
        try:
            return next(self._results)
        except BaseException as e:
            if self._has_tasks and not isinstance(e, Exception | SystemExit):  # a Ctrl-C: do that again
                self._tasks.extendleft(reversed(self._begun))
                self._begun = []
                self._results = self._start()
                self.recovered()
            else:
                self._fail(self.name, e)
            if isinstance(e, SystemExit):  # of the function: it is no reason to end the program
                raise explain(e, describe_failure(e, self.name)) from e
            raise

    def wake(self) -> None:
        """Do nothing: it never waits."""

    def close(self) -> None:
        """Forget the tasks."""
        if self._begin_close():
            self._tasks.clear()

    def abandon(self) -> None:
        """Do nothing: there is nothing of the process in it."""
