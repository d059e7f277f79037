"""Wrap augmentors of two other libraries. Neither is a dependency: you install the one you wrap."""

from __future__ import annotations

import copy
import os
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._core.optional import require
from ._cv import Image
from ._inputs import move_points
from .base import ImageAugmentor
from .transform import Transform

__all__ = ["Albumentations", "AlbumentationsTransform", "IAATransform", "IAAugmentor"]


class _Foreign(ImageAugmentor):
    """Wraps ``self._aug``, which draws its random numbers with its own library.

    In any other process than the one that made it, it is seeded from ``self.rng``: otherwise all processes
    would draw the same numbers.
    """

    def __init__(self, augmentor: Any) -> None:
        self._aug = augmentor
        self._seeded_in = os.getpid()
        super().__init__()

    def reset_state(self) -> None:
        """Make the random state anew; in another process, also that of the wrapped augmentor."""
        super().reset_state()
        if self._seeded_in != os.getpid():
            self._seeded_in = os.getpid()
            self._seed(self.rng.randint(2**31 - 1))

    def _seed(self, seed: int) -> None:
        raise NotImplementedError

    def __repr__(self) -> str:
        """Return the wrapped augmentor."""
        return f"imgaug.{type(self).__name__}({self._aug!r})"


class IAATransform(Transform):
    """The transform of an augmenter of the library *imgaug* whose random numbers are drawn.

    Args:
        aug: a deterministic augmenter.
        img_shape: shape of the images.
    """

    def __init__(self, aug: Any, img_shape: tuple[int, ...]) -> None:
        self._aug, self._shape = aug, img_shape

    def apply_image(self, img: Image) -> Image:
        """Return the image augmented."""
        return self._aug.augment_image(img)  # type: ignore[no-any-return]

    def apply_coords(self, coords: ArrayLike) -> NDArray[Any]:
        """Return the coordinates augmented, a new array."""
        return move_points(coords, self, self._move)

    def _move(self, points: NDArray[Any]) -> NDArray[Any]:
        keypoints = require("imgaug", None).KeypointsOnImage.from_xy_array(points, self._shape)
        moved = self._aug.augment_keypoints(keypoints).to_xy_array()
        return np.array(moved, dtype=points.dtype)

    def apply_segmentation(self, segmentation: Image) -> Image:
        """Return the label map augmented."""
        wrap = require("imgaug.augmentables.segmaps", None).SegmentationMapsOnImage
        labels = wrap(segmentation.astype(np.int32), self._shape)
        moved = self._aug.augment_segmentation_maps(labels)
        return np.asarray(moved.get_arr()).astype(segmentation.dtype)

    def __repr__(self) -> str:
        """Return the augmenter."""
        return f"IAATransform({self._aug!r})"


class IAAugmentor(_Foreign):
    """Wraps an augmenter of the library *imgaug* (not this package) as an augmentor.

    >>> from imgaug import augmenters as iaa  # doctest: +SKIP
    >>> augmentor = imgaug.IAAugmentor(iaa.Fliplr(0.5))  # doctest: +SKIP

    Its random numbers come from that library: in this process as its user seeded it (``fix_rng_seed`` has no
    effect), in worker processes seeded for each.

    Args:
        augmentor: an ``iaa.Augmenter``.
    """

    def __init__(self, augmentor: Any) -> None:
        if not callable(getattr(augmentor, "to_deterministic", None)):
            raise TypeError(f"IAAugmentor: expected an augmenter of the library imgaug, got {augmentor!r}")
        super().__init__(augmentor)

    def get_transform(self, img: Image) -> IAATransform:
        """Freeze the random numbers of the augmenter."""
        return IAATransform(self._aug.to_deterministic(), img.shape)

    def _seed(self, seed: int) -> None:
        if hasattr(self._aug, "seed_"):
            self._aug.seed_(seed)
        else:  # releases of the library before 0.4
            self._aug.reseed(seed)


class AlbumentationsTransform(Transform):
    """The transform of a transform of the library *albumentations* whose random numbers are drawn.

    Args:
        replay: what its ``ReplayCompose`` recorded.
        img: the image that it was recorded with; it must not change before it is applied.
        augmented: the result of that recording for ``img``.
    """

    def __init__(self, replay: dict[str, Any], img: Image, augmented: Image) -> None:
        self._replay = replay
        self._shape, self._dtype = img.shape, img.dtype
        # recording has augmented the image already; the first apply_image returns that result
        self._recorded: tuple[Image, Image] | None = (img, augmented)

    def apply_image(self, img: Image) -> Image:
        """Return the image augmented."""
        recorded, self._recorded = self._recorded, None
        if recorded is not None and recorded[0] is img:
            return recorded[1]
        return self._run(image=img)["image"]  # type: ignore[no-any-return]

    def apply_coords(self, coords: ArrayLike) -> NDArray[Any]:
        """Return the coordinates augmented, which for this library are indices of pixel centres.

        Raises:
            ValueError: the library made more or less points of them, as some border modes do.
        """
        return move_points(coords, self, self._move)

    def _move(self, points: NDArray[Any]) -> NDArray[Any]:
        moved = np.asarray(self._run(image=self._blank(), keypoints=points)["keypoints"], dtype=points.dtype)
        if len(moved) != len(points):
            raise ValueError(
                f"{self!r}: the library made {len(moved)} points of {len(points)}; a border mode that "
                "reflects the image reflects points too, so choose cv2.BORDER_CONSTANT or BORDER_REPLICATE"
            )
        return moved.reshape(-1, 2)

    def apply_segmentation(self, segmentation: Image) -> Image:
        """Return the label map augmented."""
        return self._run(image=self._blank(), mask=segmentation)["mask"]  # type: ignore[no-any-return]

    def _blank(self) -> Image:
        return np.zeros(self._shape, self._dtype)

    def _run(self, **data: Any) -> dict[str, Any]:
        data.setdefault("keypoints", np.zeros((0, 2), np.float32))
        return require("albumentations", None).ReplayCompose.replay(self._replay, **data)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        """Return the names of what was recorded."""
        names = [t["__class_fullname__"] for t in self._replay["transforms"] if t.get("applied")]
        return f"AlbumentationsTransform({', '.join(names)})"


class Albumentations(_Foreign):
    """Wraps a transform, or composition, of the library *albumentations* as an augmentor.

    >>> import albumentations as A  # doctest: +SKIP
    >>> augmentor = imgaug.Albumentations(A.RandomBrightnessContrast(p=0.5))  # doctest: +SKIP

    Works with its releases 1.4 and 2, by its ``ReplayCompose``, which must be able to record the transform.
    The probability ``p`` of the transform counts. Its random numbers come from that library: in this process
    seeded as the transform was (``fix_rng_seed`` has no effect), in worker processes for each.

    Args:
        augmentor: an instance of ``BasicTransform`` or ``Compose`` of that library.
    """

    def __init__(self, augmentor: Any) -> None:
        if isinstance(augmentor, type) or not callable(augmentor):
            raise TypeError(f"Albumentations: expected a transform of that library, got {augmentor!r}")
        library = require("albumentations", None)
        # of a copy: recording modifies the transforms, and these belong to the caller
        self._recorder = library.ReplayCompose(
            [copy.deepcopy(augmentor)],
            keypoint_params=library.KeypointParams(format="xy", remove_invisible=False),
        )
        if getattr(augmentor, "seed", None) is not None:
            self._seed(augmentor.seed)
        super().__init__(augmentor)

    def get_transform(self, img: Image) -> AlbumentationsTransform:
        """Let the library augment the image and record what it did."""
        result = self._recorder(image=img, keypoints=np.zeros((0, 2), np.float32))
        return AlbumentationsTransform(result["replay"], img, result["image"])

    def _seed(self, seed: int) -> None:
        self._recorder.set_random_seed(seed)
