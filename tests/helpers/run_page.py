"""Run the Python blocks of a Markdown page: ``python run_page.py PAGE [MODULE]``.

They run from top to bottom in one namespace. A block with ``>>>`` is a doctest: what it shows must come out.
Any other block is run as it is; a ``text`` block after ``<!-- prints -->`` is what the block above it prints.
Blocks after ``<!-- needs: MODULE -->`` are left out, unless ``MODULE`` is asked for.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

PYTHON = ("python", "pycon")
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.REPORT_ONLY_FIRST_FAILURE
_FENCE = re.compile(r"^(?:<!-- (?P<mark>[^\n]*) -->\n)?```(?P<kind>[^\n`]*)\n(?P<text>.*?)^```$", re.M | re.S)
_NEEDS = "needs: "


class Block(NamedTuple):
    """A fenced block: its language, the comment on the line before it, its text and the line it starts at."""

    kind: str
    mark: str
    text: str
    line: int

    @property
    def needs(self) -> str:
        """The module that must be there to run it, or nothing."""
        return self.mark[len(_NEEDS) :] if self.mark.startswith(_NEEDS) else ""


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start("text"))
        yield Block(match["kind"].strip(), match["mark"] or "", match["text"], line)


def run(page: Path, module: str = "") -> int:
    """Run a page; return the number of examples that failed."""
    failed = 0
    names: dict[str, Any] = {"__name__": "__main__"}
    printed = ""
    for block in blocks(page):
        if block.kind in PYTHON and block.needs in ("", module):
            if ">>> " in block.text:
                failed += _check_session(block, names, page)
            else:
                printed = _execute(block, names, page)
        elif block.mark == "prints" and not doctest.OutputChecker().check_output(block.text, printed, FLAGS):
            print(f"{page}:{block.line}: expected\n{block.text}\ngot\n{printed}")
            failed += 1
    return failed


def _check_session(block: Block, names: dict[str, Any], page: Path) -> int:
    session = doctest.DocTestParser().get_doctest(block.text, names, page.name, str(page), block.line)
    session.globs = names  # the parser makes a copy; the next block goes on with these
    return doctest.DocTestRunner(optionflags=FLAGS).run(session, clear_globs=False).failed


def _execute(block: Block, names: dict[str, Any], page: Path) -> str:
    code = compile("\n" * block.line + block.text, str(page), "exec")  # tracebacks name the line of the page
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(code, names)
    return out.getvalue()


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), *sys.argv[2:]) and 1)
