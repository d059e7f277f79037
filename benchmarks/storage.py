"""How close storage comes to the bare library: both sides in one process, rounds interleaved, medians.

    python benchmarks/storage.py            # the full sizes
    python benchmarks/storage.py --short    # a trial

Each line shows the median seconds of the bare loop and of ours, and the median over the rounds of bare /
ours, next to the target. The files are in the page cache: with a slow disk both sides would wait, and look
alike.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from typing import Any

os.environ["TENSORPACK_PROGRESS_REFRESH"] = "3600"

import google_crc32c
import h5py
import lmdb
import numpy as np

from dataflow._storage.lmdb_file import open_database
from dataflow.format import HDF5Data, LMDBData
from dataflow.raw import DataFromList
from dataflow.serialize import HDF5Serializer, LMDBSerializer, TFRecordSerializer
from dataflow.utils.serialize import dumps

JPEG_BYTES = 28_000
IMAGE = (224, 224, 3)


def jpegs(n: int) -> list[list[Any]]:
    """Return datapoints of a compressed image's size: random bytes, since nothing here looks into them."""
    rng = np.random.RandomState(0)
    return [[rng.bytes(JPEG_BYTES), int(rng.randint(1000))] for _ in range(n)]


def images(n: int) -> list[list[Any]]:
    """Return datapoints with an image as an array."""
    rng = np.random.RandomState(0)
    return [[rng.randint(0, 256, IMAGE, np.uint8), int(rng.randint(1000))] for _ in range(n)]


def consume(values: Iterable[Any]) -> None:
    """Take everything and keep nothing."""
    for _ in values:
        pass


def reader(df: Iterable[Any]) -> Callable[[], None]:
    """Return a function that takes everything and keeps nothing."""
    return lambda: consume(df)


def bare_lmdb_sequential(env: lmdb.Environment) -> None:
    """Copy each value out in the order of the database."""
    with env.begin() as txn:
        consume(txn.cursor())


def bare_lmdb_shuffled(env: lmdb.Environment, keys: list[bytes]) -> None:
    """Copy each value out in the order of ``keys``."""
    with env.begin() as txn:
        for key in keys:
            txn.get(key)


def bare_lmdb_write(path: str, values: list[bytes]) -> None:
    """Put values that are encoded already, and sync."""
    with lmdb.open(path, subdir=False, lock=False, sync=False, meminit=False, map_size=1 << 34) as env:
        for begin in range(0, len(values), 5000):
            with env.begin(write=True) as txn:
                for i, value in enumerate(values[begin : begin + 5000], begin):
                    txn.put(b"%08d" % i, value, append=True)
        env.sync(True)
    os.unlink(path)


def our_lmdb_write(path: str, data: list[list[Any]]) -> None:
    """Save the same datapoints."""
    LMDBSerializer.save(DataFromList(data, shuffle=False), path)
    os.unlink(path)


def bare_tfrecord(path: str) -> None:
    """Read lengths and bytes and check the checksums, with the same library."""
    with open(path, "rb") as f:
        while header := f.read(12):
            length, checksum = struct.unpack("<QI", header)
            check(google_crc32c.value(header[:8]), checksum)
            payload = f.read(length)
            check(google_crc32c.value(payload), *struct.unpack("<I", f.read(4)))


def check(crc: int, checksum: int) -> None:
    """Compare a checksum with its masked form."""
    if ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF != checksum:
        raise ValueError("wrong checksum")


def bare_hdf5(path: str, block: int) -> None:
    """Read both datasets in the same blocks."""
    with h5py.File(path, "r") as f:
        x, y = f["x"], f["y"]
        for begin in range(0, len(x), block):
            x[begin : begin + block], y[begin : begin + block]


def memcpy(values: list[bytes]) -> None:
    """Copy values that are in memory to new arrays."""
    for value in values:
        np.frombuffer(value, np.uint8).copy()


def compare(
    name: str, bare: Callable[[], None], ours: Callable[[], None], target: float | None, rounds: int
) -> dict[str, Any]:
    """Time both sides in turn, print and return the medians."""
    times: list[tuple[float, float]] = []
    for i in range(rounds + 1):
        pair = []
        for side in (bare, ours):
            begin = time.perf_counter()
            side()
            pair.append(time.perf_counter() - begin)
        if i:  # the first round only warms up
            times.append((pair[0], pair[1]))
    bare_s, ours_s = (statistics.median(t[i] for t in times) for i in (0, 1))
    ratio = statistics.median(b / o for b, o in times)
    print(
        f"{name:34} bare {bare_s:8.4f} s   ours {ours_s:8.4f} s   {ratio:6.1%}"
        + (f"   target {target:4.0%}" if target else ""),
        flush=True,
    )
    return {"name": name, "bare_s": bare_s, "ours_s": ours_s, "ratio": ratio, "target": target}


def lmdb_lines(directory: str, kind: str, data: list[list[Any]], rounds: int) -> list[dict[str, Any]]:
    """Compare reading and writing of one LMDB database."""
    path = os.path.join(directory, f"{kind}.lmdb")
    LMDBSerializer.save(DataFromList(data, shuffle=False), path)
    values = [dumps(dp) for dp in data]
    keys = [b"%08d" % i for i in np.random.RandomState(1).permutation(len(data))]
    database = open_database(path)  # the same one as ours: LMDB opens a file once in a process

    def sequential() -> None:
        bare_lmdb_sequential(database.env)

    def random() -> None:
        bare_lmdb_shuffled(database.env, keys)

    in_order = LMDBSerializer.load(path, shuffle=False)
    lines = [
        compare(f"lmdb read, {kind}", sequential, reader(LMDBData(path, shuffle=False)), 0.9, rounds),
        compare(f"lmdb shuffled, {kind}", random, reader(LMDBData(path)), 0.8, rounds),
        compare(f"the same, decoded, {kind}", sequential, reader(in_order), None, rounds),
        compare(f"shuffled, decoded, {kind}", random, reader(LMDBSerializer.load(path)), None, rounds),
    ]
    if kind == "arrays":
        lines.append(
            compare("lmdb decoded against memcpy", lambda: memcpy(values), reader(in_order), 0.6, rounds)
        )
    new = path + ".new"
    lines.append(
        compare(
            f"lmdb write, {kind}",
            lambda: bare_lmdb_write(new, values),
            lambda: our_lmdb_write(new, data),
            0.9,
            rounds,
        )
    )
    return lines


def tfrecord_lines(directory: str, kind: str, data: list[list[Any]], rounds: int) -> list[dict[str, Any]]:
    """Compare reading of one TFRecord file."""
    path = os.path.join(directory, f"{kind}.tfrecord")
    TFRecordSerializer.save(DataFromList(data, shuffle=False), path)
    loaded = TFRecordSerializer.load(path)
    return [
        compare(f"tfrecord read, {kind}", lambda: bare_tfrecord(path), lambda: consume(loaded), 0.7, rounds)
    ]


def hdf5_lines(directory: str, data: list[list[Any]], rounds: int) -> list[dict[str, Any]]:
    """Compare reading of one HDF5 file."""
    path = os.path.join(directory, "arrays.h5")
    HDF5Serializer.save(DataFromList(data, shuffle=False), path, ["x", "y"])
    loaded = HDF5Data(path, ["x", "y"], shuffle=False)
    return [
        compare(
            "hdf5 read, arrays", lambda: bare_hdf5(path, loaded._block), lambda: consume(loaded), 0.8, rounds
        )
    ]


_START = """
import re, sys, time
from pathlib import Path
from dataflow.serialize import LMDBSerializer
import lmdb, msgpack, numpy

def peak():  # not getrusage(), which knows of the parent's memory as well
    return int(re.search("VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

before = peak()
begin = time.perf_counter()
ds = LMDBSerializer.load(sys.argv[1], shuffle=True)
loaded = time.perf_counter() - begin
next(iter(ds))
first = time.perf_counter() - begin
print(loaded * 1e3, first * 1e3, peak() - before)
"""


def start_lines(directory: str, sizes: list[int]) -> list[dict[str, Any]]:
    """Measure what it takes to begin a shuffled pass over many small records, in a fresh process."""
    lines = []
    for n in sizes:
        path = os.path.join(directory, f"{n}.lmdb")
        LMDBSerializer.save(DataFromList([[0]] * n, shuffle=False), path)
        out = subprocess.run(
            [sys.executable, "-c", _START, path], capture_output=True, text=True, check=True
        ).stdout
        loaded, first, memory = map(float, out.split())
        print(
            f"{n} keys: load {loaded:.1f} ms, first datapoint {first:.1f} ms, {memory:.1f} MiB (target 150)"
        )
        lines.append({"name": f"{n} keys", "load_ms": loaded, "first_ms": first, "memory_mib": memory})
    return lines


def main() -> None:
    """Run all comparisons."""
    parser = argparse.ArgumentParser(description="How close storage comes to the bare library.")
    parser.add_argument("--short", action="store_true", help="a trial with a tenth of the data")
    parser.add_argument("--rounds", type=int, help="default: 7, or 3 with --short")
    parser.add_argument("--dir", help="where to put the files; default: the temporary directory")
    parser.add_argument("--json", help="write the figures to this file")
    args = parser.parse_args()
    rounds = args.rounds or (3 if args.short else 7)
    part = 10 if args.short else 1
    lines: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=args.dir) as directory:
        for kind, data in (("jpeg bytes", jpegs(20_000 // part)), ("arrays", images(2_000 // part))):
            lines += lmdb_lines(directory, kind, data, rounds)
            lines += tfrecord_lines(directory, kind, data, rounds)
            if kind == "arrays":
                lines += hdf5_lines(directory, data, rounds)
        lines += start_lines(directory, [1_000, 1_000_000 // part])
    if args.json:
        with open(args.json, "w") as f:
            json.dump(lines, f, indent=1)


if __name__ == "__main__":
    main()
