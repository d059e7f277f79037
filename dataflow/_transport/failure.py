"""An exception on its way from a worker to the consumer."""

from __future__ import annotations

import contextlib
import io
import pickle
import traceback
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any, NamedTuple

from .._core.errors import DataFlowTerminated, WorkerError, add_note, text_of
from .codec import cloud_pickler, dumps_by_value


class WorkerTraceback(Exception):
    """The cause of an exception that a worker raised: where it happened there."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        """Return the traceback as the worker would have printed it."""
        return "\n" + self.text


class Failure(NamedTuple):
    """What is sent instead of an exception."""

    pickled: bytes | None
    summary: str
    traceback: str
    worker: str


def describe_failure(e: BaseException, worker: str) -> Failure:
    """Return what can be sent of an exception."""
    try:
        summary = "".join(traceback.format_exception_only(type(e), e)).strip()
        text = "".join(traceback.format_exception(type(e), e, e.__traceback__))
    except Exception:  # attributes that are not what they should be, as of a SyntaxError
        summary = f"{type(e).__name__}: {text_of(e)}"
        text = "".join(traceback.format_tb(e.__traceback__)) + summary
    return Failure(_pickled(e) if _can_be_raised(e) else None, summary, text, worker)


def _can_be_raised(e: BaseException) -> bool:
    """Say whether it may reach the consumer: a worker's SystemExit or KeyboardInterrupt is its own."""
    return isinstance(e, Exception | DataFlowTerminated)


def rebuild(failure: Failure) -> BaseException:
    """Return the exception to raise here: of the same type, or a ``WorkerError`` where that can't be."""
    e: Any = None
    if failure.pickled is not None:
        with contextlib.suppress(
            Exception, SystemExit, GeneratorExit
        ):  # a class of the user's may raise anything
            e = pickle.loads(failure.pickled)
    return explain(e, failure)


def explain(e: Any, failure: Failure) -> BaseException:
    """Return what to raise here for ``e``, which came from a worker, or ``WorkerError`` if it can't be that.

    A note says which worker raised it. Its cause is the traceback there.
    """
    if not _can_be_raised(e):
        e = WorkerError(f"{failure.worker} raised {failure.summary}")
    elif isinstance(e, StopIteration | StopAsyncIteration):
        # as Python does it in a generator: else this would end somebody's loop
        e = RuntimeError(f"{failure.worker} raised {failure.summary}")
    add_note(e, f"raised in {failure.worker}")
    cause = WorkerTraceback(f"in {failure.worker}:\n{failure.traceback}")
    BaseException.__setattr__(e, "__cause__", cause)  # its class may allow no assignments
    return e  # type: ignore[no-any-return]


# ---- exceptions as bytes


def _pickled(e: BaseException) -> bytes | None:
    """Return an exception as bytes, without what can't be sent of it; None if nothing can be."""
    for strict in (True, False):
        try:
            data = _dumps(e, strict)
            if type(pickle.loads(data)) is type(e):
                return data
        except (Exception, SystemExit, GeneratorExit):  # a class of the user's may raise anything
            continue
    return None


def _dumps(e: BaseException, strict: bool) -> bytes:
    class ExceptionPickler(cloud_pickler()):  # type: ignore[misc]
        def reducer_override(self, obj: Any) -> Any:
            if isinstance(obj, BaseException) and not _reduces_itself(type(obj)):
                return _reduce(obj, strict)
            return super().reducer_override(obj)

    stream = io.BytesIO()
    ExceptionPickler(stream, 5).dump(e)
    return stream.getvalue()


def _is_built_in(cls: type) -> bool:
    return not cls.__flags__ & 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement or the like


def _reduces_itself(cls: type) -> bool:
    """Say whether a class statement says how it is pickled."""
    own = (
        "__reduce__",
        "__reduce_ex__",
        "__getstate__",
        "__setstate__",
        "__getnewargs__",
        "__getnewargs_ex__",
    )
    return any(name in vars(c) for c in cls.__mro__ if not _is_built_in(c) for name in own)


def _reduce(e: BaseException, strict: bool) -> Any:
    """Reduce an exception to its parts. Pickle's own way calls the constructor with ``args``.

    Args:
        e: the exception.
        strict: fail if a part can't be sent. If not, such arguments become text, and attributes are left out.
    """
    cls, args, state = type(e), e.args, dict(vars(e))
    for base in cls.__mro__:
        if base in (BaseException, object):
            break
        # slots, and such as errno and filename of an OSError
        names = [
            n for n, d in vars(base).items() if isinstance(d, MemberDescriptorType | GetSetDescriptorType)
        ]
        for name in names:
            with contextlib.suppress(AttributeError):
                if (value := getattr(e, name)) is not None:
                    state.setdefault(name, value)
    if not strict:
        args = tuple(arg if _travels(arg) else repr(arg) for arg in args)
        state = {name: value for name, value in state.items() if _travels(value)}
    return _from_parts, (cls, args, state)


def _travels(value: Any) -> bool:
    try:
        pickle.loads(dumps_by_value(value))
    except Exception:
        return isinstance(value, BaseException)  # it is reduced in turn
    return True


def _from_parts(cls: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    """Make an exception without its constructor."""
    built_in: Any = next(base for base in cls.__mro__ if _is_built_in(base))
    try:
        e = built_in.__new__(cls, *args)
        built_in.__init__(e, *args)
    except Exception:  # its constructor gave the built-in one other arguments
        e = built_in.__new__(cls)
    BaseException.__setattr__(e, "args", args)
    for name, value in state.items():
        with contextlib.suppress(Exception):  # those that can't be set were set by the arguments
            BaseException.__setattr__(e, name, value)
    return e  # type: ignore[no-any-return]
