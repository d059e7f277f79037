"""This library by the name of tensorpack, as far as that is about data."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any

from .dataflow import library

_not_included = importlib.import_module(f"{library.__name__}._compat.not_included")


class _Missing(MetaPathFinder):
    """Says why there is no such module or name; it is asked when all others have found nothing."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> None:
        package, _, name = fullname.partition(".")
        if package == __name__:
            raise ImportError(_not_included.why_not(name), name=fullname)


sys.meta_path.append(_Missing())
importlib.import_module(f"{library.__name__}._compat.module_alias").install_alias(
    __name__ + ".utils", f"{library.__name__}.utils"
)

from . import dataflow  # noqa: E402

utils = importlib.import_module(__name__ + ".utils")


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return _names_of_star()
    if name in utils.__all__:
        return getattr(utils, name)
    try:
        return getattr(dataflow, name)
    except AttributeError:
        raise AttributeError(_not_included.why_not(name)) from None


def _names_of_star() -> list[str]:
    """Return what ``import *`` gives: also names that are not here, which say so when they are used.

    Only then: to import one of them by its name should fail at once.
    """
    ours = [*dataflow.__all__, *utils.__all__, "dataflow", "utils"]
    for name in sorted(_not_included.NAMES.difference(ours)):
        setattr(sys.modules[__name__], name, _not_included.NotIncluded(name))
        ours.append(name)
    return ours
