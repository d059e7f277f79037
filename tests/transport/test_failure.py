"""Exceptions on their way."""

from __future__ import annotations

import dataclasses
import io
import pickle
import socket
import sys
import threading
import urllib.error
from typing import Any, NoReturn

import numpy as np
import pytest

from dataflow._core.errors import name_datapoint
from dataflow._transport.failure import Failure, WorkerTraceback, describe_failure, explain, rebuild
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

    __repr__ = __str__


class FormatsError(Exception):
    """Its constructor would format the message once more."""

    def __init__(self, path: str) -> None:
        super().__init__(f"bad file {path}")


class KeywordError(ValueError):
    def __init__(self, *, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code


class NewError(Exception):
    def __new__(cls, a: int, b: int) -> NewError:
        return super().__new__(cls, a)

    def __init__(self, a: int, b: int) -> None:
        self.b = b


class SlotError(LookupError):
    __slots__ = ("place",)

    def __init__(self, place: Any) -> None:
        self.place = place


class PathError(OSError):
    def __init__(self, path: str) -> None:
        super().__init__(5, "broken", path)


class QuietError(OSError):
    """It does not call the constructor that it inherits."""

    def __init__(self, path: str) -> None:
        self.filename = path


class DecodeError(UnicodeDecodeError):
    def __init__(self) -> None:
        super().__init__("utf-8", b"abc", 1, 2, "no reason")


@dataclasses.dataclass(frozen=True)
class FrozenError(Exception):
    code: int


class ReducedError(Exception):
    def __init__(self, a: int, b: int) -> None:
        super().__init__(a + b)
        self.a, self.b = a, b

    def __reduce__(self) -> Any:
        return ReducedError, (self.a, self.b)


class HolderError(Exception):
    """Some of its parts can't be sent."""

    def __init__(self) -> None:
        super().__init__("holds", threading.Lock())
        self.lock, self.sock, self.good = threading.Lock(), socket.socket(), [1]
        self.sock.close()
        self.error = KeywordError(code=4)


class LeavingError(Exception):
    """What makes it anew ends the program."""

    def __reduce__(self) -> Any:
        return _leave, ()


def _leave() -> NoReturn:
    raise SystemExit(3)


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
    ("e", "attributes"),
    [
        (UnfriendlyError(1, 2), []),
        (BrokenStrError("x"), []),
        (FormatsError("a.jpg"), []),
        (KeywordError(code=3), ["code"]),
        (NewError(1, 2), ["b"]),
        (SlotError("here"), ["place"]),
        (PathError("a.jpg"), ["errno", "strerror", "filename"]),
        (QuietError("a.jpg"), ["filename", "errno"]),
        (OSError(2, "none", "a", None, "b"), ["errno", "filename", "filename2"]),
        (BlockingIOError(11, "later", 7), ["errno", "characters_written"]),
        (DecodeError(), ["encoding", "object", "start", "end", "reason"]),
        (UnicodeDecodeError("utf-8", b"abc", 1, 2, "no reason"), ["object", "reason"]),
        (ImportError("no", name="x", path="y"), ["msg", "name", "path"]),
        (SyntaxError("bad", ("file", 3, 4, "text")), ["lineno", "offset", "text"]),
        (FrozenError(3), ["code"]),
        (ReducedError(1, 2), ["a", "b"]),
        (urllib.error.HTTPError("http://localhost/", 404, "gone", {}, io.BytesIO(b"")), ["code", "filename"]),  # type: ignore[arg-type]
        (LockedError(), []),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_any_constructor(e: BaseException, attributes: list[str]) -> None:
    got = sent(e)
    assert type(got) is type(e) and got.args == e.args
    for name in attributes:
        assert getattr(got, name) == getattr(e, name), name
    if not isinstance(e, BrokenStrError):
        assert str(got) == str(e)
    assert isinstance(got.__cause__, WorkerTraceback) and "in sent" in str(got.__cause__)


def test_parts_that_can_not_be_sent_are_left_out() -> None:
    got: Any = sent(HolderError())
    assert type(got) is HolderError
    assert got.args[0] == "holds" and "lock" in got.args[1]
    assert got.good == [1] and not hasattr(got, "lock") and not hasattr(got, "sock")
    assert type(got.error) is KeywordError and got.error.code == 4


@pytest.mark.skipif(sys.version_info < (3, 11), reason="needs groups")
def test_groups() -> None:
    got: Any = sent(ExceptionGroup("all", [KeywordError(code=3), ValueError(1), SlotError(2)]))  # noqa: F821
    assert type(got) is ExceptionGroup and got.message == "all"  # noqa: F821
    assert [type(e) for e in got.exceptions] == [KeywordError, ValueError, SlotError]
    assert got.exceptions[0].code == 3 and got.exceptions[2].place == 2


def test_stop_iteration_ends_nobodys_loop() -> None:
    for e in (StopIteration(3), StopAsyncIteration()):
        got = sent(e)
        assert type(got) is RuntimeError and type(e).__name__ in str(got)
        assert "raise e" in str(got.__cause__)


def test_an_error_that_ends_the_program_when_it_is_made_anew() -> None:
    got = sent(LeavingError("x"))
    assert type(got) is WorkerError and "LeavingError: x" in str(got)


def test_explain_is_for_threads_too() -> None:
    for e in (SystemExit(3), KeyboardInterrupt(), GeneratorExit()):
        got = explain(e, describe_failure(e, "Stage, thread 1"))
        assert type(got) is WorkerError and type(e).__name__ in str(got) and "thread 1" in str(got)
    error = FrozenError(2)
    assert explain(error, describe_failure(error, "it")) is error
    assert isinstance(error.__cause__, WorkerTraceback)


def test_the_datapoint_is_named_once_and_shortly() -> None:
    class Odd:
        def __repr__(self) -> str:
            raise ValueError

    for dp, text in (
        (["folder/photo-37.jpg"], "photo-37.jpg"),
        ({"x": np.zeros((300, 300)), "n": np.int64(7)}, "7"),
        ([Odd()], "Odd"),
        ([1] * 1000, "1, 1"),
    ):
        e = FrozenError(3)
        for _ in range(2):
            name_datapoint(e, 37, dp)
        got = sent(e)
        (note,) = [n for n in got.__notes__ if "datapoint" in n]
        assert "datapoint 37: " in note and text in note and len(note) < 400


@pytest.mark.parametrize(
    ("e", "text"),
    [
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (GeneratorExit(), "GeneratorExit"),
    ],
)
def test_what_can_not_be_raised_here_comes_as_text(e: BaseException, text: str) -> None:
    got = sent(e)
    assert type(got) is WorkerError
    assert "Stage, worker 3 raised" in str(got) and text in str(got)
    assert text in str(got.__cause__)


def test_what_can_not_be_rebuilt_here_comes_as_text() -> None:
    got = rebuild(Failure(b"cnowhere\nNothing\n.", "Nothing: x", "Traceback ...", "Stage, worker 0"))
    assert type(got) is WorkerError and "Nothing: x" in str(got)
