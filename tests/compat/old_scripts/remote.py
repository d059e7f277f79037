# One program that serves data to itself, as a test of the network was written.
import itertools
import multiprocessing as mp
import sys

import numpy as np
from tensorpack.dataflow import FakeData, RemoteDataZMQ, send_dataflow_zmq


def serve(addr):
    send_dataflow_zmq(FakeData([[8, 8, 3], []], 100, random=False, dtype=['uint8', 'int32'], domain=(0, 255)), addr)


if __name__ == '__main__':
    addr = sys.argv[1]
    mp.set_start_method(sys.argv[2])
    proc = mp.Process(target=serve, args=(addr,))
    proc.daemon = True
    proc.start()
    ds = RemoteDataZMQ(addr)
    ds.reset_state()
    for img, label in itertools.islice(ds, 20):
        assert img.shape == (8, 8, 3) and img.dtype == np.uint8
    assert ds.cnt1 == 20
    proc.terminate()
    proc.join()
    print("done")
