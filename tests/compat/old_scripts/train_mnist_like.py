#!/usr/bin/env python
# -*- coding: utf-8 -*-
# Of the time around release 0.8: get_data()/size(), PrefetchDataZMQ with nr_proc, auto_set_dir.
import argparse
import os

import numpy as np
from tensorpack import *
from tensorpack.dataflow import dataset
from tensorpack.utils import logger
from tensorpack.utils.utils import get_rng, get_tqdm_kwargs
from tqdm import tqdm


class Digits(RNGDataFlow):
    """Blurred bars: class k has its bar in column k."""

    def __init__(self, train_or_test, shuffle=True):
        # no super().__init__(), as ever
        self.shuffle = shuffle
        self.nr = 400 if train_or_test == 'train' else 100

    def size(self):
        return self.nr

    def get_data(self):
        idxs = list(range(self.nr))
        if self.shuffle:
            self.rng.shuffle(idxs)
        for k in idxs:
            label = k % 10
            img = self.rng.uniform(0, 60, (10, 10)).astype('uint8')
            img[:, label] += 150
            yield [img, label]


class Whitened(ProxyDataFlow):
    def get_data(self):
        for img, label in super(Whitened, self).get_data():
            yield [(img - 128.0) / 128.0, label]


def get_train(nr_proc):
    ds = Digits('train')
    augs = imgaug.AugmentorList([
        imgaug.BrightnessScale((0.9, 1.1), clip=True),
        imgaug.ToUint8(),
    ])
    ds = AugmentImageComponent(ds, augs.augmentors)
    ds = LocallyShuffleData(ds, 50, nr_reuse=1)
    ds = FixedSizeData(ds, 400)
    ds = Whitened(ds)
    ds = BatchData(ds, 20)
    if nr_proc > 1:
        ds = PrefetchDataZMQ(ds, nr_proc=nr_proc)
    else:
        ds = PrefetchData(ds, nr_prefetch=10, nr_proc=1)
    return ds


if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('--epochs', type=int, default=1)
    parser.add_argument('--nr_proc', type=int, default=2)
    args = parser.parse_args()

    logger.auto_set_dir(action='d')
    train = get_train(args.nr_proc)
    test = BatchData(Whitened(Digits('test', shuffle=False)), 50, remainder=True)

    weights = np.zeros((100, 10))
    train.reset_state()
    for epoch in range(args.epochs):
        with tqdm(total=train.size(), **get_tqdm_kwargs()) as pbar:
            for imgs, labels in train.get_data():
                x = imgs.reshape(len(imgs), -1)
                scores = x.dot(weights)
                p = np.exp(scores - scores.max(axis=1, keepdims=True))
                p /= p.sum(axis=1, keepdims=True)
                p[np.arange(len(labels)), labels] -= 1
                weights -= 0.05 * x.T.dot(p) / len(x)
                pbar.update()
        right = total = 0
        test.reset_state()
        for imgs, labels in test.get_data():
            right += (imgs.reshape(len(imgs), -1).dot(weights).argmax(axis=1) == labels).sum()
            total += len(labels)
        logger.info("Epoch {}: accuracy {:.3f}".format(epoch, right / float(total)))
    assert total == 100 and right > 90, right
    assert os.path.isfile(os.path.join(logger.get_logger_dir(), 'log.log'))
    assert get_rng(train).rand() < 1 and dataset.Mnist
    print("done")
