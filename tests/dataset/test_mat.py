"""The data sets in MATLAB files: SVHN, Caltech silhouettes, BSDS500."""

from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest

from dataflow.dataset import BSDS500, Caltech101Silhouettes, SVHNDigit

savemat = pytest.importorskip("scipy.io").savemat


# SVHN ------------------------------------------------------------------------------------------------


def svhn_images(seed, n):
    return np.random.RandomState(seed).randint(0, 256, (32, 32, 3, n)).astype(np.uint8)


@pytest.fixture
def svhn(tmp_path):
    for seed, (name, n) in enumerate({"train": 4, "test": 3, "extra": 2}.items()):
        labels = np.array([[10], [1], [9], [2]][:n], np.uint8)
        savemat(tmp_path / f"{name}_32x32.mat", {"X": svhn_images(seed, n), "y": labels})
    return str(tmp_path)


def test_svhn(svhn):
    ds = SVHNDigit("train", svhn, shuffle=False)
    assert ds.X.shape == (4, 32, 32, 3) and ds.Y.tolist() == [0, 1, 9, 2]
    points = list(ds)
    assert len(ds) == len(points) == 4
    for k, (image, label) in enumerate(points):
        assert type(points[k]) is list and type(label) is np.uint8
        assert image.dtype == np.uint8 and (image == svhn_images(0, 4)[..., k]).all()
        image[:] = 0
    assert all(image.any() for image, _ in ds)
    assert SVHNDigit("train", svhn).shuffle


def test_svhn_directories_are_not_mixed_up(svhn, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    savemat(other / "train_32x32.mat", {"X": svhn_images(7, 1), "y": np.array([[3]], np.uint8)})
    assert len(SVHNDigit("train", svhn)) == 4
    assert len(SVHNDigit("train", str(other))) == 1


def test_svhn_mean(tmp_path, monkeypatch, svhn):
    (tmp_path / "svhn_data").symlink_to(tmp_path)
    monkeypatch.setenv("TENSORPACK_DATASET", str(tmp_path))
    every = np.concatenate([svhn_images(0, 4), svhn_images(1, 3), svhn_images(2, 2)], axis=3)
    mean = SVHNDigit.get_per_pixel_mean()
    assert mean.dtype == np.float64 and np.allclose(mean, every.mean(axis=3))
    for names in (("train",), "train"):
        assert np.allclose(SVHNDigit.get_per_pixel_mean(names), svhn_images(0, 4).mean(axis=3))


def test_broken_mat(svhn, tmp_path):
    path = tmp_path / "test_32x32.mat"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"test_32x32\.mat.*delete it"):
        SVHNDigit("test", svhn)
    savemat(path, {"X": svhn_images(1, 3)})
    with pytest.raises(ValueError, match="no variable y"):
        SVHNDigit("test", svhn)
    savemat(path, {"X": svhn_images(1, 3), "y": np.zeros((2, 1), np.uint8)})
    with pytest.raises(ValueError, match="3 images and 2 labels"):
        SVHNDigit("test", svhn)


def test_scipy_is_asked_for(svhn, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ImportError, match=r"dataflow-loader\[dataset\]"):
        SVHNDigit("test", svhn)


# Caltech ---------------------------------------------------------------------------------------------


@pytest.fixture
def caltech(tmp_path):
    rng = np.random.RandomState(0)
    content = {}
    for name, n in (("train", 5), ("val", 2), ("test", 3)):
        content[f"{name}_data"] = rng.randint(0, 2, (n, 784)).astype(np.uint8)
        labels = np.array([101, 1, 2, 3, 4], np.uint8)[:n]
        content[f"{name}_labels"] = labels[None] if name == "val" else labels[:, None]
    savemat(tmp_path / "caltech101_silhouettes_28_split1.mat", content)
    return str(tmp_path), content


@pytest.mark.parametrize(("name", "n"), [("train", 5), ("val", 2), ("test", 3)])
def test_caltech(caltech, name, n):
    directory, content = caltech
    ds = Caltech101Silhouettes(name, shuffle=False, dir=directory)
    points = list(ds)
    assert len(ds) == len(points) == n and ds.name == name
    assert set(ds.data) == {f"{name}_data", f"{name}_labels"}
    for k, (image, label) in enumerate(points):
        assert image.shape == (28, 28) and image.dtype == np.uint8
        assert (image.ravel() == content[f"{name}_data"][k]).all()
        assert type(label) is np.uint8 and label == [100, 0, 1, 2, 3][k]
    assert Caltech101Silhouettes(name, dir=directory).shuffle


# BSDS500 ---------------------------------------------------------------------------------------------


def boundaries(seed):
    return np.random.RandomState(seed).randint(0, 2, (321, 481)).astype(np.uint8)


def write_truth(path, maps):
    cells = np.empty((1, len(maps)), object)
    for k, each in enumerate(maps):
        cells[0, k] = {"Segmentation": np.ones_like(each, np.uint16), "Boundaries": each}
    savemat(path, {"groundTruth": cells})


@pytest.fixture
def bsds(tmp_path):
    data = tmp_path / "BSR" / "BSDS500" / "data"
    for name in ("train", "val", "test"):
        for kind in ("images", "groundTruth"):
            (data / kind / name).mkdir(parents=True)
    images = data / "images" / "train"
    cv2.imwrite(str(images / "200.jpg"), np.full((321, 481, 3), (10, 100, 200), np.uint8))
    portrait = np.full((481, 321, 3), (200, 100, 10), np.uint8)
    portrait[:200] = 0
    cv2.imwrite(str(images / "100.jpg"), portrait)
    (images / "Thumbs.db").touch()
    write_truth(data / "groundTruth" / "train" / "200.mat", [boundaries(k) for k in range(3)])
    write_truth(data / "groundTruth" / "train" / "100.mat", [boundaries(9).T])
    return tmp_path


def test_bsds(bsds):
    ds = BSDS500("train", str(bsds), shuffle=False)
    (first, truth1), (second, truth2) = list(ds)
    assert len(ds) == 2 and ds.data.shape == (2, 321, 481, 3) and ds.label.shape == (2, 321, 481)
    assert first.dtype == second.dtype == np.uint8
    assert truth1.dtype == truth2.dtype == np.float32
    # the portrait comes first by name, transposed
    assert not first[:, :190].any() and abs(first[:, 210:].astype(int) - (200, 100, 10)).max() <= 4
    assert abs(second.astype(int) - (10, 100, 200)).max() <= 4  # BGR
    assert (truth1 == boundaries(9)).all()
    assert np.allclose(truth2, sum(boundaries(k).astype(float) for k in range(3)) / 3)
    assert BSDS500("train", str(bsds)).shuffle


def test_bsds_errors(bsds):
    with pytest.raises(FileNotFoundError, match="no images"):
        BSDS500("val", str(bsds))
    val = bsds / "BSR" / "BSDS500" / "data"
    cv2.imwrite(str(val / "images" / "val" / "1.jpg"), np.zeros((100, 200, 3), np.uint8))
    with pytest.raises(ValueError, match=r"1\.jpg.*\(321, 481\)"):
        BSDS500("val", str(bsds))
    cv2.imwrite(str(val / "images" / "val" / "1.jpg"), np.zeros((321, 481, 3), np.uint8))
    with pytest.raises(FileNotFoundError, match=r"1\.mat"):
        BSDS500("val", str(bsds))
