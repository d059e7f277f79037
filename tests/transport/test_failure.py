"""Exceptions on their way."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from dataflow._transport.failure import Failure, WorkerTraceback, describe_failure, rebuild
from dataflow.base import DataFlowTerminated, WorkerError
from tests.helpers.parallel import LockedError, UnfriendlyError


def sent(e: BaseException) -> BaseException:
    try:
        raise e
    except BaseException as caught:
        failure = pickle.loads(pickle.dumps(tuple(describe_failure(caught, "Stage, worker 3"))))
    return rebuild(Failure(*failure))


class BrokenStrError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


def test_the_same_type_with_values_and_the_workers_traceback() -> None:
    class LocalError(OSError):
        pass

    for e in (
        KeyError("k", 3),
        OSError(2, "no file", "x"),
        DataFlowTerminated("over"),
        LocalError(5, "local"),
    ):
        e.extra = [1, 2]  # type: ignore[attr-defined]
        got: Any = sent(e)
        assert type(got) is type(e)
        assert got.args == e.args and got.extra == [1, 2]
        assert isinstance(got.__cause__, WorkerTraceback)
        assert "Stage, worker 3" in str(got.__cause__) and "raise e" in str(got.__cause__)
        if hasattr(got, "__notes__"):
            assert got.__notes__[-1] == "raised in Stage, worker 3"


@pytest.mark.parametrize(
    ("e", "text"),
    [
        (UnfriendlyError(1, 2), "UnfriendlyError: 1 and 2"),
        (LockedError(), "LockedError: with a lock inside"),
        (BrokenStrError(), "BrokenStrError"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (GeneratorExit(), "GeneratorExit"),
    ],
)
def test_what_can_not_be_raised_here_comes_as_text(e: BaseException, text: str) -> None:
    got = sent(e)
    if isinstance(e, BrokenStrError):
        assert type(got) is BrokenStrError
        return
    assert type(got) is WorkerError
    assert "Stage, worker 3 raised" in str(got) and text in str(got)
    assert text in str(got.__cause__)


def test_what_can_not_be_rebuilt_here_comes_as_text() -> None:
    got = rebuild(Failure(b"cnowhere\nNothing\n.", "Nothing: x", "Traceback ...", "Stage, worker 0"))
    assert type(got) is WorkerError and "Nothing: x" in str(got)
