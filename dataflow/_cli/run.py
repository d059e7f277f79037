"""``dataflow-loader run SCRIPT ARGS...``."""

from __future__ import annotations

import argparse
import os
import runpy
import sys
from typing import Any

from .._compat.not_included import why_not
from .._compat.tensorpack import hide_behind_own_package, install_as_tensorpack

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "run", help="run a program that imports tensorpack, with this library instead"
    )
    parser.add_argument("script", metavar="SCRIPT", help="the program, unchanged")
    parser.add_argument("args", metavar="ARGS", nargs=argparse.REMAINDER, help="its arguments")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Run a program as ``python SCRIPT ARGS...`` would."""
    script = args.script
    if not os.path.exists(script):
        raise FileNotFoundError(f"{script} does not exist")
    sys.argv = [script, *args.args]
    folder = os.path.dirname(os.path.abspath(script))
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0] = folder
    install_as_tensorpack(override=True)
    if folder in sys.path:
        hide_behind_own_package(folder)
    try:
        runpy.run_path(script, run_name="__main__")
    except Exception as e:
        traceback = e.__traceback__
        while traceback is not None and traceback.tb_frame.f_code.co_filename != script:
            traceback = traceback.tb_next  # our own frames are of no interest
        sys.excepthook(type(e), e.with_traceback(traceback), traceback)
        if isinstance(e, NameError) and e.name and "tensorpack" in sys.modules:
            print(f"If that is a name of tensorpack: {why_not(e.name)}", file=sys.stderr)
        sys.exit(1)
