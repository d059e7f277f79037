"""MNIST and Fashion-MNIST, from small files in the original format."""

from __future__ import annotations

import gzip
import os
import struct

import numpy as np
import pytest

from dataflow.dataset import FashionMnist, Mnist
from dataflow.dataset._download import RemoteFile
from dataflow.dataset.mnist import extract_images, extract_labels, maybe_download
from dataflow.utils import fix_rng_seed
from tests.helpers.http_server import web_server

SIZES = {"train": 7, "t10k": 3}


def write_images(path, images, magic=2051):
    with gzip.open(path, "wb") as f:
        f.write(struct.pack(">4I", magic, *images.shape) + images.tobytes())


def write_labels(path, labels, magic=2049):
    with gzip.open(path, "wb") as f:
        f.write(struct.pack(">2I", magic, len(labels)) + labels.tobytes())


def pixels(n):
    return np.random.RandomState(n).randint(0, 256, (n, 28, 28)).astype(np.uint8)


@pytest.fixture
def files(tmp_path):
    for split, n in SIZES.items():
        write_images(tmp_path / f"{split}-images-idx3-ubyte.gz", pixels(n))
        write_labels(tmp_path / f"{split}-labels-idx1-ubyte.gz", np.arange(n, dtype=np.uint8))
    return str(tmp_path)


@pytest.mark.parametrize("cls", [Mnist, FashionMnist])
@pytest.mark.parametrize(("split", "n"), [("train", 7), ("test", 3)])
def test_datapoints(files, cls, split, n):
    ds = cls(split, shuffle=False, dir=files)
    ds.reset_state()
    points = list(ds)
    assert len(ds) == ds.size() == len(points) == n
    assert ds.images.shape == (n, 28, 28, 1) and ds.images.dtype == np.float32
    assert ds.labels.dtype == np.uint8 and not ds.labels.flags.writeable
    for k, point in enumerate(points):
        assert type(point) is list
        image, label = point
        assert image.shape == (28, 28) and image.dtype == np.float32
        assert (image == (pixels(n)[k] / 255).astype(np.float32)).all()
        assert type(label) is np.uint8 and label == k


def test_shuffle_is_the_default_and_starts_from_the_natural_order(files):
    fix_rng_seed(42)
    ds = Mnist("train", dir=files)
    assert ds.shuffle
    ds.reset_state()
    passes = [[int(label) for _, label in ds] for _ in range(2)]
    rng = np.random.RandomState(42)
    for seen in passes:
        expected = list(range(7))
        rng.shuffle(expected)
        assert seen == expected
    assert ds.labels.tolist() == list(range(7))


def test_a_consumer_can_not_alter_the_data(files):
    ds = Mnist("test", shuffle=False, dir=files)
    for point in ds:
        point[0] *= 0
        point[1] = None
    assert [label for _, label in ds] == [0, 1, 2]
    assert all(image.any() for image, _ in ds)


def test_default_directory(files, tmp_path, monkeypatch):
    monkeypatch.setenv("TENSORPACK_DATASET", str(tmp_path))
    for name in ("mnist_data", "fashion_mnist_data"):
        (tmp_path / name).mkdir()
        for file in os.listdir(files):
            if file.endswith(".gz"):
                os.link(tmp_path / file, tmp_path / name / file)
    assert len(Mnist("test")) == len(FashionMnist("test")) == 3


def test_label_names(files):
    names = FashionMnist("test", dir=files).get_label_names()
    assert len(names) == 10 and names[0] == "T-shirt/top" and names[9] == "Ankle boot"
    assert not hasattr(Mnist, "get_label_names")


def test_wrong_magic_is_named(tmp_path):
    path = str(tmp_path / "x.gz")
    write_images(path, pixels(1), magic=1234)
    with pytest.raises(ValueError, match=r"1234.*x\.gz"):
        extract_images(path)
    write_labels(path, np.zeros(20, np.uint8), magic=99)
    with pytest.raises(ValueError, match=r"99.*x\.gz"):
        extract_labels(path)


@pytest.mark.parametrize("cut", [10, 100, 2000])
def test_truncated_file_is_named(tmp_path, cut):
    path = tmp_path / "x.gz"
    write_images(path, pixels(5))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match=r"x\.gz.*broken"):
        extract_images(str(path))


def test_not_as_much_as_the_header_says(tmp_path):
    path = tmp_path / "x.gz"
    with gzip.open(path, "wb") as f:
        f.write(struct.pack(">4I", 2051, 2, 28, 28) + bytes(28 * 28))
    with pytest.raises(ValueError, match="broken"):
        extract_images(str(path))
    with gzip.open(path, "wb") as f:
        f.write(b"abc")
    with pytest.raises(ValueError, match="broken"):
        extract_labels(str(path))
    path.write_bytes(b"not gzip at all")
    with pytest.raises(ValueError, match="broken"):
        extract_labels(str(path))


def test_images_without_labels(files, tmp_path):
    write_labels(tmp_path / "t10k-labels-idx1-ubyte.gz", np.zeros(2, np.uint8))
    with pytest.raises(ValueError, match="3 images"):
        Mnist("test", dir=files)


def test_download(files, tmp_path, monkeypatch):
    with web_server() as web:
        for name in os.listdir(files):
            web.files[name] = (tmp_path / name).read_bytes()
        remote = {
            split: tuple(RemoteFile.on([web.url], file.name) for file in pair)
            for split, pair in Mnist._files.items()
        }
        monkeypatch.setattr(Mnist, "_files", remote)
        target = tmp_path / "new"
        assert len(Mnist("test", dir=str(target))) == 3
        assert sorted(os.listdir(target)) == ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]
        asked = len(web.requests)
        Mnist("test", dir=str(target))
        path = maybe_download(web.url + "t10k-labels-idx1-ubyte.gz", str(target))
        assert path == str(target / "t10k-labels-idx1-ubyte.gz")
        assert len(web.requests) == asked
        assert os.path.exists(maybe_download(web.url + "train-labels-idx1-ubyte.gz", str(target)))
