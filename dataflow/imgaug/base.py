"""The base classes of augmentors: policies that draw random numbers and return a transform made from them."""

from __future__ import annotations

import functools
import os
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core.describe import bracketed
from .._core.random_state import LazyRng, get_rng, reseed_in_children
from ._cv import UINT8, Image
from ._inputs import check_axes, check_dtype
from ._old_interface import LegacyMethods
from .transform import BaseTransform, LazyTransform, PhotometricTransform, TransformList

__all__ = [
    "Augmentor",
    "AugmentorList",
    "ImageAugmentor",
    "ImagePlaceholder",
    "PhotometricAugmentor",
    "check_dtype",
]

ImagePlaceholder = namedtuple("ImagePlaceholder", ["shape"])
"""Stands for an image where ``get_transform`` needs no more than its shape."""


class _OwnRandomness:
    """Gives each process its own ``self.rng``, whether the object was forked or pickled to it.

    A subclass need not call ``__init__`` or ``reset_state`` of this class.
    """

    rng: np.random.RandomState = LazyRng()  # type: ignore[assignment]
    """The source of all randomness. None on the class."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make an instance whose ``reset_state()`` is called in every forked process."""
        self = super().__new__(cls)
        reseed_in_children(self)
        return self

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Make ``reset_state()`` drop the old random state, even if a subclass does not call ``super()``."""
        super().__init_subclass__(**kwargs)
        if "reset_state" in vars(cls):
            cls.reset_state = _dropping_rng(cls.reset_state)  # type: ignore[assignment]

    def reset_state(self) -> None:
        """Make ``self.rng`` anew. May be called any number of times."""
        self.rng = get_rng(self)

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes, and the process that they were pickled in."""
        return {**self.__dict__, "_pickled_in": os.getpid()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Keep the random state in a copy within the process; start a new one in another process."""
        self.__dict__.update(state)
        if self.__dict__.pop("_pickled_in", None) != os.getpid():
            self.reset_state()


def _dropping_rng(reset_state: Callable[[Any], None]) -> Callable[[Any], None]:
    @functools.wraps(reset_state)
    def wrapper(self: Any) -> None:
        self.__dict__.pop("rng", None)
        reset_state(self)

    return wrapper


class ImageAugmentor(_OwnRandomness, LegacyMethods):
    """Base class of augmentors.

    A subclass defines ``get_transform(img)``, which draws from ``self.rng`` and returns a ``Transform``. It
    need not call ``super().__init__()``.

    >>> from dataflow import imgaug
    >>> class Invert(imgaug.ImageAugmentor):
    ...     def get_transform(self, img):
    ...         return imgaug.TransformFactory("invert", apply_image=lambda img: 255 - img)
    >>> Invert().augment(np.zeros((1, 2), np.uint8))
    array([[255, 255]], dtype=uint8)

    One transform can be applied to everything that belongs to one image:

    >>> img, points = np.zeros((4, 6, 3), np.uint8), np.array([[1.0, 2.0]])
    >>> tfm = imgaug.Flip(horiz=True, prob=1).get_transform(img)
    >>> tfm.apply_image(img).shape, tfm.apply_coords(points).tolist()
    ((4, 6, 3), [[5.0, 2.0]])
    """

    def __init__(self) -> None:
        self.reset_state()

    def augment(self, img: Image) -> Image:
        """Return the image augmented with newly drawn parameters.

        Args:
            img: h x w or h x w x channels; uint8 in [0, 255], or floating point in [0, 1] or [0, 255]. It is
                not modified, but the result may be a view of it, or itself.

        Raises:
            TypeError: ``img`` is not an array, or has a dtype that this augmentor can't take.
            ValueError: ``img`` has a shape that this augmentor can't take.
        """
        if type(img) is not np.ndarray or img.dtype is not UINT8:  # rarely true: saves a call
            check_dtype(img)
        return self.get_transform(img).apply_image(img)

    def _rand_range(self, low: float = 1.0, high: float | None = None, size: Any = None) -> Any:
        """Draw from the uniform distribution on [low, high), or [0, low) without ``high``.

        Returns:
            A float32 number, or array if there is a ``size``.
        """
        if high is None:
            if size is None:  # the same as uniform(), without the 1 us that its arguments cost
                return np.float32(float(low) * self.rng.random_sample())
            low, high = 0, low
        drawn = self.rng.uniform(low, high, size)
        return np.float32(drawn) if size is None else drawn.astype(np.float32)


Augmentor = ImageAugmentor


class PhotometricAugmentor(ImageAugmentor):
    """Base class of augmentors that change pixel values, and nothing else.

    A subclass defines ``_augment(img, params)``, which returns a new image, and perhaps
    ``_get_augment_params(img)``, which draws what it needs. Coordinates, boxes and label maps stay as they
    are.
    """

    _photometric = True

    def augment(self, img: Image) -> Image:
        """Return the image augmented with newly drawn parameters."""
        if type(self).get_transform is not PhotometricAugmentor.get_transform:
            return super().augment(img)
        # the same without a transform in between, which would take 0.3 us
        if type(img) is not np.ndarray or img.dtype is not UINT8:
            check_dtype(img)
        return self._augment(img, self._get_augment_params(img))

    def get_transform(self, img: Image) -> BaseTransform:
        """Draw the parameters and return the transform."""
        return _AugmentorTransform(self, self._get_augment_params(img))

    def _get_augment_params(self, img: Image) -> Any:
        return None

    def _augment(self, img: Image, params: Any) -> Image:
        raise NotImplementedError(f"{type(self).__name__} must define _augment(img, params)")


class _AugmentorTransform(PhotometricTransform):
    """The transform of a photometric augmentor: its effect with drawn parameters."""

    def __init__(self, augmentor: PhotometricAugmentor, params: Any) -> None:
        self._augmentor, self._params = augmentor, params

    @property
    def name(self) -> str:  # type: ignore[override]
        """Return the augmentor's repr. It is made on demand: most transforms are never printed."""
        return f"from {self._augmentor!r}"

    def apply_image(self, img: Image) -> Image:
        """Return the image augmented."""
        return self._augmentor._augment(img, self._params)


class AugmentorList(ImageAugmentor):
    """Several augmentors, applied in order. It is an augmentor itself.

    Only the first augmentor draws in ``get_transform``. Each later one needs the image that the earlier ones
    made, so it draws when the transform is first applied to an image. From then on the transform is fixed,
    and can be applied to coordinates, boxes and label maps.

    Args:
        augmentors: a list or tuple of augmentors.

    Raises:
        TypeError: ``augmentors`` has another type.
    """

    def __init__(self, augmentors: list[ImageAugmentor] | tuple[ImageAugmentor, ...]) -> None:
        self.augmentors = check_augmentors(augmentors, "AugmentorList")
        super().__init__()

    def reset_state(self) -> None:
        """Make the random state of this and of each augmentor anew."""
        super().reset_state()
        for augmentor in self.augmentors:
            augmentor.reset_state()

    def augment(self, img: Image) -> Image:
        """Return the image augmented by each in order."""
        if type(self).get_transform is not AugmentorList.get_transform:
            return super().augment(img)
        # the same without the list of transforms, which would take 1.5 us
        check_dtype(img)
        check_axes(self, img)
        for augmentor in self.augmentors:
            img = augmentor.get_transform(img).apply_image(img)
        return img

    def get_transform(self, img: Image) -> TransformList:
        """Return a list of transforms, all but the first undecided until the first ``apply_image``."""
        check_axes(self, img)
        if not self.augmentors:
            return TransformList([])
        first = self.augmentors[0].get_transform(img)
        tfms = first.tfms if isinstance(first, TransformList) else [first]
        lazy = [LazyTransform(augmentor.get_transform) for augmentor in self.augmentors[1:]]
        return TransformList([*tfms, *lazy])

    def __repr__(self) -> str:
        """Return the augmentors, one a line."""
        return bracketed("AugmentorList", self.augmentors)


def check_augmentors(augmentors: Any, owner: str) -> Any:
    """Return ``augmentors``, or raise ``TypeError`` unless they are a list or tuple of augmentors."""
    if not isinstance(augmentors, list | tuple):
        raise TypeError(f"{owner}: expected a list or tuple of augmentors, got {augmentors!r}")
    for augmentor in augmentors:
        check_augmentor(augmentor, owner)
    return augmentors


def check_augmentor(augmentor: Any, owner: str) -> Any:
    """Return ``augmentor``, or raise ``TypeError`` unless it acts like one."""
    if isinstance(augmentor, type) or not all(
        callable(getattr(augmentor, method, None)) for method in ("get_transform", "reset_state")
    ):
        raise TypeError(
            f"{owner}: expected an augmentor, got {augmentor!r}; imgaug.MapImage makes one of a function"
        )
    return augmentor
