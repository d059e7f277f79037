"""Every class of the package that reads other dataflows, made around a given one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dataflow import (
    AugmentImageComponent,
    AugmentImageComponents,
    AugmentImageCoordinates,
    BatchData,
    BatchDataByShape,
    CacheData,
    ConcatData,
    FixedSizeData,
    JoinData,
    LocallyShuffleData,
    MapData,
    MapDataComponent,
    MultiProcessMapAndBatchData,
    MultiProcessMapData,
    MultiProcessRunner,
    MultiProcessRunnerZMQ,
    MultiThreadMapData,
    MultiThreadRunner,
    PrintData,
    ProxyDataFlow,
    RandomChooseData,
    RandomMixData,
    RepeatedData,
    RepeatedDataPoint,
    SelectComponent,
    TestDataSpeed,
    imgaug,
)
from dataflow.parallel_map import MultiProcessMapDataComponentSharedArray
from tests.helpers.parallel import identity

AUGMENTORS = [imgaug.Identity()]

PLAIN: dict[str, Callable[[Any], Any]] = {
    "AugmentImageComponent": lambda ds: AugmentImageComponent(ds, AUGMENTORS),
    "AugmentImageComponents": lambda ds: AugmentImageComponents(ds, AUGMENTORS, (0,)),
    "AugmentImageCoordinates": lambda ds: AugmentImageCoordinates(ds, AUGMENTORS),
    "BatchData": lambda ds: BatchData(ds, 2),
    "BatchDataByShape": lambda ds: BatchDataByShape(ds, 2, 0),
    "CacheData": CacheData,
    "ConcatData": lambda ds: ConcatData([ds]),
    "FixedSizeData": lambda ds: FixedSizeData(ds, 2),
    "JoinData": lambda ds: JoinData([ds]),
    "LocallyShuffleData": lambda ds: LocallyShuffleData(ds, 2),
    "MapData": lambda ds: MapData(ds, identity),
    "MapDataComponent": lambda ds: MapDataComponent(ds, identity),
    "PrintData": PrintData,
    "ProxyDataFlow": ProxyDataFlow,
    "RandomChooseData": lambda ds: RandomChooseData([ds]),
    "RandomChooseData with probabilities": lambda ds: RandomChooseData([(ds, 1.0)]),
    "RandomMixData": lambda ds: RandomMixData([ds]),
    "RepeatedData": lambda ds: RepeatedData(ds, 2),
    "RepeatedDataPoint": lambda ds: RepeatedDataPoint(ds, 2),
    "SelectComponent": lambda ds: SelectComponent(ds, [0]),
    "TestDataSpeed": TestDataSpeed,
}
"""Without workers."""

PARALLEL: dict[str, Callable[[Any], Any]] = {
    "MultiProcessMapAndBatchData": lambda ds: MultiProcessMapAndBatchData(ds, 1, identity, 2),
    "MultiProcessMapData": lambda ds: MultiProcessMapData(ds, 1, identity, 5, strict=True),
    "MultiProcessMapDataComponentSharedArray": lambda ds: MultiProcessMapDataComponentSharedArray(
        ds, 1, identity, (90, 90, 3), "u1"
    ),
    "MultiProcessRunner": lambda ds: MultiProcessRunner(ds, 5, 1),
    "MultiProcessRunnerZMQ": MultiProcessRunnerZMQ,
    "MultiThreadMapData": lambda ds: MultiThreadMapData(ds, 1, identity, 5, strict=True),
    "MultiThreadRunner": lambda ds: MultiThreadRunner(lambda: ds, 5, 1),
}
"""With workers of their own."""

WRAPPERS = PLAIN | PARALLEL

SOURCES = {
    "CaffeLMDB",
    "DataFromGenerator",
    "DataFromIterable",
    "DataFromList",
    "DataFromQueue",
    "FakeData",
    "HDF5Data",
    "ImageFromFile",
    "LMDBData",
    "LMDBDataDecoder",
    "RemoteDataZMQ",
    "SVMLightData",
}
"""What reads no dataflow, or (``LMDBDataDecoder``) only one kind."""
