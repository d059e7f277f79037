"""What workers are on, seen by the parent, and tasks that are taken back from them."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from typing import Any

import pytest

from dataflow._transport.board import BEGUN, IDLE, NEVER, SINCE, TAKEN_FROM, TAKEN_TO, Board
from dataflow._transport.connection import Connection
from dataflow._transport.packing import Packer, Unpacker
from dataflow._transport.pipes import connected_ends
from dataflow._transport.process_worker import ProcessWorker
from tests.helpers.parallel import nothing_left


def test_it_is_shared_with_a_forked_process_and_leaves_nothing() -> None:
    with nothing_left():
        board = Board(20)
        for k in range(20):
            assert board.row(k)[TAKEN_FROM] == NEVER and board.row(k)[BEGUN] == 0
        pid = os.fork()
        if pid == 0:
            board.row(19)[BEGUN] = 7
            os._exit(0)
        os.waitpid(pid, 0)
        row = board.row(19)
        assert row[BEGUN] == 7 and board.row(18)[BEGUN] == 0
        board.close()
        board.close()
        assert row[BEGUN] == 7, "the words stay as long as a row is in use"
        row.release()
        del row, board


class Process:
    """In place of a worker's process."""

    pid = 2**22 + 5
    exitcode = None


class Pair:
    """What the parent knows of a worker, and the worker itself, in slow motion."""

    def __init__(self) -> None:
        self.board = Board(1)
        self.row = self.board.row(0)
        near, self.far = connected_ends()
        near.dont_wait()
        connection = Connection(near, Packer(None), Unpacker(None))
        self.worker: Any = ProcessWorker("test", Process(), connection, None, self.row)
        self.queue: list[int] = []
        self.begun = 0
        self.sent: list[tuple[int, bool]] = []
        """What the parent has not read yet: numbers, and whether they were done or skipped."""
        self.done: list[int] = []
        self.back: list[int] = []
        """Tasks that are for another worker now."""

    def give(self, *numbers: int) -> None:
        self.worker.give(list(numbers), [[n] for n in numbers])
        self.queue += numbers

    def begin(self) -> int | None:
        """Begin the next task, as ``WorkerSide.tasks`` does; return None if it is skipped."""
        number = self.queue.pop(0)
        self.begun += 1
        self.row[IDLE] = 0
        self.row[BEGUN] = self.begun
        self.row[SINCE] = self.begun * 10**9
        if self.row[TAKEN_FROM] <= self.begun < self.row[TAKEN_TO]:
            self.sent.append((number, False))
            return None
        return number

    def take(self) -> list[int]:
        numbers, items = self.worker.take_back()
        assert items == [[n] for n in numbers]
        self.back += numbers
        return numbers  # type: ignore[no-any-return]

    def read(self) -> None:
        """Have the parent read one frame: in the order in which they were sent."""
        number, was_done = self.sent.pop(0)
        if was_done:
            self.done.append(number)
            self.worker.settle(1)
        else:
            numbers, items = self.worker.skipped(number)
            assert items == [[n] for n in numbers] and numbers in ([], [number])
            self.back += numbers

    def close(self) -> None:
        self.worker.close()
        self.far.close()
        self.board.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.close()


def test_it_is_known_which_task_a_worker_is_on_and_since_when(pair: Pair) -> None:
    pair.row[IDLE] = 1
    assert pair.worker.current() is None
    pair.give(40, 41)
    pair.give(99)
    for seconds, number in enumerate((40, 41, 99), 1):
        assert pair.begin() == number
        assert pair.worker.current() == (number, seconds)
    pair.row[IDLE] = 1
    assert pair.worker.current() is None and pair.worker.is_idle()


def test_what_is_not_begun_can_be_taken_back(pair: Pair) -> None:
    pair.give(1, 2, 3)
    pair.give(4, 5)
    assert pair.begin() == 1
    assert pair.worker.not_begun() == 4
    pair.worker.mark()
    assert pair.take() == [2, 3, 4, 5]
    assert pair.worker.outstanding == 1 and pair.worker.not_begun() == 0
    pair.worker.mark()
    assert pair.take() == [], "nothing is left"
    pair.give(6, 7)
    assert [pair.begin() for _ in range(5)] == [None] * 4 + [6]
    for _ in range(4):
        pair.read()
    assert pair.back == [2, 3, 4, 5] and not pair.worker.taken
    assert pair.worker.not_begun() == 1


def test_a_task_that_began_meanwhile_is_not_taken(pair: Pair) -> None:
    """The worker went on between the mark and the look at what it has begun."""
    pair.give(1, 2, 3, 4)
    assert pair.begin() == 1
    pair.worker.mark()
    assert pair.begin() is None, "it saw the mark"
    assert pair.take() == [3, 4]
    pair.read()
    assert pair.back == [3, 4, 2], "it said so"
    assert pair.worker.outstanding == 1


@pytest.mark.parametrize("seed", range(40))
def test_each_task_is_done_or_given_back_once(pair: Pair, seed: int) -> None:
    """Whatever the two sides do in whatever order; a task may come back to the worker that lost it."""
    rng = random.Random(seed)
    number, on = 0, None
    for _ in range(300):
        step = rng.choice(["give", "again", "begin", "begin", "done", "done", "take", "read", "read"])
        if step == "give":
            count = rng.randint(1, 5)
            pair.give(*range(number, number + count))
            number += count
        elif step == "again" and pair.back:
            pair.give(*pair.back)
            pair.back.clear()
        elif step == "begin" and on is None and pair.queue:
            on = pair.begin()
        elif step == "done" and on is not None:
            pair.sent.append((on, True))
            on = None
        elif step == "take":
            pair.worker.mark()
            for _ in range(rng.randint(0, 2)):
                if on is None and pair.queue:
                    on = pair.begin()
            pair.take()
        elif step == "read" and pair.sent:
            pair.read()
    while pair.queue or on is not None:
        if on is not None:
            pair.sent.append((on, True))
        on = pair.begin() if pair.queue else None
    while pair.sent:
        pair.read()
    assert sorted(pair.done + pair.back) == list(range(number))
    assert pair.worker.outstanding == 0 and not pair.worker.taken
