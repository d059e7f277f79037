"""The names that modules had in earlier releases, and where each is defined. Each is loaded at first use."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

_OLD_CLASSES = "dataflow._compat.old_classes"
_NAMES = {  # names in _OLD_CLASSES, by the module that had them; the package itself had all
    "dataflow.format": ("LMDBDataPoint", "TFRecordData"),
    "dataflow.image": ("AugmentImagesTogether",),
    "dataflow.parallel": ("PrefetchOnGPUs",),
    "dataflow.parallel_map": ("ThreadedMapData",),
    "dataflow.remote": ("RemoteData", "serve_data"),
}
_NAMES["dataflow"] = tuple(name for names in _NAMES.values() for name in names)
_AUGMENTOR_BASE = {"TransformAugmentorBase": ("dataflow.imgaug.base", "ImageAugmentor")}
_DEFINED_IN = {module: {name: (_OLD_CLASSES, name) for name in names} for module, names in _NAMES.items()}
_DEFINED_IN |= dict.fromkeys(("dataflow.imgaug.geometry", "dataflow.imgaug.transform"), _AUGMENTOR_BASE)


def old_names(module: str) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for a module (PEP 562) that knows the names it had in earlier releases.

    >>> from dataflow import parallel_map
    >>> parallel_map.ThreadedMapData.__doc__
    'The old name of ``MultiThreadMapData``.'

    Args:
        module: the full name of the module.
    """
    names = _DEFINED_IN[module]

    def get(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        source, attribute = names[name]
        return getattr(importlib.import_module(source), attribute)

    return get
