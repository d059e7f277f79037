"""tf.data, with TensorFlow's own operations, which decode only the crop of a JPEG file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import workloads

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow as tf

NAME = "tf.data"


def _prepare(path: Any) -> Any:
    data = tf.io.read_file(path)
    begin, size, _ = tf.image.sample_distorted_bounding_box(
        tf.image.extract_jpeg_shape(data),
        tf.zeros((1, 0, 4)),
        area_range=(0.08, 1.0),
        aspect_ratio_range=(0.75, 1.333),
        max_attempts=10,
        use_image_if_no_bounding_boxes=True,
    )
    window = tf.stack([begin[0], begin[1], size[0], size[1]])
    picture = tf.image.decode_and_crop_jpeg(data, window, channels=3)
    picture = tf.cast(tf.image.resize(picture, (224, 224)), tf.uint8)
    return tf.image.random_flip_left_right(picture), 1


def jpeg() -> Iterable[Any]:
    files = tf.data.Dataset.from_tensor_slices(workloads.jpegs()).repeat().shuffle(512)
    return files.map(_prepare, num_parallel_calls=2).batch(64).prefetch(2).as_numpy_iterator()


def _batches(dtype: str) -> Iterable[Any]:
    picture = tf.constant(workloads.image().astype(dtype))
    dataset = tf.data.Dataset.from_tensors((picture, 1)).repeat()
    return dataset.batch(64).as_numpy_iterator()


def batch_uint8() -> Iterable[Any]:
    return _batches("uint8")


def batch_float32() -> Iterable[Any]:
    return _batches("float32")
