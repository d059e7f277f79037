"""Transforms: the deterministic effect of an augmentor whose random numbers are drawn.

Coordinates are N x 2 floating-point arrays with rows (x, y); boxes are N x 4 with rows (x0, y0, x1, y1).
Flips, crops and resizes take them as continuous positions from edge to edge (0 to w), warps as indices of
pixel centres (0 to w - 1). No method modifies what it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._compat.old_names import old_names
from .._compat.renamed import renamed_arguments
from .._core.describe import bracketed
from ._base_transform import BaseTransform, Transform
from ._cv import BORDER_CONSTANT, INTER_LINEAR, Image, move, nearest, opencv, resample, summary
from ._inputs import as_rows, move_points

__all__ = [
    "BaseTransform",
    "CropTransform",
    "FlipTransform",
    "LazyTransform",
    "NoOpTransform",
    "PhotometricTransform",
    "ResizeTransform",
    "Transform",
    "TransformFactory",
    "TransformList",
    "TransposeTransform",
    "WarpAffineTransform",
]

_new = object.__new__


class ResizeTransform(Transform):
    """Resize from (h, w) to (new_h, new_w), which ``interp`` (a ``cv2.INTER_...``) does for images.

    Applying it to an image of another size than (h, w) raises ``ValueError``.
    """

    @renamed_arguments(newh="new_h", neww="new_w")
    def __init__(self, h: int, w: int, new_h: int, new_w: int, interp: int) -> None:
        self.h, self.w, self.new_h, self.new_w, self.interp = h, w, new_h, new_w, interp

    def apply_image(self, img: Image) -> Image:
        """Return the image resized."""
        return self._resize(img, self.interp)

    def apply_coords(self, coords: ArrayLike) -> NDArray[Any]:
        """Return the coordinates scaled."""
        out = np.array(as_rows(coords, 2, self))
        out[:, 0] *= self.new_w / self.w
        out[:, 1] *= self.new_h / self.h
        return out

    def apply_segmentation(self, segmentation: Image) -> Image:
        """Return the label map resized by nearest neighbours."""
        return self._resize(segmentation, nearest(self.interp))

    def _resize(self, img: Image, interp: int) -> Image:
        if img.shape[:2] != (self.h, self.w):
            raise ValueError(f"{self!r}: expected an image of {self.h} x {self.w}, got {summary(img)}")
        resize, size = opencv().resize, (self.new_w, self.new_h)
        # by position: OpenCV takes 0.3 us for a keyword
        return resample(lambda x: resize(x, size, None, 0, 0, interp), img, self)


class CropTransform(Transform):
    """Cut out the rectangle of height h and width w whose upper left pixel is (x0, y0).

    The result is a view of the image, smaller where the rectangle reaches beyond it.
    """

    @renamed_arguments(h0="y0", w0="x0")
    def __init__(self, y0: int, x0: int, h: int, w: int) -> None:
        self.y0, self.x0, self.h, self.w = y0, x0, h, w

    def apply_image(self, img: Image) -> Image:
        """Return a view of the part of the image."""
        y0, x0 = self.y0, self.x0
        return img[y0 : y0 + self.h, x0 : x0 + self.w]

    def apply_coords(self, coords: ArrayLike) -> NDArray[Any]:
        """Return the coordinates from the corner of the rectangle."""
        out = np.array(as_rows(coords, 2, self))
        out[:, 0] -= self.x0
        out[:, 1] -= self.y0
        return out

    def apply_segmentation(self, segmentation: Image) -> Image:
        """Return a view of the part of the label map."""
        return self.apply_image(segmentation)


def crop_to(y0: int, x0: int, h: int, w: int) -> CropTransform:
    """Return ``CropTransform(y0, x0, h, w)`` in half the time of its constructor, which knows old names."""
    tfm = _new(CropTransform)
    tfm.y0 = y0
    tfm.x0 = x0
    tfm.h = h
    tfm.w = w
    return tfm


class FlipTransform(Transform):
    """Flip left and right (``horiz``), or up and down, an image of size (h, w)."""

    def __init__(self, h: int, w: int, horiz: bool = True) -> None:
        self.h, self.w, self.horiz = h, w, horiz

    def apply_image(self, img: Image) -> Image:
        """Return the image flipped: a new array, or a view for a dtype that OpenCV does not know."""
        # A copy by OpenCV: code that reads a view with negative strides takes 30 times as long
        out = move(opencv().flip, img, int(self.horiz))
        if out is not None:
            return out
        return img[:, ::-1] if self.horiz else img[::-1]

    def apply_coords(self, coords: ArrayLike) -> NDArray[Any]:
        """Return the coordinates flipped: x to w - x, or y to h - y."""
        out = np.array(as_rows(coords, 2, self))
        if self.horiz:
            out[:, 0] = self.w - out[:, 0]
        else:
            out[:, 1] = self.h - out[:, 1]
        return out

    def apply_segmentation(self, segmentation: Image) -> Image:
        """Return the label map flipped."""
        return self.apply_image(segmentation)


class TransposeTransform(Transform):
    """Exchange the axes x and y."""

    def apply_image(self, img: Image) -> Image:
        """Return the image transposed, a new array."""
        out = move(opencv().transpose, img)
        return np.ascontiguousarray(img.swapaxes(0, 1)) if out is None else out

    def apply_coords(self, coords: ArrayLike) -> NDArray[Any]:
        """Return the coordinates with x and y exchanged."""
        return move_points(coords, self, lambda points: np.array(points[:, ::-1]))

    def apply_segmentation(self, segmentation: Image) -> Image:
        """Return the label map transposed."""
        return self.apply_image(segmentation)


class WarpAffineTransform(Transform):
    """An affine map.

    Args:
        mat: 2 x 3, maps the indices (x, y, 1) of a pixel's centre to its new place.
        dsize: (width, height) of the result.
        interp: a ``cv2.INTER_...``, for images.
        borderMode: a ``cv2.BORDER_...``.
        borderValue: what fills the outside in the mode ``cv2.BORDER_CONSTANT``: a number for all
            channels, label maps included; or one number per channel, and label maps are filled with 0.
    """

    def __init__(
        self,
        mat: NDArray[Any],
        dsize: tuple[int, int],
        interp: int = INTER_LINEAR,
        borderMode: int = BORDER_CONSTANT,
        borderValue: Any = 0,
    ) -> None:
        self.mat, self.dsize = mat, dsize
        self.interp, self.borderMode, self.borderValue = interp, borderMode, borderValue

    def apply_image(self, img: Image) -> Image:
        """Return the image warped."""
        value = self.borderValue
        return self._warp(img, self.interp, value if _is_colour(value) else [float(value)] * 4)

    def apply_coords(self, coords: ArrayLike) -> NDArray[Any]:
        """Return the coordinates mapped."""
        return move_points(coords, self, self._map)

    def _map(self, points: NDArray[Any]) -> NDArray[Any]:
        ones = np.ones((len(points), 1), dtype=np.float32)
        return np.concatenate((points, ones), axis=1) @ self.mat.T  # type: ignore[no-any-return]

    def apply_segmentation(self, segmentation: Image) -> Image:
        """Return the label map warped by nearest neighbours."""
        value = 0.0 if _is_colour(self.borderValue) else float(self.borderValue)
        return self._warp(segmentation, nearest(self.interp), [value] * 4)

    def _warp(self, img: Image, interp: int, value: Any) -> Image:
        warp, mat, size, mode = opencv().warpAffine, self.mat, self.dsize, self.borderMode
        return resample(
            lambda x: warp(x, mat, size, flags=interp, borderMode=mode, borderValue=value), img, self
        )


def _is_colour(value: Any) -> bool:
    return isinstance(value, list | tuple | np.ndarray)


class NoOpTransform(Transform):
    """Does nothing: every ``apply_...`` returns its argument."""

    def apply_box(self, box: ArrayLike) -> Any:
        """Return the boxes themselves."""
        return box

    def _apply(self, name: str, data: Any) -> Any:
        return data


class PhotometricTransform(Transform):
    """A function of pixel values. Coordinates, boxes and label maps stay as they are.

    Args:
        func: takes an image and returns a new one.
        name: for printing.
    """

    def __init__(self, func: Callable[[Image], Image], name: str | None = None) -> None:
        self._func, self.name = func, name

    def apply_image(self, img: Image) -> Image:
        """Return ``func(img)``."""
        return self._func(img)

    def apply_coords(self, coords: ArrayLike) -> Any:
        """Return the coordinates themselves."""
        return coords

    def apply_box(self, box: ArrayLike) -> Any:
        """Return the boxes themselves."""
        return box

    def apply_segmentation(self, segmentation: Image) -> Image:
        """Return the label map itself."""
        return segmentation

    def __repr__(self) -> str:
        """Return the name, if there is one."""
        return f"imgaug.PhotometricTransform({self.name or ''})"


class TransformFactory(Transform):
    """A transform made of functions.

    >>> from dataflow.imgaug import TransformFactory
    >>> invert = TransformFactory("invert", apply_image=lambda img: 255 - img)

    Args:
        name: for printing.
        **apply_xxx: functions of one argument, by the names of the methods that they become.

    Raises:
        KeyError: the name of a function does not begin with ``apply_``.
    """

    def __init__(self, name: str | None = None, **apply_xxx: Callable[[Any], Any]) -> None:
        for method, func in apply_xxx.items():
            if not method.startswith("apply_"):
                raise KeyError(f"TransformFactory: {method!r} does not begin with 'apply_'")
            setattr(self, method, func)
        self.name = name

    def __repr__(self) -> str:
        """Return the name, if there is one."""
        return f"imgaug.TransformFactory({self.name or ''})"


class TransformList(BaseTransform):
    """Several transforms, applied in order.

    Adding transforms or other lists to it, on either side, makes a new list; ``+=`` extends it in place.

    Raises:
        TypeError: an element is not a transform.
    """

    def __init__(self, tfms: list[BaseTransform]) -> None:
        for tfm in tfms:
            if not isinstance(tfm, BaseTransform):
                raise TypeError(f"TransformList: expected transforms, got {tfm!r}")
        self.tfms = tfms

    def apply_image(self, img: Image) -> Image:
        """Return the image after all transforms."""
        for tfm in self.tfms:
            img = tfm.apply_image(img)
        return img

    def apply_box(self, box: ArrayLike) -> NDArray[Any]:
        """Return the hulls of the boxes after all transforms, tighter than the hulls of hulls of each."""
        try:
            return super().apply_box(box)
        except NotImplementedError:  # unless one of them knows boxes but no points
            return self._apply("apply_box", box)  # type: ignore[no-any-return]

    def _apply(self, name: str, data: Any) -> Any:
        for tfm in self.tfms:
            data = getattr(tfm, name)(data)
        return data

    def __add__(self, other: object) -> TransformList:
        """Return a new list with ``other`` at the end."""
        return TransformList([*self.tfms, *_members(other)])

    def __radd__(self, other: object) -> TransformList:
        """Return a new list with ``other`` in front."""
        return TransformList([*_members(other), *self.tfms])

    def __iadd__(self, other: object) -> TransformList:
        """Append ``other``."""
        self.tfms.extend(_members(other))
        return self

    def __repr__(self) -> str:
        """Return the transforms, one a line."""
        return bracketed("TransformList", self.tfms)


def _members(other: object) -> Iterable[BaseTransform]:
    if isinstance(other, TransformList):
        return list(other.tfms)
    if isinstance(other, BaseTransform):
        return [other]
    raise TypeError(f"expected a transform or a TransformList to add to a TransformList, got {other!r}")


class LazyTransform(BaseTransform):
    """A transform that is made from the first image it is applied to, and stays the same from then on.

    Applying it to coordinates, boxes or label maps before the first image raises ``RuntimeError``.

    Args:
        get_transform: takes an image and returns a transform.
    """

    def __init__(self, get_transform: Callable[[Image], BaseTransform]) -> None:
        self.get_transform = get_transform
        self._transform: BaseTransform | None = None

    def apply_image(self, img: Image) -> Image:
        """Return the transformed image."""
        if self._transform is None:
            self._transform = self.get_transform(img)
        return self._transform.apply_image(img)

    def apply_box(self, box: ArrayLike) -> Any:
        """Return the transformed boxes."""
        return self._apply("apply_box", box)

    def _apply(self, name: str, data: Any) -> Any:
        if self._transform is None:
            raise RuntimeError(
                f"{self!r}: {name} before apply_image: it depends on the image, so apply it to that first"
            )
        return getattr(self._transform, name)(data)

    def __repr__(self) -> str:
        """Return the transform, once it is made."""
        if self._transform is None:
            return f"LazyTransform(get_transform={self.get_transform})"
        return repr(self._transform)


__getattr__ = old_names(__name__)
