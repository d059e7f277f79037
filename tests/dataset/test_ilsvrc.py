"""ILSVRC12, Tiny ImageNet and Places365, from small folders in the original layouts."""

from __future__ import annotations

import os
import struct

import cv2
import numpy as np
import pytest

from dataflow.dataset import ILSVRC12, ILSVRC12Files, ILSVRCMeta, Places365Standard, TinyImageNet

WNIDS = ["n01440764", "n01443537", "n01484850"]
COLORS = [(250, 5, 5), (5, 250, 5), (5, 5, 250)]  # BGR, of each class


def write_image(path, label, shape=(12, 16)):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path.with_suffix(".png")), np.full((*shape, 3), COLORS[label], np.uint8))
    os.rename(path.with_suffix(".png"), path)  # lossless, whatever it is called


@pytest.fixture
def meta(tmp_path):
    path = tmp_path / "meta"
    path.mkdir()
    (path / "synsets.txt").write_text("\n".join(WNIDS) + "\n")
    words = ("tench, Tinca tinca", "goldfish, Carassius auratus", "great white shark")
    (path / "synset_words.txt").write_text("".join(f"{i} {w}\n" for i, w in zip(WNIDS, words, strict=True)))
    (path / "train.txt").write_text(
        "".join(f"{WNIDS[k]}/{WNIDS[k]}_{j}.JPEG {k}\n" for k in range(3) for j in range(5))
    )
    (path / "val.txt").write_text("".join(f"ILSVRC2012_val_0000000{k}.JPEG {2 - k}\n" for k in range(3)))
    (path / "test.txt").write_text("ILSVRC2012_test_00000001.JPEG 0\n")
    mean = np.arange(3 * 256 * 256, dtype="<f4") / 1000
    data = mean.tobytes()
    shape = b"".join(
        bytes([8 * field]) + n
        for field, n in ((1, b"\x01"), (2, b"\x03"), (3, b"\x80\x02"), (4, b"\x80\x02"))
    )
    (path / "imagenet_mean.binaryproto").write_bytes(shape + b"\x2a" + varint(len(data)) + data)
    return str(path)


def varint(n):
    out = b""
    while n > 127:
        out += struct.pack("B", n % 128 + 128)
        n //= 128
    return out + struct.pack("B", n)


@pytest.fixture
def images(tmp_path, meta):
    root = tmp_path / "images"
    for k in range(3):
        for j in range(5):
            write_image(root / "train" / WNIDS[k] / f"{WNIDS[k]}_{j}.JPEG", k)
        write_image(root / "val" / f"ILSVRC2012_val_0000000{k}.JPEG", 2 - k, (10, 10 + k))
    write_image(root / "test" / "ILSVRC2012_test_00000001.JPEG", 0)
    return root


# metadata --------------------------------------------------------------------------------------------


def test_synsets(meta):
    m = ILSVRCMeta(meta)
    assert m.get_synset_1000() == dict(enumerate(WNIDS))
    assert m.get_synset_words_1000()[1] == "n01443537 goldfish, Carassius auratus"


def test_image_list(meta):
    m = ILSVRCMeta(meta)
    train = m.get_image_list("train")
    assert train[0] == ("n01440764/n01440764_0.JPEG", 0) and len(train) == 15
    assert m.get_image_list("train", "train") == train
    assert m.get_image_list("val") == [(f"ILSVRC2012_val_0000000{k}.JPEG", 2 - k) for k in range(3)]
    assert m.get_image_list("val", "train")[0] == (
        os.path.join("n01484850", "ILSVRC2012_val_00000000.JPEG"),
        2,
    )
    for args in (("extra",), ("val", "other")):
        with pytest.raises(ValueError, match="unknown"):
            m.get_image_list(*args)


@pytest.mark.parametrize(("text", "error"), [("", "empty"), ("only-a-name\n", "expected a file name")])
def test_broken_list(meta, text, error):
    with open(os.path.join(meta, "val.txt"), "w") as f:
        f.write(text)
    with pytest.raises(ValueError, match=error):
        ILSVRCMeta(meta).get_image_list("val")


def test_mean(meta):
    mean = ILSVRCMeta(meta).get_per_pixel_mean()
    planes = (np.arange(3 * 256 * 256, dtype=np.float32) / 1000).reshape(3, 256, 256)
    assert mean.shape == (256, 256, 3) and mean.dtype == np.float32
    assert (mean == planes.transpose(1, 2, 0)).all()
    small = ILSVRCMeta(meta).get_per_pixel_mean((100, 50))
    assert small.shape == (100, 50, 3)
    assert np.allclose(small, cv2.resize(mean, (50, 100)))


def test_meta_directory(meta, tmp_path, monkeypatch):
    monkeypatch.setenv("TENSORPACK_DATASET", str(tmp_path))
    os.rename(meta, tmp_path / "ilsvrc_metadata")
    assert len(ILSVRCMeta().get_synset_1000()) == 3
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert ILSVRCMeta("~/ilsvrc_metadata").dir == str(tmp_path / "ilsvrc_metadata")


def test_guess_dir_structure(tmp_path, capsys):
    guess = ILSVRCMeta.guess_dir_structure
    with pytest.raises(FileNotFoundError):
        guess(str(tmp_path / "missing"))
    with pytest.raises(ValueError, match="empty"):
        guess(str(tmp_path))
    (tmp_path / "n01440764").touch()  # a file, not a folder
    (tmp_path / "notes").mkdir()
    assert guess(str(tmp_path)) == "original"
    (tmp_path / "n01443537").mkdir()
    assert guess(str(tmp_path)) == "train"
    assert "'train'" in capsys.readouterr().out


# images ----------------------------------------------------------------------------------------------


def test_files(images, meta):
    ds = ILSVRC12Files(str(images), "val", meta)
    assert not ds.shuffle and len(ds) == 3 and ds.name == "val"
    assert ds.full_dir == str(images / "val")
    assert list(ds) == [[str(images / "val" / f"ILSVRC2012_val_0000000{k}.JPEG"), 2 - k] for k in range(3)]
    assert ILSVRC12Files(str(images), "test", meta).imglist == [("ILSVRC2012_test_00000001.JPEG", 0)]


def test_images(images, meta):
    ds = ILSVRC12(str(images), "train", meta_dir=meta)
    assert ds.shuffle and len(ds) == 15
    ds.reset_state()
    seen = []
    for point in ds:
        image, label = point
        assert type(point) is list and type(label) is int
        assert image.shape == (12, 16, 3) and image.dtype == np.uint8
        assert (image == COLORS[label]).all()
        seen.append(label)
    assert sorted(seen) == [0] * 5 + [1] * 5 + [2] * 5 and seen != sorted(seen)
    val = list(ILSVRC12(str(images), "val", meta))
    assert [image.shape[1] for image, _ in val] == [10, 11, 12]


@pytest.mark.parametrize("structure", [None, "train"])
def test_val_in_folders(images, meta, structure):
    for k in range(3):
        folder = images / "val" / WNIDS[2 - k]
        folder.mkdir()
        os.rename(
            images / "val" / f"ILSVRC2012_val_0000000{k}.JPEG", folder / f"ILSVRC2012_val_0000000{k}.JPEG"
        )
    points = list(ILSVRC12(str(images), "val", meta, dir_structure=structure))
    assert all((image == COLORS[label]).all() for image, label in points) and len(points) == 3
    with pytest.raises(FileNotFoundError, match="'original'"):
        ILSVRC12(str(images), "val", meta, dir_structure="original")


def test_missing_directories(images, meta, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        ILSVRC12(str(tmp_path / "nowhere"), "train", meta)
    with pytest.raises(FileNotFoundError, match=r"meta_dir.*nowhere"):
        ILSVRC12(str(images), "train", str(tmp_path / "nowhere"))
    assert not (tmp_path / "nowhere").exists()


def test_undecodable_image_is_named(images, meta):
    for content in (b"", b"no image"):
        (images / "val" / "ILSVRC2012_val_00000001.JPEG").write_bytes(content)
        with pytest.raises(ValueError, match="val_00000001"):
            list(ILSVRC12(str(images), "val", meta))


BOX = "<object><bndbox>{}</bndbox></object>"


@pytest.mark.parametrize(
    ("xml", "box"),
    [
        (BOX.format("<xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax>") * 2, [1, 2, 30, 40]),
        (BOX.format("<ymax>40</ymax><xmax>30</xmax><ymin>2</ymin><xmin>1</xmin>"), [1, 2, 30, 40]),
        (BOX.format("<xmin>1</xmin><ymin>2</ymin><xmax>30</xmax>"), None),
        (BOX.format("<xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>x</ymax>"), None),
        ("<object/>", None),
        ("<object>", None),
    ],
)
def test_training_bbox(tmp_path, xml, box):
    (tmp_path / "n1").mkdir()
    (tmp_path / "n1" / "n1_5.xml").write_text(f"<annotation><size/>{xml}</annotation>")
    found, missing = ILSVRC12.get_training_bbox(str(tmp_path), [("n1/n1_5.JPEG", 0), ("n1/n1_6.JPEG", 0)])
    assert missing is None
    if box is None:
        assert found is None
    else:
        assert found.dtype == np.float32 and found.tolist() == box


# Tiny ImageNet ---------------------------------------------------------------------------------------


@pytest.fixture
def tiny(tmp_path):
    wnids = [*WNIDS[::-1], *(f"n9{k:07d}" for k in range(197))]  # not sorted: lines count
    (tmp_path / "wnids.txt").write_text("\n".join(wnids))
    for k, wnid in enumerate(wnids):
        (tmp_path / "train" / wnid / "images").mkdir(parents=True)
        if k < 3:
            for j in (2, 1):
                write_image(tmp_path / "train" / wnid / "images" / f"{wnid}_{j}.JPEG", k, (64, 64))
    gray = np.full((64, 64), 77, np.uint8)
    (tmp_path / "val" / "images").mkdir(parents=True)
    for k in range(2):
        cv2.imwrite(str(tmp_path / "val" / "images" / f"val_{k}.png"), gray)
        os.rename(tmp_path / "val" / "images" / f"val_{k}.png", tmp_path / "val" / "images" / f"val_{k}.JPEG")
    (tmp_path / "val" / "val_annotations.txt").write_text(
        f"val_1.JPEG\t{WNIDS[0]}\t0\t0\t62\t61\nval_0.JPEG\t{wnids[199]}\t1\t2\t3\t4\n"
    )
    return tmp_path


def test_tiny(tiny):
    ds = TinyImageNet(str(tiny), "train", shuffle=False)
    points = list(ds)
    assert len(ds) == len(points) == 6
    assert [label for _, label in points] == [0, 0, 1, 1, 2, 2]
    assert all((image == COLORS[label]).all() and image.shape == (64, 64, 3) for image, label in points)
    assert [os.path.basename(path) for path, _ in ds.imglist[:2]] == [f"{WNIDS[2]}_{j}.JPEG" for j in (1, 2)]
    assert TinyImageNet(str(tiny), "train").shuffle

    val = TinyImageNet(str(tiny), "val")
    assert not val.shuffle
    points = list(val)
    assert [label for _, label in points] == [2, 199]
    assert all(image.shape == (64, 64, 3) and (image == 77).all() for image, _ in points)


def test_tiny_errors(tiny, tmp_path):
    with pytest.raises(FileNotFoundError):
        TinyImageNet(str(tmp_path / "nowhere"), "val")
    for text in ("val_1.JPEG\n", "val_1.JPEG\tn00000000\n"):
        (tiny / "val" / "val_annotations.txt").write_text(text)
        with pytest.raises(ValueError, match="val_annotations"):
            TinyImageNet(str(tiny), "val")
    (tiny / "wnids.txt").write_text("\n".join(WNIDS))
    with pytest.raises(ValueError, match="3 distinct classes"):
        TinyImageNet(str(tiny), "train")


# Places ----------------------------------------------------------------------------------------------


@pytest.fixture
def places(tmp_path):
    lists = {
        "train": ["train/beach/1.jpg", "train/airfield/2.jpg"],
        "val": ["val/yard-front/3.jpg", "val/beach/4.jpg"],
    }
    for name, files in lists.items():
        (tmp_path / f"{name}.txt").write_text("\n".join(files) + "\n")
        for file in files:
            label = {"airfield": 0, "beach": 1, "yard-front": 2}[file.split("/")[1]]
            write_image(tmp_path / file, label, (256, 256))
    return tmp_path


def test_places(places):
    train = Places365Standard(str(places), "train", shuffle=False)
    assert len(train) == 2 and Places365Standard(str(places), "train").shuffle
    points = list(train)
    assert [label for _, label in points] == [1, 0]
    assert all(image.shape == (256, 256, 3) and (image == COLORS[label]).all() for image, label in points)
    val = Places365Standard(str(places), "val")
    assert not val.shuffle
    # numbered over both lists: the same class has the same label in both
    assert [label for _, label in val] == [2, 1]
    assert train.get_label_names() == val.get_label_names() == ["airfield", "beach", "yard-front"]


def test_places_official_categories(places):
    (places / "categories_places365.txt").write_text("/y/yard/front 0\n/b/beach 1\n/a/airfield 2\n")
    val = Places365Standard(str(places), "val")
    assert [label for _, label in val] == [0, 1]
    assert val.get_label_names() == ["yard-front", "beach", "airfield"]
    (places / "categories_places365.txt").write_text("/b/beach 0\n")
    with pytest.raises(ValueError, match="'yard-front'"):
        Places365Standard(str(places), "val")


def test_places_with_one_list(places):
    os.remove(places / "train.txt")
    assert [label for _, label in Places365Standard(str(places), "val")] == [1, 0]
    with pytest.raises(FileNotFoundError):
        Places365Standard(str(places), "train")
    (places / "val.txt").write_text("4.jpg\n")
    with pytest.raises(ValueError, match="airfield"):
        Places365Standard(str(places), "val")
    with pytest.raises(FileNotFoundError):
        Places365Standard(str(places / "nowhere"), "val")
