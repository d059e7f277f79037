"""Transforms by themselves."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow import imgaug
from dataflow.imgaug import CropTransform, FlipTransform, ResizeTransform, TransformFactory, TransformList
from dataflow.imgaug.transform import (
    BaseTransform,
    LazyTransform,
    NoOpTransform,
    PhotometricTransform,
    Transform,
    TransposeTransform,
    WarpAffineTransform,
    crop_to,
)

from .zoo import GRAY, image

POINTS = np.array([[0.0, 0.0], [3.5, 10.0], [64.0, 48.0]])


def test_resize() -> None:
    resize = ResizeTransform(48, 64, 24, 96, cv2.INTER_LINEAR)
    img = image()
    assert np.array_equal(resize.apply_image(img), cv2.resize(img, (96, 24)))
    assert np.array_equal(resize.apply_coords(POINTS), POINTS * [1.5, 0.5])
    labels = image(GRAY).astype(np.int32)
    expected = cv2.resize(image(GRAY), (96, 24), interpolation=cv2.INTER_NEAREST)
    assert np.array_equal(resize.apply_segmentation(labels), expected)
    with pytest.raises(
        ValueError, match=r"ResizeTransform.*expected an image of 48 x 64, got uint8 of shape"
    ):
        resize.apply_image(img[1:])


def test_interpolation_of_integers_rounds() -> None:
    img = np.array([[0, 1_000_000_001]], np.int32)
    out = ResizeTransform(1, 2, 1, 4, cv2.INTER_LINEAR).apply_image(img)
    assert out.dtype == np.int32
    assert out.tolist() == [[0, 250_000_000, 750_000_001, 1_000_000_001]]
    overshoot = np.array([[-128, -128, 127, 127]] * 4, np.int8)
    out = ResizeTransform(4, 4, 16, 16, cv2.INTER_CUBIC).apply_image(overshoot)
    assert (out[0, 0], out[0, 5], out[0, 10], out.dtype) == (-128, -128, 127, np.int8)


def test_big_endian_and_huge_integers() -> None:
    img = image(GRAY)
    resize = ResizeTransform(48, 64, 20, 30, cv2.INTER_LINEAR)
    expected = resize.apply_image(img.astype(np.uint16))
    big_endian = resize.apply_image(img.astype(">u2"))
    np.testing.assert_allclose(big_endian, expected, atol=1)
    assert big_endian.dtype == ">u2"
    with pytest.raises(ValueError, match=r"ResizeTransform.*beyond 2\*\*53, in int64"):
        resize.apply_image(np.full(GRAY, 2**60))
    with pytest.raises(TypeError, match=r"ResizeTransform.*real numbers, got complex128"):
        resize.apply_image(np.zeros(GRAY, complex))


def test_opencv_refusal_names_everything() -> None:
    with pytest.raises(ValueError, match=r"ResizeTransform.*OpenCV can't.*uint8 of shape \(0, 5\)"):
        ResizeTransform(0, 5, 3, 3, cv2.INTER_LINEAR).apply_image(np.zeros((0, 5), np.uint8))


@pytest.mark.parametrize("channels", [2, 5, 7])
def test_any_number_of_channels(channels: int) -> None:
    img = np.dstack([image(GRAY)] * channels)
    for transform in (
        ResizeTransform(48, 64, 20, 30, cv2.INTER_LINEAR),
        FlipTransform(48, 64),
        TransposeTransform(),
        WarpAffineTransform(np.eye(2, 3), (64, 48)),
    ):
        out = transform.apply_image(img)
        assert out.shape[2] == channels
        assert np.array_equal(out[:, :, -1], transform.apply_image(image(GRAY)))


def test_crop() -> None:
    img = image()
    crop = CropTransform(3, 5, 10, 20)
    out = crop.apply_image(img)
    assert np.shares_memory(out, img)
    assert np.array_equal(out, img[3:13, 5:25])
    assert np.array_equal(crop.apply_coords(POINTS), POINTS - [5, 3])
    assert CropTransform(40, 60, 20, 20).apply_image(img).shape == (8, 4, 3)
    quick = crop_to(3, 5, 10, 20)
    assert type(quick) is CropTransform
    assert vars(quick) == vars(crop)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.bool_, np.float16, ">f4"])
def test_flip_and_transpose(dtype: Any) -> None:
    img = image().astype(dtype)
    for transform, expected in (
        (FlipTransform(48, 64), img[:, ::-1]),
        (FlipTransform(48, 64, horiz=False), img[::-1]),
        (TransposeTransform(), img.swapaxes(0, 1)),
    ):
        for part in (slice(None), slice(1)):
            out = transform.apply_image(img[:, :, part])
            assert out.dtype == img.dtype
            assert np.array_equal(out, expected[:, :, part])
    assert np.array_equal(FlipTransform(48, 64).apply_coords(POINTS), [[64, 0], [60.5, 10], [0, 48]])
    assert np.array_equal(FlipTransform(48, 64, False).apply_coords(POINTS), [[0, 48], [3.5, 38], [64, 0]])
    assert np.array_equal(TransposeTransform().apply_coords(POINTS), POINTS[:, ::-1])


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 60), st.integers(1, 60))
def test_coordinates_go_back(y: int, x: int, h: int, w: int) -> None:
    there = TransformList([FlipTransform(48, 64), CropTransform(y, x, h, w), ResizeTransform(h, w, 7, 9, 1)])
    back = TransformList(
        [ResizeTransform(7, 9, h, w, 1), CropTransform(-y, -x, 48, 64), FlipTransform(48, 64)]
    )
    np.testing.assert_allclose(back.apply_coords(there.apply_coords(POINTS)), POINTS, atol=1e-9)


def test_warp() -> None:
    mat = np.array([[1, 0, 5], [0, 1, -2]], np.float32)
    warp = WarpAffineTransform(mat, (64, 48), borderValue=9)
    img = image()
    out = warp.apply_image(img)
    assert np.array_equal(out[:-2, 5:], img[2:, :-5])
    assert np.array_equal(out[-2:], np.full((2, 64, 3), 9)), "a number fills all channels"
    assert np.array_equal(warp.apply_segmentation(img[:, :, 0])[-2:], np.full((2, 64), 9))
    coloured = WarpAffineTransform(mat, (64, 48), borderValue=(1, 2, 3))
    assert np.array_equal(coloured.apply_image(img)[-1, -1], [1, 2, 3])
    assert not coloured.apply_segmentation(img[:, :, 0])[-2:].any(), "a colour is no label"
    assert np.array_equal(warp.apply_coords(POINTS), POINTS + np.array([5, -2]))
    for dtype, expected in ((np.float32, np.float32), (np.float64, np.float64), (np.int64, np.float64)):
        assert warp.apply_coords(POINTS.astype(dtype)).dtype == expected
    assert (
        WarpAffineTransform(mat.astype(float), (64, 48)).apply_coords(np.float32(POINTS)).dtype == np.float64
    )


def test_nothing_integer_is_rounded_and_nothing_is_written() -> None:
    points = np.array([[3, 4]])
    for transform in (FlipTransform(48, 64), CropTransform(1, 1, 5, 5), ResizeTransform(48, 64, 24, 30, 1)):
        assert transform.apply_coords(points).dtype == np.float64
        assert transform.apply_coords(points.astype(np.float32)).dtype == np.float32
    assert points.tolist() == [[3, 4]]


@pytest.mark.parametrize(
    "wrong, error", [(np.zeros(4), ValueError), (np.zeros((2, 1)), ValueError), ("x", ValueError)]
)
def test_wrong_coordinates(wrong: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"FlipTransform.*expected an N x 2 array of rows \(x, y\)"):
        FlipTransform(48, 64).apply_coords(wrong)
    with pytest.raises(ValueError, match=r"FlipTransform.*N x 4 array of rows \(x0, y0, x1, y1\)"):
        FlipTransform(48, 64).apply_box(np.zeros((2, 2)))
    with pytest.raises(TypeError, match="floating-point coordinates, got complex"):
        FlipTransform(48, 64).apply_coords(np.zeros((1, 2), complex))


def test_what_a_transform_cannot_do() -> None:
    class Mine(Transform):
        def apply_image(self, img: Any) -> Any:
            return img

    for method in ("apply_coords", "apply_segmentation", "apply_box", "apply_whatever"):
        assert hasattr(Mine(), method)
        data = np.zeros((1, 4 if method == "apply_box" else 2))
        with pytest.raises(NotImplementedError, match=f"Mine does not implement {method}"):
            getattr(Mine(), method)(data)
    with pytest.raises(AttributeError, match="'Mine' object has no attribute 'something'"):
        _ = Mine().something
    with pytest.raises(NotImplementedError, match="Transform does not implement apply_image"):
        Transform().apply_image(image())
    with pytest.raises(NotImplementedError, match=r"PhotometricTransform does not implement apply_sound"):
        PhotometricTransform(lambda x: x).apply_sound(1)


def test_user_transform_with_init() -> None:
    """The way programs write them."""

    class Mine(Transform):
        def __init__(self, a: int, b: int = 2) -> None:
            super().__init__()
            self._init(locals())

    mine = Mine(1)
    assert (mine.a, mine.b) == (1, 2)
    assert repr(mine) == "imgaug.Mine(a=1)"
    assert vars(mine).keys() == {"a", "b"}


def test_noop_takes_anything() -> None:
    thing = object()
    for method in ("apply_image", "apply_coords", "apply_box", "apply_segmentation", "apply_sound"):
        assert getattr(NoOpTransform(), method)(thing) is thing


def test_factory() -> None:
    factory = TransformFactory("mine", apply_image=lambda x: x + 1, apply_sound=lambda x: x * 2)
    assert factory.apply_image(1) == 2  # type: ignore[comparison-overlap, arg-type]
    assert factory.apply_sound(3) == 6
    assert repr(factory) == "imgaug.TransformFactory(mine)"
    assert repr(TransformFactory()) == "imgaug.TransformFactory()"
    with pytest.raises(NotImplementedError, match="TransformFactory does not implement apply_coords"):
        factory.apply_coords(POINTS)
    with pytest.raises(KeyError, match="image_func"):
        TransformFactory(image_func=len)
    moved = TransformFactory(apply_coords=lambda x: x + 1).apply_box(np.array([[0.0, 0, 1, 1]]))
    assert moved.tolist() == [[1, 1, 2, 2]]


def test_list() -> None:
    flip, crop = FlipTransform(48, 64), CropTransform(1, 2, 10, 20)
    members: list[BaseTransform] = [flip]
    both = TransformList(members)
    assert both.tfms is members
    assert (both + crop).tfms == [flip, crop]
    assert (crop + both).tfms == [crop, flip]
    assert (both + TransformList([crop, flip])).tfms == [flip, crop, flip]
    both += crop
    assert members == [flip, crop]
    assert np.array_equal(both.apply_image(image()), image()[:, ::-1][1:11, 2:22])
    assert np.array_equal(both.apply_coords(POINTS), crop.apply_coords(flip.apply_coords(POINTS)))
    assert repr(both) == (
        "imgaug.TransformList([\n  imgaug.FlipTransform(h=48, w=64),\n"
        "  imgaug.CropTransform(y0=1, x0=2, h=10, w=20)])"
    )
    with pytest.raises(AttributeError, match="TransformList"):
        _ = both.nothing
    for wrong in (lambda: TransformList([flip, 3]), lambda: both + 3, lambda: 3 + both):  # type: ignore[list-item]
        with pytest.raises(TypeError, match="3"):
            wrong()
    with pytest.raises(TypeError):
        flip + crop  # type: ignore[operator]


def test_boxes_of_a_list_are_tight() -> None:
    def rotation(degrees: float) -> WarpAffineTransform:
        return WarpAffineTransform(cv2.getRotationMatrix2D((31.5, 23.5), degrees, 1), (64, 48))

    box = np.array([[10.0, 12, 30, 20]])
    there_and_back = TransformList([rotation(45), rotation(-45)])
    np.testing.assert_allclose(there_and_back.apply_box(box), box, atol=1e-4)
    only_boxes = TransformFactory(apply_box=lambda box: box + 1)
    assert np.array_equal(
        TransformList([FlipTransform(48, 64), only_boxes]).apply_box(box), [[35, 13, 55, 21]]
    )


def test_lazy() -> None:
    made = []

    def make(img: Any) -> BaseTransform:
        made.append(img.shape)
        return FlipTransform(*img.shape[:2])

    lazy = LazyTransform(make)
    assert repr(lazy).startswith("LazyTransform(get_transform=<function test_lazy")
    for method in ("apply_coords", "apply_box", "apply_segmentation"):
        with pytest.raises(RuntimeError, match=f"LazyTransform.*{method} before apply_image"):
            getattr(lazy, method)(POINTS)
    lazy.apply_image(image())
    lazy.apply_image(image())
    assert made == [(48, 64, 3)]
    assert np.array_equal(lazy.apply_coords(POINTS), FlipTransform(48, 64).apply_coords(POINTS))
    assert np.array_equal(lazy.apply_box(np.array([[1.0, 2, 3, 4]])), [[61, 2, 63, 4]])
    assert repr(lazy) == "imgaug.FlipTransform(h=48, w=64)"
    with pytest.raises(AttributeError, match="'LazyTransform' object has no attribute 'h0'"):
        _ = lazy.h0


def test_old_argument_names() -> None:
    with pytest.warns(DeprecationWarning, match="'newh' of ResizeTransform"):
        resize = ResizeTransform(48, 64, newh=3, new_w=4, interp=1)  # type: ignore[call-arg]
    assert (resize.new_h, resize.new_w) == (3, 4)
    with pytest.warns(DeprecationWarning, match="'h0' of CropTransform"):
        crop = CropTransform(h0=1, x0=2, h=3, w=4)  # type: ignore[call-arg]
    assert (crop.y0, crop.x0) == (1, 2)


@pytest.mark.parametrize(
    "transform",
    [
        FlipTransform(48, 64, False),
        WarpAffineTransform(np.eye(2, 3), (64, 48)),
        TransformList([CropTransform(1, 2, 3, 4), NoOpTransform()]),
        imgaug.Brightness(3).get_transform(image()),
        imgaug.RandomCutout(5, 6).get_transform(image()),
        imgaug.CenterPaste(70).get_transform(image()),
        imgaug.RandomCrop(20).get_transform(image()),
    ],
)
def test_copies(transform: BaseTransform) -> None:
    for twin in (copy.deepcopy(transform), pickle.loads(pickle.dumps(transform))):
        assert np.array_equal(twin.apply_image(image()), transform.apply_image(image()))
        assert repr(twin) == repr(transform)


def test_names_that_programs_import() -> None:
    from dataflow.imgaug import base, deform, geometry, transform

    assert transform.TransformAugmentorBase is base.ImageAugmentor
    assert geometry.TransformAugmentorBase is base.ImageAugmentor
    assert geometry.WarpAffineTransform is WarpAffineTransform
    assert base.ImagePlaceholder(shape=(3, 4)).shape == (3, 4)
    assert base.check_dtype(image()) is None
    assert all(hasattr(deform, name) for name in ("GaussianMap", "GaussianDeform", "np_sample"))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = transform.Nothing
