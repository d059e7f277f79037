"""Random streams: reproducible by one seed, separate in each object and process."""

from __future__ import annotations

import gc
import os
import pickle
import random
import threading
import weakref
from collections.abc import Iterator

import numpy as np
import pytest

from dataflow import RNGDataFlow
from dataflow._core import global_streams, random_state
from dataflow._core.random_state import (
    PoolStreams,
    enter_thread,
    enter_worker,
    process_state,
    reseed_in_children,
    seeds_of_worker,
)
from dataflow.utils import fix_rng_seed, get_rng


def numbers(rng: np.random.RandomState) -> list[float]:
    return rng.rand(4).tolist()


def test_without_a_seed_streams_differ() -> None:
    assert numbers(get_rng()) != numbers(get_rng())


def test_a_fixed_seed_is_the_seed_of_every_stream() -> None:
    fix_rng_seed(42)
    expected = numbers(np.random.RandomState(42))
    assert numbers(get_rng()) == numbers(get_rng(object())) == expected


@pytest.mark.parametrize(("seed", "error"), [(None, TypeError), (-1, ValueError), (2**32, ValueError)])
def test_a_bad_seed(seed: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        fix_rng_seed(seed)  # type: ignore[arg-type]


def test_the_largest_seed() -> None:
    fix_rng_seed(2**32 - 1)
    assert numbers(get_rng()) == numbers(np.random.RandomState(2**32 - 1))


def test_worker_0_has_the_stream_of_the_plain_dataflow_and_the_others_their_own() -> None:
    fix_rng_seed(42)
    plain, parent = numbers(get_rng()), process_state()
    streams = []
    for index in range(3):
        enter_worker(parent, index)
        inner = process_state()
        streams.append(numbers(get_rng()))
        enter_worker(inner, 0)
        assert (numbers(get_rng()) == plain) == (index == 0)
    assert streams[0] == plain
    assert len({tuple(s) for s in streams}) == 3
    enter_worker(parent, 2)
    assert numbers(get_rng()) == streams[2]  # and they are the same in each run


def shared_numbers() -> tuple[float, float]:
    return float(np.random.rand()), random.random()


def enter_new(stream: int) -> tuple[float, float]:
    """Start a worker in this process and return the first numbers of its shared generators."""
    before = np.random.get_state(), random.getstate()
    seeds = seeds_of_worker(stream)
    assert np.random.get_state()[1].tolist() == before[0][1].tolist(), "the parent goes on as before"  # type: ignore
    assert random.getstate() == before[1]
    process, starts = random_state._process, global_streams._starts
    started, given = global_streams._started, global_streams._plain_given
    enter_worker(process_state(), stream, pickle.loads(pickle.dumps(seeds)))
    numbers = shared_numbers()
    random_state._process, global_streams._starts = process, starts
    global_streams._started, global_streams._plain_given = started, given
    np.random.set_state(before[0])
    random.setstate(before[1])
    return numbers


@pytest.fixture
def shared_generators() -> Iterator[None]:
    """Leave the shared generators as they are."""
    before = np.random.get_state(), random.getstate()
    global_streams.restart()
    yield
    np.random.set_state(before[0])
    random.setstate(before[1])
    global_streams.restart()


@pytest.mark.usefixtures("shared_generators")
@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("seeded", [True, False])
def test_no_two_workers_share_np_random_or_random(fixed: bool, seeded: bool) -> None:
    runs = []
    for _ in range(2):
        if fixed:
            fix_rng_seed(7)
        if seeded:
            np.random.seed(3)
            random.seed(3)
        plain = shared_numbers()
        if seeded:
            np.random.seed(3)
            random.seed(3)
        streams = [PoolStreams(plain=True), PoolStreams(plain=False)]
        # two epochs of a runner and a mapper
        runs.append([enter_new(s.stream_of(i)) for _ in range(2) for s in streams for i in range(3)])
        for column in zip(*runs[-1], strict=True):
            assert len(set(column)) == len(column)
        if seeded and (fixed or len(runs) == 1):
            assert runs[-1][0] == plain, "worker 0 of a runner goes on with what the program seeded"
        assert plain not in runs[-1][1:]
        for s in streams:
            s.close()
    if fixed:
        assert runs[0][1:] == runs[1][1:]


def test_no_two_pools_have_a_stream_in_common_while_both_exist() -> None:
    pools = [PoolStreams(plain=plain) for plain in (True, False, True, False, True)]
    streams = [pool.stream_of(index) for pool in pools for index in range(4)]
    assert len(set(streams)) == len(streams) and max(streams) < 2**32
    assert [s for s in streams if s == 0] == [0], "one has the plain stream"
    pools[0].close()
    pools[0].close()
    new = PoolStreams(plain=True)
    assert new.stream_of(0) == 0, "the next one has it again"
    del new
    assert PoolStreams(plain=True).stream_of(0) == 0, "nobody closed the last one, but it is garbage"
    for pool in pools:
        pool.close()


def test_threads_have_streams_of_their_own() -> None:
    fix_rng_seed(42)
    plain, found = numbers(get_rng()), {}

    def work(index: int) -> None:
        enter_thread(state, index)
        found[index] = numbers(get_rng()), process_state()[1]

    state = process_state()
    threads = [threading.Thread(target=work, args=(index,)) for index in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0][0] == plain == numbers(get_rng()) and process_state()[1] == ()
    assert len({tuple(stream) for stream, _ in found.values()}) == 3
    assert found[2][1] == (2,), "what it starts has a path below its own"


def test_worker_1_of_worker_0_is_not_worker_0_of_worker_1() -> None:
    fix_rng_seed(42)
    state = process_state()
    found = []
    for first, second in ((0, 1), (1, 0)):
        enter_worker(state, first)
        enter_worker(process_state(), second)
        found.append(numbers(get_rng()))
    assert found[0] != found[1]


class Reseeded:
    def __init__(self) -> None:
        self.rng = get_rng(self)
        reseed_in_children(self)

    def reset_state(self) -> None:
        self.rng = get_rng(self)


def test_enter_worker_resets_what_asked_for_it() -> None:
    obj = Reseeded()
    before = obj.rng
    enter_worker(process_state(), 1)
    assert obj.rng is not before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_other_random_numbers() -> None:
    obj = Reseeded()
    state = obj.rng.get_state()[1].tobytes()  # type: ignore[index,union-attr]
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, b"same" if obj.rng.get_state()[1].tobytes() == state else b"diff")  # type: ignore
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert os.read(read, 4) == b"diff"
    os.close(read)
    os.close(write)
    assert obj.rng.get_state()[1].tobytes() == state  # type: ignore[index,union-attr]


def test_the_hook_keeps_nothing_alive() -> None:
    obj = weakref.ref(Reseeded())
    gc.collect()
    assert obj() is None


def test_a_lazy_rng_stays_and_can_be_set() -> None:
    class Flow(RNGDataFlow):
        def __iter__(self):  # type: ignore[no-untyped-def]
            yield self.rng.rand()

    df = Flow()
    assert df.rng is df.rng
    df.rng = np.random.RandomState(3)
    assert next(iter(df)) == np.random.RandomState(3).rand()
    assert isinstance(vars(RNGDataFlow)["rng"], random_state.LazyRng)
