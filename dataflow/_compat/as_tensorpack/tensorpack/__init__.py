"""This library by the name of tensorpack, as far as that is about data."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any

from dataflow._compat.module_alias import install_alias


class _Missing(MetaPathFinder):
    """Says why there is no such module or name; it is asked when all others have found nothing."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> None:
        if fullname.startswith(__name__ + "."):
            raise ImportError(
                f"there is no {fullname}: what is called {__name__} here is the library dataflow, which has "
                "the data loading of tensorpack, and nothing that needs TensorFlow",
                name=fullname,
            )


sys.meta_path.append(_Missing())
install_alias(__name__ + ".utils", "dataflow.utils")

from . import dataflow  # noqa: E402

utils = importlib.import_module(__name__ + ".utils")

__all__ = [*dataflow.__all__, *utils.__all__, "dataflow", "utils"]


def __getattr__(name: str) -> Any:
    return getattr(utils if name in utils.__all__ else dataflow, name)
