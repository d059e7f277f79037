"""Random streams: reproducible by one seed, separate in each object and process."""

from __future__ import annotations

import gc
import os
import weakref

import numpy as np
import pytest

from dataflow import RNGDataFlow
from dataflow._core import random_state
from dataflow._core.random_state import enter_worker, process_state, reseed_in_children
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
