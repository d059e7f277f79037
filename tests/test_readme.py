"""The README, the script that runs its commands, and the package say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import dataflow

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "benchmarks/README.md",
    "docs/README.md",
]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_names_in_the_table_exist() -> None:
    names = re.findall(r"^\| `(\w+)\(", README, re.MULTILINE)
    assert len(names) >= 7
    assert set(names) <= set(dataflow.__all__)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = set(re.findall(r"\]\((?!https?:)([^)#]+)", text))
    assert [t for t in targets if not (ROOT / page).parent.joinpath(t).exists()] == []


def test_ci_knows_every_marked_command() -> None:
    source = (ROOT / ".ci" / "run.py").read_text(encoding="utf-8")
    steps = re.search(r"^STEPS = \[(.+)\]$", source, re.MULTILINE)
    assert steps is not None
    assert sorted(re.findall('"(.+?)"', steps[1])) == sorted(re.findall("<!-- run: (.+) -->", README))
