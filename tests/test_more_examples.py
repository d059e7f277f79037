"""The examples beside train_digits.py and look.py: each checks its own result; here, that it did."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from .test_examples import ROOT, files_in, run

pytestmark = pytest.mark.slow


def test_custom_dataflow(tmp_path: Path) -> None:
    out, _ = run("custom_dataflow.py", cwd=tmp_path)
    assert "BatchByLength(" in out
    assert re.search(r"^padding: [\d.]+% in batches by length, [\d.]+% in plain ones$", out, re.M)


def test_detect_augment(tmp_path: Path) -> None:
    out, _ = run("detect_augment.py", "--out", "boxes.png", cwd=tmp_path)
    assert "boxes in 15 images are right" in out
    assert files_in(tmp_path) == ["boxes.png"]
    picture = cv2.imread(str(tmp_path / "boxes.png"))
    assert picture is not None
    assert picture.shape[0] > 3 * 240 and picture.shape[1] > 6 * 240
    assert np.std(picture) > 20


class TestImagenetPipeline:
    def test_made_up_folder(self, tmp_path: Path) -> None:
        out, err = run("imagenet_pipeline.py", "--batches", 4, cwd=tmp_path)
        assert "0: ndarray:uint8 of shape (32, 224, 224, 3)" in out
        assert "60 images to evaluate, in 2 batches" in out
        assert "4/4" in err, "the speed is shown"
        assert files_in(tmp_path) == []

    def test_a_folder(self, tmp_path: Path) -> None:
        for split, name in (("train", "n00000007/a.JPEG"), ("val", "b.JPEG")):
            file = tmp_path / "data" / split / name
            file.parent.mkdir(parents=True)
            cv2.imwrite(str(file), np.zeros((300, 300, 3), np.uint8))
            (tmp_path / f"{split}.txt").write_text(f"{name} 7\n")
        (tmp_path / "synsets.txt").write_text("\n".join(f"n{i:08d}" for i in range(1000)))
        out, _ = run("imagenet_pipeline.py", "data", "--meta", tmp_path, "--batches", 1, cwd=tmp_path)
        assert "1: ndarray:int32 of shape (32,) in range [7, 7]" in out
        assert "1 images to evaluate, in 1 batches" in out


class TestLmdbWriteRead:
    def test_made_up_folder(self, tmp_path: Path) -> None:
        out, _ = run("lmdb_write_read.py", cwd=tmp_path)
        assert out.startswith("60 images in a file of ")
        assert "20 batches for training are as they should be" in out
        assert files_in(tmp_path) == []

    def test_a_folder(self, tmp_path: Path) -> None:
        for i in range(4):
            file = tmp_path / "images" / "cat" / f"{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(file), np.zeros((80, 80, 3), np.uint8))
        out, _ = run("lmdb_write_read.py", "images", cwd=tmp_path)
        assert out.startswith("4 images in a file of ")


class TestRemoteData:
    def test_both_ends(self, tmp_path: Path) -> None:
        out, _ = run("remote_data.py", cwd=tmp_path)
        assert re.search(r"^received \d+ batches from 2 processes$", out, re.M)

    def test_says_how_to_use_it(self, tmp_path: Path) -> None:
        _, err = run("remote_data.py", "sned", cwd=tmp_path, status=1)
        assert "remote_data.py receive tcp" in err


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="PyTorch is installed")
def test_train_digits_without_torch(tmp_path: Path) -> None:
    out, _ = run("train_digits_torch.py", cwd=tmp_path)
    assert out.startswith("PyTorch is not installed")


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
def test_train_digits_with_torch(tmp_path: Path) -> None:
    out, _ = run("train_digits_torch.py", cwd=tmp_path)
    scores = [float(s) for s in re.findall(r"^epoch \d+: test accuracy ([\d.]+)$", out, re.M)]
    assert len(scores) == 12
    assert scores[-1] > 0.95


def test_the_documentation_has_them_all() -> None:
    page = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
    assert [e.name for e in sorted((ROOT / "examples").glob("*.py")) if e.name not in page] == []
