"""Import a package on first use, and say how to install it if it is missing."""

from __future__ import annotations

import importlib
from typing import Any

# module -> name to install it by, where the two differ
_DISTRIBUTIONS = {"cv2": "opencv-python-headless", "zmq": "pyzmq", "msgpack_numpy": "msgpack-numpy"}


def require(module: str, extra: str | None) -> Any:
    """Import and return a module.

    Args:
        module: its name, perhaps with dots.
        extra: the extra of this package that installs it; None for a core dependency.

    Raises:
        ImportError: it is missing, with the command that installs it; or it is there but broken.
    """
    try:
        return importlib.import_module(module)
    except ImportError as e:
        package = module.partition(".")[0]
        if isinstance(e, ModuleNotFoundError) and e.name is not None and module.startswith(e.name):
            target = f"'dataflow-loader[{extra}]'" if extra else _DISTRIBUTIONS.get(package, package)
            raise ImportError(
                f"this needs the module {module!r}, which is not installed: pip install {target}",
                name=module,
            ) from e
        raise ImportError(
            f"this needs the module {module!r}, which is installed but can't be imported: {e}", name=module
        ) from e
