# Convert a folder's worth of images to LMDB and read it back sequentially, as the old tutorials had it.
import sys

import cv2
import numpy as np
from tensorpack.dataflow import *
from tensorpack.utils.serialize import dumps, loads


class BinaryPhotos(DataFlow):
    def get_data(self):
        for k in range(60):
            img = np.full((32, 48, 3), k, dtype='uint8')
            ok, jpeg = cv2.imencode('.jpg', img)
            assert ok
            yield [np.asarray(jpeg, dtype='uint8').flatten(), k]

    def size(self):
        return 60


def main(path):
    ds = PrefetchDataZMQ(BinaryPhotos(), nr_proc=1)
    dftools.dump_dataflow_to_lmdb(ds, path)

    # sequential read, shuffled locally
    ds = LMDBData(path, shuffle=False)
    ds = LocallyShuffleData(ds, 20)
    ds = PrefetchData(ds, 30, 1)
    ds = LMDBDataPoint(ds)
    ds = MapDataComponent(ds, lambda x: cv2.imdecode(x, cv2.IMREAD_COLOR), 0)
    ds = AugmentImageComponent(ds, [imgaug.Resize((16, 16)), imgaug.Flip(horiz=True)])
    ds = PrefetchDataZMQ(ds, nr_proc=2)
    ds = BatchData(ds, 10)
    ds.reset_state()
    seen = 0
    for imgs, labels in ds.get_data():
        assert imgs.shape == (10, 16, 16, 3) and imgs.dtype == np.uint8
        assert np.abs(imgs.mean(axis=(1, 2, 3)) - labels).max() < 3
        seen += len(labels)
        if seen >= 100:
            break

    # random read
    ds = LMDBDataPoint(path, shuffle=True)
    assert ds.size() == 60
    ds.reset_state()
    assert sorted(dp[1] for dp in ds.get_data()) == list(range(60))
    assert loads(dumps([1, 'a'])) == [1, 'a']

    TestDataSpeed(ds, size=50).start_test()
    print("done")


if __name__ == '__main__':
    main(sys.argv[1])
