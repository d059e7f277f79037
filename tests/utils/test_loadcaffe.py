"""Caffe's messages, with and without protobuf, and its models."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow.utils import _caffe_pb, loadcaffe
from dataflow.utils.loadcaffe import get_caffe_pb, load_caffe

floats = st.lists(st.floats(width=32, allow_nan=False), max_size=5)
doubles = st.lists(st.floats(allow_nan=False), max_size=5)
ints = st.integers(-(2**31), 2**31 - 1)
FIELDS: dict[str, Any] = {
    "Datum": st.fixed_dictionaries(
        {},
        optional={
            "channels": ints,
            "height": ints,
            "width": ints,
            "data": st.binary(max_size=300),
            "label": st.integers(-(2**63), 2**63 - 1),
            "float_data": floats,
            "encoded": st.booleans(),
        },
    ),
    "BlobProto": st.fixed_dictionaries(
        {},
        optional={
            "num": ints,
            "channels": ints,
            "data": floats,
            "diff": floats,
            "double_data": doubles,
            "shape": st.builds(lambda dim: {"dim": dim}, st.lists(st.integers(0, 2**40), max_size=4)),
        },
    ),
}


def content(message: Any, name: str) -> dict[str, Any]:
    fields = {n: getattr(message, n) for n, _ in getattr(_caffe_pb, name).FIELDS.values() if n != "shape"}
    fields = {n: list(v) if not isinstance(v, bytes | int | bool) else v for n, v in fields.items()}
    return {**fields, "dim": list(message.shape.dim)} if name == "BlobProto" else fields


class TestMessages:
    @pytest.mark.parametrize("name", ["Datum", "BlobProto"])
    @given(data=st.data())
    def test_our_reader_agrees_with_protobuf(self, name: str, data: Any) -> None:
        theirs = getattr(get_caffe_pb(), name)(**data.draw(FIELDS[name]))
        serialized = theirs.SerializeToString()
        ours = getattr(_caffe_pb, name)()
        assert ours.ParseFromString(serialized) == len(serialized)
        assert content(ours, name) == content(theirs, name)

    def test_packed_and_unpacked_repeated_numbers(self) -> None:
        one, two = np.array([1.5], "<f4").tobytes(), np.array([2.5], "<f4").tobytes()
        for data in (
            b"\x35" + one + b"\x35" + two,
            b"\x32\x08" + one + two,
            b"\x35" + one + b"\x32\x04" + two,
        ):
            datum = _caffe_pb.Datum()
            datum.ParseFromString(data)
            assert datum.float_data == [1.5, 2.5]

    def test_unknown_fields_are_skipped_and_the_last_one_wins(self) -> None:
        datum = _caffe_pb.Datum()
        datum.ParseFromString(
            b"\x50\x05" + b"\x59" + bytes(8) + b"\x62\x02ab" + b"\x6d" + bytes(4) + b"\x28\x01\x28\x02"
        )
        assert datum.label == 2 and datum.data == b""
        datum.ParseFromString(b"")
        assert datum.label == 0

    @pytest.mark.parametrize(
        "data", [b"\x08", b"\x22\x05ab", b"\xff" * 11, b"\x0b", b"\x20\x01", b"\x32\x03abc"]
    )
    def test_damage(self, data: bytes) -> None:
        with pytest.raises(ValueError, match="not a"):
            _caffe_pb.Datum().ParseFromString(data)

    def test_without_protobuf(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "google.protobuf", None)
        get_caffe_pb.cache_clear()
        try:
            assert get_caffe_pb().Datum is _caffe_pb.Datum
        finally:
            get_caffe_pb.cache_clear()


def layer(kind: str, *blobs: Any) -> SimpleNamespace:
    return SimpleNamespace(
        type=kind, blobs=[SimpleNamespace(data=np.asarray(blob, np.float32)) for blob in blobs]
    )


class TestLoadCaffe:
    @pytest.fixture
    def net(self, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
        rng = np.random.RandomState(0)
        layers = {
            "data": (layer("Input"), []),
            "conv": (layer("Convolution", rng.rand(4, 3, 5, 6), rng.rand(4)), ["data"]),
            "bn": (layer("BatchNorm", rng.rand(4), rng.rand(4), [2.0]), ["conv"]),
            "scale": (layer("Scale", rng.rand(4), rng.rand(4)), ["conv"]),
            "fc1": (layer("InnerProduct", rng.rand(7, 4 * 2 * 3), rng.rand(7)), ["conv"]),
            "fc2": (layer("InnerProduct", rng.rand(2, 7)), ["fc1"]),
        }
        blobs = {"data": (1, 3, 8, 8), "conv": (1, 4, 2, 3), "fc1": (1, 7)}
        net = SimpleNamespace(
            layers=[found for found, _ in layers.values()],
            _layer_names=list(layers),
            bottom_names={name: bottoms for name, (_, bottoms) in layers.items()},
            blobs={name: SimpleNamespace(data=np.zeros(shape)) for name, shape in blobs.items()},
        )
        caffe: Any = ModuleType("caffe")
        caffe.TEST = 1
        caffe.Net = lambda description, weights, phase: net
        monkeypatch.setitem(sys.modules, "caffe", caffe)
        return net

    def test_weights(self, net: SimpleNamespace) -> None:
        weights = load_caffe("net.prototxt", "net.caffemodel")
        blobs = {
            name: [blob.data for blob in found.blobs]
            for name, found in zip(net._layer_names, net.layers, strict=True)
        }
        assert sorted(weights) == sorted(
            [
                "conv/W",
                "conv/b",
                "bn/mean/EMA",
                "bn/variance/EMA",
                "bn/gamma",
                "bn/beta",
                "fc1/W",
                "fc1/b",
                "fc2/W",
            ]
        )
        assert weights["conv/W"].shape == (5, 6, 3, 4)
        assert weights["conv/W"][1, 2, 0, 3] == blobs["conv"][0][3, 0, 1, 2]
        assert np.allclose(weights["bn/variance/EMA"], blobs["bn"][1] / 2)
        assert (weights["bn/gamma"] == blobs["scale"][0]).all() and (
            weights["bn/beta"] == blobs["scale"][1]
        ).all()
        # the output is the same if the input lies as height, width, channels
        x = np.random.RandomState(1).rand(4, 2, 3).astype(np.float32)
        assert np.allclose(x.transpose(1, 2, 0).ravel() @ weights["fc1/W"], blobs["fc1"][0] @ x.ravel())
        assert (weights["fc2/W"] == blobs["fc2"][0].T).all()

    def test_a_scale_of_its_own(self, net: SimpleNamespace) -> None:
        net.bottom_names["scale"] = ["data"]
        with pytest.raises(ValueError, match="Scale layer scale has no BatchNorm"):
            load_caffe("net.prototxt", "net.caffemodel")

    def test_without_caffe(self) -> None:
        with pytest.raises(ImportError, match="comes with Caffe"):
            loadcaffe.load_caffe("net.prototxt", "net.caffemodel")
