"""Every code block of the documentation does what it says."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dataflow
from dataflow import dataset, imgaug
from tests.helpers import run_page

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("docs/**/*.md"), *ROOT.glob("README.md")])
PAGES = [page for page in PAGES if "_build" not in page.parts]
RUNS = [
    pytest.param(page, needs, id=f"{page.relative_to(ROOT)}{needs and ':' + needs}")
    for page in PAGES
    for needs in sorted({block.needs for block in run_page.blocks(page) if block.kind in run_page.PYTHON})
]
TEXT = ("console", "sh", "text", "toml")  # nothing to run


@pytest.mark.parametrize("page, needs", RUNS)
def test_blocks(page: Path, needs: str, tmp_path: Path) -> None:
    """Each page in a process of its own, in an empty directory, with warnings as errors."""
    if needs and importlib.util.find_spec(needs) is None:
        pytest.skip(f"{needs} is not installed")
    strict = [] if needs else ["-W", "error"]  # other libraries warn as they like
    command = [sys.executable, *strict, run_page.__file__, str(page), *([needs] if needs else [])]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=55,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_are_of_a_known_kind(page: Path) -> None:
    """No block escapes the test above by a misspelt language."""
    for block in run_page.blocks(page):
        known = block.kind in (*run_page.PYTHON, *TEXT) or block.kind.startswith("{")
        assert known, f"{page}:{block.line}: {block.kind!r}"
    assert not re.search(r"^ +```", page.read_text(encoding="utf-8"), re.M), (
        f"{page}: an indented block is not run"
    )


def test_a_wrong_block_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```python\nx = 1\nprint(x)\n```\n<!-- prints -->\n```text\n1\n```\n```python\n>>> x\n1\n```\n"
    )
    assert run_page.run(page) == 0
    page.write_text("```python\nprint(1)\n```\n<!-- prints -->\n```text\n2\n```\n```python\n>>> 1\n2\n```\n")
    assert run_page.run(page) == 2
    assert "Expected" in capsys.readouterr().out
    page.write_text("<!-- needs: m -->\n```python\nraise OSError\n```\n")
    assert run_page.run(page) == 0
    with pytest.raises(OSError):
        run_page.run(page, "m")


def test_the_reference_has_every_public_name() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in ROOT.glob("docs/api/*.md"))
    public = [*dataflow.__all__, *imgaug.__all__, *dataset.__all__]
    assert [name for name in public if not re.search(rf"\b{name}\b", text)] == []


def test_files_that_the_plan_names_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:\w+/)*\w+\.(?:pyi?|md|toml))`", text))
    assert "_flows/batch.py" in named
    lost = [
        name
        for name in named
        if not any((ROOT / part / name).exists() for part in ("", "dataflow", "dataflow/imgaug"))
    ]
    assert lost == []
