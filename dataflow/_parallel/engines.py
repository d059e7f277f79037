"""The one place where pools of workers are opened."""

from __future__ import annotations

from typing import Any, Literal

from .._transport.inline_pool import InlinePool
from .._transport.pool import Job, WorkerPool
from .._transport.process_pool import ProcessPool
from .._transport.shared_pool import SharedPool
from .._transport.thread_pool import ThreadPool

Engine = Literal["processes", "threads", "shared processes"]


def open_pool(
    engine: Engine,
    job: Job,
    codes: Any,
    number: int,
    *,
    name: str,
    in_flight: int,
    tasks: bool,
    start_method: str | None = None,
) -> WorkerPool:
    """Start workers and return their pool.

    Args:
        engine: where they run: in processes, in threads, or in processes that others may take from, too.
        job: what each does.
        codes: what it works with: one thing for all processes, a list of one for each thread.
        number: how many workers; 0: this process does the work itself, when a result is asked for.
        name: the stage of the pipeline, for messages.
        in_flight: how many datapoints may be on their way, over all workers.
        tasks: whether the workers get tasks.
        start_method: of processes.
    """
    if number == 0:
        code = codes[0] if engine == "threads" else codes
        return InlinePool(job, code, name=name, tasks=tasks)
    if engine == "threads":
        return ThreadPool(job, codes, name=name, in_flight=in_flight, tasks=tasks)
    if engine == "shared processes":
        return SharedPool(job, codes, number, name=name, start_method=start_method, in_flight=in_flight)
    return ProcessPool(
        job, codes, number, name=name, start_method=start_method, in_flight=in_flight, tasks=tasks
    )
