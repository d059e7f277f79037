"""Dataflows around dataflows: batch, map, repeat, combine, shuffle, cache; look at one, and time it."""

from __future__ import annotations

from ._batch import BatchData, BatchDataByShape
from ._cache import CacheData
from ._combine import ConcatData, JoinData, RandomChooseData, RandomMixData
from ._map import MapData, MapDataComponent, SelectComponent
from ._print import PrintData
from ._repeat import FixedSizeData, RepeatedData, RepeatedDataPoint
from ._shuffle import LocallyShuffleData
from ._speed import TestDataSpeed

# programs take these from here too
from .base import DataFlow, DataFlowReentrantGuard, ProxyDataFlow, RNGDataFlow

__all__ = [
    "BatchData",
    "BatchDataByShape",
    "CacheData",
    "ConcatData",
    "DataFlow",
    "DataFlowReentrantGuard",
    "FixedSizeData",
    "JoinData",
    "LocallyShuffleData",
    "MapData",
    "MapDataComponent",
    "PrintData",
    "ProxyDataFlow",
    "RNGDataFlow",
    "RandomChooseData",
    "RandomMixData",
    "RepeatedData",
    "RepeatedDataPoint",
    "SelectComponent",
    "TestDataSpeed",
]
