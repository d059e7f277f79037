"""Laws that every augmentor keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dataflow import imgaug

from .zoo import GRAY, ZOO, Kind, image, seeded

DTYPES = (np.uint8, np.float32)
CASES = [
    pytest.param(kind, shape, dtype, id=f"{name}-{np.dtype(dtype)}-{len(shape)}-{shape[-1]}")
    for name, kind in ZOO.items()
    for shape in kind.shapes
    for dtype in DTYPES
]
KINDS = [pytest.param(kind, id=name) for name, kind in ZOO.items()]
GEOMETRIC = [pytest.param(kind, id=name) for name, kind in ZOO.items() if not kind.photometric]
PHOTOMETRIC = [pytest.param(kind, id=name) for name, kind in ZOO.items() if kind.photometric]


@pytest.mark.parametrize("kind, shape, dtype", CASES)
def test_images(kind: Kind, shape: tuple[int, ...], dtype: Any) -> None:
    img = image(shape, dtype)
    img.flags.writeable = False
    before = img.copy()
    transform = seeded(kind.make()).get_transform(img)
    out = transform.apply_image(img)
    first = out.copy()

    assert np.array_equal(img, before)
    assert np.array_equal(transform.apply_image(img), first), "the transform is deterministic"
    again = seeded(kind.make()).get_transform(img)
    assert np.array_equal(again.apply_image(img), first), "the same random state gives the same result"
    assert out.dtype == (kind.dtype or dtype)
    assert out.ndim == img.ndim
    assert kind.out is None or out.shape == kind.out(shape)

    listed = imgaug.AugmentorList([kind.make()])
    seeded(listed.augmentors[0])
    assert np.array_equal(listed.augment(img), first), "a list of one is the augmentor itself"


@pytest.mark.parametrize("kind", KINDS)
def test_views_of_memory(kind: Kind) -> None:
    img = image(kind.shapes[0])
    expected = seeded(kind.make()).augment(img)
    turned = np.asfortranarray(img)
    assert np.array_equal(seeded(kind.make()).augment(turned), expected)
    flipped = np.ascontiguousarray(img[::-1, ::-1])[::-1, ::-1]
    assert np.array_equal(seeded(kind.make()).augment(flipped), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_float64(kind: Kind) -> None:
    img = image(kind.shapes[0], np.float64)
    out = seeded(kind.make()).augment(img)
    assert out.dtype == (kind.dtype or np.float64)
    # the same as in float32, but for rounding and the weights of OpenCV's warps, which are less exact
    difference = np.abs(out - seeded(kind.make()).augment(img.astype(np.float32)))
    assert difference.mean() < 0.2
    assert difference.max() < 8


@pytest.mark.parametrize("kind", GEOMETRIC)
@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.int32, np.int64, np.uint32, np.float16])
def test_label_maps(kind: Kind, dtype: Any) -> None:
    """Labels move like the pixels of an image that is interpolated by nearest neighbours, and stay exact."""
    labels = (image(GRAY) // 16).astype(dtype)
    if np.dtype(dtype).itemsize >= 4:
        labels[labels == 3] = 2_000_000_011  # a number that float32 can't hold
    img = image()
    transform = seeded(kind.make()).get_transform(img)
    out = transform.apply_image(img)
    if type(transform) is imgaug.TransformFactory:  # made of functions that know nothing of labels
        with pytest.raises(
            NotImplementedError, match="TransformFactory does not implement apply_segmentation"
        ):
            transform.apply_segmentation(labels)
        return
    moved = transform.apply_segmentation(labels)
    assert moved.dtype == labels.dtype
    assert moved.shape == out.shape[:2]
    assert set(np.unique(moved)) <= {*np.unique(labels), np.zeros((), dtype)[()]}


@pytest.mark.parametrize("kind", PHOTOMETRIC)
def test_photometric_augmentors_leave_the_rest_alone(kind: Kind) -> None:
    transform = kind.make().get_transform(image(kind.shapes[0]))
    for method in ("apply_coords", "apply_box", "apply_segmentation"):
        data = np.ones((3, 4))
        assert getattr(transform, method)(data) is data


@pytest.mark.parametrize("kind", PHOTOMETRIC)
@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.bool_])
def test_photometric_augmentors_refuse_other_integers(kind: Kind, dtype: Any) -> None:
    augmentor = kind.make()
    if isinstance(augmentor, imgaug.RandomCutout | imgaug.ToUint8 | imgaug.ToFloat32):
        assert augmentor.augment(image(dtype=dtype)).shape == image().shape  # means the same for any dtype
        return
    with pytest.raises(TypeError, match=rf"(?s){type(augmentor).__name__}.*{np.dtype(dtype)} of shape"):
        augmentor.augment(image(kind.shapes[0], dtype))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_image(kind: Kind) -> None:
    for wrong in ([[1, 2]], "image", None, np.array(["a"]), np.zeros((48, 64), complex)):
        with pytest.raises(TypeError, match=r"got (a list|a str|None|<U1|complex)"):
            kind.make().augment(wrong)  # type: ignore[arg-type]


COLOUR_ONLY = [pytest.param(kind, id=name) for name, kind in ZOO.items() if len(kind.shapes) == 1]


@pytest.mark.parametrize("kind", COLOUR_ONLY)
@pytest.mark.parametrize("shape", [(48, 64), (48, 64, 1), (48, 64, 2), (48, 64, 5)])
def test_colour_is_needed(kind: Kind, shape: tuple[int, ...]) -> None:
    augmentor = kind.make()
    with pytest.raises(ValueError, match=rf"(?s){type(augmentor).__name__}.*float32 of shape \(48, 64"):
        augmentor.augment(np.ones(shape, np.float32))


@pytest.mark.parametrize("kind", PHOTOMETRIC)
@pytest.mark.parametrize("shape", [(4,), (2, 48, 64, 3)])
def test_wrong_axes(kind: Kind, shape: tuple[int, ...]) -> None:
    augmentor = kind.make()
    if isinstance(augmentor, imgaug.RandomCutout | imgaug.ToUint8 | imgaug.ToFloat32):
        return
    with pytest.raises(ValueError, match=type(augmentor).__name__):
        augmentor.augment(np.ones(shape, np.float32))


@pytest.mark.parametrize("kind", KINDS)
def test_coordinates(kind: Kind) -> None:
    img, points = image(kind.shapes[0]), np.array([[3.0, 4.0], [20.5, 30.25], [0, 0]], np.float32)
    transform = seeded(kind.make()).get_transform(img)
    transform.apply_image(img)
    before = points.copy()
    moved = transform.apply_coords(points)
    assert np.array_equal(points, before)
    assert moved.shape == (3, 2)
    assert moved.dtype.kind == "f"
    if not kind.photometric and not isinstance(transform, imgaug.TransformFactory):
        assert np.allclose(transform.apply_coords([[3, 4]]), moved[:1], atol=1e-4), "integers become floats"
        boxes = np.array([[3.0, 4.0, 20.5, 30.25]])
        corners = transform.apply_coords(np.array([[3, 4], [20.5, 4], [20.5, 30.25], [3, 30.25]]))
        hull = [*corners.min(axis=0), *corners.max(axis=0)]
        assert np.allclose(transform.apply_box(boxes), [hull])
        assert transform.apply_coords(np.zeros((0, 2))).shape == (0, 2)


def blob(x: int, y: int) -> Any:
    """Return a gray image with a smooth spot around the pixel (x, y)."""
    rows, columns = np.mgrid[:48, :64]
    return (200 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 6)).astype(np.float32)


def centre_of_mass(img: Any) -> Any:
    """Return (x, y) of the spot, in indices of pixels."""
    img = np.where(img > 2, img, 0).astype(np.float64)
    rows, columns = np.mgrid[: img.shape[0], : img.shape[1]]
    return np.array([(columns * img).sum(), (rows * img).sum()]) / img.sum()


EDGE_BASED = ("Flip", "Resize", "Crop", "GoogleNet", "Transpose")  # positions from 0 to w, not indices


@pytest.mark.parametrize("name", [name for name, kind in ZOO.items() if not kind.photometric])
def test_a_point_is_found_again(name: str) -> None:
    """The convention of each: edge-based for flips, resizes and crops, pixel centres for warps."""
    found = 0
    for seed in range(8):
        img, point = blob(30, 22), np.array([[30.0, 22.0]])
        transform = seeded(ZOO[name].make(), seed).get_transform(img)
        out = transform.apply_image(img)
        if max(*out[0], *out[-1], *out[:, 0], *out[:, -1]) > 2 or out.max() < 100:
            continue  # a crop cut into the spot, or left it out
        found += 1
        if name in ("RandomApplyAug", "RandomChooseAug", "RandomOrderAug", "AugmentorList"):
            # they mix conventions: right up to a pixel, as the reference has it
            assert np.allclose(transform.apply_coords(point)[0], centre_of_mass(out), atol=1.01)
        elif any(kind in name for kind in EDGE_BASED) and name != "RotationAndCropValid":
            assert np.allclose(transform.apply_coords(point + 0.5)[0] - 0.5, centre_of_mass(out), atol=0.25)
        else:
            assert np.allclose(transform.apply_coords(point)[0], centre_of_mass(out), atol=0.25)
    assert found
