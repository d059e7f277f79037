"""A dataflow of your own: a source, and a stage around another dataflow.

    python examples/custom_dataflow.py

Sentences have different lengths. To stack them they must be padded to the longest of the batch, so batches
of sentences of about the same length waste less. The stage ``BatchByLength`` makes such batches, in random
order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from dataflow import MultiProcessMapData, ProxyDataFlow, RNGDataFlow


class Sentences(RNGDataFlow[list[Any]]):
    """Made-up sentences: ``[number, word ids]``, an int and an int32 array (length,).

    ``self.rng`` is a RandomState that ``reset_state()`` makes, with a stream of its own in each process.
    """

    def __init__(self, size: int) -> None:
        self.count = size

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[list[Any]]:
        for number in self.rng.permutation(self.count):
            length = 1 + number * 7919 % 60  # each sentence has the same length in every pass
            yield [int(number), self.rng.randint(1, 5000, length).astype(np.int32)]


class BatchByLength(ProxyDataFlow[list[Any]], RNGDataFlow[list[Any]]):
    """Make batches of sentences of similar lengths: ``[numbers, padded word ids, lengths]``.

    It collects ``pool`` batches, sorts them by length, cuts them into batches, and yields those in random
    order. What is left over makes a smaller batch at the end of a pass.
    """

    def __init__(self, ds: Iterable[list[Any]], batch_size: int, pool: int) -> None:
        super().__init__(ds)
        self.batch_size, self.pool = batch_size, pool

    def reset_state(self) -> None:
        """Reset the wrapped dataflow, and make a random state."""
        ProxyDataFlow.reset_state(self)
        RNGDataFlow.reset_state(self)

    def __len__(self) -> int:
        return -(-len(self.ds) // self.batch_size)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[list[Any]]:
        sentences: list[list[Any]] = []
        for dp in self.ds:
            sentences.append(dp)
            if len(sentences) == self.batch_size * self.pool:
                yield from self._batches(sentences)
                sentences = []
        yield from self._batches(sentences)

    def _batches(self, sentences: list[list[Any]]) -> Iterator[list[Any]]:
        sentences.sort(key=lambda dp: len(dp[1]))
        starts = range(0, len(sentences), self.batch_size)
        for i in self.rng.permutation(len(starts)):
            yield self._pad(sentences[starts[i] : starts[i] + self.batch_size])

    @staticmethod
    def _pad(sentences: list[list[Any]]) -> list[Any]:
        numbers, words = zip(*sentences, strict=True)
        lengths = np.array([len(w) for w in words])
        padded = np.zeros((len(words), lengths.max()), np.int32)
        for row, w in zip(padded, words, strict=True):
            row[: len(w)] = w
        return [np.array(numbers), padded, lengths]


def rare_words_only(dp: list[Any]) -> list[Any]:
    """Stand for what costs time: it runs in worker processes."""
    number, words = dp
    return [number, np.where(words < 100, 0, words)]


def padding(batches: Iterable[list[Any]]) -> float:
    """Return the share of all values that are padding."""
    sizes = [(padded.size, lengths.sum()) for _, padded, lengths in batches]
    total, used = np.sum(sizes, axis=0)
    return float(1 - used / total)


def main() -> None:
    """Make batches of all sentences in both ways, and compare."""
    with MultiProcessMapData(Sentences(1000), 2, rare_words_only, strict=True) as sentences:
        df = BatchByLength(sentences, batch_size=32, pool=16)
        print(df)
        df.reset_state()  # once, of the outermost dataflow
        for _ in range(2):
            batches = list(df)
            seen = np.concatenate([numbers for numbers, _, _ in batches])
            assert sorted(seen) == list(range(1000)), "each sentence comes exactly once in a pass"
            assert len(batches) == len(df)
        by_length = padding(batches)

    unsorted = BatchByLength(Sentences(1000), batch_size=32, pool=1)
    unsorted.reset_state()
    plain = padding(unsorted)
    print(f"padding: {by_length:.1%} in batches by length, {plain:.1%} in plain ones")
    assert by_length < plain / 4


if __name__ == "__main__":  # needed where processes are spawned: macOS, Windows
    main()
