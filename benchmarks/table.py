"""What the figures say: medians, and how many times as good as each other contender ours is."""

from __future__ import annotations

import statistics
from typing import NamedTuple

from workloads import Workload

Figures = dict[str, list[float]]
"""Of one workload: for each contender a figure for each round."""


NO_PEERS = ("ours", "limit", "ring")


class Ratio(NamedTuple):
    """How many times as good ours is, in the median of the rounds, the worst and the best of them."""

    median: float
    least: float
    most: float


def ratio(figures: Figures, other: str, less_is_better: bool) -> Ratio | None:
    """Return how ours compares with another contender within each round, or None if one is missing.

    More than 1 is good for ours, also where less is better.
    """
    pairs = zip(figures.get("ours", []), figures.get(other, []), strict=False)
    ratios = [b / a if less_is_better else a / b for a, b in pairs if a and b]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios)) if ratios else None


def best_peer(figures: Figures, less_is_better: bool) -> str | None:
    """Return the contender that is best among the others, not counting the limits, which nobody uses."""
    peers = {c: statistics.median(v) for c, v in figures.items() if c not in NO_PEERS}
    if not peers:
        return None
    return (min if less_is_better else max)(peers, key=lambda c: peers[c])


def row(workload: Workload, figures: Figures) -> str:
    """Return the part of the table that is about one workload."""
    lines = [f"{workload.text} ({workload.unit}{', less is better' if workload.less_is_better else ''})"]
    best = best_peer(figures, workload.less_is_better)
    for contender, values in figures.items():
        line = f"  {contender:16} {short(statistics.median(values)):>9}"
        if contender != "ours" and (r := ratio(figures, contender, workload.less_is_better)):
            line += f"   ours: {r.median:7.2f} x  ({r.least:.2f} - {r.most:.2f})"
        lines.append(line + ("  best peer" if contender == best else ""))
    return "\n".join(lines)


def short(value: float) -> str:
    """Return a number with three digits and a letter for thousands or millions."""
    for factor, letter in ((1e6, "M"), (1e3, "k")):
        if value >= factor * 0.9995:
            return f"{value / factor:.3g} {letter}"
    return f"{value:.3g}"
