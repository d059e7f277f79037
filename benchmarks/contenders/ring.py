"""The other limit of the runners over batches: not a copy within the cache, but a bare transport."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import workloads

from contenders.limit import ring


def runner_batches_uint8() -> Iterator[Any]:
    return ring(workloads.ready_batch("uint8"))


def runner_batches_float32() -> Iterator[Any]:
    return ring(workloads.ready_batch("float32"))
