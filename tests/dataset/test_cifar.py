"""CIFAR, from small files in the original format: Python 2 pickles, written byte by byte."""

from __future__ import annotations

import io
import os
import pickle
import struct
import tarfile

import numpy as np
import pytest

from dataflow.dataset import Cifar10, Cifar100, CifarBase, cifar
from dataflow.dataset._download import RemoteFile
from dataflow.utils import fix_rng_seed
from tests.helpers.http_server import web_server


def string2(value: bytes) -> bytes:
    """A str of Python 2, as protocol 2 writes it."""
    return b"T" + struct.pack("<i", len(value)) + value


def array2(rows: np.ndarray) -> bytes:
    """A uint8 array of Python 2: _reconstruct(ndarray, (0,), 'b') and its state."""
    n, m = rows.shape
    dtype = (
        b"cnumpy\ndtype\n(" + string2(b"u1") + b"K\x00K\x01tR(K\x03" + string2(b"|") + b"NNN"
        b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    )
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00t" + string2(b"b") + b"tR"
        b"(K\x01(J"
        + struct.pack("<i", n)
        + b"J"
        + struct.pack("<i", m)
        + b"t"
        + dtype
        + b"\x89"
        + string2(rows.tobytes())
        + b"tb"
    )


def list2(items: list[bytes]) -> bytes:
    return b"](" + b"".join(items) + b"e"


def dict2(**items: bytes) -> bytes:
    body = b"".join(string2(key.encode()) + value for key, value in items.items())
    return b"\x80\x02}(" + body + b"u."


def batch2(rows, labels, key):
    ints = list2([b"J" + struct.pack("<i", k) for k in labels])
    names = list2([string2(b"name.png")] * len(labels))
    return dict2(**{"data": array2(rows), key: ints, "filenames": names})


def names2(key, names):
    return dict2(**{key: list2([string2(name.encode()) for name in names]), "num_vis": b"M\x00\x0c"})


def rows_of(seed, n=4):
    return np.random.RandomState(seed).randint(0, 256, (n, 3072)).astype(np.uint8)


TEN = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


@pytest.fixture
def cifar10(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for k in range(1, 6):
        labels = [k, k + 1, k + 2, k + 3]
        (folder / f"data_batch_{k}").write_bytes(batch2(rows_of(k), labels, "labels"))
    (folder / "test_batch").write_bytes(batch2(rows_of(9, 2), [5, 6], "labels"))
    (folder / "batches.meta").write_bytes(names2("label_names", TEN))
    return str(tmp_path)


@pytest.fixture
def cifar100(tmp_path):
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    (folder / "train").write_bytes(batch2(rows_of(1, 3), [97, 98, 99], "fine_labels"))
    (folder / "test").write_bytes(batch2(rows_of(2, 2), [0, 1], "fine_labels"))
    (folder / "meta").write_bytes(names2("fine_label_names", ["apple", "aquarium_fish"]))
    return str(tmp_path)


def test_the_files_are_what_python_2_wrote(cifar10):
    with open(os.path.join(cifar10, "cifar-10-batches-py", "test_batch"), "rb") as f:
        content = pickle.load(f, encoding="bytes")
    assert (content[b"data"] == rows_of(9, 2)).all() and content[b"labels"] == [5, 6]


def test_datapoints(cifar10):
    ds = Cifar10("train", shuffle=False, dir=cifar10)
    ds.reset_state()
    points = list(ds)
    assert len(points) == len(ds) == len(ds.data) == 20
    rows = np.concatenate([rows_of(k) for k in range(1, 6)])
    for point, row in zip(points, rows, strict=True):
        image, label = point
        assert type(point) is list and type(label) is int
        assert image.shape == (32, 32, 3) and image.dtype == np.uint8
        # channel-major planes: red first
        assert (image[:, :, 0].ravel() == row[:1024]).all()
        assert (image[:, :, 2].ravel() == row[2048:]).all()
    assert [label for _, label in points][:5] == [1, 2, 3, 4, 2]


def test_cifar100(cifar100):
    assert [label for _, label in Cifar100("train", shuffle=False, dir=cifar100)] == [97, 98, 99]
    test = Cifar100("test", dir=cifar100)
    assert [label for _, label in test] == [0, 1]
    assert test.get_label_names() == ["apple", "aquarium_fish"]


def test_shuffles_only_train_by_default(cifar10):
    assert Cifar10("train", dir=cifar10).shuffle
    assert not Cifar10("test", dir=cifar10).shuffle
    assert Cifar10("test", shuffle=True, dir=cifar10).shuffle
    fix_rng_seed(42)
    ds = Cifar10("train", dir=cifar10)
    ds.reset_state()
    order = np.arange(20)
    np.random.RandomState(42).shuffle(order)
    assert [label for _, label in ds] == [ds.data[k][1] for k in order]


def test_a_consumer_can_not_alter_the_data(cifar10):
    ds = Cifar10("test", dir=cifar10)
    for point in ds:
        point[0][:] = 0
        point.append("more")
    assert all(len(point) == 2 and point[0].any() for point in ds)


def test_a_subclass_with_a_size_of_its_own(cifar10):
    class Mine(Cifar10):
        def size(self):
            return 50000

    ds = Mine("test", dir=cifar10)
    assert len(ds) == 50000 and len(list(ds)) == 2


def test_means(cifar10):
    ds = Cifar10("train", dir=cifar10)
    train = np.concatenate([rows_of(k) for k in range(1, 6)])
    both = np.concatenate([train, rows_of(9, 2)])

    def mean(rows):
        return rows.reshape(-1, 3, 32, 32).mean(axis=0).transpose(1, 2, 0)

    for names, rows in (
        ((), both),
        ((("train",),), train),
        (("train",), train),
        ((["test"],), rows_of(9, 2)),
    ):
        found = ds.get_per_pixel_mean(*names)
        assert found.shape == (32, 32, 3) and found.dtype == np.float32
        assert np.allclose(found, mean(rows))
        found = ds.get_per_channel_mean(*names)
        assert found.shape == (3,) and found.dtype == np.float32
        assert np.allclose(found, mean(rows).mean(axis=(0, 1)))
    with pytest.raises(ValueError, match="'extra'"):
        ds.get_per_pixel_mean(("train", "extra"))


def test_label_names(cifar10):
    assert Cifar10("test", dir=cifar10).get_label_names() == TEN


def test_base_class(cifar10, cifar100):
    assert len(CifarBase("test", None, cifar10)) == 2
    assert len(CifarBase("train", dir=cifar100, cifar_classnum=100)) == 3
    with pytest.raises(ValueError, match="10 or 100"):
        CifarBase("train", dir=cifar10, cifar_classnum=20)


def test_a_missing_file_is_named(cifar10):
    os.remove(os.path.join(cifar10, "cifar-10-batches-py", "data_batch_3"))
    with pytest.raises(ValueError, match="data_batch_3"):
        Cifar10("train", dir=cifar10)


def test_nothing_is_executed(cifar10, tmp_path, monkeypatch):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "evil"),)

    monkeypatch.setenv("DATAFLOW_ALLOW_PICKLE", "1")  # meant for other files
    path = os.path.join(cifar10, "cifar-10-batches-py", "test_batch")
    with open(path, "wb") as f:
        pickle.dump({"data": Evil(), "labels": []}, f)
    with pytest.raises(ValueError):
        Cifar10("test", dir=cifar10)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    "content",
    [
        [1, 2],
        {"data": rows_of(1)},
        {"data": rows_of(1)[:, :100], "labels": [0] * 4},
        {"data": rows_of(1), "labels": [0] * 3},
        {"data": rows_of(1).astype(float), "labels": [0] * 4},
    ],
)
def test_another_file_of_that_name(cifar10, content):
    with open(os.path.join(cifar10, "cifar-10-batches-py", "test_batch"), "wb") as f:
        pickle.dump(content, f)
    with pytest.raises(ValueError, match="test_batch"):
        Cifar10("test", dir=cifar10)


def test_download(cifar10, tmp_path, monkeypatch):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.add(os.path.join(cifar10, "cifar-10-batches-py"), "cifar-10-batches-py")
    with web_server() as web:
        web.files["a.tar.gz"] = buffer.getvalue()
        layout = cifar._LAYOUTS[10]._replace(archive=RemoteFile.on([web.url], "a.tar.gz"))
        monkeypatch.setitem(cifar._LAYOUTS, 10, layout)
        monkeypatch.setenv("TENSORPACK_DATASET", str(tmp_path))
        for _ in range(2):
            assert len(Cifar10("test")) == 2
        assert len(web.requests) == 1
    assert sorted(os.listdir(tmp_path / "cifar10_data")) == ["a.tar.gz", "cifar-10-batches-py"]


def test_keys_of_bytes(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    content = {b"data": rows_of(1), b"labels": [3, 4, 5, 6]}
    for name in [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]:
        (folder / name).write_bytes(pickle.dumps(content))
    (folder / "batches.meta").write_bytes(pickle.dumps({b"label_names": [name.encode() for name in TEN]}))
    ds = Cifar10("test", dir=str(tmp_path))
    assert [label for _, label in ds] == [3, 4, 5, 6]
    assert ds.get_label_names() == TEN
