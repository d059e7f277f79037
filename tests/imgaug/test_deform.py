"""Local deformation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dataflow.imgaug.deform import GaussianDeform, GaussianMap, np_sample

from .zoo import GRAY, image, seeded


@pytest.fixture(autouse=True)
def _quiet(capsys: Any) -> Any:
    yield
    capsys.readouterr()


def test_sampling() -> None:
    img = np.array([[0, 10], [20, 40]], np.uint8)
    coords = np.array([[0, 0], [0.5, 0.5], [1, 0.25], [-5, 9]])
    assert np_sample(img, coords).tolist() == [0, 17.5, 25, 10]
    colour = np.dstack([img, img * 2])
    assert np_sample(colour, coords[1:2]).tolist() == [[17.5, 35]]


def test_weights() -> None:
    weights = GaussianMap((4, 8), sigma=0.25).get_gaussian_weight((0.5, 0.25))
    assert weights.shape == (4, 8)
    assert weights[2, 2] == 1
    assert weights[0, 2] == pytest.approx(np.exp(-(0.5**2) / 0.25))
    assert weights[2, 4] == pytest.approx(np.exp(-(0.25**2) / 0.25))


def test_deform(caplog: pytest.LogCaptureFixture, capsys: Any) -> None:
    anchors = [(0.25, 0.5), (0.75, 0.25)]
    deform = seeded(GaussianDeform(anchors, GRAY, sigma=0.1))
    assert "slow" in caplog.text + capsys.readouterr().out
    vectors = (np.random.RandomState(42).rand(2, 2).astype(np.float32) - 0.5) * 2 * 6
    img = image()
    out = deform.augment(img)
    assert out.dtype == np.float64
    for y, x in ((0, 0), (20, 30), (47, 63)):
        weights = [np.exp(-((x / 64 - a[1]) ** 2 + (y / 48 - a[0]) ** 2) / 0.1) for a in anchors]
        where = np.array([[y, x]]) + weights @ vectors
        np.testing.assert_allclose(out[y, x], np_sample(img, where)[0], rtol=1e-6)


def test_shape() -> None:
    with pytest.raises(ValueError, match=r"GaussianDeform.*expected an image of that shape"):
        GaussianDeform([(0.5, 0.5)], (10, 10)).augment(image())
    still = GaussianDeform([(0.5, 0.5)], (48, 64), randrange=0)
    assert np.array_equal(still.augment(image()), image())
