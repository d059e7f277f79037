"""The way of datapoints through a mapper: from the source through a pool of workers to the consumer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

from .._transport.connection import DATA, END
from .._transport.failure import describe_failure, explain
from .._transport.pool import WorkerPool
from .source_reader import Feed, Pass, PassEnded


class Stream:
    """Datapoints of a source through a pool: tasks out, results in.

    Args:
        pool: the workers.
        source: of the datapoints.
        room: how many may be on their way; more than ``held``.
        held: how many the workers may keep to themselves until they get more.
    """

    def __init__(self, pool: WorkerPool, source: Iterable[Any], room: int, held: int = 0) -> None:
        self._pool, self._source, self._room = pool, source, room
        # read on when this few are on their way: not one by one, but before all that is left are held
        self._again_at = max(room - max(1, room // 4), held)
        self._feed = Feed(pool.name)
        self._pass: Pass | None = None
        self._ended: PassEnded | None = None
        self._pending = 0  # tasks submitted and not done
        self._next_number = 0  # of a task
        self._first = 0  # the number of the first task of this pass: results of earlier ones are stale
        self._held: dict[int, tuple[int, Any]] = {}  # results that wait for earlier ones, if order matters
        self._next_in_order = 0
        self._end_sent = False  # the END of this pass, where a pass ends with one
        self._stale_ends = 0  # ENDs of broken-off passes that have not come back

    @property
    def under_way(self) -> bool:
        """Whether there is a pass to go on with."""
        return self._pass is not None

    def begin(self, endless: bool) -> None:
        """Begin a pass over the source, or endless passes."""
        self._first = self._next_in_order = self._next_number
        self._held.clear()
        self._ended, self._end_sent = None, False
        self._pass = Pass(self._source, endless, self._room, self._again_at, self._pending, self._pool.wake)
        self._feed.start(self._pass)

    def break_off(self) -> None:
        """Read no more of the source. Results on their way become stale."""
        if self._pass is not None:
            self._pass.cancel()
            self._pass = None

    def close(self) -> None:
        """End the thread and the workers."""
        self.break_off()
        self._pool.close()
        self._feed.close()

    def results(self) -> Iterator[Any]:
        """Yield results as they come, to the end of the pass.

        What is said in ``_messages`` and ``_done`` is written out here: a third of the time of a small
        datapoint went into their calls.
        """
        first, a_pass = self._first, cast(Pass, self._pass)
        while self._goes_on():
            for worker, kind, number, value in self._pool.collect():
                worker.outstanding -= 1
                self._pending -= 1
                a_pass.taken += 1
                if a_pass.blocked:
                    a_pass.done(0)
                if kind == DATA and number >= first:
                    yield value
                if a_pass.items:
                    self._submit_items()

    def results_in_order(self) -> Iterator[Any]:
        """Yield results in the order of the source. One that waits for its turn takes room."""
        yield from self._due()  # an iterator that was dropped may have left some
        for kind, number, value in self._messages():
            if number < self._first:
                self._done(1)
                continue
            self._held[number] = kind, value
            yield from self._due()

    def _due(self) -> Iterator[Any]:
        while (due := self._held.pop(self._next_in_order, None)) is not None:
            self._next_in_order += 1
            self._done(1)
            if due[0] == DATA:
                yield due[1]

    def batches(self) -> Iterator[Any]:
        """Yield batches as they come. The messages count tasks."""
        for kind, tasks, value in self._messages(counted=True):
            self._done(tasks)
            if kind == DATA:
                yield value

    def batches_of_pass(self) -> Iterator[Any]:
        """Yield the batches of a pass through a single worker, which is told where it ends."""
        for kind, tasks, value in self._messages(counted=True, ends=True):
            self._done(tasks)
            if kind == END and not self._stale_ends:
                self._finish()
                return
            if kind == END:
                self._stale_ends -= 1
            elif kind == DATA and not self._stale_ends:
                yield value

    def break_off_batches(self) -> None:
        """Break off, and have the worker forget what it holds. Batches until its END comes back are stale."""
        if self._pass is not None:
            self._send_end()
            self._stale_ends += 1
            self.break_off()

    def _send_end(self) -> None:
        if not self._end_sent:
            self._end_sent = True
            self._pool.submit_end()

    def _messages(self, counted: bool = False, ends: bool = False) -> Iterator[tuple[int, int, Any]]:
        """Yield (kind, number, value) of the messages of the pass, and submit its tasks meanwhile.

        Args:
            counted: the number says how many tasks the message is about; if not, it is about one.
            ends: the pass goes on until its END comes back; if not, until all its tasks are done.
        """
        while self._goes_on(counted, ends):
            for worker, kind, number, value in self._pool.collect():
                tasks = number if counted else 1
                worker.outstanding -= tasks
                self._pending -= tasks
                yield kind, number, value
                if self._pass is not None and self._pass.items:
                    self._submit_items()

    def _goes_on(self, counted: bool = False, ends: bool = False) -> bool:
        """Submit what there is; finish the pass, and return False, if there is nothing left to wait for."""
        self._submit_items()
        if self._ended is not None:
            if counted:  # or tasks that the workers hold would never be done
                self._send_end()
            if not ends and not self._pending:
                self._finish()
                return False
        return True

    def _submit_items(self) -> None:
        if self._pass is None:
            return
        items = self._pass.items
        while items:  # the thread calls again only when it finds none
            count = len(items)
            if type(items[count - 1]) is PassEnded:
                count -= 1
            if count:
                self._pool.submit(self._next_number, items, count)
                self._next_number += count
                self._pending += count
            if items and type(items[0]) is PassEnded:
                self._ended = items.popleft()

    def _done(self, tasks: int) -> None:
        if self._pass is not None:
            self._pass.done(tasks)

    def _finish(self) -> None:
        """End the pass; raise what the source raised, now that all that came before it has been yielded."""
        ended, self._pass = self._ended, None
        if ended is not None and ended.error is not None:
            self._pool.at_rest = True  # the next pass is a new chance
            raise explain(ended.error, describe_failure(ended.error, f"{self._pool.name}, its source"))
