"""Train a small classifier on handwritten digits: a whole pipeline on real data, in one file.

    python examples/train_digits.py

The 1,797 digits of scikit-learn are written as PNG files, one folder for each label. Two processes read them,
shift and rotate them a little, and make batches; this process trains a network of two layers in NumPy. It
takes a few seconds, and ends with exit status 1 if the accuracy on digits not trained on is not above 0.95.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from sklearn.datasets import load_digits

from dataflow import (
    AugmentImageComponent,
    BatchData,
    DataFlow,
    MultiProcessRunnerZMQ,
    PrintData,
    RNGDataFlow,
    imgaug,
)
from dataflow.utils import fix_rng_seed, get_tqdm

EPOCHS = 12
BATCH_SIZE = 32
NUM_TEST = 360  # a fifth; the other 1,437 are for training
GOAL = 0.95


class LabeledImages(RNGDataFlow[list[Any]]):
    """Yield ``[image, label]`` of files ``LABEL/NAME.png``. A source of your own is as short as this."""

    def __init__(self, files: list[Path], shuffle: bool) -> None:
        self.files = files
        self.shuffle = shuffle

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[list[Any]]:
        # self.rng is a np.random.RandomState that differs in each process
        order = self.rng.permutation(len(self)) if self.shuffle else range(len(self))
        for i in order:
            file = self.files[i]
            image = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
            if image is None:
                raise ValueError(f"can't read the image {file}")
            yield [image, int(file.parent.name)]


def write_digits(folder: Path) -> list[Path]:
    """Write the digits as gray images of 8 x 8 pixels and return their paths."""
    digits = load_digits()
    files = []
    for i, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        file = folder / str(label) / f"{i:04d}.png"
        file.parent.mkdir(exist_ok=True)
        if not cv2.imwrite(str(file), (image * 15).astype(np.uint8)):  # values from 0 to 16
            raise OSError(f"can't write {file}")
        files.append(file)
    return files


def training_flow(files: list[Path]) -> MultiProcessRunnerZMQ:
    """Return random batches, made in two processes; a pass has as many as the files give."""
    df: DataFlow = LabeledImages(files, shuffle=True)
    df = AugmentImageComponent(
        df,
        [
            imgaug.Rotation(max_deg=10, center_range=(0.4, 0.6)),
            imgaug.Shift(horiz_frac=0.07, vert_frac=0.07),
        ],
    )
    df = BatchData(df, BATCH_SIZE)
    # Each process runs a copy of all this with random numbers of its own: right for training, where batches
    # are random samples anyway. Where each datapoint has to come exactly once, give the slow part as a
    # function to MultiProcessMapData(..., strict=True) instead.
    return MultiProcessRunnerZMQ(df, num_proc=2)


class Classifier:
    """A network of two layers, trained by gradient descent with momentum."""

    def __init__(self, num_in: int, num_hidden: int, num_out: int, rng: np.random.RandomState) -> None:
        self.weights = [
            rng.randn(num_in, num_hidden) * np.sqrt(2 / num_in),
            np.zeros(num_hidden),
            rng.randn(num_hidden, num_out) * np.sqrt(2 / num_hidden),
            np.zeros(num_out),
        ]
        self.velocities = [np.zeros_like(w) for w in self.weights]

    def _forward(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        w1, b1, w2, b2 = self.weights
        x = images.reshape(len(images), -1) / 255  # here, not in the workers: bytes travel faster than floats
        hidden = np.maximum(x @ w1 + b1, 0)
        return x, hidden, hidden @ w2 + b2

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return the labels of images (n, h, w)."""
        labels: np.ndarray = self._forward(images)[2].argmax(axis=1)
        return labels

    def train(self, images: np.ndarray, labels: np.ndarray, learning_rate: float) -> None:
        """Take one step on a batch: the gradient of the cross-entropy, layer by layer from the end."""
        x, hidden, scores = self._forward(images)
        probabilities = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        error = (probabilities - np.eye(scores.shape[1])[labels]) / len(labels)
        error_hidden = (error @ self.weights[2].T) * (hidden > 0)
        gradients = [x.T @ error_hidden, error_hidden.sum(axis=0), hidden.T @ error, error.sum(axis=0)]
        for weight, velocity, gradient in zip(self.weights, self.velocities, gradients, strict=True):
            velocity *= 0.9
            velocity -= learning_rate * gradient
            weight += velocity


def accuracy(model: Classifier, test: BatchData) -> float:
    """Return the share of images that the model knows."""
    return float(np.mean(np.concatenate([model.predict(images) == labels for images, labels in test])))


def main() -> int:
    """Train, and return the exit status."""
    fix_rng_seed(0)
    rng = np.random.RandomState(0)
    with tempfile.TemporaryDirectory() as folder:
        files = write_digits(Path(folder))
        files = [files[i] for i in rng.permutation(len(files))]
        # every test image once and unchanged: no workers, no augmentation
        test = BatchData(LabeledImages(files[:NUM_TEST], shuffle=False), BATCH_SIZE, remainder=True)
        test.reset_state()
        with training_flow(files[NUM_TEST:]) as batches:  # leaving the block ends the processes
            train = PrintData(batches)
            print(train)
            train.reset_state()
            model = Classifier(num_in=64, num_hidden=128, num_out=10, rng=rng)
            score = 0.0
            for epoch in range(EPOCHS):
                learning_rate = 0.1 * (1 - epoch / EPOCHS)
                images_per_epoch = len(train) * BATCH_SIZE
                with get_tqdm(total=images_per_epoch, desc=f"epoch {epoch + 1}", unit=" images") as bar:
                    for images, labels in train:
                        model.train(images, labels, learning_rate)
                        bar.update(len(images))
                score = accuracy(model, test)
                print(f"epoch {epoch + 1}: test accuracy {score:.4f}", flush=True)
    if score <= GOAL:
        print(f"the last accuracy should be above {GOAL}", file=sys.stderr)
    return int(score <= GOAL)


if __name__ == "__main__":  # needed where processes are spawned: macOS, Windows
    sys.exit(main())
