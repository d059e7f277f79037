"""Let old programs import this library by the name of tensorpack."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import PathFinder
from pathlib import Path

__all__ = ["hide_behind_own_package", "install_as_tensorpack"]

# A folder on sys.path rather than an import hook: spawned worker processes get sys.path too.
_FOLDER = Path(__file__).parent / "as_tensorpack"
_OWN_NAME_FOLDER = Path(__file__).parent / "own_name"
_PACKAGE = __name__.partition(".")[0]
_OURS = str(_FOLDER / "tensorpack" / "__init__.py")


def install_as_tensorpack(*, override: bool = False) -> None:
    """Make ``import tensorpack`` import this library from now on, in this process and its workers.

    Then ``from tensorpack.dataflow import *``, ``from tensorpack import imgaug, logger``,
    ``from tensorpack.utils import ...`` and the like import the modules of ``dataflow``: the same objects, by
    another name. Names of earlier releases come with ``*``, too. Nothing on disk is changed.

    Args:
        override: do so even if tensorpack is installed. It can't be imported any more then.

    Raises:
        RuntimeError: a tensorpack has been imported already; or one is installed, and ``override`` is not
            set.
    """
    loaded = sys.modules.get("tensorpack")
    if loaded is not None:
        if loaded.__file__ == _OURS:
            return
        raise RuntimeError(
            f"install_as_tensorpack: {loaded.__file__} has been imported already. Call this before it"
        )
    spec = importlib.util.find_spec("tensorpack")
    if spec is not None and spec.origin == _OURS:
        return
    if spec is not None and not override:
        raise RuntimeError(
            f"install_as_tensorpack: a tensorpack is installed at {spec.origin}. Pass override=True to "
            "import this library in its place, in this process only"
        )
    sys.path.insert(0, str(_FOLDER))


def hide_behind_own_package(folder: str) -> None:
    """Give up the name ``dataflow`` if a program in ``folder`` has a package or module of its own by it.

    Then ``import dataflow`` is the program's, also in its workers, and ``import tensorpack`` loads this
    library again, under the name ``dataflow_loader``. Do not use modules that were loaded before.
    """
    spec = PathFinder.find_spec("dataflow", [folder])
    if spec is None or spec.origin is None or (Path(spec.origin).parent / "_compat" / "own_name").exists():
        return  # there is none, or it is a copy of this library
    for name in [name for name in sys.modules if name == _PACKAGE or name.startswith(_PACKAGE + ".")]:
        del sys.modules[name]
    sys.path.append(str(_OWN_NAME_FOLDER))
