"""This library by the name of its distribution, beside another package that is called dataflow.

It is loaded under this name, with all its modules, so nothing of it is imported as ``dataflow``.
"""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_FOLDER = Path(__file__).parents[3]


def _load() -> None:
    spec = spec_from_file_location(
        __name__, _FOLDER / "__init__.py", submodule_search_locations=[str(_FOLDER)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{_FOLDER} can't be loaded")
    module = sys.modules[__name__] = module_from_spec(spec)
    spec.loader.exec_module(module)


if __name__ == "dataflow_loader":  # not where all modules of the library are walked through
    _load()
