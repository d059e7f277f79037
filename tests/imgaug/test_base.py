"""Augmentors as such: randomness, lists, printing, the old interface."""

from __future__ import annotations

import copy
import dataclasses
import gc
import multiprocessing
import os
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dataflow.utils
from dataflow import imgaug
from dataflow._core import random_state
from dataflow.imgaug import AugmentorList, ImageAugmentor, PhotometricAugmentor
from dataflow.imgaug.base import ImagePlaceholder
from dataflow.imgaug.transform import LazyTransform, NoOpTransform, TransformFactory, TransformList

from .zoo import ZOO, image, seeded


class Draw(ImageAugmentor):
    """Calls no base initialiser, as many do not."""

    def __init__(self, size: int = 3) -> None:
        self.size = size

    def get_transform(self, img: Any) -> TransformFactory:
        value = self._rand_range()
        return TransformFactory("draw", apply_image=lambda img: np.full(self.size, value))


class OwnReset(Draw):
    """Overrides ``reset_state`` without ``super()``."""

    def reset_state(self) -> None:
        self.resets = getattr(self, "resets", 0) + 1


def draws(augmentor: ImageAugmentor, number: int = 3) -> list[float]:
    return [float(augmentor.augment(image())[0]) for _ in range(number)]


# OpenCV's threads, which do nothing in the child, make Python 3.12 warn
forks = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def in_fork(func: Callable[[], Any]) -> Any:
    """Return what ``func`` returns in a forked process."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, pickle.dumps(func()))
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        result = pickle.loads(pipe.read())
    os.waitpid(pid, 0)
    return result


def test_rand_range() -> None:
    augmentor = seeded(Draw())
    rng = np.random.RandomState(42)
    number = augmentor._rand_range(2, 5)
    assert isinstance(number, np.float32)
    assert number == np.float32(rng.uniform(2, 5))
    assert augmentor._rand_range(7) == np.float32(rng.uniform(0, 7))
    assert augmentor._rand_range() == np.float32(rng.uniform(0, 1))
    pair = augmentor._rand_range(1, 2, size=(2,))
    assert np.array_equal(pair, rng.uniform(1, 2, (2,)).astype(np.float32))
    assert pair.dtype == np.float32


def test_opencv_takes_what_rand_range_returns() -> None:
    import cv2

    number = Draw()._rand_range(0, 30)
    assert cv2.getRotationMatrix2D((1.0, 2.0), number, 1.0).shape == (2, 3)


@pytest.mark.parametrize("make", [kind.make for kind in ZOO.values()], ids=list(ZOO))
def test_rng_is_there_from_the_start(make: Callable[[], ImageAugmentor]) -> None:
    augmentor = make()
    assert type(augmentor).rng is None
    assert isinstance(augmentor.rng, np.random.RandomState)
    before = augmentor.rng
    augmentor.reset_state()
    assert augmentor.rng is not before


def test_a_fixed_seed_gives_the_stream_of_that_seed() -> None:
    dataflow.utils.fix_rng_seed(7)
    expected = np.random.RandomState(7).rand()
    assert imgaug.Flip(horiz=True).rng.rand() == expected
    listed = AugmentorList([imgaug.Flip(horiz=True), imgaug.Identity()])
    assert [a.rng.rand() for a in (listed, *listed.augmentors)] == [expected] * 3
    listed.reset_state()
    assert listed.augmentors[1].rng.rand() == expected


CONTAINERS: list[Callable[[ImageAugmentor], ImageAugmentor]] = [
    lambda child: AugmentorList([child]),
    lambda child: imgaug.RandomApplyAug(child, 1),
    lambda child: imgaug.RandomChooseAug([child]),
    lambda child: imgaug.RandomOrderAug([child]),
]


@pytest.mark.parametrize("container", CONTAINERS)
def test_containers_reset_their_children(container: Callable[[ImageAugmentor], ImageAugmentor]) -> None:
    child = OwnReset()
    holder = container(child)
    before = child.resets
    holder.reset_state()
    assert child.resets == before + 1


@forks
@pytest.mark.parametrize("make", [Draw, OwnReset, lambda: AugmentorList([OwnReset()])])
def test_forked_processes_draw_differently(make: Callable[[], ImageAugmentor]) -> None:
    augmentor = make()
    draws(augmentor)
    children = [tuple(in_fork(lambda: draws(augmentor))) for _ in range(3)]
    assert len({*children, tuple(draws(augmentor))}) == 4


@dataclasses.dataclass
class Plain(OwnReset):
    """A dataclass has no hash, and is equal to others."""

    size: int = 3


@forks
def test_augmentors_may_be_equal_and_without_hash() -> None:
    augmentors = [Plain(), Plain()]
    assert augmentors[0] == augmentors[1]
    assert in_fork(lambda: [augmentor.resets for augmentor in augmentors]) == [1, 1]


@forks
def test_a_forked_process_resets_each_augmentor() -> None:
    augmentor = OwnReset()
    assert in_fork(lambda: augmentor.resets) == 1
    assert not hasattr(augmentor, "resets")


def in_pool(augmentor: ImageAugmentor) -> list[float]:
    return draws(augmentor)


def test_spawned_processes_draw_differently() -> None:
    augmentor = Draw()
    here = draws(augmentor, 1)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        there = pool.map(in_pool, [augmentor, augmentor], chunksize=1)
    assert len({*map(tuple, there), tuple(here + draws(augmentor, 2))}) == 3


@forks
def test_workers_with_a_fixed_seed() -> None:
    dataflow.utils.fix_rng_seed(7)
    augmentor = AugmentorList([Draw(), imgaug.Identity()])
    state = random_state.process_state()

    def worker(index: int) -> Any:
        random_state.enter_worker(state, index)
        return draws(augmentor)

    expected = [float(np.float32(x)) for x in np.random.RandomState(7).uniform(0, 1, 3)]
    assert in_fork(lambda: worker(0)) == expected
    assert in_fork(lambda: worker(1)) == in_fork(lambda: worker(1)) != expected


def test_copies_go_on_with_the_same_stream() -> None:
    augmentor = Draw(5)
    draws(augmentor)
    twins = [copy.deepcopy(augmentor), pickle.loads(pickle.dumps(augmentor))]
    expected = draws(augmentor)
    for twin in twins:
        assert draws(twin) == expected
        assert vars(twin).keys() == {"size", "rng"}


@forks
def test_copies_draw_differently_in_workers() -> None:
    augmentor = Draw()
    draws(augmentor)
    twins = [augmentor, copy.deepcopy(augmentor), pickle.loads(pickle.dumps(augmentor))]
    seen = [tuple(in_fork(lambda twin=twin: draws(twin))) for twin in twins]
    assert len({*seen, *(tuple(draws(twin)) for twin in twins)}) == len(twins) + 1


def test_copies_have_all_attributes_of_users() -> None:
    augmentor = Draw()
    augmentor._process = "mine"  # type: ignore[attr-defined]
    assert copy.deepcopy(augmentor)._process == "mine"  # type: ignore[attr-defined]


def test_nothing_is_kept_alive() -> None:
    gone = [weakref.ref(kind.make()) for kind in ZOO.values()]
    gc.collect()
    assert not any(ref() for ref in gone)


def test_a_list() -> None:
    crop, flip = imgaug.RandomCrop(20), imgaug.Flip(horiz=True)
    members = [crop, flip]
    augmentors = AugmentorList(members)
    assert augmentors.augmentors is members
    transform = augmentors.get_transform(image())
    assert isinstance(transform, TransformList)
    assert [type(t) for t in transform.tfms] == [imgaug.CropTransform, LazyTransform]
    with pytest.raises(RuntimeError, match="apply_coords before apply_image"):
        transform.apply_coords(np.zeros((1, 2)))
    first = transform.apply_image(image())
    assert np.array_equal(transform.apply_image(image()), first)
    assert transform.apply_coords(np.zeros((1, 2))).shape == (1, 2)


def test_a_list_of_lists() -> None:
    inner = AugmentorList([imgaug.CenterCrop(20), imgaug.Identity()])
    outer = AugmentorList([inner, inner])
    transform = outer.get_transform(image())
    assert [type(t) for t in transform.tfms] == [imgaug.CropTransform, LazyTransform, LazyTransform]
    assert transform.apply_image(image()).shape == (20, 20, 3)


def test_an_empty_list_is_the_identity() -> None:
    empty = AugmentorList([])
    img = image()
    assert empty.augment(img) is img
    assert repr(empty) == "imgaug.AugmentorList([\n])"
    with pytest.raises(ValueError, match=r"(?s)AugmentorList.*expected an image .*got uint8 of shape \(3,\)"):
        empty.augment(np.zeros(3, np.uint8))


@pytest.mark.parametrize("wrong", [None, imgaug.Flip(horiz=True), [3], [imgaug.Flip], [np.flip]])
def test_what_a_list_cannot_hold(wrong: Any) -> None:
    with pytest.raises(TypeError, match="AugmentorList: expected"):
        AugmentorList(wrong)


def test_a_placeholder_will_do_for_sizes() -> None:
    crop = imgaug.CenterCrop(10).get_transform(ImagePlaceholder((20, 30)))
    assert (crop.y0, crop.x0) == (5, 10)


def test_photometric() -> None:
    class Add(PhotometricAugmentor):
        def __init__(self, most: int = 5) -> None:
            super().__init__()
            self._init(locals())

        def _get_augment_params(self, img: Any) -> int:
            return int(self.rng.randint(self.most))

        def _augment(self, img: Any, params: Any) -> Any:
            return img + params

    transform = seeded(Add()).get_transform(image())
    drawn = np.random.RandomState(42).randint(5)
    assert np.array_equal(transform.apply_image(image()), image() + drawn)
    assert repr(transform) == "imgaug.PhotometricTransform(from imgaug.Add())"
    assert np.array_equal(Add(1).augment(image(dtype=np.int32)), image()), "others may take what they like"
    with pytest.raises(NotImplementedError, match=r"Forgot must define _augment\(img, params\)"):
        type("Forgot", (PhotometricAugmentor,), {})().augment(image())
    with pytest.raises(NotImplementedError, match=r"Forgot must define get_transform\(img\)"):
        type("Forgot", (ImageAugmentor,), {})().augment(image())


def test_photometric_with_a_transform_of_its_own() -> None:
    class Twice(imgaug.Brightness):
        def get_transform(self, img: Any) -> TransformList:
            return TransformList([super().get_transform(img), super().get_transform(img)])

    drawn = np.random.RandomState(42).uniform(-30, 30, 2).astype(np.float32)
    assert np.allclose(seeded(Twice(30, clip=False)).augment(np.zeros((2, 2), np.float32)), drawn.sum())


PLAIN = [kind.make() for name, kind in ZOO.items() if name not in ("MapImage", "Lighting")]


@pytest.mark.parametrize("augmentor", PLAIN, ids=lambda a: type(a).__name__)
def test_repr_evaluates_back(augmentor: ImageAugmentor) -> None:
    text = repr(augmentor)
    assert text.startswith(f"imgaug.{type(augmentor).__name__}(")
    twin = eval(text, {"imgaug": imgaug})
    assert repr(twin) == text
    assert type(twin) is type(augmentor)
    shown = {k: v for k, v in vars(twin).items() if k != "rng"}
    assert str(shown) == str({k: v for k, v in vars(augmentor).items() if k != "rng"})


def test_repr() -> None:
    assert repr(imgaug.Flip(horiz=True)) == "imgaug.Flip(horiz=True)"
    assert repr(imgaug.Flip(vert=True, prob=0.25)) == "imgaug.Flip(vert=True, prob=0.25)"
    assert str(imgaug.Identity()) == "imgaug.Identity()"
    assert repr(pickle.loads(pickle.dumps(imgaug.Flip(horiz=True)))) == "imgaug.Flip(horiz=True)"
    assert repr(imgaug.Clip(0.0, 255.0)) == "imgaug.Clip(min=0.0, max=255.0)", "not the same as integers"
    augmentors = AugmentorList([imgaug.Resize((4, 5)), AugmentorList([imgaug.Identity()])])
    assert repr(augmentors) == (
        "imgaug.AugmentorList([\n"
        "  imgaug.Resize(shape=(4, 5)),\n"
        "  imgaug.AugmentorList([\n"
        "    imgaug.Identity()])])"
    )
    assert repr(imgaug.RandomChooseAug([(imgaug.Identity(), 0.25), (imgaug.Identity(), 0.75)])) == (
        "imgaug.RandomChooseAug(aug_lists=[(imgaug.Identity(), 0.25), (imgaug.Identity(), 0.75)])"
    )
    lighting = imgaug.Lighting(0.1, [1, 2, 3], np.eye(3))
    twin = eval(repr(lighting), {"imgaug": imgaug, "array": np.array, "float32": np.float32})
    assert np.array_equal(twin.eigvec, lighting.eigvec)


def test_repr_of_what_users_write() -> None:
    class Keyword(ImageAugmentor):
        def __init__(self, a: int, *, b: int, c: int = 3) -> None:
            self.a, self.b, self.c = a, b, c

    class Missing(ImageAugmentor):
        def __init__(self, a: int) -> None: ...

    class Many(ImageAugmentor):
        def __init__(self, *args: Any) -> None:
            self.args = args

    class ArrayDefault(ImageAugmentor):
        def __init__(self, a: Any = np.zeros(2)) -> None:  # noqa: B008
            self.a = a

    assert repr(Keyword(1, b=2)) == "imgaug.Keyword(a=1, b=2)"
    assert repr(Missing(1)).startswith("<tests.imgaug.test_base.")
    assert repr(Many(1)).startswith("<tests.imgaug.test_base.")
    assert repr(ArrayDefault()) == "imgaug.ArrayDefault(a=array([0., 0.]))"


class OldStyle(ImageAugmentor):
    """As written for the interface before transforms."""

    def _get_augment_params(self, img: Any) -> int:
        return int(self.rng.randint(100))

    def _augment(self, img: Any, params: int) -> Any:
        return img + params

    def _augment_coords(self, coords: Any, params: int) -> Any:
        return coords + params


def renewed(cls: type) -> Any:
    """Return an instance of a new subclass, which has not warned yet."""
    return type(cls.__name__, (cls,), {})()


def test_old_interface() -> None:
    augmentor = seeded(renewed(OldStyle))
    drawn = np.random.RandomState(42).randint(100)
    with pytest.warns(DeprecationWarning, match=r"OldStyle: defines the old augmentor interface") as warnings:
        transform = augmentor.get_transform(image())
    assert len(warnings) == 1
    assert np.array_equal(transform.apply_image(image()), image() + drawn)
    assert np.array_equal(transform.apply_coords(np.zeros((1, 2))), np.full((1, 2), drawn))
    assert repr(transform).startswith("imgaug.TransformFactory(LegacyConversion -- ")
    augmentor.augment(image())  # warns no more


def test_old_calls_of_an_old_class() -> None:
    """It takes anything, and hands back its own parameters."""
    augmentor = renewed(OldStyle)
    with pytest.warns(DeprecationWarning) as warnings:
        out, params = augmentor.augment_return_params(1000)
        assert augmentor.augment_with_params(1000, params) == out == 1000 + params
        assert augmentor.augment_coords(5, params) == 5 + params
    assert len(warnings) == 1
    assert isinstance(params, int)


def test_old_calls_of_a_new_class() -> None:
    augmentor = renewed(Draw)
    with pytest.warns(DeprecationWarning, match="augment_return_params is deprecated") as warnings:
        out, params = augmentor.augment_return_params(image())
        assert np.array_equal(augmentor.augment_with_params(image(), params), out)
    assert len(warnings) == 1
    flip = renewed(imgaug.Identity)
    with pytest.warns(DeprecationWarning):
        assert flip.augment_coords([1], NoOpTransform()) == [1]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_hooks() -> None:
    class Public(OldStyle):
        def get_augment_params(self, img: Any) -> int:
            return 7  # has precedence

    class OnlyImages(ImageAugmentor):
        def _augment(self, img: Any, params: Any) -> Any:
            assert params is None
            return img

    class Calls(OnlyImages):
        def augment_coords(self, coords: Any, param: Any) -> Any:
            return coords + 1

    class Ready(ImageAugmentor):
        def _get_augment_params(self, img: Any) -> Any:
            return NoOpTransform()

    class NoEffect(ImageAugmentor):
        def _get_augment_params(self, img: Any) -> Any:
            return 3

    class Broken(ImageAugmentor):
        def _get_augment_params(self, img: Any) -> Any:
            return self.never_set

    points = np.zeros((1, 2))
    assert np.array_equal(Public().augment(image()), image() + 7)
    assert OnlyImages().get_transform(image()).apply_coords(points) is points
    assert np.array_equal(Calls().get_transform(image()).apply_coords(points), points + 1)
    assert isinstance(Ready().get_transform(image()), NoOpTransform)
    assert Ready().augment_return_params(5)[0] == 5
    with pytest.raises(AttributeError, match="_augment"):
        NoEffect().augment(image())
    with pytest.raises(AttributeError, match="never_set"):
        Broken().augment(image())
