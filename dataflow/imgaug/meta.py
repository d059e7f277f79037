"""Augmentors made of other augmentors, or of functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .._core.checks import probability
from ._cv import Image
from .base import ImageAugmentor, check_augmentor, check_augmentors
from .transform import BaseTransform, NoOpTransform, TransformFactory, TransformList

__all__ = ["Identity", "MapImage", "RandomApplyAug", "RandomChooseAug", "RandomOrderAug"]


class Identity(ImageAugmentor):
    """Do nothing."""

    def get_transform(self, img: Image) -> NoOpTransform:
        """Return a transform that returns what it is given."""
        return NoOpTransform()


class RandomApplyAug(ImageAugmentor):
    """Apply an augmentor with a probability.

    Args:
        aug: the augmentor.
        prob: the probability.
    """

    def __init__(self, aug: ImageAugmentor, prob: float) -> None:
        self.aug, self.prob = (
            check_augmentor(aug, "RandomApplyAug"),
            probability(prob, "RandomApplyAug: prob"),
        )
        super().__init__()

    def reset_state(self) -> None:
        """Make the random state of this and of the augmentor anew."""
        super().reset_state()
        self.aug.reset_state()

    def get_transform(self, img: Image) -> BaseTransform:
        """Draw one number, and the augmentor's random numbers if it is applied."""
        return self.aug.get_transform(img) if self.rng.rand() < self.prob else NoOpTransform()


class RandomChooseAug(ImageAugmentor):
    """Apply one of several augmentors.

    Args:
        aug_lists: augmentors, equally probable; or pairs (augmentor, probability).

    Raises:
        TypeError: ``aug_lists`` has another type.
        ValueError: a probability is out of range, or their sum is not 1 (within 1e-6).
    """

    def __init__(self, aug_lists: Sequence[ImageAugmentor] | Sequence[tuple[ImageAugmentor, float]]) -> None:
        entries: list[Any] = list(aug_lists)
        if not entries:
            raise ValueError("RandomChooseAug: expected at least one augmentor, got none")
        self._weighted = isinstance(entries[0], list | tuple)
        if self._weighted:
            self.aug_lists, prob = _split_pairs(entries)
        else:
            self.aug_lists, prob = entries, [1.0 / len(entries)] * len(entries)
        check_augmentors(self.aug_lists, "RandomChooseAug")
        total = math.fsum(prob)
        if abs(total - 1) > 1e-6:
            raise ValueError(f"RandomChooseAug: expected probabilities of sum 1, got {prob}")
        self.prob = [p / total for p in prob]
        super().__init__()

    def reset_state(self) -> None:
        """Make the random state of this and of each augmentor anew."""
        super().reset_state()
        for augmentor in self.aug_lists:
            augmentor.reset_state()

    def get_transform(self, img: Image) -> BaseTransform:
        """Draw which augmentor is applied, and then its random numbers."""
        chosen = self.rng.choice(len(self.aug_lists), p=self.prob)
        return self.aug_lists[chosen].get_transform(img)

    def __repr__(self) -> str:
        """Return the augmentors, with their probabilities if they were given."""
        entries: list[Any] = self.aug_lists
        if self._weighted:
            entries = list(zip(self.aug_lists, self.prob, strict=True))
        return f"imgaug.RandomChooseAug(aug_lists={entries!r})"


def _split_pairs(pairs: list[Any]) -> tuple[list[ImageAugmentor], list[float]]:
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise TypeError(f"RandomChooseAug: expected pairs (augmentor, probability), got {pair!r}")
        probability(pair[1], "RandomChooseAug")
    return [pair[0] for pair in pairs], [float(pair[1]) for pair in pairs]


class RandomOrderAug(ImageAugmentor):
    """Apply several augmentors in random order.

    All of them draw for the original image. So do not combine augmentors that depend on the size of the image
    with others that change it.

    Args:
        aug_lists: the augmentors.
    """

    def __init__(self, aug_lists: Sequence[ImageAugmentor]) -> None:
        self.aug_lists = check_augmentors(aug_lists, "RandomOrderAug")
        super().__init__()

    def reset_state(self) -> None:
        """Make the random state of this and of each augmentor anew."""
        super().reset_state()
        for augmentor in self.aug_lists:
            augmentor.reset_state()

    def get_transform(self, img: Image) -> TransformList:
        """Draw the order, and then what each augmentor draws, in the order of the list."""
        order = self.rng.permutation(len(self.aug_lists))
        tfms = [augmentor.get_transform(img) for augmentor in self.aug_lists]
        return TransformList([tfms[k] for k in order])


class MapImage(ImageAugmentor):
    """Apply functions.

    Args:
        func: takes an image and returns a new one.
        coord_func: takes N x 2 coordinates and returns new ones. Without it, coordinates raise
            ``NotImplementedError``.
    """

    def __init__(
        self, func: Callable[[Image], Image], coord_func: Callable[[Any], Any] | None = None
    ) -> None:
        self.func, self.coord_func = func, coord_func
        super().__init__()

    def get_transform(self, img: Image) -> TransformFactory:
        """Return the transform: no randomness."""
        if self.coord_func is None:
            return TransformFactory("MapImage", apply_image=self.func)
        return TransformFactory("MapImage", apply_image=self.func, apply_coords=self.coord_func)
