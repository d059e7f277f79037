"""Which worker gets which tasks."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import Any

from .board import GRACE, Board
from .framing import END, note
from .packing import Packed, Packer
from .process_worker import ProcessWorker
from .shared_memory import Arena, new_memory

STUCK = 1e-3
"""Seconds on one task after which a worker loses those that it has not begun to workers that wait."""


class TaskSharing:
    """Gives tasks to workers, and takes back what stuck ones have not begun.

    All workers share the memory with the arrays of the tasks, so a task can go to any of them.

    Args:
        workers: how many.
        in_flight: how many tasks there can be at a time.
        slack: bytes of memory beyond those.
    """

    def __init__(self, workers: int, in_flight: int, slack: int) -> None:
        self.memory = new_memory()
        self.board: Board | None = None
        """Where workers say what they are on; without one, tasks stay with the worker that got them."""
        self.packer = Packer(Arena(self.memory, in_flight, slack) if self.memory is not None else None)
        if self.memory is not None:
            with contextlib.suppress(OSError):
                self.board = Board(workers)
        self._finishing = self._end_due = False
        self.of_use_from = 0
        """The lowest number of a task whose result is of use."""

    def close(self) -> None:
        """Give up the descriptors."""
        for shared in (self.memory, self.board):
            if shared is not None:
                shared.close()
        self.memory = self.board = None
        self.packer = Packer(None)

    def give(self, workers: Sequence[ProcessWorker], numbers: list[int], items: list[Any]) -> None:
        """Give tasks to workers, so that all have about the same number."""
        most = -(-(sum(worker.outstanding for worker in workers) + len(items)) // len(workers))
        start = 0
        for worker in workers:
            end = start + max(0, min(len(items) - start, most - worker.outstanding))
            if end > start:
                worker.give(numbers[start:end], items[start:end])
                if self._finishing and not self._end_due:  # what it holds of these was not settled
                    worker.connection.writer.queue(note(END, 0))
                worker.connection.writer.flush()
            start = end

    def finish(self, workers: Sequence[ProcessWorker]) -> None:
        """Have workers settle what they hold back, when all tasks have begun.

        Before, tasks may go to a worker that has settled its last batch and would begin, and lose, another.
        """
        self._finishing = self._end_due = True
        self._end_if_begun(workers)

    def go_on(self, workers: Sequence[ProcessWorker]) -> None:
        """Say that tasks come which are not to be settled together with those before ``finish``."""
        if self._end_due:
            self._end(workers)
        self._finishing = False

    def _end_if_begun(self, workers: Sequence[ProcessWorker]) -> None:
        if self._end_due and not any(worker.not_begun() > 0 for worker in workers):
            self._end(workers)

    def _end(self, workers: Sequence[ProcessWorker]) -> None:
        self._end_due = False
        for worker in workers:
            worker.connection.writer.queue(note(END, 0))
            worker.connection.writer.flush()

    def give_again(self, workers: Sequence[ProcessWorker], numbers: list[int], items: list[Any]) -> list[int]:
        """Give tasks that were taken back, as far as they are of use; return the numbers of the others."""
        start = sum(number < self.of_use_from for number in numbers)  # they ascend
        for item in items[:start]:
            if type(item) is Packed:
                self.packer.drop(item)
        self.give(workers, numbers[start:], items[start:])
        return numbers[:start]

    def rebalance(self, workers: Sequence[ProcessWorker]) -> tuple[list[int], bool]:
        """Give tasks that stuck workers have not begun to those that wait for some.

        Returns:
            The numbers of tasks that were dropped, as they are of no use; and whether to look again soon.
        """
        idle = [worker for worker in workers if worker.is_idle()]
        busy = [worker for worker in workers if worker.not_begun() > 0] if idle else []
        stuck = [worker for worker in busy if worker.seconds_on_task() > STUCK]
        dropped: list[int] = []
        if stuck:
            for worker in stuck:
                worker.mark()
            time.sleep(GRACE)
            for worker in stuck:
                dropped += self.give_again(idle, *worker.take_back())
        else:  # one that was begun meanwhile may come back: not before the next look
            self._end_if_begun(workers)
        return dropped, self._end_due or len(busy) > len(stuck)
