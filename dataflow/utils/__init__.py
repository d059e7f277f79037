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

__path__.append(f"{__path__[0]}/../_compat/old_modules/utils")  # compatible_serialize is found there

__all__ = [
    "change_env",
    "execute_only_once",
    "fix_rng_seed",
    "get_rng",
    "get_tqdm",
    "humanize_time_delta",
    "logger",
]
