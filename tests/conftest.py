"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest

from dataflow._core import random_state

# the same examples in each run: a failure can be seen again
hypothesis.settings.register_profile("deterministic", derandomize=True, deadline=None)
hypothesis.settings.load_profile("deterministic")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count as slow what starts an interpreter for each worker: ``fork`` does the same sooner."""
    for item in items:
        values = item.callspec.params.values() if hasattr(item, "callspec") else ()
        if any(isinstance(value, str) and value in ("spawn", "forkserver") for value in values):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _random_state_of_the_process() -> Iterator[None]:
    """Undo a test's ``fix_rng_seed`` and ``enter_worker``."""
    before = random_state._process
    yield
    random_state._process = before


@pytest.fixture
def seed() -> None:
    """Fix the seed to that of the reference sequences."""
    random_state.fix_rng_seed(42)
