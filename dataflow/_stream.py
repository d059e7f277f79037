"""The way of datapoints through a mapper: from the source through a pool of workers to the consumer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ._transport.channel import DATA, END
from ._transport.failure import describe_failure, explain
from ._transport.feed import Feed, Pass, PassEnded
from ._transport.pool import Message, WorkerPool


class Stream:
    """Datapoints of a source through a pool: tasks out, results in, at most ``room`` on their way."""

    def __init__(self, pool: WorkerPool, source: Iterable[Any], room: int) -> None:
        self._pool, self._source, self._room = pool, source, room
        self._feed = Feed(pool.name)
        self._pass: Pass | None = None
        self._ended: PassEnded | None = None
        self._pending = 0  # tasks submitted and not done
        self._next_number = 0  # of a task
        self._first = 0  # the number of the first task of this pass: results of earlier ones are stale
        self._held: dict[int, Message] = {}  # results that wait for earlier ones, if order matters
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
        self._pass = Pass(self._source, endless, self._room, self._pending, self._pool.wake)
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
        """Yield results as they come, to the end of the pass."""
        while (message := self._next_message()) is not None:
            self._done(1)
            if message.kind == DATA and message.number >= self._first:
                yield message.value

    def results_in_order(self) -> Iterator[Any]:
        """Yield results in the order of the source. One that waits for its turn takes room."""
        held = self._held
        while (message := self._next_message()) is not None:
            if message.number < self._first:
                self._done(1)
                continue
            held[message.number] = message
            while (due := held.pop(self._next_in_order, None)) is not None:
                self._next_in_order += 1
                self._done(1)
                if due.kind == DATA:
                    yield due.value

    def batches(self) -> Iterator[Any]:
        """Yield batches as they come. The messages count tasks."""
        while (message := self._next_message(counted=True)) is not None:
            self._done(message.number)
            if message.kind == DATA:
                yield message.value

    def batches_of_pass(self) -> Iterator[Any]:
        """Yield the batches of a pass through a single worker, which is told where it ends."""
        while True:
            self._submit_items()
            if self._ended is not None:
                self._send_end()
            message = self._collect(counted=True)
            if message is None:
                continue
            if message.kind == END:
                if not self._stale_ends:
                    return self._finish()
                self._stale_ends -= 1
                continue
            self._done(message.number)
            if message.kind == DATA and not self._stale_ends:
                yield message.value

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
            self._pool.flush()

    def _next_message(self, counted: bool = False) -> Message | None:
        """Return the next message, or None when the pass has ended and all its tasks are done."""
        while True:
            self._submit_items()
            if self._ended is not None and not self._pending:
                self._finish()
                return None
            message = self._collect(counted)
            if message is not None:
                return message

    def _submit_items(self) -> None:
        if self._pass is None or not self._pass.items:
            return
        items, submit = self._pass.items, self._pool.submit
        while items:
            item = items.popleft()
            if type(item) is PassEnded:
                self._ended = item
            else:
                submit(self._next_number, item)
                self._next_number += 1
                self._pending += 1
        self._pool.flush()

    def _collect(self, counted: bool) -> Message | None:
        try:
            message = self._pool.collect()
        except Exception:
            self.break_off()
            raise
        if message is not None:
            tasks = message.number if counted else 1
            message.worker.outstanding -= tasks
            self._pending -= tasks
        return message

    def _done(self, tasks: int) -> None:
        if self._pass is not None:
            self._pass.done(tasks)

    def _finish(self) -> None:
        """End the pass; raise what the source raised, now that all that came before it has been yielded."""
        ended, self._pass = self._ended, None
        if ended is not None and ended.error is not None:
            raise explain(ended.error, describe_failure(ended.error, f"{self._pool.name}, its source"))
