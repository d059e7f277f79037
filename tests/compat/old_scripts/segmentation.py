# Old augmentors of one's own, threads for the map function, two branches joined, and a look at the data.
import numpy as np
from tensorpack import imgaug, logger
from tensorpack.dataflow import (
    AugmentImageComponents, BatchData, CacheData, ConcatData, DataFromGenerator, DataFromList, JoinData, MapData,
    PrintData, RepeatedData, SelectComponent, ThreadedMapData)
from tensorpack.dataflow.base import RNGDataFlow
from tensorpack.dataflow.image import MapDataComponent, check_dtype
from tensorpack.dataflow.imgaug.base import ImageAugmentor
from tensorpack.dataflow.prefetch import PrefetchDataZMQ
from tensorpack.utils import get_rng
from tensorpack.utils.argtools import log_once, memoized
from tensorpack.utils.fs import mkdir_p
from tensorpack.utils.gpu import get_nr_gpu
from tensorpack.utils.stats import RatioCounter, StatCounter
from tensorpack.utils.timer import timed_operation
from tensorpack.utils.viz import stack_patches


class RandomShiftRight(ImageAugmentor):
    """The interface of before 0.9.7."""

    def __init__(self, max_shift):
        self._init(locals())

    def _get_augment_params(self, img):
        return int(self._rand_range(self.max_shift))

    def _augment(self, img, shift):
        return np.roll(img, shift, axis=1)

    def _augment_coords(self, coords, shift):
        coords = coords.copy()
        coords[:, 0] += shift
        return coords


class Scenes(RNGDataFlow):
    def __init__(self, n):
        self.n = n

    def size(self):
        return self.n

    def get_data(self):
        for _ in range(self.n):
            mask = np.zeros((12, 20), dtype='int32')
            x = self.rng.randint(3)
            mask[4:8, x:x + 4] = 7
            img = (mask[:, :, np.newaxis] * np.array([10, 20, 30])).astype('uint8')
            yield [img, mask]


@memoized
def table(n):
    return np.arange(n)


def pairs():
    for k in range(6):
        yield [k, k * k]


if __name__ == '__main__':
    with timed_operation('a pass over the scenes'):
        ds = AugmentImageComponents(Scenes(12), [RandomShiftRight(10), imgaug.Flip(horiz=True)], index=(0, 1))
        ds = PrintData(ds, num=1, label='scenes')
        ds = ThreadedMapData(ds, nr_thread=2, map_func=lambda dp: [dp[0], dp[1], dp[1].sum()], buffer_size=4,
                             strict=True)
        ds.reset_state()
        count, ratio = StatCounter(), RatioCounter()
        patches = []
        for img, mask, total in ds.get_data():
            assert img.dtype == np.uint8 and mask.dtype == np.int32 and total == 7 * 16
            assert ((img[:, :, 0] == 70) == (mask == 7)).all()
            count.feed(total)
            ratio.feed(1)
            patches.append(img)
        assert count.count == 12 and ratio.ratio == 1
    canvas = stack_patches(np.stack(patches), 3, 4)
    assert canvas.dtype == np.uint8 and canvas.shape[2] == 3

    aug = RandomShiftRight(5)
    aug.reset_state()
    img = np.arange(24, dtype='uint8').reshape(4, 6)
    out, params = aug.augment_return_params(img)
    assert (aug.augment_with_params(img, params) == out).all()

    source = DataFromGenerator(pairs)
    joined = JoinData([MapData(source, tuple), SelectComponent(source, [1])])
    joined = BatchData(joined, 2)
    joined.reset_state()
    assert [b[2].tolist() for b in joined.get_data()] == [[0, 1], [4, 9], [16, 25]]

    cached = RepeatedData(CacheData(ConcatData([DataFromList([[1], [2]], shuffle=False)])), nr=2)
    cached.reset_state()
    assert [dp[0] for dp in MapDataComponent(cached, lambda x: -x).get_data()] == [-1, -2, -1, -2]
    assert cached.size() == 4
    check_dtype(img)

    log_once('only once', func='warn')
    log_once('only once', func='warn')
    mkdir_p('somewhere')
    assert get_nr_gpu() >= 0 and len(table(3)) == 3 and get_rng()
    assert PrefetchDataZMQ
    logger.info('all scenes were seen')
    print("done")
