"""The examples run as a user would run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent


def run(name: str, *args: object, cwd: Path, status: int = 0) -> tuple[str, str]:
    """Run an example in a folder of the test; return what it wrote to stdout and to stderr."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "examples" / name), *map(str, args)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(cwd)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout, done.stderr


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class TestTrainDigits:
    def test_learns_and_shows_what_it_does(self, tmp_path: Path) -> None:
        out, err = run("train_digits.py", cwd=tmp_path)

        for stage in ("PrintData(", "MultiProcessRunnerZMQ(", "BatchData(", "AugmentImageComponent("):
            assert stage in out
        for stage in ("LabeledImages(", "imgaug.Rotation(", "imgaug.Shift("):
            assert stage in out
        assert "datapoint 0<1 with 2 components consists of" in out
        assert "   0: ndarray:uint8 of shape (32, 8, 8) in range [0, 240]" in out
        assert "   1: ndarray:int32 of shape (32,) in range [0, 9]" in out

        scores = [float(s) for s in re.findall(r"^epoch \d+: test accuracy ([\d.]+)$", out, re.MULTILINE)]
        assert len(scores) == 12
        assert 0.95 < scores[-1] <= 1
        assert scores[0] < scores[-1]

        bars = re.findall(r"epoch 12: 100%.*1408/1408.* images/s", err)
        assert bars, err
        assert files_in(tmp_path) == []


class TestLook:
    def test_draws_the_photographs_of_scikit_learn(self, tmp_path: Path) -> None:
        out, _ = run("look.py", "--seed", 7, "--results", 3, cwd=tmp_path)
        assert "ImageFromFile(" in out
        assert files_in(tmp_path) == ["look.png"]
        picture = cv2.imread(str(tmp_path / "look.png"))
        assert picture.shape == (2 * 224 + 8, 4 * 224 + 3 * 8, 3)  # 2 rows of 4, 8 pixels between them
        assert np.std(picture) > 20

    def test_draws_a_folder(self, tmp_path: Path) -> None:
        folder = tmp_path / "photos"
        folder.mkdir()
        for i, color in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255)]):
            cv2.imwrite(str(folder / f"{i}.png"), np.full((448, 448, 3), color, np.uint8))
        (folder / "notes.txt").write_text("no image")
        run("look.py", folder, "--out", tmp_path / "grid.png", "--rows", 2, "--results", 2, cwd=tmp_path)
        picture = cv2.imread(str(tmp_path / "grid.png"))
        assert picture.shape == (2 * 224 + 8, 3 * 224 + 2 * 8, 3)
        # the first column has the originals, in the right colours and in the order of their names
        assert (picture[:224, :224] == (255, 0, 0)).all()
        assert (picture[232:, :224] == (0, 255, 0)).all()
        # the results have been made from them: no augmentor there changes which colour is the strongest
        assert picture[50, 232 + 50].argmax() == 0
        assert picture[232 + 50, 232 + 50].argmax() == 1

    def test_same_seed_same_picture(self, tmp_path: Path) -> None:
        for name in ("a.png", "b.png"):
            run("look.py", "--seed", 7, "--results", 2, "--rows", 1, "--out", name, cwd=tmp_path)
        assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()

    @pytest.mark.parametrize(("folder", "message"), [("missing", "is not a folder"), (".", "no images in")])
    def test_says_what_is_wrong_with_the_folder(self, tmp_path: Path, folder: str, message: str) -> None:
        out, err = run("look.py", folder, cwd=tmp_path, status=2)
        assert out == ""
        assert message in err
        assert "Traceback" not in err
        assert files_in(tmp_path) == []

    def test_names_the_file_that_it_cannot_read(self, tmp_path: Path) -> None:
        (tmp_path / "broken.jpg").write_bytes(b"not an image")
        _, err = run("look.py", tmp_path, cwd=tmp_path, status=1)
        assert "broken.jpg" in err.splitlines()[-1]
        assert files_in(tmp_path) == ["broken.jpg"]
