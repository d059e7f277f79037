"""The wrappers of other libraries, with small stand-ins for these."""

from __future__ import annotations

import os
import pickle
import sys
import types
from typing import Any

import numpy as np
import pytest

from dataflow import imgaug

from .zoo import GRAY, image


class Augmenter:
    """Adds a number to images and label maps' positions, like an augmenter of *imgaug*."""

    def __init__(self) -> None:
        self.seed = 0

    def seed_(self, seed: int) -> None:
        self.seed = seed

    def to_deterministic(self) -> Augmenter:
        self.seed += 1
        frozen = Augmenter()
        frozen.seed = self.seed
        return frozen

    def augment_image(self, img: Any) -> Any:
        return img + self.seed

    def augment_keypoints(self, keypoints: Any) -> Any:
        return Keypoints(keypoints.xy + self.seed, keypoints.shape)

    def augment_segmentation_maps(self, labels: Any) -> Any:
        return Labels(np.roll(labels.arr, self.seed, axis=1), labels.shape)


class Keypoints:
    def __init__(self, xy: Any, shape: tuple[int, ...]) -> None:
        assert shape == (48, 64, 3)
        self.xy, self.shape = xy, shape

    @classmethod
    def from_xy_array(cls, xy: Any, shape: tuple[int, ...]) -> Keypoints:
        return cls(xy, shape)

    def to_xy_array(self) -> Any:
        return self.xy.astype(np.float32)


class Labels:
    def __init__(self, arr: Any, shape: tuple[int, ...]) -> None:
        assert arr.dtype == np.int32
        self.arr, self.shape = arr, shape

    def get_arr(self) -> Any:
        return self.arr


@pytest.fixture
def _iaa(monkeypatch: pytest.MonkeyPatch) -> None:
    library: Any = types.ModuleType("imgaug")
    library.KeypointsOnImage = Keypoints
    library.augmentables = types.ModuleType("imgaug.augmentables")
    library.augmentables.segmaps = types.ModuleType("imgaug.augmentables.segmaps")
    library.augmentables.segmaps.SegmentationMapsOnImage = Labels
    monkeypatch.setitem(sys.modules, "imgaug", library)
    monkeypatch.setitem(sys.modules, "imgaug.augmentables", library.augmentables)
    monkeypatch.setitem(sys.modules, "imgaug.augmentables.segmaps", library.augmentables.segmaps)


@pytest.mark.usefixtures("_iaa")
def test_iaa() -> None:
    augmentor = imgaug.IAAugmentor(Augmenter())
    assert np.array_equal(augmentor.augment(image()), image() + 1)
    transform = augmentor.get_transform(image())
    points = np.array([[1.0, 2]])
    for _ in range(2):
        assert np.array_equal(transform.apply_image(image()), image() + 2)
        moved = transform.apply_coords(points)
        assert moved.tolist() == [[3, 4]]
    assert moved.dtype == np.float64
    assert transform.apply_box([[1.0, 2, 3, 4]]).tolist() == [[3, 4, 5, 6]]
    labels = image(GRAY).astype(np.int64)
    moved = transform.apply_segmentation(labels)
    assert moved.dtype == np.int64
    assert np.array_equal(moved, np.roll(labels, 2, axis=1))
    assert repr(augmentor).startswith("imgaug.IAAugmentor(<tests.imgaug")
    assert repr(transform).startswith("IAATransform(<tests.imgaug")


class BasicTransform:
    """Shifts by a random number, like a transform of *albumentations*."""

    def __init__(self, p: float = 0.5, seed: int | None = None) -> None:
        self.p, self.seed = p, seed

    def __call__(self, **data: Any) -> Any:
        raise AssertionError("only the copy inside of the recorder may be changed and called")

    def __repr__(self) -> str:
        return f"Shift(p={self.p})"


class ReplayCompose:
    def __init__(self, transforms: list[Any], keypoint_params: Any) -> None:
        self.transforms = transforms
        assert keypoint_params == {"format": "xy", "remove_invisible": False}
        self.set_random_seed(1)

    def set_random_seed(self, seed: int) -> None:
        self.seed = seed
        self.random = np.random.RandomState(seed)

    def __call__(self, image: Any, keypoints: Any) -> dict[str, Any]:
        applied = self.random.rand() < self.transforms[0].p
        replay = {"by": int(self.random.randint(1000)) if applied else 0}
        replay["transforms"] = [{"__class_fullname__": "Shift", "applied": applied}]  # type: ignore[assignment]
        return {"image": image + replay["by"], "keypoints": keypoints, "replay": replay}

    @staticmethod
    def replay(saved: dict[str, Any], image: Any, keypoints: Any, mask: Any = None) -> dict[str, Any]:
        assert image.shape[:2] == (48, 64)
        moved = [(x + saved["by"], y) for x, y in keypoints] * (2 if saved.get("reflects") else 1)
        result = {"image": image + saved["by"], "keypoints": moved}
        return result if mask is None else {**result, "mask": mask + saved["by"]}


@pytest.fixture
def _albumentations(monkeypatch: pytest.MonkeyPatch) -> None:
    library: Any = types.ModuleType("albumentations")
    library.ReplayCompose = ReplayCompose
    library.KeypointParams = dict
    monkeypatch.setitem(sys.modules, "albumentations", library)


@pytest.mark.usefixtures("_albumentations")
def test_albumentations() -> None:
    augmentor = imgaug.Albumentations(BasicTransform(p=1))
    img = image(dtype=np.int32)
    transform = augmentor.get_transform(img)
    rng = np.random.RandomState(1)
    rng.rand()
    by = rng.randint(1000)
    for _ in range(2):  # the recorded result, then a replay
        assert np.array_equal(transform.apply_image(img), img + by)
    points = np.array([[1, 2]], np.float32)
    moved = transform.apply_coords(points)
    assert (moved.tolist(), moved.dtype) == ([[1 + by, 2]], np.float32)
    assert transform.apply_box([[1.0, 2, 3, 4]]).tolist() == [[1 + by, 2, 3 + by, 4]]
    assert transform.apply_coords(np.zeros((0, 2))).shape == (0, 2)
    assert np.array_equal(transform.apply_segmentation(img[:, :, 0]), img[:, :, 0] + by)
    assert repr(transform) == "AlbumentationsTransform(Shift)"
    assert repr(augmentor) == "imgaug.Albumentations(Shift(p=1))"


@pytest.mark.usefixtures("_albumentations")
def test_the_probability_of_an_albumentation_counts() -> None:
    never = imgaug.Albumentations(BasicTransform(p=0)).get_transform(image())
    assert repr(never) == "AlbumentationsTransform()"
    assert np.array_equal(never.apply_coords([[1.0, 2]]), [[1, 2]])


@pytest.mark.usefixtures("_albumentations")
def test_reflected_points_are_refused() -> None:
    transform = imgaug.Albumentations(BasicTransform(p=1)).get_transform(image(dtype=float))
    transform._replay["reflects"] = True
    with pytest.raises(ValueError, match=r"made 2 points of 1; .* cv2.BORDER_CONSTANT"):
        transform.apply_coords([[1.0, 2]])


@pytest.mark.usefixtures("_albumentations", "_iaa")
def test_randomness_is_the_library_s_own_in_this_process_only(monkeypatch: pytest.MonkeyPatch) -> None:
    seeded = imgaug.Albumentations(BasicTransform(seed=77))
    wrapped = imgaug.IAAugmentor(Augmenter())
    seeded.reset_state()
    wrapped.reset_state()
    assert seeded._recorder.seed == 77
    assert wrapped._aug.seed == 0

    pickled = pickle.dumps([seeded, wrapped])
    process = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: process + 1)
    seeded_there, wrapped_there = pickle.loads(pickled)
    seeds = {seeded_there._recorder.seed, wrapped_there._aug.seed}
    assert len(seeds) == 2
    assert not seeds & {0, 77}
    seeded_there.reset_state()
    assert seeded_there._recorder.seed in seeds, "once in a process"


def test_an_iaa_of_an_old_release_is_seeded_as_it_knows() -> None:
    class Old:
        def to_deterministic(self) -> None: ...

        def reseed(self, seed: int) -> None:
            self.seed = seed

    augmentor = imgaug.IAAugmentor(Old())
    augmentor._seed(5)
    assert augmentor._aug.seed == 5


def test_wrong_arguments() -> None:
    with pytest.raises(TypeError, match="IAAugmentor: expected an augmenter of the library imgaug, got 3"):
        imgaug.IAAugmentor(3)
    with pytest.raises(TypeError, match="Albumentations: expected a transform of that library, got 3"):
        imgaug.Albumentations(3)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "albumentations", None)
    with pytest.raises(ImportError, match="albumentations"):
        imgaug.Albumentations(BasicTransform())
