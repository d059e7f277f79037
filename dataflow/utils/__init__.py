"""Helpers that know no dataflow. Submodules that are not named here are to be imported explicitly."""

from __future__ import annotations

from . import logger
from .utils import (
    change_env,
    execute_only_once,
    fix_rng_seed,
    get_rng,
    get_tqdm,
    humanize_time_delta,
)

__all__ = [
    "change_env",
    "execute_only_once",
    "fix_rng_seed",
    "get_rng",
    "get_tqdm",
    "humanize_time_delta",
    "logger",
]
