"""The base classes of transforms."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._core.describe import Described
from ._cv import Image
from ._inputs import as_rows


class BaseTransform(Described):
    """What can be applied to images and to what belongs to them, through methods named ``apply_...``.

    Any other ``apply_something`` exists as well, so that users can add kinds of data of their own: it raises
    ``NotImplementedError`` unless a subclass knows better.
    """

    def apply_image(self, img: Image) -> Image:
        """Return the transformed image."""
        return self._apply("apply_image", img)  # type: ignore[no-any-return]

    def apply_coords(self, coords: ArrayLike) -> NDArray[Any]:
        """Return the transformed coordinates, N x 2 floating point."""
        return self._apply("apply_coords", coords)  # type: ignore[no-any-return]

    def apply_segmentation(self, segmentation: Image) -> Image:
        """Return the transformed label map, whose values are never mixed: nearest neighbours only."""
        return self._apply("apply_segmentation", segmentation)  # type: ignore[no-any-return]

    def apply_box(self, box: ArrayLike) -> NDArray[Any]:
        """Return the axis-aligned hulls of the transformed boxes, N x 4 floating point."""
        boxes = as_rows(box, 4, self)
        corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 2)
        try:
            moved = self.apply_coords(corners).reshape(-1, 4, 2)
        except NotImplementedError as e:
            raise NotImplementedError(
                f"{type(self).__name__} does not implement apply_box, nor apply_coords for the corners: {e}"
            ) from e
        return np.concatenate((moved.min(axis=1), moved.max(axis=1)), axis=1)

    def __getattr__(self, name: str) -> Callable[[Any], Any]:
        """Return the method for a kind of data that this class does not know."""
        if name.startswith("apply_"):
            return functools.partial(self._apply, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _apply(self, name: str, data: Any) -> Any:
        """Do what the method ``name``, which this class does not define, should do."""
        raise NotImplementedError(f"{type(self).__name__} does not implement {name}")


class Transform(BaseTransform):
    """Base class of single transforms. Subclasses define ``apply_image``, and more methods where needed."""
