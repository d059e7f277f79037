"""tf.data, with TensorFlow's own operations, which decode only the crop of a JPEG file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import lifetimes
import workloads

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow as tf


def _crop(shape: Any) -> Any:
    """Do what ``workloads.crop`` does: all ten attempts at once, and the first that fits."""
    h, w = tf.cast(shape[0], tf.float32), tf.cast(shape[1], tf.float32)
    area, ratio = tf.random.uniform([10], 0.08, 1.0) * h * w, tf.random.uniform([10], 0.75, 1.333)
    heights, widths = tf.round(tf.sqrt(area / ratio)), tf.round(tf.sqrt(area * ratio))
    fits = (heights <= h) & (widths <= w)
    k = tf.argmax(fits)
    ch, cw = (heights[k], widths[k]) if fits[k] else (h, w)
    y, x = tf.random.uniform([]) * (h - ch + 1), tf.random.uniform([]) * (w - cw + 1)
    return tf.cast(tf.stack([tf.minimum(y, h - ch), tf.minimum(x, w - cw), ch, cw]), tf.int32)


def _prepare(path: Any) -> Any:
    data = tf.io.read_file(path)
    window = _crop(tf.image.extract_jpeg_shape(data))
    picture = tf.image.decode_and_crop_jpeg(data, window, channels=3)
    picture = tf.cast(tf.image.resize(picture, (224, 224)), tf.uint8)
    return tf.image.random_flip_left_right(picture), 1


def jpeg() -> Iterable[Any]:
    files = tf.data.Dataset.from_tensor_slices(workloads.jpegs()).repeat().shuffle(512)
    dataset = files.map(_prepare, num_parallel_calls=2, deterministic=False).batch(64).prefetch(2)
    options = tf.data.Options()
    options.threading.private_threadpool_size = 2  # as many as the others have processes
    return dataset.with_options(options).as_numpy_iterator()


def jpeg_fast() -> Iterable[Any]:
    return jpeg()


def _batches(dtype: str) -> Iterable[Any]:
    picture = tf.constant(workloads.image().astype(dtype))
    dataset = tf.data.Dataset.from_tensors((picture, 1)).repeat()
    return dataset.batch(64).as_numpy_iterator()


def batch_uint8() -> Iterable[Any]:
    return _batches("uint8")


def batch_float32() -> Iterable[Any]:
    return _batches("float32")


def import_ms() -> Iterator[float]:
    return lifetimes.imports("import tensorflow", 0)


def import_mb() -> Iterator[float]:
    return lifetimes.imports("import tensorflow", 1)
