"""Helpers that do not depend on dataflows. Import submodules that are not named here explicitly."""

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
