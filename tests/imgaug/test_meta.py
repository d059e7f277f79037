"""Augmentors made of augmentors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dataflow import imgaug
from dataflow.imgaug.transform import FlipTransform, NoOpTransform

from .zoo import image, seeded


def test_random_apply() -> None:
    apply = imgaug.RandomApplyAug(imgaug.Flip(horiz=True, prob=0.5), 0.4)
    apply.rng, apply.aug.rng = np.random.RandomState(1), np.random.RandomState(2)
    rng, child = np.random.RandomState(1), np.random.RandomState(2)
    for _ in range(30):
        flipped = rng.rand() < 0.4 and np.float32(child.uniform()) < 0.5
        assert type(apply.get_transform(image())) is (FlipTransform if flipped else NoOpTransform)


@pytest.mark.parametrize("pairs", [True, False])
def test_random_choose(pairs: bool) -> None:
    crops = [imgaug.CenterCrop(k + 1) for k in range(3)]
    prob = [0.2, 0.3, 0.5] if pairs else [1 / 3] * 3
    choose = seeded(imgaug.RandomChooseAug(list(zip(crops, prob, strict=True)) if pairs else crops))
    assert choose.aug_lists == crops
    assert choose.prob == prob
    rng = np.random.RandomState(42)
    for _ in range(20):
        assert choose.get_transform(image()).h == rng.choice(3, p=prob) + 1


def test_probabilities_within_rounding() -> None:
    tenth = [(imgaug.Identity(), 0.1)] * 10
    assert sum(imgaug.RandomChooseAug(tenth).prob) == pytest.approx(1)
    third = [[imgaug.Identity(), 0.3333333]] * 3
    imgaug.RandomChooseAug(third).augment(image())  # type: ignore[arg-type]


def test_random_order() -> None:
    """Children draw in the order of the list, from the original image."""
    order = imgaug.RandomOrderAug([imgaug.RandomCrop(40), imgaug.RandomCrop(30), imgaug.RandomCrop(20)])
    order.rng = np.random.RandomState(0)
    shared = np.random.RandomState(1)
    for child in order.aug_lists:
        child.rng = shared
    transform = order.get_transform(image())
    rng, permutation = np.random.RandomState(1), np.random.RandomState(0).permutation(3)
    places = [(rng.randint(48 - s + 1), rng.randint(64 - s + 1), s) for s in (40, 30, 20)]
    crops: list[Any] = transform.tfms
    assert [(t.y0, t.x0, t.h) for t in crops] == [places[k] for k in permutation]


def test_map_image() -> None:
    points = np.array([[1.0, 2]])
    invert = imgaug.MapImage(lambda img: 255 - img)
    assert np.array_equal(invert.augment(image()), 255 - image())
    assert repr(invert.get_transform(image())) == "imgaug.TransformFactory(MapImage)"
    with pytest.raises(NotImplementedError, match="TransformFactory does not implement apply_coords"):
        invert.get_transform(image()).apply_coords(points)
    both = imgaug.MapImage(lambda img: img, lambda coords: coords * 2).get_transform(image())
    assert both.apply_coords(points).tolist() == [[2, 4]]


@pytest.mark.parametrize(
    "make, error, text",
    [
        (lambda: imgaug.RandomApplyAug(len, 0.5), TypeError, "RandomApplyAug: expected an augmentor, got"),
        (lambda: imgaug.RandomApplyAug(imgaug.Identity(), 2), ValueError, "RandomApplyAug: prob"),
        (lambda: imgaug.RandomChooseAug([]), ValueError, "RandomChooseAug: expected at least one augmentor"),
        (lambda: imgaug.RandomChooseAug([len]), TypeError, "RandomChooseAug: expected an augmentor"),
        (lambda: imgaug.RandomChooseAug([(imgaug.Identity(), 0.5)]), ValueError, "probabilities of sum 1"),
        (
            lambda: imgaug.RandomChooseAug([(imgaug.Identity(), -1)]),
            ValueError,
            "RandomChooseAug: expected a",
        ),
        (lambda: imgaug.RandomChooseAug([(imgaug.Identity(), 1), len]), TypeError, "expected pairs"),
        (lambda: imgaug.RandomOrderAug(imgaug.Identity()), TypeError, "RandomOrderAug: expected a list"),
    ],
)
def test_wrong_arguments(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()
