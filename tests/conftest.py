"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest

from dataflow.utils import _rng

# the same examples in each run: a failure can be seen again
hypothesis.settings.register_profile("deterministic", derandomize=True, deadline=None)
hypothesis.settings.load_profile("deterministic")


@pytest.fixture(autouse=True)
def _random_state_of_the_process() -> Iterator[None]:
    """Undo a test's ``fix_rng_seed`` and ``enter_worker``."""
    before = _rng._process
    yield
    _rng._process = before


@pytest.fixture
def seed() -> None:
    """Fix the seed to that of the reference sequences."""
    _rng.fix_rng_seed(42)
