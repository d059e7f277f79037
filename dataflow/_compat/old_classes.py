"""Classes and functions by their names of earlier releases. Each warns when used, and names the new one.

They are listed in docs/migrating.md. The old names of the runners (``PrefetchDataZMQ`` ...) are not here:
those are plain aliases, beside the classes.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from .._core.random_state import worker_index
from .._storage.lmdb_data import LMDBData, LMDBDatapoints
from ..base import ProxyDataFlow
from ..image import AugmentImageComponents
from ..parallel import MultiProcessRunnerZMQ
from ..parallel_map import MultiThreadMapData
from ..remote import RemoteDataZMQ, send_dataflow_zmq
from ..serialize import TFRecordSerializer
from .renamed import warn_renamed

__all__ = [
    "AugmentImagesTogether",
    "BlockParallel",
    "LMDBDataPoint",
    "PlasmaGetData",
    "PlasmaPutData",
    "PrefetchOnGPUs",
    "PrefetchProcess",
    "PrefetchProcessZMQ",
    "RemoteData",
    "TFFuncMapper",
    "TFRecordData",
    "ThreadedMapData",
    "serve_data",
    "tf_aug",
]

_C = TypeVar("_C", bound=type)
_R = TypeVar("_R")


def _renamed_class(old: str, new: _C) -> _C:
    """Return a class of an old name: the new one, with a warning when it is made."""

    @functools.wraps(new.__init__)  # type: ignore[misc]
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        warn_renamed(f"{old}()", new.__name__)
        new.__init__(self, *args, **kwargs)  # type: ignore[misc]

    doc = f"The old name of ``{new.__name__}``."
    cls: _C = type(new)(old, (new,), {"__init__": init, "__doc__": doc, "__module__": __name__})
    return cls


def _renamed_function(old: str, new: Callable[..., _R], new_name: str) -> Callable[..., _R]:
    """Return a function of an old name: the new one, with a warning when it is called."""

    def function(*args: Any, **kwargs: Any) -> _R:
        warn_renamed(f"{old}()", f"{new_name}()")
        return new(*args, **kwargs)

    function.__name__ = function.__qualname__ = old
    function.__doc__ = f"The old name of ``{new_name}``."
    return function


AugmentImagesTogether = _renamed_class("AugmentImagesTogether", AugmentImageComponents)
RemoteData = _renamed_class("RemoteData", RemoteDataZMQ)
ThreadedMapData = _renamed_class("ThreadedMapData", MultiThreadMapData)
TFRecordData = _renamed_function("TFRecordData", TFRecordSerializer.load, "TFRecordSerializer.load")
serve_data = _renamed_function("serve_data", send_dataflow_zmq, "send_dataflow_zmq")


class LMDBDataPoint(LMDBDatapoints):
    """The old name of ``LMDBSerializer.load``, which also takes a dataflow of ``[key, value]`` pairs.

    Args:
        *args: the arguments of ``LMDBData``; or just a dataflow, such as an ``LMDBData``, shuffled perhaps.
        **kwargs: the same.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warn_renamed("LMDBDataPoint()", "LMDBSerializer.load()")
        path_or_flow = args[0] if args else None
        if path_or_flow is None or isinstance(path_or_flow, str | os.PathLike):
            super().__init__(LMDBData(*args, **kwargs))
        elif len(args) == 1 and not kwargs:
            super().__init__(path_or_flow)
        else:
            raise TypeError("LMDBDataPoint: a dataflow goes without further arguments")


class PrefetchOnGPUs(MultiProcessRunnerZMQ):
    """Run a dataflow in as many processes as there are GPUs, each of which sees one of them.

    Gone since 0.9.2. Today a dataflow sets ``CUDA_VISIBLE_DEVICES`` itself, in its ``reset_state()``.

    Args:
        ds: the dataflow to run.
        gpus: the numbers of the GPUs.
    """

    def __init__(self, ds: Iterable[Any], gpus: Sequence[int]) -> None:
        warn_renamed("PrefetchOnGPUs()", "MultiProcessRunnerZMQ, around a dataflow that chooses its GPU")
        super().__init__(_OnOneGPU(ds, gpus), len(gpus))
        self.gpus = gpus


class _OnOneGPU(ProxyDataFlow[Any]):
    def __init__(self, ds: Iterable[Any], gpus: Sequence[int]) -> None:
        super().__init__(ds)
        self.gpus = gpus

    def reset_state(self) -> None:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(self.gpus[worker_index()])
        super().reset_state()


def _gone(name: str, instead: str) -> type:
    """Return a class that can be imported and named as a base class, and raises when it is made or called."""

    def refuse(self: Any, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(f"{name} is gone from this library: {instead}")

    return type(name, (), {"__init__": refuse, "__doc__": f"Gone: {instead}.", "__module__": __name__})


_USE_A_RUNNER = "use MultiProcessRunnerZMQ, which starts the processes itself"
_NO_TENSORFLOW = "it needs TensorFlow; use MapData with a function of your own"
BlockParallel = _gone("BlockParallel", _USE_A_RUNNER)
PrefetchProcess = _gone("PrefetchProcess", _USE_A_RUNNER)
PrefetchProcessZMQ = _gone("PrefetchProcessZMQ", _USE_A_RUNNER)
PlasmaGetData = _gone("PlasmaGetData", "pyarrow has lost plasma; the runners use shared memory themselves")
PlasmaPutData = _gone("PlasmaPutData", "pyarrow has lost plasma; the runners use shared memory themselves")
TFFuncMapper = _gone("TFFuncMapper", _NO_TENSORFLOW)
tf_aug = _gone("tf_aug", _NO_TENSORFLOW)
