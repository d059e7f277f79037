"""Draw the figures that ``run.py --json`` wrote: ours, the peers and the limit, on a logarithmic scale.

python benchmarks/plot.py figures.json picture.svg
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from workloads import WORKLOADS

LABELS = {
    "ours": "dataflow",
    "torch_loader": "PyTorch DataLoader",
    "torchdata_nodes": "torchdata",
    "grain_loader": "Grain",
    "tf_data": "tf.data",
    "plain_mp": "multiprocessing",
}
COLOURS = {"ours": "#d9480f", "torch_loader": "#4263eb", "grain_loader": "#2b8a3e", "tf_data": "#f59f00"}
OTHER = "#868e96"


def draw(result: dict[str, Any], path: Path) -> None:
    """Draw one row for each workload: how many times as fast as the fastest peer each contender is."""
    import matplotlib as mpl

    mpl.use("svg" if path.suffix == ".svg" else "agg")
    import matplotlib.pyplot as plt

    rows = []
    for name, rates in result["figures"].items():
        medians = {contender: statistics.median(values) for contender, values in rates.items()}
        peers = [v for contender, v in medians.items() if contender not in ("ours", "limit")]
        if peers and "ours" in medians:
            rows.append((WORKLOADS[name].text, medians, max(peers)))
    figure, axes = plt.subplots(figsize=(9, 0.9 + 0.42 * len(rows)), layout="constrained")
    seen: set[str] = set()
    for y, (_, medians, best) in enumerate(reversed(rows)):
        for contender, rate in sorted(medians.items(), key=lambda item: item[0] == "ours"):
            if contender == "limit":
                axes.plot(rate / best, y, "|", color="black", ms=14, label="" if "limit" in seen else "limit")
            else:
                label = LABELS[contender]
                colour = COLOURS.get(contender, OTHER)
                marker = {"torchdata_nodes": "s", "plain_mp": "^"}.get(contender, "o")
                size = 10 if contender == "ours" else 6
                axes.plot(
                    rate / best, y, marker, color=colour, ms=size, label="" if contender in seen else label
                )
            seen.add(contender)
    axes.set_xscale("log")
    axes.set_yticks(range(len(rows)), [text for text, *_ in reversed(rows)])
    axes.set_xlabel("speed, the fastest of the other loaders = 1")
    axes.axvline(1, color="#ced4da", zorder=0)
    axes.grid(axis="x", color="#e9ecef", zorder=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncol=4, frameon=False)
    figure.savefig(path)


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
