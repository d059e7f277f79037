"""Workers end with the last reference to their pipeline, without the garbage collector, whatever is above."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from dataflow import (
    AugmentImageComponent,
    CacheData,
    FakeData,
    JoinData,
    MapData,
    MultiProcessMapData,
    MultiProcessRunnerZMQ,
    RandomChooseData,
)
from tests.helpers.parallel import is_alive, snapshot, wait_until
from tests.helpers.wrappers import PARALLEL, WRAPPERS


def images() -> Any:
    return MapData(FakeData([[90, 90, 3]], 12, dtype="uint8"), with_points)


def with_points(dp: Any) -> Any:
    return [*dp, np.zeros((4, 2), np.float32)]


@pytest.fixture
def no_gc() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def names_of_threads() -> list[str]:
    return sorted(t.name for t in threading.enumerate() if "tqdm" not in type(t).__module__)


@pytest.mark.usefixtures("no_gc")
@pytest.mark.parametrize("begun", [False, True], ids=["not begun", "in the middle"])
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_the_workers_below_end_with_the_last_reference(wrapper: str, begun: bool) -> None:
    before, threads = snapshot()["children"], names_of_threads()
    df = WRAPPERS[wrapper](MultiProcessRunnerZMQ(images()))
    df.reset_state()
    iterator = iter(df)
    if begun:
        next(iterator)
    # those of a runner are not children of ours when they are below another one
    pids = wait_until(lambda: [pid for pid in snapshot()["children"] if pid not in before])
    del df, iterator
    wait_until(lambda: not any(map(is_alive, pids)), what="the workers are left")
    wait_until(lambda: names_of_threads() == threads, what="threads are left")


@pytest.mark.usefixtures("no_gc")
@pytest.mark.parametrize("inner", PARALLEL)
def test_workers_of_each_kind_below_several_stages(inner: str) -> None:
    before, threads = snapshot()["children"], names_of_threads()
    a, b = PARALLEL[inner](images()), PARALLEL[inner](images())
    df = JoinData([AugmentImageComponent(a, []), RandomChooseData([CacheData(b)])])
    df.reset_state()
    pids = [pid for pid in snapshot()["children"] if pid not in before]
    assert pids or "Thread" in inner
    del df, a, b
    wait_until(lambda: not any(map(is_alive, pids)), what="the workers are left")
    wait_until(lambda: names_of_threads() == threads, what="threads are left")


@pytest.mark.usefixtures("no_gc")
@pytest.mark.parametrize("error", ["of the function", "of the loop"])
def test_also_after_an_error_that_is_gone(error: str) -> None:
    before = snapshot()["children"]
    df = MultiProcessMapData(images(), 2, lambda dp: dp[7] if error == "of the function" else dp, strict=True)
    df.reset_state()
    pids = [pid for pid in snapshot()["children"] if pid not in before]
    with pytest.raises((IndexError, ZeroDivisionError)):
        for _ in df:
            1 / 0  # noqa: B018
    del df
    wait_until(lambda: not any(map(is_alive, pids)), what="the workers are left")
