"""The names that modules had in earlier releases: where each is defined, loaded when somebody asks for it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

_OLD_CLASSES = "_compat.old_classes"
_NAMES = {  # of _OLD_CLASSES, by the module that had them; the package had them all
    "format": ("LMDBDataPoint", "TFRecordData"),
    "image": ("AugmentImagesTogether",),
    "parallel": (
        "BlockParallel",
        "PlasmaGetData",
        "PlasmaPutData",
        "PrefetchOnGPUs",
        "PrefetchProcess",
        "PrefetchProcessZMQ",
    ),
    "parallel_map": ("ThreadedMapData",),
    "remote": ("RemoteData", "serve_data"),
    "tf_func": ("TFFuncMapper", "tf_aug"),
}
_NAMES[""] = tuple(name for names in _NAMES.values() for name in names)
_DEFINED_IN = {module: {name: (_OLD_CLASSES, name) for name in names} for module, names in _NAMES.items()}
_AUGMENTOR_BASE = {"TransformAugmentorBase": ("imgaug.base", "ImageAugmentor")}
_DEFINED_IN["imgaug.geometry"] = _AUGMENTOR_BASE
_DEFINED_IN["imgaug.transform"] = {
    **_AUGMENTOR_BASE,
    "ImageTransform": ("imgaug._base_transform", "Transform"),
}


def old_names(module: str) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for a module (PEP 562) that knows the names it had in earlier releases.

    >>> from dataflow import parallel_map
    >>> parallel_map.ThreadedMapData.__doc__
    'The old name of ``MultiThreadMapData``.'

    Args:
        module: the full name of the module.
    """
    package, _, within = module.partition(".")  # the package has another name beside one called dataflow
    names = _DEFINED_IN[within]

    def get(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        source, attribute = names[name]
        return getattr(importlib.import_module(f"{package}.{source}"), attribute)

    return get
