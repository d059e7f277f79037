"""The way of datapoints through a mapper: from the source through a pool of workers to the consumer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from .._transport.failure import describe_failure, explain
from .._transport.pool import CLOSE_TIMEOUT, NO_VALUE, WorkerPool
from .jobs import MAX_EMPTY
from .source_reader import Pass, PassEnded, SourceReader


class Dispatcher:
    """Gives the datapoints of a source out as tasks, and takes the results in.

    Args:
        pool: the workers.
        reader: the thread that reads the source, if the pool reads ahead.
        source: of the datapoints.
        room: how many may be on their way; more than ``held``.
        held: how many the workers may hold back, to make batches of them, until they get more.
    """

    def __init__(
        self,
        pool: WorkerPool,
        reader: SourceReader,
        source: Iterable[Any],
        room: int,
        held: int | None = None,
    ) -> None:
        self._pool, self._reader, self._source, self._room = pool, reader, source, room
        self._holds = held is not None
        # The low-water mark of the reader: it does not wake for each datapoint, but in any case before all
        # that is left is held back.
        self._low_water = max(room - max(1, room // 4), held or 0)
        self._pass: Pass | None = None
        self._ended: PassEnded | None = None
        self._next_number = 0  # of a task
        self._first = 0  # the number of the first task of this pass: results of earlier ones are stale
        self._early: dict[int, Any] = {}  # results that wait for those before them, if order matters
        self._next_in_order = 0
        self._finish_sent = self._closed = False
        self._fruitful_at = 0  # datapoints taken when something came of one last

    @property
    def is_under_way(self) -> bool:
        """Whether there is a pass to go on with."""
        return self._pass is not None

    def begin(self, endless: bool) -> None:
        """Begin a pass over the source, or endless passes."""
        if self._pool.is_at_rest:  # so errors can name a datapoint by its number in the pass
            self._next_number = 0
        self._first = self._next_in_order = self._next_number
        self._pool.discard(self._first)
        self._early.clear()
        self._ended, self._finish_sent = None, False
        self._fruitful_at = 0
        self._pass = Pass(self._source, endless, self._room, self._low_water, self._pool)
        if self._pool.reads_ahead:
            self._reader.start(self._pass)

    def break_off(self) -> None:
        """Read no more of the source. Results on their way become stale."""
        if self._pass is not None:
            self._cancel()
            if self._holds and not self._pool.is_closed:
                self._pool.finish()

    def close_source(self, close: Callable[[], None]) -> None:
        """Call ``close`` in the thread that reads the source."""
        self._cancel()
        if self._pool.reads_ahead and not self._closed:
            self._reader.call(close, CLOSE_TIMEOUT / 2)
        else:
            close()

    def close(self) -> None:
        """End the thread and the workers."""
        self._closed = True
        self._cancel()
        self._pool.close()
        self._reader.close()

    def _cancel(self) -> None:
        if self._pass is not None:
            self._pass.cancel()
            self._pass = None

    def results(self) -> Iterator[Any]:
        """Yield results as they come, to the end of the pass."""
        first, a_pass = self._first, cast(Pass, self._pass)
        while self._goes_on():
            some = False
            for _, numbers, value in self._pool.collect():
                a_pass.taken += len(numbers)
                if a_pass.blocked:
                    a_pass.done(0)
                if value is not NO_VALUE and numbers[0] >= first:
                    some = True
                    yield value
                if a_pass.items:
                    self._submit_items()
            self._check_fruitful(a_pass, some)

    def results_in_order(self) -> Iterator[Any]:
        """Yield results in the order of the source. One that waits for its turn takes room."""
        yield from self._due()  # an iterator that was dropped may have left some
        a_pass = cast(Pass, self._pass)
        while self._goes_on():
            some = False
            for _, (number,), value in self._pool.collect():
                some = some or value is not NO_VALUE
                if number >= self._first:
                    self._early[number] = value
                    yield from self._due()
                elif self._pass is not None:
                    self._pass.done()
                self._submit_items()
            self._check_fruitful(a_pass, some)

    def _check_fruitful(self, a_pass: Pass, some: bool) -> None:
        """Raise if nothing has come of the datapoints of many passes."""
        if some:
            self._fruitful_at = a_pass.taken
        elif (a_pass.taken - self._fruitful_at) * a_pass.passes >= MAX_EMPTY * a_pass.read > 0:
            raise RuntimeError(
                f"{self._pool.name}: the function returned None for each datapoint of {MAX_EMPTY} passes, "
                "which discards it. Did it forget to return the datapoint?"
            )

    def _due(self) -> Iterator[Any]:
        early = self._early
        while self._next_in_order in early:
            value = early.pop(self._next_in_order)
            self._next_in_order += 1
            if self._pass is not None:
                self._pass.done()
            if value is not NO_VALUE:
                yield value

    def _goes_on(self) -> bool:
        """Submit what there is; finish the pass, and return False, if there is nothing left to wait for."""
        if self._pass is not None and not self._pool.reads_ahead and not self._pass.items:
            self._pass.step()
        self._submit_items()
        if self._ended is not None:
            if self._holds and not self._finish_sent:  # or tasks that are held back would never be settled
                self._finish_sent = True
                self._pool.finish()
            if not self._pool.pending:
                self._finish()
                return False
        return True

    def _submit_items(self) -> None:
        if self._pass is None or self._ended is not None:
            return
        items = self._pass.items
        while items:  # the reader wakes the pool again only when it finds none
            count = len(items)
            if type(items[count - 1]) is PassEnded:
                count -= 1
            if count:
                self._pool.submit(self._next_number, items, count)
                self._next_number += count
            if items and type(items[0]) is PassEnded:
                self._ended = items.popleft()

    def _finish(self) -> None:
        """End the pass; raise what the source raised, now that all that came before it has been yielded."""
        ended, self._pass = self._ended, None
        if ended is not None and ended.error is not None:
            self._pool.recovered()  # the next pass is a new chance
            raise explain(ended.error, describe_failure(ended.error, f"{self._pool.name}, its source"))
