"""Caffe's messages and models."""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

import numpy as np

from .._core.optional import require
from . import logger
from ._caffe_pb import BlobProto, BlobShape, Datum, Message

__all__ = ["get_caffe_pb", "load_caffe"]

_MESSAGES = (Datum, BlobShape, BlobProto)


@functools.cache
def get_caffe_pb() -> Any:
    """Return an object with the message classes ``Datum``, ``BlobProto`` and ``BlobShape`` of Caffe.

    With protobuf installed (``pip install 'dataflow-loader[caffe]'``) they are its classes, and can write
    messages too. Without it they can only read: ``ParseFromString`` and the fields.

    >>> datum = get_caffe_pb().Datum()
    >>> datum.ParseFromString(bytes([8, 3, 40, 7]))
    4
    >>> datum.channels, datum.label
    (3, 7)
    """
    try:
        require("google.protobuf", "caffe")
    except ImportError:
        classes: dict[str, Any] = {message.__name__: message for message in _MESSAGES}
    else:
        classes = _protobuf_classes()
    return SimpleNamespace(**classes)


def _protobuf_classes() -> dict[str, Any]:
    """Return the classes that protobuf makes of our descriptions: no compiler, no download."""
    descriptor_pb2 = require("google.protobuf.descriptor_pb2", "caffe")
    descriptor_pool = require("google.protobuf.descriptor_pool", "caffe")
    message_factory = require("google.protobuf.message_factory", "caffe")

    field_type = descriptor_pb2.FieldDescriptorProto
    types = {
        int: field_type.TYPE_INT64,
        bool: field_type.TYPE_BOOL,
        bytes: field_type.TYPE_BYTES,
        "<f4": field_type.TYPE_FLOAT,
        "<f8": field_type.TYPE_DOUBLE,
        "<i8": field_type.TYPE_INT64,
    }
    file = descriptor_pb2.FileDescriptorProto(name="dataflow/caffe.proto", package="caffe", syntax="proto2")
    for message in _MESSAGES:
        described = file.message_type.add(name=message.__name__)
        for number, (name, kind) in message.FIELDS.items():
            field = described.field.add(name=name, number=number, label=field_type.LABEL_OPTIONAL)
            if isinstance(kind, list):
                field.label = field_type.LABEL_REPEATED
                field.type = types[kind[0]]
                # as in Caffe's own schema: all but the floats of a Datum are packed
                field.options.packed = message is not Datum
            elif issubclass(kind, Message):
                field.type = field_type.TYPE_MESSAGE
                field.type_name = f".caffe.{kind.__name__}"
            else:
                field.type = types[kind]
    pool = (
        descriptor_pool.DescriptorPool()
    )  # of our own: a program may have Caffe's real schema in the common one
    pool.Add(file)
    return {
        message.__name__: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"caffe.{message.__name__}")
        )
        for message in _MESSAGES
    }


def load_caffe(model_desc: str, model_file: str) -> dict[str, np.ndarray[Any, Any]]:
    """Return the weights of a Caffe model, by name.

    A convolution gives ``<layer>/W`` (height, width, in, out) and ``<layer>/b``; a fully connected layer the
    same, with W (in, out), its inputs in the order height, width, channels; a BatchNorm ``<layer>/mean/EMA``
    and
    ``<layer>/variance/EMA``; a Scale ``<BatchNorm layer>/gamma`` and ``/beta`` of the BatchNorm with the same
    input.

    Args:
        model_desc: the model, a ``.prototxt`` file.
        model_file: the weights, a ``.caffemodel`` file.

    Raises:
        ImportError: pycaffe is missing. It comes with Caffe.
        ValueError: a Scale without a BatchNorm.
    """
    try:
        caffe = require("caffe", None)
    except ImportError as e:
        raise ImportError("load_caffe needs the Python module 'caffe', which comes with Caffe") from e
    net = caffe.Net(model_desc, model_file, caffe.TEST)
    return _Weights(net).read()


class _Weights:
    """Translates the layers of a net one by one."""

    def __init__(self, net: Any) -> None:
        self._net = net
        self._weights: dict[str, np.ndarray[Any, Any]] = {}
        self._batch_norms: dict[str, str] = {}  # input -> layer

    def read(self) -> dict[str, np.ndarray[Any, Any]]:
        translators = {
            "Convolution": self._convolution,
            "InnerProduct": self._inner_product,
            "BatchNorm": self._batch_norm,
            "Scale": self._scale,
        }
        for name, layer in zip(self._net._layer_names, self._net.layers, strict=True):
            blobs = [np.array(blob.data) for blob in layer.blobs]
            if not blobs:
                continue
            if layer.type in translators:
                translators[layer.type](name, blobs)
            else:
                logger.warning("load_caffe: the weights of layer %s, a %s, are left out", name, layer.type)
        return self._weights

    def _put(self, layer: str, **values: np.ndarray[Any, Any]) -> None:
        self._weights.update({f"{layer}/{name}": value for name, value in values.items()})

    def _input(self, name: str) -> str:
        bottom: str = self._net.bottom_names[name][0]
        return bottom

    def _convolution(self, name: str, blobs: list[np.ndarray[Any, Any]]) -> None:
        self._put(name, W=blobs[0].transpose(2, 3, 1, 0))
        if len(blobs) > 1:
            self._put(name, b=blobs[1])

    def _inner_product(self, name: str, blobs: list[np.ndarray[Any, Any]]) -> None:
        weights = blobs[0]
        shape = self._net.blobs[self._input(name)].data.shape
        if len(shape) == 4:  # Caffe flattens channels, height, width
            weights = weights.reshape(-1, *shape[1:]).transpose(0, 2, 3, 1).reshape(len(weights), -1)
        self._put(name, W=weights.T)
        if len(blobs) > 1:
            self._put(name, b=blobs[1])

    def _batch_norm(self, name: str, blobs: list[np.ndarray[Any, Any]]) -> None:
        mean, variance, scale = blobs
        factor = 1 / scale.item() if scale.item() else 0.0
        self._put(name, **{"mean/EMA": mean * factor, "variance/EMA": variance * factor})
        self._batch_norms[self._input(name)] = name

    def _scale(self, name: str, blobs: list[np.ndarray[Any, Any]]) -> None:
        batch_norm = self._batch_norms.get(self._input(name))
        if batch_norm is None:
            raise ValueError(
                f"load_caffe: the Scale layer {name} has no BatchNorm with the same input before it"
            )
        self._put(batch_norm, gamma=blobs[0])
        if len(blobs) > 1:
            self._put(batch_norm, beta=blobs[1])
