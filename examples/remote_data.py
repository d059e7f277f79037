"""Load on some machines, train on another.

    python examples/remote_data.py receive tcp://*:5555           # on the machine that trains
    python examples/remote_data.py send tcp://THAT-MACHINE:5555   # on each of the others
    python examples/remote_data.py                                # both here: two senders, one receiver

Senders may start and stop at any time. They wait while nobody receives, or while the receiver is slower.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
from collections import Counter
from typing import Any

import numpy as np

from dataflow import BatchData, DataFlow, FakeData, MapData, RemoteDataZMQ, send_dataflow_zmq

BATCHES = 60


def batches() -> BatchData:
    """Return what costs time to make, in real life. Each batch says in which process it was made."""
    df: DataFlow[Any] = FakeData(
        [[32, 32, 3], []], size=1000, dtype=["uint8", "int64"], domain=[(0, 256), (0, 10)]
    )
    df = MapData(df, lambda dp: [*dp, os.getpid()])
    return BatchData(df, 16)


def send(addr: str, stop: Any = None) -> None:
    """Send batches for ever, or until the event ``stop`` is set."""
    send_dataflow_zmq(batches(), addr, hwm=10, stop=stop, linger=1)


def receive(addr: str, num_senders: int = 1) -> None:
    """Receive some batches, and at least one of each sender."""
    senders: Counter[int] = Counter()
    with RemoteDataZMQ(addr, hwm=10) as df:  # leaving the block closes the sockets
        df.reset_state()
        for images, labels, made_by in df:
            assert images.shape == (16, 32, 32, 3) and images.dtype == np.uint8
            assert labels.shape == (16,) and labels.dtype == np.int64
            senders[int(made_by[0])] += 1
            if senders.total() >= BATCHES and len(senders) >= num_senders:
                break
        assert df.cnt1 == senders.total()
    print(f"received {senders.total()} batches from {len(senders)} processes")


def both() -> None:
    """Start two senders, and receive what they send over TCP."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        addr = f"tcp://127.0.0.1:{probe.getsockname()[1]}"  # a port that nobody uses
    stop = multiprocessing.Event()
    senders = [multiprocessing.Process(target=send, args=(addr, stop)) for _ in range(2)]
    for sender in senders:
        sender.start()
    try:
        receive(addr, num_senders=2)
    finally:
        stop.set()
        for sender in senders:
            sender.join()
    assert all(sender.exitcode == 0 for sender in senders)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        both()
    elif len(sys.argv) == 3 and sys.argv[1] in ("send", "receive"):
        (send if sys.argv[1] == "send" else receive)(sys.argv[2])
    else:
        sys.exit(__doc__)
