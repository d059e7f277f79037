"""dataflow.utils.stats, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow.utils.stats import Accuracy, BinaryStatistics, OnlineMoments, RatioCounter, StatCounter

numbers = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30)


@given(numbers)
def test_stat_counter(values):
    c = StatCounter()
    for v in values:
        c.feed(v)
    assert c.samples() == values
    assert (c.count, c.max, c.min) == (len(values), max(values), min(values))
    assert np.isclose(c.sum, np.sum(values)) and np.isclose(c.average, np.mean(values))
    c.reset()
    assert c.count == 0


@pytest.mark.parametrize("name", ["average", "sum", "max", "min"])
def test_empty_stat_counter(name):
    with pytest.raises(ValueError, match="empty"):
        getattr(StatCounter(), name)


def test_ratio_counter():
    c = RatioCounter()
    assert (c.ratio, c.count, c.total) == (0, 0, 0)
    c.feed(1, 4)
    c.feed(1)
    assert (c.ratio, c.count, c.total) == (0.4, 2, 5)
    c.feed(count=0, total=5)
    assert c.ratio == 0.2
    c.reset()
    assert c.total == 0


def test_accuracy():
    a = Accuracy()
    a.feed(3, 4)
    assert a.accuracy == a.ratio == 0.75


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), max_size=40))
def test_binary_statistics(pairs):
    s = BinaryStatistics()
    for part in (pairs[:7], pairs[7:]):
        s.feed(np.array([p for p, _ in part]), np.array([y for _, y in part]))
    assert s.nr_pos == sum(y for _, y in pairs)
    assert s.nr_neg == len(pairs) - s.nr_pos
    assert s.nr_pred_pos == sum(p for p, _ in pairs)
    assert s.nr_pred_neg == len(pairs) - s.nr_pred_pos
    assert s.corr_pos == pairs.count((1, 1))
    assert s.corr_neg == pairs.count((0, 0))
    if s.nr_pred_pos:
        assert s.precision == s.corr_pos / s.nr_pred_pos
        assert s.false_positive == 1 - s.precision
    else:
        assert s.precision == s.false_positive == 0
    if s.nr_pos:
        assert s.recall == s.corr_pos / s.nr_pos
        assert s.false_negative == 1 - s.recall
    else:
        assert s.recall == s.false_negative == 0


def test_binary_statistics_checks():
    with pytest.raises(ValueError, match="shape"):
        BinaryStatistics().feed([1, 0], [1])
    with pytest.raises(ValueError, match="0 and 1"):
        BinaryStatistics().feed([2], [1])


@given(numbers)
def test_online_moments(values):
    m = OnlineMoments()
    for v in values:
        m.feed(v)
    assert np.isclose(m.mean, np.mean(values), atol=1e-6)
    assert np.isclose(m.variance, np.var(values, ddof=1), atol=1e-4)
    assert np.isclose(m.std, np.std(values, ddof=1), atol=1e-2)


def test_online_moments_of_arrays_and_of_too_little():
    m = OnlineMoments()
    m.feed(np.array([1.0, 2.0]))
    with pytest.raises(ZeroDivisionError):
        _ = m.variance
    m.feed(np.array([3.0, 2.0]))
    assert m.mean.tolist() == [2, 2] and m.variance.tolist() == [2, 0]


def test_ratio_counter_takes_the_old_names():
    c = RatioCounter()
    with pytest.warns(DeprecationWarning, match="'count'"):
        c.feed(cnt=1, total=2)
    assert c.ratio == 0.5
