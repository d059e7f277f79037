"""Proxies, dataflows around other dataflows: batch, map, repeat, combine, shuffle, cache, print, time."""

from __future__ import annotations

from ._flows.batch import BatchData, BatchDataByShape
from ._flows.cache import CacheData
from ._flows.combine import ConcatData, JoinData, RandomChooseData, RandomMixData
from ._flows.map import MapData, MapDataComponent, SelectComponent
from ._flows.print import PrintData
from ._flows.repeat import FixedSizeData, RepeatedData, RepeatedDataPoint
from ._flows.shuffle import LocallyShuffleData
from ._flows.speed import TestDataSpeed

# programs import these from here too
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
