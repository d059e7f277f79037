"""Counters and running statistics."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._compat.renamed import renamed_arguments

__all__ = ["Accuracy", "BinaryStatistics", "OnlineMoments", "RatioCounter", "StatCounter"]


class StatCounter:
    """Keeps values and answers for their count, average, sum, maximum and minimum."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all values."""
        self._values: list[Any] = []

    def feed(self, v: Any) -> None:
        """Add a value: a number, or an array of the same shape each time.

        Args:
            v: the value.
        """
        self._values.append(v)

    def samples(self) -> list[Any]:
        """Return the list of all values."""
        return self._values

    @property
    def count(self) -> int:
        """Number of values."""
        return len(self._values)

    @property
    def average(self) -> Any:
        """Their mean. Raises ValueError if there are none."""
        return np.mean(self._some())

    @property
    def sum(self) -> Any:
        """Their sum. Raises ValueError if there are none."""
        return np.sum(self._some())

    @property
    def max(self) -> Any:
        """The largest. Raises ValueError if there are none."""
        return max(self._some())

    @property
    def min(self) -> Any:
        """The smallest. Raises ValueError if there are none."""
        return min(self._some())

    def _some(self) -> list[Any]:
        if not self._values:
            raise ValueError("StatCounter is empty: feed() it first")
        return self._values


class RatioCounter:
    """Counts a part and its whole, e.g. errors and trials."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start from 0 of 0."""
        self._count = 0
        self._total = 0

    @renamed_arguments(cnt="count", tot="total")
    def feed(self, count: int, total: int = 1) -> None:
        """Add ``count`` of ``total``.

        Args:
            count: how many of them.
            total: how many there were.
        """
        self._count += count
        self._total += total

    @property
    def ratio(self) -> float:
        """The part of the whole; 0 when nothing was fed."""
        return self._count / self._total if self._total else 0

    @property
    def total(self) -> int:
        """Sum of the totals."""
        return self._total

    @property
    def count(self) -> int:
        """Sum of the counts."""
        return self._count


class Accuracy(RatioCounter):
    """A ``RatioCounter`` whose ratio is called accuracy."""

    @property
    def accuracy(self) -> float:
        """The part of the whole; 0 when nothing was fed."""
        return self.ratio


class BinaryStatistics:
    """Precision and recall of predictions of 0 or 1.

    Note:
        ``false_positive`` and ``false_negative`` are 1 - precision and 1 - recall, as they always were: not
        the rates that usually have these names.

    Attributes:
        nr_pos: labels that are 1.
        nr_neg: labels that are 0.
        nr_pred_pos: predictions of 1.
        nr_pred_neg: predictions of 0.
        corr_pos: correct predictions of 1.
        corr_neg: correct predictions of 0.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.nr_pos = 0
        self.nr_neg = 0
        self.nr_pred_pos = 0
        self.nr_pred_neg = 0
        self.corr_pos = 0
        self.corr_neg = 0

    def feed(self, pred: Any, label: Any) -> None:
        """Add predictions and their labels.

        Args:
            pred: array of 0 and 1.
            label: array of 0 and 1, of the same shape.

        Raises:
            ValueError: the shapes differ, or a value is neither 0 nor 1.
        """
        pred, label = np.asarray(pred), np.asarray(label)
        if pred.shape != label.shape:
            raise ValueError(
                f"BinaryStatistics: predictions have shape {pred.shape}, labels {label.shape}; "
                "expected the same shape"
            )
        for array in (pred, label):
            if not ((array == 0) | (array == 1)).all():
                raise ValueError("BinaryStatistics: expected only 0 and 1")
        positives, predicted = int((label == 1).sum()), int((pred == 1).sum())
        self.nr_pos += positives
        self.nr_neg += label.size - positives
        self.nr_pred_pos += predicted
        self.nr_pred_neg += pred.size - predicted
        self.corr_pos += int(((pred == 1) & (label == 1)).sum())
        self.corr_neg += int(((pred == 0) & (label == 0)).sum())

    @property
    def precision(self) -> float:
        """Correct positives / predicted positives; 0 when there are none."""
        return self.corr_pos / self.nr_pred_pos if self.nr_pred_pos else 0

    @property
    def recall(self) -> float:
        """Correct positives / positives; 0 when there are none."""
        return self.corr_pos / self.nr_pos if self.nr_pos else 0

    @property
    def false_positive(self) -> float:
        """1 - precision; 0 when nothing was predicted positive."""
        return 1 - self.precision if self.nr_pred_pos else 0

    @property
    def false_negative(self) -> float:
        """1 - recall; 0 when there are no positives."""
        return 1 - self.recall if self.nr_pos else 0


class OnlineMoments:
    """Mean and variance of a stream in one pass, without keeping it."""

    def __init__(self) -> None:
        self._n = 0
        self._mean: Any = 0
        self._m2: Any = 0

    def feed(self, x: Any) -> None:
        """Add a value.

        Args:
            x: a number, or an array of the same shape each time; then the results are elementwise.
        """
        self._n += 1
        delta = x - self._mean
        self._mean = self._mean + delta / self._n
        self._m2 = self._m2 + delta * (x - self._mean)

    @property
    def mean(self) -> Any:
        """Their mean; 0 when nothing was fed."""
        return self._mean

    @property
    def variance(self) -> Any:
        """Their variance with divisor n - 1. Raises ZeroDivisionError below two values."""
        if self._n < 2:
            raise ZeroDivisionError(f"OnlineMoments: the variance needs two values, got {self._n}")
        return self._m2 / (self._n - 1)

    @property
    def std(self) -> Any:
        """The square root of the variance."""
        return np.sqrt(self.variance)
