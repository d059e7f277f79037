"""Names that are gone: they can be imported, and raise when they are used."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

import dataflow.utils.gpu
from dataflow.utils import compatible_serialize, serialize  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("parallel", "PlasmaGetData"),
        ("parallel", "PlasmaPutData"),
        ("parallel", "BlockParallel"),
        ("prefetch", "PrefetchProcess"),
        ("prefetch", "PrefetchProcessZMQ"),
        ("tf_func", "TFFuncMapper"),
        ("tf_func", "tf_aug"),
        ("dftools", "dump_dataset_images"),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_raise_when_used(module: str, name: str) -> None:
    gone: Any = getattr(importlib.import_module(f"dataflow.{module}"), name)
    if isinstance(gone, type):

        class Sub(gone):
            pass

        with pytest.raises(RuntimeError, match=f"{name} is gone"):
            Sub(1)
    with pytest.raises(RuntimeError, match="is gone"):
        gone(1, key=2)


def test_compatible_serialize() -> None:
    assert compatible_serialize.loads is serialize.loads and compatible_serialize.dumps is serialize.dumps


def test_change_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    with dataflow.utils.gpu.change_gpu(0):
        assert dataflow.utils.gpu.get_num_gpu() == 1
    with dataflow.utils.gpu.change_gpu("0,1"):
        assert dataflow.utils.gpu.get_num_gpu() == 2
    with pytest.raises(KeyError), dataflow.utils.gpu.change_gpu(None):
        import os

        os.environ["CUDA_VISIBLE_DEVICES"]
