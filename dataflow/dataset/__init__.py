"""Well-known data sets as dataflows. Each is loaded when its name is first used.

Files that are already in the directory are used; what is missing is downloaded, where the data may be.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .bsds500 import BSDS500
    from .caltech101 import Caltech101Silhouettes
    from .cifar import Cifar10, Cifar100, CifarBase
    from .ilsvrc import ILSVRC12, ILSVRC12Files, ILSVRCMeta
    from .mnist import FashionMnist, Mnist
    from .places import Places365Standard
    from .svhn import SVHNDigit
    from .tiny_imagenet import TinyImageNet

__all__ = [
    "BSDS500",
    "ILSVRC12",
    "Caltech101Silhouettes",
    "Cifar10",
    "Cifar100",
    "CifarBase",
    "FashionMnist",
    "ILSVRC12Files",
    "ILSVRCMeta",
    "Mnist",
    "Places365Standard",
    "SVHNDigit",
    "TinyImageNet",
]

_NAMES = {
    "bsds500": ("BSDS500",),
    "caltech101": ("Caltech101Silhouettes",),
    "cifar": ("Cifar10", "Cifar100", "CifarBase"),
    "ilsvrc": ("ILSVRC12", "ILSVRC12Files", "ILSVRCMeta"),
    "mnist": ("FashionMnist", "Mnist"),
    "places": ("Places365Standard",),
    "svhn": ("SVHNDigit",),
    "tiny_imagenet": ("TinyImageNet",),
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load the module that ``name`` is, or lives in."""
    if name in _NAMES:
        return importlib.import_module("." + name, __name__)
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("." + _MODULE_OF[name], __name__), name)


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return sorted([*__all__, *_NAMES])
