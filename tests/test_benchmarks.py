"""The benchmarks: what their table says of made-up figures, and that the harness runs."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.parallel import ROOT

BENCHMARKS = Path(ROOT) / "benchmarks"


@pytest.fixture
def neighbours(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The scripts import each other as neighbours."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "").parent == BENCHMARKS:
            del sys.modules[name]


@pytest.fixture
def table(neighbours: None) -> Any:
    return importlib.import_module("table")


@pytest.fixture
def growth(neighbours: None) -> Any:
    return importlib.import_module("growth")


def test_ratio_is_that_within_each_round(table: Any) -> None:
    # the machine was half as fast in the second round; in the third the other was lucky
    figures = {"ours": [30.0, 15.0, 30.0], "other": [10.0, 5.0, 15.0]}
    assert table.ratio(figures, "other", less_is_better=False) == (3.0, 2.0, 3.0)


def test_more_than_one_is_good_for_ours_in_milliseconds_too(table: Any) -> None:
    figures = {"ours": [2.0, 4.0, 3.0], "other": [8.0, 8.0, 30.0]}
    assert table.ratio(figures, "other", less_is_better=True) == (4.0, 2.0, 10.0)


@pytest.mark.parametrize("figures", [{"ours": [1.0]}, {"other": [1.0]}, {}, {"ours": [1.0], "other": [0.0]}])
def test_no_ratio_without_both(table: Any, figures: Any) -> None:
    assert table.ratio(figures, "other", less_is_better=False) is None


def test_best_peer_is_neither_ours_nor_the_limit(table: Any) -> None:
    figures = {"ours": [9.0], "limit": [10.0], "a": [1.0, 9.0, 1.0], "b": [2.0, 2.0, 2.0]}
    assert table.best_peer(figures, less_is_better=False) == "b"
    assert table.best_peer(figures, less_is_better=True) == "a"
    assert table.best_peer({"ours": [1.0], "limit": [2.0]}, less_is_better=False) is None


def test_row(table: Any) -> None:
    workload = replace(table.Workload("w", "some work", "ms", float), less_is_better=True)
    assert table.row(
        workload, {"ours": [2.0, 2.0, 4.0], "slow": [8.0, 9.0, 12.0], "limit": [1.0, 1.0, 1.0]}
    ) == (
        "some work (ms, less is better)\n"
        "  ours                     2\n"
        "  slow                     9   ours:    4.00 x  (3.00 - 4.50)  best peer\n"
        "  limit                    1   ours:    0.50 x  (0.25 - 0.50)"
    )


def test_short(table: Any) -> None:
    values = (0.01234, 1.0, 999.0, 999.9, 12_345.0, 999_900.0, 1.5e6)
    assert [table.short(v) for v in values] == ["0.0123", "1", "999", "1 k", "12.3 k", "1 M", "1.5 M"]


def test_no_collapse_past_the_cores(growth: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "cores", lambda: 2)
    rows = [(n, {"1/s": rate}) for n, rate in ((1, 50.0), (2, 100.0), (4, 90.0), (8, 89.0))]
    assert list(growth._no_collapse(rows)) == [
        "",  # one process can't keep two cores busy
        "ok (1.00 of the best)",
        "ok (0.90 of the best)",
        "NO: 0.89 of the best",
    ]


def test_what_is_asked_of_the_other_curves(growth: Any) -> None:
    assert list(growth._flat([("x", {"a": 40.0, "b": 41.6}), ("y", {"a": 40.0, "b": 42.1})])) == [
        "ok (grew by 4.0%)",
        "NO: grew by 5.2%",
    ]
    peaks = [({"MB": mb, "hwm x size, MB": 500.0}) for mb in (400.0, 550.0, 551.0)]
    assert [j[:2] for j in growth._bounded([("", figures) for figures in peaks])] == ["ok", "ok", "NO"]
    rates = [(10**k, {"1/s": rate}) for k, rate in ((3, 100.0), (4, 25.0), (5, 20.0))]
    assert [j[:2] for j in growth._linear(rates)] == ["ok", "ok", "NO"]
    stages = [(n, {"ns a stage": ns}) for n, ns in ((1, 100.0), (5, 100.0), (20, 151.0))]
    assert [j[:2] for j in growth._same_cost(stages)] == ["ok", "ok", "NO"]


def test_run_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    file.write_text(json.dumps({"figures": {"runner_tiny_1": {"ours": [7.0]}}}))
    command = [sys.executable, str(BENCHMARKS / "run.py"), "--quick", "-c", "ours", "--json", str(file)]
    done = subprocess.run(
        [*command, "--resume", "-w", "runner_tiny_1", "-w", "chain"],
        env={**os.environ, "PYTHONPATH": ROOT},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(file.read_text())["figures"]
    assert figures["runner_tiny_1"] == {"ours": [7.0]}
    assert len(figures["chain"]["ours"]) == 1 and figures["chain"]["ours"][0] > 0
    assert "three maps" in done.stdout and "runner, 1 process" in done.stdout
    assert "chain, round 1 of 1: ours" in done.stderr and "runner_tiny_1," not in done.stderr
