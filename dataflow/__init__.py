"""Composable data loading in plain Python: a drop-in for tensorpack's DataFlow.

>>> from dataflow import BatchData, DataFromList, MapData
>>> df = MapData(DataFromList([[1], [2], [3], [4]], shuffle=False), lambda dp: [dp[0] * 10])
>>> df = BatchData(df, 2)
>>> df.reset_state()
>>> [batch.tolist() for [batch] in df]
[[10, 20], [30, 40]]
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._tensorpack import install_as_tensorpack as install_as_tensorpack

if TYPE_CHECKING:
    from . import dataset, imgaug
    from .base import DataFlow, DataFlowTerminated, ProxyDataFlow, RNGDataFlow
    from .common import (
        BatchData,
        BatchDataByShape,
        CacheData,
        ConcatData,
        FixedSizeData,
        JoinData,
        LocallyShuffleData,
        MapData,
        MapDataComponent,
        PrintData,
        RandomChooseData,
        RandomMixData,
        RepeatedData,
        RepeatedDataPoint,
        SelectComponent,
        TestDataSpeed,
    )
    from .format import CaffeLMDB, HDF5Data, LMDBData, LMDBDataDecoder, SVMLightData
    from .image import AugmentImageComponent, AugmentImageComponents, AugmentImageCoordinates, ImageFromFile
    from .parallel import (
        MultiProcessPrefetchData,
        MultiProcessRunner,
        MultiProcessRunnerZMQ,
        MultiThreadPrefetchData,
        MultiThreadRunner,
        PrefetchData,
        PrefetchDataZMQ,
    )
    from .parallel_map import (
        MultiProcessMapAndBatchData,
        MultiProcessMapAndBatchDataZMQ,
        MultiProcessMapData,
        MultiProcessMapDataZMQ,
        MultiThreadMapData,
    )
    from .raw import DataFromGenerator, DataFromIterable, DataFromList, DataFromQueue, FakeData
    from .remote import RemoteDataZMQ, send_dataflow_zmq
    from .serialize import HDF5Serializer, LMDBSerializer, NumpySerializer, TFRecordSerializer

__version__ = "1.0.0.dev0"

__all__ = [
    "AugmentImageComponent",
    "AugmentImageComponents",
    "AugmentImageCoordinates",
    "BatchData",
    "BatchDataByShape",
    "CacheData",
    "CaffeLMDB",
    "ConcatData",
    "DataFlow",
    "DataFlowTerminated",
    "DataFromGenerator",
    "DataFromIterable",
    "DataFromList",
    "DataFromQueue",
    "FakeData",
    "FixedSizeData",
    "HDF5Data",
    "HDF5Serializer",
    "ImageFromFile",
    "JoinData",
    "LMDBData",
    "LMDBDataDecoder",
    "LMDBSerializer",
    "LocallyShuffleData",
    "MapData",
    "MapDataComponent",
    "MultiProcessMapAndBatchData",
    "MultiProcessMapAndBatchDataZMQ",
    "MultiProcessMapData",
    "MultiProcessMapDataZMQ",
    "MultiProcessPrefetchData",
    "MultiProcessRunner",
    "MultiProcessRunnerZMQ",
    "MultiThreadMapData",
    "MultiThreadPrefetchData",
    "MultiThreadRunner",
    "NumpySerializer",
    "PrefetchData",
    "PrefetchDataZMQ",
    "PrintData",
    "ProxyDataFlow",
    "RNGDataFlow",
    "RandomChooseData",
    "RandomMixData",
    "RemoteDataZMQ",
    "RepeatedData",
    "RepeatedDataPoint",
    "SVMLightData",
    "SelectComponent",
    "TFRecordSerializer",
    "TestDataSpeed",
    "dataset",
    "imgaug",
    "send_dataflow_zmq",
]

# The module of each name, loaded when the name is first used (PEP 562).
_NAMES = {
    "base": ("DataFlow", "DataFlowTerminated", "ProxyDataFlow", "RNGDataFlow", "WorkerError"),
    "raw": ("DataFromGenerator", "DataFromIterable", "DataFromList", "DataFromQueue", "FakeData"),
    "common": (
        "BatchData",
        "BatchDataByShape",
        "CacheData",
        "ConcatData",
        "FixedSizeData",
        "JoinData",
        "LocallyShuffleData",
        "MapData",
        "MapDataComponent",
        "PrintData",
        "RandomChooseData",
        "RandomMixData",
        "RepeatedData",
        "RepeatedDataPoint",
        "SelectComponent",
        "TestDataSpeed",
    ),
    "format": ("CaffeLMDB", "HDF5Data", "LMDBData", "LMDBDataDecoder", "SVMLightData"),
    "image": ("AugmentImageComponent", "AugmentImageComponents", "AugmentImageCoordinates", "ImageFromFile"),
    "parallel": (
        "MultiProcessPrefetchData",
        "MultiProcessRunner",
        "MultiProcessRunnerZMQ",
        "MultiThreadPrefetchData",
        "MultiThreadRunner",
        "PrefetchData",
        "PrefetchDataZMQ",
    ),
    "parallel_map": (
        "MultiProcessMapAndBatchData",
        "MultiProcessMapAndBatchDataZMQ",
        "MultiProcessMapData",
        "MultiProcessMapDataZMQ",
        "MultiThreadMapData",
    ),
    "remote": ("RemoteDataZMQ", "send_dataflow_zmq"),
    "serialize": ("HDF5Serializer", "LMDBSerializer", "NumpySerializer", "TFRecordSerializer"),
}
_OLD_NAMES = (
    "AugmentImagesTogether",
    "LMDBDataPoint",
    "PrefetchOnGPUs",
    "RemoteData",
    "TFRecordData",
    "ThreadedMapData",
    "serve_data",
)
_SUBMODULES = (*_NAMES, "dataset", "dftools", "imgaug", "prefetch", "utils")
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}
_MODULE_OF |= dict.fromkeys(_OLD_NAMES, "_old_names")


def __getattr__(name: str) -> Any:
    """Load the module that ``name`` lives in."""
    if name in _SUBMODULES:
        return importlib.import_module("." + name, __name__)
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module("." + _MODULE_OF[name], __name__), name)
    setattr(importlib.import_module(__name__), name, value)  # the next access is a plain attribute
    return value


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return sorted({*__all__, *_SUBMODULES, "WorkerError", "__version__", "install_as_tensorpack"})
