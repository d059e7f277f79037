"""What mappers have in common: a pool of workers, and a source that is read ahead for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._transport.pool import Job
from ..base import close_all, reset_all, upstream_of
from .dispatcher import Dispatcher
from .engines import Engine, open_pool
from .pool_owner import PoolOwner
from .source_reader import SourceReader


class Mapper(PoolOwner):
    """A dataflow whose source is read here, in a thread, and mapped by workers."""

    ds: Iterable[Any]
    _dispatcher: Dispatcher | None = None

    def _open(
        self,
        engine: Engine,
        job: Job,
        codes: Any,
        number: int,
        room: int,
        *,
        held: int | None = None,
        start_method: str | None = None,
    ) -> Dispatcher:
        """Reset the source and start the workers. See ``open_pool`` and ``Dispatcher``."""
        self._check_not_started()
        name, flows = type(self).__name__, upstream_of(self)
        reader = SourceReader(name)
        try:
            if number:
                reader.call(lambda: reset_all(flows))
            else:
                reset_all(flows)
            pool = open_pool(
                engine, job, codes, number, name=name, in_flight=room, tasks=True, start_method=start_method
            )
        except BaseException:
            reader.close()
            raise
        self._dispatcher = Dispatcher(pool, reader, self.ds, room, held)
        self._use(pool, self._dispatcher.close)
        return self._dispatcher

    def close(self) -> None:
        """End the workers, and close what this dataflow reads. ``reset_state()`` starts new workers."""
        flows = upstream_of(self)
        if self._dispatcher is not None:
            self._was_closed = True
            try:
                self._dispatcher.close_source(lambda: close_all(flows))
            finally:
                self._end_workers()
        else:
            super().close()

    def __getstate__(self) -> dict[str, Any]:
        """Pickle as before ``reset_state()``."""
        return {k: v for k, v in super().__getstate__().items() if k != "_dispatcher"}
