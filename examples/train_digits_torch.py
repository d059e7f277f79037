"""Train on handwritten digits from PyTorch: the pipeline of train_digits.py, as an IterableDataset.

    python examples/train_digits_torch.py

The batches are made by the two processes of the dataflow, so the DataLoader needs no workers of its own. It
takes a few seconds, and ends with exit status 1 if the accuracy on digits not trained on is not above 0.95.
Without PyTorch it says so and ends.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from train_digits import BATCH_SIZE, EPOCHS, GOAL, NUM_TEST, LabeledImages, training_flow, write_digits

from dataflow import BatchData, DataFlow
from dataflow.utils import fix_rng_seed

try:
    import torch
    from torch.utils.data import DataLoader, IterableDataset
except ImportError:
    print("PyTorch is not installed: nothing to do. See https://pytorch.org for how to get it.")
    sys.exit(0)


class DataFlowDataset(IterableDataset[list[torch.Tensor]]):
    """The datapoints of a dataflow as tensors. Its ``reset_state()`` must have been called."""

    def __init__(self, df: DataFlow[Any]) -> None:
        self.df = df

    def __len__(self) -> int:
        return len(self.df)

    def __iter__(self) -> Iterator[list[torch.Tensor]]:
        for dp in self.df:
            yield [torch.from_numpy(array) for array in dp]  # no copy: the tensor is on the same memory


def loader(df: DataFlow[Any]) -> DataLoader[list[torch.Tensor]]:
    """Return a DataLoader that leaves batches and processes to the dataflow."""
    return DataLoader(DataFlowDataset(df), batch_size=None, num_workers=0)


@torch.no_grad()
def accuracy(model: torch.nn.Module, test: DataLoader[list[torch.Tensor]]) -> float:
    """Return the share of images that the model knows."""
    return (
        torch.cat([model(images.float() / 255).argmax(1) == labels for images, labels in test])
        .float()
        .mean()
        .item()
    )


def main() -> int:
    """Train, and return the exit status."""
    fix_rng_seed(0)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        files = write_digits(Path(folder))
        np.random.RandomState(0).shuffle(files)
        test_flow = BatchData(LabeledImages(files[:NUM_TEST], shuffle=False), BATCH_SIZE, remainder=True)
        test_flow.reset_state()
        with training_flow(files[NUM_TEST:]) as train_flow:
            train_flow.reset_state()  # starts the processes: before PyTorch starts threads
            train, test = loader(train_flow), loader(test_flow)
            model = torch.nn.Sequential(
                torch.nn.Flatten(), torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10)
            )
            optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
            schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 1 / EPOCHS, EPOCHS)
            score = 0.0
            for epoch in range(EPOCHS):
                for images, labels in train:
                    scores = model(images.float() / 255)
                    loss = torch.nn.functional.cross_entropy(scores, labels.long())
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                schedule.step()
                score = accuracy(model, test)
                print(f"epoch {epoch + 1}: test accuracy {score:.4f}", flush=True)
    if score <= GOAL:
        print(f"the last accuracy should be above {GOAL}", file=sys.stderr)
    return int(score <= GOAL)


if __name__ == "__main__":  # needed where processes are spawned: macOS, Windows
    sys.exit(main())
