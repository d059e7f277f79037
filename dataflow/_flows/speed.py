"""Measure the speed of a dataflow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from .._compat.old_attributes import OldAttribute
from .._compat.renamed import warn_renamed
from .._core.checks import whole_number
from ..base import ProxyDataFlow
from ..utils import logger
from ..utils.utils import get_tqdm

__all__ = ["TestDataSpeed"]


class TestDataSpeed(ProxyDataFlow[Any]):
    """Measure how many datapoints a second a dataflow yields, with a progress bar.

    Usually called as ``TestDataSpeed(df).start()``. Inside a pipeline, it measures at the beginning of each
    pass and then yields the datapoints of a new iterator.

    Args:
        ds: the dataflow.
        size: the number of datapoints to fetch.
        warmup: the number of datapoints to fetch before that, with a bar of their own.

    Raises:
        ValueError: a number is negative.
    """

    __test__ = False  # pytest should not take it for a test class

    _was_reset = False
    test_size = OldAttribute("_size")

    def __init__(self, ds: Iterable[Any], size: int = 5000, warmup: int = 0) -> None:
        super().__init__(ds)
        self._size = whole_number(size, 0, "TestDataSpeed: size")
        self.warmup = whole_number(warmup, 0, "TestDataSpeed: warmup")

    def reset_state(self) -> None:
        """Reset the wrapped dataflow."""
        super().reset_state()
        self._was_reset = True

    def __iter__(self) -> Iterator[Any]:
        """Run the test, then yield the datapoints of a new iterator."""
        self.start()
        yield from self.ds

    def start(self) -> None:
        """Run the test. ``ds`` is reset first, unless this object's ``reset_state()`` was called.

        The bar shows the datapoints a second. If the dataflow ends before enough have been fetched, a
        warning says so.
        """
        if not self._was_reset:
            self.reset_state()
        datapoints = iter(self.ds)
        if _fetch(datapoints, self.warmup, desc="Warmup", leave=False):
            _fetch(datapoints, self._size, leave=True, smoothing=0.2)

    def start_test(self) -> None:
        """Call ``start()``: the old name."""
        warn_renamed("TestDataSpeed.start_test()", "start()")
        self.start()


def _fetch(datapoints: Iterator[Any], n: int, **bar_options: Any) -> bool:
    """Fetch ``n`` datapoints with a progress bar; return False if there were fewer."""
    fetched = 0
    if n:
        with get_tqdm(total=n, **bar_options) as bar:
            for _ in islice(datapoints, n):
                fetched += 1
                bar.update()
    if fetched < n:
        logger.warning("TestDataSpeed: the dataflow ended after %d of %d datapoints", fetched, n)
    return fetched == n
