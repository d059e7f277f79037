"""The examples in the docstrings of the package."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import dataflow
from tests.helpers.run_page import FLAGS

PACKAGE = Path(dataflow.__file__).parent
FILES = [path.relative_to(PACKAGE.parent).with_suffix("") for path in sorted(PACKAGE.rglob("*.py"))]
NAMES = [".".join(f.parts).removesuffix(".__init__") for f in FILES if f.name != "__main__"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # some show what an old name does
@pytest.mark.parametrize("name", NAMES)
def test_docstrings(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty directory; ``path`` is a file that does not exist yet, another one for each docstring."""
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    for number, examples in enumerate(doctest.DocTestFinder().find(importlib.import_module(name))):
        examples.globs["path"] = str(tmp_path / f"file{number}")
        runner.run(examples)
    assert not runner.summarize(verbose=False).failed
