"""Draw the figures that ``run.py --json`` wrote: ours, the peers and the limit, on a logarithmic scale.

python benchmarks/plot.py figures.json picture.svg
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any, NamedTuple

from table import best_peer, short
from workloads import WORKLOADS, Workload

LOOKS = {  # in the order of the key: name, marker, colour
    "ours": ("dataflow", "o", "#e8590c"),
    "plain_mp": ("multiprocessing", "^", "#868e96"),
    "torch_loader": ("PyTorch DataLoader", "s", "#4263eb"),
    "torchdata_nodes": ("torchdata", "D", "#9775fa"),
    "grain_loader": ("Grain", "v", "#2b8a3e"),
    "tf_data": ("tf.data", "P", "#f59f00"),
    "limit": ("limit", "|", "#212529"),
    "ring": ("limit: a bare ring", "$\\circ$", "#212529"),
}
INK, FAINT, PAPER = "#343a40", "#dee2e6", "#ffffff"


class Row(NamedTuple):
    """One workload, with the median of each contender and that of the best peer."""

    workload: Workload
    medians: dict[str, float]
    best: float

    def times(self, contender: str) -> float:
        """Return how many times as good as the best peer a contender is."""
        value = self.medians[contender]
        return self.best / value if self.workload.less_is_better else value / self.best


def rows_of(result: dict[str, Any]) -> list[Row]:
    """Return the rows that compare the speed of ours with that of a peer."""
    rows = []
    for name, figures in result["figures"].items():
        workload = WORKLOADS[name]
        medians = {contender: statistics.median(values) for contender, values in figures.items()}
        best = best_peer(figures, workload.less_is_better)
        if best and "ours" in medians and workload.unit != "MB":
            rows.append(Row(workload, medians, medians[best]))
    return rows


def with_unit(row: Row) -> str:
    """Return the figure of ours as one would write it: "12.3 GB/s", "450 k/s", "3.9 ms"."""
    figure, unit = short(row.medians["ours"]), row.workload.unit
    return f"{figure}/s" if unit in ("1/s", "images/s") else f"{figure} {unit}"


def draw(result: dict[str, Any], path: Path) -> None:
    """Draw one row for each workload: how many times as good as the best peer each contender is."""
    import matplotlib as mpl

    mpl.use("svg" if path.suffix == ".svg" else "agg")
    mpl.rcParams.update(
        {"font.size": 9, "text.color": INK, "axes.labelcolor": INK, "svg.hashsalt": "dataflow"}
    )
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D
    from matplotlib.patches import FancyBboxPatch

    rows = rows_of(result)
    height = 1.1 + 0.3 * len(rows)
    figure = plt.figure(figsize=(9, height), facecolor="none")
    paper = FancyBboxPatch(
        (0.06, 0.06), 8.88, height - 0.12, "round,pad=0,rounding_size=0.12", fc=PAPER, ec=FAINT, zorder=-1
    )
    paper.set_transform(figure.dpi_scale_trans)
    figure.add_artist(paper)
    axes = figure.add_axes((0.365, 0.5 / height, 0.52, 1 - 1.0 / height), facecolor="none")
    for y, row in enumerate(reversed(rows)):
        # a line from the best of the others to ours
        axes.plot((1, row.times("ours")), (y, y), color=LOOKS["ours"][2], lw=1.6, alpha=0.35, zorder=2)
        for contender in row.medians:
            _, marker, colour = LOOKS[contender]
            size, order = {"ours": (8, 5), "limit": (11, 3), "ring": (8, 3)}.get(contender, (5, 4))
            look = {"marker": marker, "color": colour, "ms": size, "mew": 1.2}
            axes.plot(row.times(contender), y, ls="", zorder=order, **look)
        axes.annotate(
            with_unit(row),
            (1.02, y),
            xycoords=("axes fraction", "data"),
            va="center",
            color=LOOKS["ours"][2],
            fontweight="bold",
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g} x")
    axes.set_yticks(range(len(rows)), [row.workload.text for row in reversed(rows)])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel("how many times as fast as the fastest of the other loaders")
    axes.axvline(1, color="#adb5bd", lw=1.2, zorder=1)
    axes.grid(axis="x", color=FAINT, zorder=0)
    axes.tick_params(which="both", length=0, colors=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)
    shown = [c for c in LOOKS if any(c in row.medians for row in rows)]
    figure.legend(
        [Line2D([], [], ls="", marker=LOOKS[c][1], color=LOOKS[c][2], ms=7, mew=1.2) for c in shown],
        [LOOKS[c][0] for c in shown],
        loc="upper center",
        bbox_to_anchor=(0.5, 1 - 0.12 / height),
        ncol=len(shown),
        columnspacing=1.0,
        handletextpad=0.3,
        frameon=False,
    )
    figure.savefig(path, dpi=200, transparent=True)


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
