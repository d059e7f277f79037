"""Encryption and authentication, over real sockets."""

from __future__ import annotations

import pickle
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq

from dataflow import DataFlowTerminated, DataFromList, RemoteDataZMQ
from tests.helpers.flows import flow
from tests.helpers.remote import Counting, Sender, free_address, logged, take

pytestmark = pytest.mark.timeout(40)
SERVER, CLIENT, STRANGER = zmq.curve_keypair(), zmq.curve_keypair(), zmq.curve_keypair()
AS_SERVER = {"server_secretkey": SERVER[1], "client_keys": [CLIENT[0]]}
AS_CLIENT = {"server_publickey": SERVER[0], "client_secretkey": CLIENT[1]}


@pytest.fixture
def tcp() -> str:
    return free_address()


@pytest.fixture
def log() -> Iterator[list[str]]:
    with logged() as lines:
        yield lines


def wait_for(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("receiver_binds", [True, False])
@pytest.mark.parametrize("receiver_is_server", [True, False])
def test_who_has_the_keys_gets_the_data(
    tcp: str, log: list[str], receiver_binds: bool, receiver_is_server: bool
) -> None:
    mine, other = (AS_SERVER, AS_CLIENT) if receiver_is_server else (AS_CLIENT, AS_SERVER)
    with (
        RemoteDataZMQ(tcp, bind=receiver_binds, **mine) as df,
        Sender(flow(3), tcp, bind=not receiver_binds, **other),
    ):
        assert [dp[0] for dp in take(df, 6)] == [0, 1, 2, 0, 1, 2]
    assert not [line for line in log if "refused" in line or "failed" in line]


def test_a_sender_with_a_wrong_key_is_refused(tcp: str, log: list[str]) -> None:
    with RemoteDataZMQ(tcp, **AS_SERVER) as df:
        iterator = iter(df)
        good = Sender(Counting("good"), tcp, **AS_CLIENT)
        assert next(iterator) == [0, "good"]
        bad = Sender(Counting("bad"), tcp, 3, **(AS_CLIENT | {"client_secretkey": STRANGER[1]}))
        bad.join(10)
        assert isinstance(bad.error, ConnectionRefusedError) and "client_keys" in str(bad.error)
        assert all(next(iterator)[1] == "good" for _ in range(200))
        good.stop.set()
        good.join()
        iterator.close()  # type: ignore[attr-defined]
    [line] = [line for line in log if line.startswith("refused")]
    assert "127.0.0.1" in line and STRANGER[0].decode() in line


def test_a_receiver_with_a_wrong_key_is_refused(tcp: str) -> None:
    with Sender(flow(3), tcp, bind=True, **AS_SERVER):
        df = RemoteDataZMQ(tcp, bind=False, server_publickey=SERVER[0], client_secretkey=STRANGER[1])
        for _ in range(2):  # it stays so
            with pytest.raises(ConnectionRefusedError, match="client_keys"):
                next(iter(df))
        df.close()


def test_the_one_who_refuses_may_be_the_one_who_connects(tcp: str, log: list[str]) -> None:
    wrong = {"server_publickey": SERVER[0], "client_secretkey": STRANGER[1]}
    with Sender(flow(3), tcp, bind=True, **wrong) as bad, RemoteDataZMQ(tcp, bind=False, **AS_SERVER) as df:

        def wait() -> None:
            with pytest.raises(DataFlowTerminated):
                next(iter(df))

        waiting = threading.Thread(target=wait)
        waiting.start()
        wait_for(lambda: len([line for line in log if "refused" in line]) == 2)
        time.sleep(0.2)
        assert waiting.is_alive() and bad.is_alive()  # each may yet meet another one
        df.close()
        waiting.join()


def test_a_wrong_key_of_the_server(tcp: str, log: list[str]) -> None:
    with RemoteDataZMQ(tcp, **AS_SERVER) as df:
        waiting = threading.Thread(target=lambda: take(df, 1))
        waiting.start()
        with Sender(flow(3), tcp, **(AS_CLIENT | {"server_publickey": STRANGER[0]})) as bad:
            wait_for(lambda: sum("handshake failed" in line for line in log) == 2)  # at both ends, once each
            time.sleep(0.3)  # it tries again and again
            assert df.cnt1 == 0
        with Sender(flow(3), tcp, **AS_CLIENT):
            waiting.join()
        assert df.cnt1 == 1
    assert bad.error is None
    assert sum("handshake failed" in line for line in log) == 2


@pytest.mark.parametrize("encrypted", ["sender", "receiver"])
def test_one_end_encrypts_and_the_other_does_not(tcp: str, log: list[str], encrypted: str) -> None:
    sender, receiver = (AS_CLIENT, {}) if encrypted == "sender" else ({}, AS_SERVER)
    with RemoteDataZMQ(tcp, **receiver) as df:
        waiting = threading.Thread(target=lambda: take(df, 1))
        waiting.start()
        bad = Sender(flow(9), tcp, 2, **sender)
        wait_for(lambda: [line for line in log if tcp in line and ("encrypts" in line or "failed" in line)])
        bad.stop.set()
        bad.join()
        assert df.cnt1 == 0
        right = {} if encrypted == "sender" else AS_CLIENT
        with Sender(flow(3), tcp, **right):
            waiting.join()


def test_nobody_in_between_can_read_it(tcp: str) -> None:
    """With encryption the marker is not in what crosses the wire; without, it is."""
    marker = b"a secret that is easy to find"
    seen = {}
    for encrypted in (True, False):
        receiver, sender = (AS_SERVER, AS_CLIENT) if encrypted else ({}, {})
        there = free_address()
        with (
            Tap(there) as tap,
            RemoteDataZMQ(there, **receiver) as df,
            Sender(DataFromList([[marker]]), tap.address, **sender),
        ):
            assert take(df, 3) == [[marker]] * 3
        seen[encrypted] = marker in tap.bytes
    assert seen == {True: False, False: True}


class Tap:
    """Passes on the bytes of one connection, and keeps those of the sender."""

    def __init__(self, there: str) -> None:
        self._there = int(there.rpartition(":")[2])
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"
        self.bytes = b""
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        ours, _ = self._server.accept()
        deadline = time.monotonic() + 10
        while True:
            try:
                theirs = socket.create_connection(("127.0.0.1", self._there))
                break
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        self._threads.append(threading.Thread(target=self._pass_on, args=(theirs, ours, False)))
        self._threads[1].start()
        self._pass_on(ours, theirs, True)
        self._threads[1].join()
        ours.close()
        theirs.close()

    def _pass_on(self, source: socket.socket, target: socket.socket, keep: bool) -> None:
        try:
            while data := source.recv(1 << 16):
                if keep:
                    self.bytes += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            source.close()
            target.close()

    def __enter__(self) -> Tap:
        return self

    def __exit__(self, *_: Any) -> None:
        self._threads[0].join(10)
        self._server.close()
        assert not self._threads[0].is_alive()


def test_keys_travel_but_are_not_shown(tcp: str) -> None:
    df = pickle.loads(pickle.dumps(RemoteDataZMQ(tcp, **AS_SERVER)))
    assert SERVER[1].decode() not in repr(df)
    with df, Sender(flow(3), tcp, **AS_CLIENT):
        assert len(take(df, 2)) == 2


def test_wrong_keys_are_said_at_once(tcp: str) -> None:
    with pytest.raises(ValueError, match="client_keys"):
        RemoteDataZMQ(tcp, server_secretkey=SERVER[1])
    with Sender(flow(1), tcp, server_publickey="short", client_secretkey=CLIENT[1]) as sender:
        sender.join()
    assert isinstance(sender.error, ValueError)
