"""Augmentors of the old interface: what they define is called, whatever their parameters are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dataflow.imgaug import AugmentorList, Brightness, CenterCrop, Flip, ImageAugmentor, ResizeTransform

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class OfBoth(ImageAugmentor):
    """Takes a picture, or a dict with a picture and a mask; its parameters are a transform."""

    def _get_augment_params(self, dp: Any) -> Any:
        height, width = (dp["picture"] if isinstance(dp, dict) else dp).shape[:2]
        return ResizeTransform(height, width, height // 2, width // 2, 1)

    def _augment(self, dp: Any, transform: Any) -> Any:
        if isinstance(dp, dict):
            return {name: transform.apply_image(part) for name, part in dp.items()}
        return transform.apply_image(dp) + 1


class WithCoordinates(OfBoth):
    def _augment_coords(self, coords: Any, transform: Any) -> Any:
        return transform.apply_coords(coords) + 100


PICTURE = np.zeros((8, 8, 3), np.uint8)
POINTS = np.array([[2.0, 4.0]])


def test_all_ways_to_augment() -> None:
    augmentor = OfBoth()
    for image in (
        augmentor.augment(PICTURE),
        augmentor.get_transform(PICTURE).apply_image(PICTURE),
        augmentor.augment_with_params(PICTURE, augmentor.augment_return_params(PICTURE)[1]),
        augmentor.augment_return_params(PICTURE)[0],
    ):
        assert image.shape == (4, 4, 3) and (image == 1).all()
    both, params = augmentor.augment_return_params({"picture": PICTURE, "mask": PICTURE[:, :, 0]})
    assert both["picture"].shape == (4, 4, 3) and both["mask"].shape == (4, 4)
    assert isinstance(params, ResizeTransform)


def test_coordinates() -> None:
    augmentor = WithCoordinates()
    params = augmentor.augment_return_params(PICTURE)[1]
    assert augmentor.augment_coords(POINTS, params).tolist() == [[101, 102]]
    assert augmentor.get_transform(PICTURE).apply_coords(POINTS).tolist() == [[101, 102]]
    assert OfBoth().augment_coords(POINTS, params).tolist() == [[1, 2]]


def test_without_augment_the_transform_is_used() -> None:
    class Params(ImageAugmentor):
        def _get_augment_params(self, img: Any) -> Any:
            return ResizeTransform(8, 8, 4, 4, 1)

    assert isinstance(Params().get_transform(PICTURE), ResizeTransform)


@pytest.mark.parametrize("augmentor", [Flip(horiz=True, prob=1), CenterCrop(4)])
def test_augmentors_of_today(augmentor: Any) -> None:
    image, transform = augmentor.augment_return_params(PICTURE)
    assert (augmentor.augment_with_params(PICTURE, transform) == image).all()


class TestHooksOfASubclassOfAnAugmentorOfToday:
    """They would be ignored silently, since ``get_transform`` is inherited."""

    def test_augment(self) -> None:
        class Own(CenterCrop):
            def _augment(self, img: Any, transform: Any) -> Any:
                return transform.apply_image(img) + 5

        for augmentor in (Own(4), AugmentorList([Own(4)])):
            out = augmentor.augment(PICTURE)
            assert out.shape == (4, 4, 3) and (out == 5).all()

    def test_params(self) -> None:
        class Own(CenterCrop):
            def _get_augment_params(self, img: Any) -> Any:
                return ResizeTransform(8, 8, 2, 2, 1)

        assert Own(4).augment(PICTURE).shape == (2, 2, 3)

    def test_a_class_below(self) -> None:
        class Own(CenterCrop):
            def _augment(self, img: Any, transform: Any) -> Any:
                return transform.apply_image(img) + 5

        class New(Own):
            def get_transform(self, img: Any) -> Any:
                return ResizeTransform(8, 8, 2, 2, 1)

        assert New(4).augment(PICTURE).shape == (2, 2, 3)

    def test_photometric_ones_have_such_hooks(self) -> None:
        class Own(Brightness):
            def _augment(self, img: Any, shift: Any) -> Any:
                return img + 7

        assert (Own(1).augment(PICTURE) == 7).all()
        assert (Own(1).get_transform(PICTURE).apply_image(PICTURE) == 7).all()
