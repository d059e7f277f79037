"""Datapoints between two network namespaces, which are like two machines with a cable between them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import zmq

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(50)]


class Machine(NamedTuple):
    """A network namespace: that of a process that only sleeps."""

    pid: int
    address: str

    def command(self, *args: str) -> list[str]:
        return ["nsenter", "-t", str(self.pid), "-n", *args]

    def ip(self, *args: str) -> None:
        subprocess.run(self.command("ip", *args), check=True, timeout=10, capture_output=True)

    def python(self, code: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(sys.executable, "-W", "error", "-c", textwrap.dedent(code)),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def machines() -> Iterator[tuple[Machine, Machine]]:
    """Two namespaces joined by a pair of virtual interfaces; all of it is gone with the two processes."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root may make network namespaces")
    if missing := [tool for tool in ("unshare", "nsenter", "ip") if shutil.which(tool) is None]:
        pytest.skip(f"there is no {', '.join(missing)}")
    sleepers = [subprocess.Popen(["unshare", "-n", "sleep", "120"], stderr=subprocess.PIPE) for _ in range(2)]
    try:
        time.sleep(0.3)
        if any(s.poll() is not None for s in sleepers):
            pytest.skip("this system lets nobody make network namespaces")
        here, there = (Machine(s.pid, f"10.99.0.{i}") for i, s in enumerate(sleepers, 1))
        try:
            here.ip("link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", str(there.pid))
        except subprocess.CalledProcessError as e:
            pytest.skip(f"there are no virtual interfaces: {e.stderr}")
        for machine in (here, there):
            machine.ip("addr", "add", f"{machine.address}/24", "dev", "cable")
            machine.ip("link", "set", "cable", "up")
        yield here, there
    finally:
        for s in sleepers:
            s.kill()
            s.communicate()


def finish(*programs: subprocess.Popen[str]) -> None:
    for p in programs:
        p.kill()
        p.communicate()


SERVER, CLIENT = zmq.curve_keypair(), zmq.curve_keypair()


@pytest.mark.parametrize("encrypted", [False, True])
def test_across_two_machines(machines: tuple[Machine, Machine], encrypted: bool) -> None:
    here, there = machines
    as_server = {"server_secretkey": SERVER[1], "client_keys": [CLIENT[0]]} if encrypted else {}
    as_client = {"server_publickey": SERVER[0], "client_secretkey": CLIENT[1]} if encrypted else {}
    receiver = here.python(f"""
        import json
        from itertools import islice
        from dataflow import RemoteDataZMQ
        with RemoteDataZMQ("tcp://{here.address}:5555", **{as_server!r}) as df:
            got = [[i, int(image.sum()), image.shape] for i, image in islice(df, 200)]
            print(json.dumps([got, df.cnt1, df.cnt_dropped]))
    """)
    sender = there.python(f"""
        import itertools, numpy as np
        from dataflow import DataFromIterable, send_dataflow_zmq
        dps = ([i, np.full((64, 64), i % 7, np.int64)] for i in itertools.count())
        send_dataflow_zmq(DataFromIterable(dps), "tcp://{here.address}:5555", **{as_client!r})
    """)
    try:
        out, err = receiver.communicate(timeout=30)
    finally:
        finish(receiver, sender)
    assert receiver.returncode == 0, err
    got, count, dropped = json.loads(out.splitlines()[-1])
    assert got == [[i, 64 * 64 * (i % 7), [64, 64]] for i in range(200)]
    assert (count, dropped) == (200, 0)


def test_the_cable_is_pulled_for_a_moment(machines: tuple[Machine, Machine]) -> None:
    here, there = machines
    receiver = here.python(f"""
        from itertools import islice
        from dataflow import RemoteDataZMQ
        df = RemoteDataZMQ("tcp://{here.address}:5555")
        it = iter(df)
        numbers = [dp[0] for dp in islice(it, 500)]
        print("flowing", flush=True)
        numbers += [dp[0] for dp in islice(it, 3000)]
        assert numbers == list(range(3500)), "not all, or not in order"
        print("all there", flush=True)
    """)
    sender = there.python(f"""
        import itertools, time
        from dataflow import DataFromIterable, send_dataflow_zmq
        dps = ([i, time.sleep(0.001)] for i in itertools.count())
        send_dataflow_zmq(DataFromIterable(dps), "tcp://{here.address}:5555")
    """)
    try:
        assert receiver.stdout is not None and receiver.stdout.readline() == "flowing\n"
        there.ip("link", "set", "cable", "down")
        time.sleep(1)
        there.ip("link", "set", "cable", "up")
        out, err = receiver.communicate(timeout=40)
    finally:
        finish(receiver, sender)
    assert out.endswith("all there\n"), err
