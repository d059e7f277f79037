"""What all data sets share: names, laziness, splits, shuffling."""

from __future__ import annotations

import subprocess
import sys

import pytest

import dataflow
from dataflow import dataset

NAMES = {
    "BSDS500",
    "Caltech101Silhouettes",
    "Cifar10",
    "Cifar100",
    "CifarBase",
    "FashionMnist",
    "ILSVRC12",
    "ILSVRC12Files",
    "ILSVRCMeta",
    "Mnist",
    "Places365Standard",
    "SVHNDigit",
    "TinyImageNet",
}


def test_a_module_is_loaded_when_it_is_first_used(monkeypatch):
    monkeypatch.delattr(dataset, "mnist", raising=False)
    monkeypatch.delitem(sys.modules, "dataflow.dataset.mnist", raising=False)
    assert dataset.mnist.Mnist.__name__ == "Mnist"


def test_names():
    assert set(dataset.__all__) == NAMES
    assert len(dataset.__all__) == 13
    for name in NAMES:
        cls = getattr(dataset, name)
        assert cls.__name__ == name and cls.__doc__
        assert issubclass(cls, dataflow.RNGDataFlow) == (name != "ILSVRCMeta")
    assert set(dir(dataset)) >= NAMES
    with pytest.raises(AttributeError, match="VisualQA"):
        _ = dataset.VisualQA


def test_modules():
    from dataflow.dataset.cifar import Cifar10
    from dataflow.dataset.ilsvrc import ILSVRC12, TinyImageNet
    from dataflow.dataset.mnist import Mnist

    assert (dataset.Cifar10, dataset.ILSVRC12) == (Cifar10, ILSVRC12)
    assert (dataset.TinyImageNet, dataset.mnist.Mnist) == (TinyImageNet, Mnist)


def test_import_is_light():
    code = (
        "from dataflow.dataset import *\nimport sys\n"
        "print([m for m in ('cv2', 'scipy', 'pooch', 'tqdm', 'lmdb') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", sorted(NAMES - {"ILSVRCMeta"}))
def test_unknown_split(name, tmp_path):
    cls = getattr(dataset, name)
    args = (
        ("nothing",)
        if name not in ("ILSVRC12", "ILSVRC12Files", "TinyImageNet", "Places365Standard")
        else (
            str(tmp_path),
            "nothing",
        )
    )
    with pytest.raises(ValueError, match=rf"{name}: unknown split 'nothing', expected one of"):
        cls(*args)
