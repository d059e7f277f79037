"""The command ``dataflow-loader``: look into files of datapoints, convert them, and run old programs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from . import __version__
from ._cli import convert, inspect, run
from ._core.describe import printable

_COMMANDS = (inspect, convert, run)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Tell what is wrong in one line."""
        self.exit(2, f"{self.prog}: {message}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status: 2, and one line on stderr, for bad input."""
    as_module = os.path.basename(sys.argv[0]) == "__main__.py"
    parser = _Parser(
        prog="python -m dataflow" if as_module else "dataflow-loader",
        description="Look into files of datapoints, convert them, run old programs.",
    )
    parser.add_argument("--version", action="version", version=f"dataflow {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND")
    for command in _COMMANDS:
        command.add(commands)
    args = parser.parse_args(argv)
    if not hasattr(args, "run"):
        parser.print_help()
        return 0
    try:
        args.run(args)
    except (ValueError, TypeError, OSError, ImportError, MemoryError, KeyError, RuntimeError) as e:
        message = " ".join(str(e).split()) or type(e).__name__
        print(f"{parser.prog}: {printable(message)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
