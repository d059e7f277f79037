"""Make one tree of modules importable under a second name.

``install_alias("tensorpack", "dataflow")`` makes ``import tensorpack.utils.fs`` give the module
``dataflow.utils.fs``: not a copy, the same object, loaded under its own name.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType


@dataclass(frozen=True)
class AliasFinder(MetaPathFinder):
    """Finds every module ``prefix`` and ``prefix.*`` as ``target`` and ``target.*``.

    Where one prefix is within another (``tensorpack`` and ``tensorpack.dataflow``), install the inner one
    last: the finder installed last is asked first.
    """

    prefix: str
    target: str

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec for a name under the prefix; None for others, and for what the target lacks."""
        if not self._covers(fullname):
            return None
        name = self.target + fullname[len(self.prefix) :]
        if self._covers(name):  # an alias inside itself would never end for code that walks packages
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return ModuleSpec(fullname, _AliasLoader(name)) if find_spec(name) else None

    def _covers(self, name: str) -> bool:
        return name == self.prefix or name.startswith(self.prefix + ".")


class _AliasLoader(Loader):
    def __init__(self, name: str) -> None:
        self._name = name

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Import the real module."""
        module = importlib.import_module(self._name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Leave the module as it was: the import system has just given it the spec of the alias."""
        module.__spec__ = self._spec


def install_alias(prefix: str, target: str) -> None:
    """Let ``target``, a module that can be imported, and all modules in it be imported as ``prefix`` too.

    ``prefix`` need not exist; if it does, its modules that are imported from now on are those of ``target``.
    """
    finder = AliasFinder(prefix, target)
    if finder not in sys.meta_path:
        sys.meta_path.insert(0, finder)
