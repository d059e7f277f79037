"""Datapoints over real sockets: loopback TCP and ipc, with real processes."""

from __future__ import annotations

import collections
import contextlib
import gc
import itertools
import multiprocessing
import os
import pickle
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from dataflow import DataFlowTerminated, DataFromList, RemoteDataZMQ, send_dataflow_zmq
from dataflow.base import ReentrancyError
from dataflow.parallel import MultiProcessRunnerZMQ
from dataflow.remote import dump_dataflow_to_process_queue
from dataflow.utils.concurrency import DIE
from dataflow.utils.serialize import dumps, loads
from tests.helpers.flows import Broken, NoLength, flow
from tests.helpers.parallel import nothing_left
from tests.helpers.remote import Counting, Sender, free_address, logged, take

pytestmark = pytest.mark.timeout(50)
SPAWN = multiprocessing.get_context("spawn")
ROOT = Path(__file__).parent.parent


@pytest.fixture
def tcp() -> str:
    return free_address()


@pytest.fixture
def ipc(tmp_path: Path) -> str:
    path = f"{tmp_path}/s"
    if len(path) > 100:  # a limit of Unix
        pytest.skip(f"the path is too long for a socket: {path}")
    return f"ipc://{path}"


@pytest.fixture
def push() -> Iterator[Callable[[str], zmq.Socket]]:
    """Make bare PUSH sockets, of a peer that is no dataflow."""
    context = zmq.Context()
    made = []

    def make(addr: str) -> zmq.Socket:
        made.append(context.socket(zmq.PUSH))
        made[-1].connect(addr)
        return made[-1]

    yield make
    context.destroy(linger=0)


@pytest.fixture
def log() -> Iterator[list[str]]:
    with logged() as lines:
        yield lines


@contextlib.contextmanager
def process(*args: Any, **kwargs: Any) -> Iterator[Any]:
    """Run ``send_dataflow_zmq`` in a process."""
    p = SPAWN.Process(target=send_dataflow_zmq, args=args, kwargs=kwargs, daemon=True)
    p.start()
    try:
        yield p
    finally:
        p.kill()
        p.join()
        p.close()


def script(code: str, **kwargs: Any) -> subprocess.Popen[str]:
    """Start a program, with warnings as errors."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **kwargs,
    )


# ---- what is sent


def test_a_message_is_one_frame_that_serialize_made(tcp: str) -> None:
    dps = [[1, "text", np.arange(6).reshape(2, 3)], {"a": (1, 2.5)}]
    context = zmq.Context()
    pull = context.socket(zmq.PULL)
    pull.bind(tcp)
    with Sender(DataFromList(dps, shuffle=False), tcp):
        frames = [pull.recv_multipart() for _ in range(4)]  # two passes
    context.destroy(linger=0)
    assert frames == [[dumps(dp)] for dp in dps * 2]


@pytest.mark.parametrize("kind", ["tcp", "ipc"])
@pytest.mark.parametrize("receiver_binds", [True, False])
def test_what_is_sent_comes_by_processes(
    kind: str, receiver_binds: bool, request: pytest.FixtureRequest
) -> None:
    addr = request.getfixturevalue(kind)
    image = np.random.RandomState(0).randint(256, size=(224, 224, 3)).astype(np.uint8)
    dps = [[i, (image + i).astype(np.uint8), {"name": ("é", None)}] for i in range(5)]
    with (
        process(DataFromList(dps, shuffle=False), addr, bind=not receiver_binds),
        RemoteDataZMQ(addr, bind=receiver_binds) as df,
    ):
        df.reset_state()
        for sent, got in zip(dps * 3, take(df, 15), strict=True):
            assert got[0] == sent[0] and got[2] == sent[2]
            np.testing.assert_array_equal(got[1], sent[1])
            assert got[1].flags.writeable
        assert (df.cnt1, df.cnt2, df.cnt_dropped) == (15, 0, 0)


def test_the_original_sends_pickles(tcp: str, push: Callable[[str], zmq.Socket]) -> None:
    with RemoteDataZMQ(tcp) as df:
        other = push(tcp)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            other.send(pickle.dumps([np.arange(3, dtype=np.int16), "x", 1.5], protocol))
        for array, text, number in take(df, pickle.HIGHEST_PROTOCOL + 1):
            assert array.tolist() == [0, 1, 2] and array.dtype == np.int16 and text == "x" and number == 1.5


@pytest.mark.parametrize("format", ["zmq_ops", "zmq_op"])
def test_arrays_for_other_programs(tcp: str, format: str) -> None:
    dps = [[np.full((2, 2), i, np.uint8), i] for i in range(3)]
    with (
        Sender(DataFromList(dps, shuffle=False), tcp, 50, format),
        RemoteDataZMQ(tcp, format="zmq_ops") as df,
    ):
        got = take(df, 3)
    assert [label.item() for _, label in got] == [0, 1, 2]
    assert got[2][0].tolist() == [[2, 2], [2, 2]] and got[0][1].dtype == np.int32


# ---- what is no datapoint


class Exploit:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


def test_a_message_that_is_no_datapoint_is_dropped(
    tcp: str, push: Callable[[str], zmq.Socket], tmp_path: Path, log: list[str]
) -> None:
    executed = tmp_path / "executed"
    bad = [b"", b"hello", b"\xc1", b"\x80\x04", pickle.dumps([Exploit(str(executed))]), dumps([1] * 9)[:-1]]
    with RemoteDataZMQ(tcp) as df:
        other = push(tcp)
        other.send(dumps(["before"]))
        for message in bad:
            other.send(message)
        other.send_multipart([dumps([1]), dumps([2])])
        other.send(dumps(["after"]))
        assert take(df, 2) == [["before"], ["after"]]
        assert df.cnt1 == 2 and df.cnt_dropped == len(bad) + 1
        df.reset_state()
        assert df.cnt1 == df.cnt_dropped == 0
    assert not executed.exists()
    [line] = [line for line in log if "dropped" in line]  # once
    assert "127.0.0.1" in line and tcp in line


def test_arrays_where_python_is_expected_are_dropped(tcp: str, push: Callable[[str], zmq.Socket]) -> None:
    with RemoteDataZMQ(tcp, format="zmq_ops") as df:
        other = push(tcp)
        other.send(dumps([1, 2]))
        other.send(b"\0\0\0\0")
        assert take(df, 1) == [[]]
        assert df.cnt_dropped == 1


def test_any_bytes_at_all(ipc: str, push: Callable[[str], zmq.Socket]) -> None:
    random = np.random.RandomState(0)
    messages = [random.bytes(random.randint(40)) for _ in range(300)]
    good = []
    for message in messages:
        with contextlib.suppress(ValueError):
            good.append(repr(loads(message)))
    with RemoteDataZMQ(ipc, hwm=1000) as df:
        other = push(ipc)
        for message in messages:
            other.send(message)
        assert [repr(dp) for dp in take(df, len(good))] == good
        other.send(dumps(["end"]))
        assert take(df, 1) == [["end"]]
        assert df.cnt_dropped == len(messages) - len(good)


# ---- many ends


def test_several_senders(tcp: str) -> None:
    with RemoteDataZMQ(tcp, hwm=5) as df, contextlib.ExitStack() as stack:
        for name in "abc":
            stack.enter_context(process(Counting(name), tcp, 5))
        seen = collections.defaultdict(list)
        for number, name in df:
            seen[name].append(number)
            if len(seen) == 3 and min(map(len, seen.values())) >= 30:
                break
    assert all(numbers == list(range(len(numbers))) for numbers in seen.values())


def test_senders_come_and_go(tcp: str) -> None:
    with RemoteDataZMQ(tcp, hwm=2) as df:
        for name in "abc":
            with process(Counting(name, size=1000), tcp, 2) as p:
                while next(iter(df))[1] != name:  # the queues still have some of the last one
                    pass
                if name == "b":
                    os.kill(p.pid, signal.SIGSTOP)  # not a clean end
    assert df.cnt_dropped == 0


def test_a_receiver_that_restarts(tcp: str) -> None:
    with Sender(Counting(), tcp, 3):
        last = -1
        for _ in range(3):
            with RemoteDataZMQ(tcp) as df:
                numbers = [dp[0] for dp in take(df, 50)]
            assert numbers == list(range(numbers[0], numbers[0] + 50)) and numbers[0] > last
            last = numbers[-1]


def test_two_addresses_take_turns(tcp: str, ipc: str) -> None:
    with RemoteDataZMQ(tcp, ipc) as df, Sender(Counting("tcp"), tcp), Sender(Counting("ipc"), ipc):
        df.reset_state()
        while not (df.cnt1 and df.cnt2):
            take(df, 1)
        time.sleep(0.3)  # now both are full
        df.reset_state()
        names = collections.Counter(name for _, name in take(df, 60))
        assert names["tcp"] == df.cnt1 and names["ipc"] == df.cnt2
        assert min(df.cnt1, df.cnt2) >= 20  # by turns, as long as both have one ready


def test_one_address_that_is_quiet_does_not_hold_up_the_other(tcp: str, ipc: str) -> None:
    with RemoteDataZMQ(tcp, ipc) as df, Sender(flow(3), ipc):
        assert [dp[0] for dp in take(df, 5)] == [0, 1, 2, 0, 1]
        assert (df.cnt1, df.cnt2) == (0, 5)


@pytest.mark.parametrize("hwm", [1, 5])
def test_hwm_bounds_what_is_on_its_way(ipc: str, hwm: int) -> None:
    size = 1 << 20  # larger than what the kernel holds for a Unix socket
    source = Counting(size=size)
    with RemoteDataZMQ(ipc, hwm=hwm) as df, Sender(source, ipc, hwm, linger=0.1):
        take(df, 10)
        deadline = time.monotonic() + 1
        before = -1
        while source.given != before and time.monotonic() < deadline:
            before = source.given
            time.sleep(0.2)
        # full at both ends; and one in the hand of the sender, one in that of ZeroMQ at each end
        assert hwm <= source.given - 10 <= 2 * hwm + 3


# ---- passes, and the end


def test_nothing_is_lost_between_passes(tcp: str, push: Callable[[str], zmq.Socket]) -> None:
    with RemoteDataZMQ(tcp) as df:
        other = push(tcp)
        for i in range(20):
            other.send(dumps([i]))
        got = []
        for n in (3, 1, 6, 10):
            got += take(df, n)
            assert df.cnt1 == len(got)
        assert got == [[i] for i in range(20)]


def test_a_datapoint_is_counted_before_it_is_used(tcp: str, push: Callable[[str], zmq.Socket]) -> None:
    with RemoteDataZMQ(tcp) as df:
        other = push(tcp)
        for i in range(3):
            other.send(dumps([i]))
        assert [df.cnt1 for _ in itertools.islice(df, 3)] == [1, 2, 3]


def test_it_has_no_length_and_one_iterator(tcp: str, push: Callable[[str], zmq.Socket]) -> None:
    with RemoteDataZMQ(tcp) as df:
        with pytest.raises(NotImplementedError):
            len(df)
        push(tcp).send(dumps([1]))
        iterator = iter(df)
        assert next(iterator) == [1]
        with pytest.raises(ReentrancyError):
            next(iter(df))


def test_stop_delivers_what_was_handed_over(tcp: str) -> None:
    with RemoteDataZMQ(tcp) as df, Sender(Counting(), tcp, linger=15) as sender:
        first = take(df, 20)
        sender.stop.set()
        sender.join()
        assert sender.sent is not None
        assert first + take(df, sender.sent - len(first)) == [[i] for i in range(sender.sent)]


def test_stop_while_nobody_receives(tcp: str, log: list[str]) -> None:
    with Sender(Counting(), tcp, 4, linger=0.5) as sender:
        time.sleep(0.3)
        start = time.monotonic()
        sender.stop.set()
        sender.join(5)
        assert sender.sent == 4 and 0.4 < time.monotonic() - start < 5
    assert any("dropped the last ones: not delivered in 0.5 seconds" in line for line in log)


def test_stop_before_the_first(tcp: str) -> None:
    stop = threading.Event()
    stop.set()
    assert send_dataflow_zmq(flow(3), tcp, stop=stop) == 0


def test_an_event_of_another_process_stops_it(tcp: str) -> None:
    stop = SPAWN.Event()
    with process(Counting(), tcp, stop=stop) as p, RemoteDataZMQ(tcp) as df:
        take(df, 5)
        stop.set()
        p.join(10)
        assert p.exitcode == 0


@pytest.mark.slow
def test_ctrl_c_delivers_what_was_handed_over(tcp: str) -> None:
    code = f"""
        import itertools
        from dataflow import DataFromIterable, send_dataflow_zmq
        send_dataflow_zmq(DataFromIterable([i, bytes(200_000)] for i in itertools.count()), {tcp!r}, 30)
    """
    p = script(code)
    df = RemoteDataZMQ(tcp, hwm=30)
    numbers = [dp[0] for dp in take(df, 10)]
    time.sleep(0.5)  # both queues and the kernel's are full
    p.send_signal(signal.SIGINT)
    output: list[str] = []

    def wait() -> None:
        output.extend(p.communicate(timeout=20))
        time.sleep(0.5)
        df.close()

    waiting = threading.Thread(target=wait)
    waiting.start()
    with pytest.raises(DataFlowTerminated):
        for number, _ in df:
            numbers.append(number)
    waiting.join()
    out, err = output
    assert p.returncode in (-signal.SIGINT, 130) and "KeyboardInterrupt" in err
    sent = int(out.split("handed over ")[1].split()[0])
    assert sent > 40
    assert numbers == list(range(len(numbers)))
    assert len(numbers) - sent in (0, 1)  # the signal may come after a send and before it is counted


@pytest.mark.slow
def test_ctrl_c_again_gives_up(tcp: str) -> None:
    p = script(f"from dataflow import *; send_dataflow_zmq(FakeData([[1]]), {tcp!r}, 3, linger=40)")
    time.sleep(2)
    p.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert p.poll() is None  # nobody is there to take the three
    p.send_signal(signal.SIGINT)
    start = time.monotonic()
    p.communicate(timeout=10)
    assert time.monotonic() - start < 5


def test_ctrl_c_ends_a_receiver(tcp: str) -> None:
    code = f"""
        from dataflow import RemoteDataZMQ
        df = RemoteDataZMQ({tcp!r})
        try:
            print("ready", flush=True)
            next(iter(df))
        except KeyboardInterrupt:
            print("interrupted")
    """
    p = script(code)
    assert p.stdout is not None and p.stdout.readline() == "ready\n"
    time.sleep(0.5)
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=5)
    assert out == "interrupted\n" and err == "" and p.returncode == 0


@pytest.mark.parametrize("end", ["", "df.close()", "del df, it", "raise SystemExit(0)", "it.close()"])
def test_a_program_ends_with_sockets_open(tcp: str, ipc: str, end: str) -> None:
    code = f"""
        import threading
        from dataflow import *
        stop = threading.Event()
        args = DataFromList([[1]]), {tcp!r}
        t = threading.Thread(target=send_dataflow_zmq, args=args, kwargs=dict(stop=stop, linger=0))
        t.start()
        df = RemoteDataZMQ({tcp!r}, {ipc!r})
        it = iter(df)
        assert next(it) == [1]
        stop.set()
        t.join()
        {end}
    """
    p = script(code)
    _, err = p.communicate(timeout=15)
    assert p.returncode == 0 and "Error" not in err and "Warning" not in err, err


def test_a_forked_child_leaves_the_sockets_alone(tcp: str) -> None:
    code = f"""
        import os, sys, zmq
        from dataflow import RemoteDataZMQ
        from dataflow.utils.serialize import dumps
        df = RemoteDataZMQ({tcp!r})
        context = zmq.Context()
        push = context.socket(zmq.PUSH)
        push.connect({tcp!r})
        push.send(dumps([1]))
        it = iter(df)
        print(next(it))
        pid = os.fork()
        if not pid:
            try:
                next(iter(RemoteDataZMQ({tcp!r})))
            except OSError as e:
                print("child:", e.filename, flush=True)
            df.close()
            sys.exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        push.send(dumps([2]))
        print(next(it))
        context.destroy(linger=0)
    """
    p = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert p.stdout.split("\n") == ["[1]", f"child: {tcp}", "0", "[2]", ""], p.stderr


def test_close_frees_the_address(tcp: str) -> None:
    for _ in range(3):
        df = RemoteDataZMQ(tcp)
        with Sender(flow(2), tcp, linger=0):
            assert take(df, 2) == [[0], [1]]
        df.close()
        df.close()


def test_garbage_frees_the_address(tcp: str) -> None:
    for _ in range(3):
        with Sender(flow(2), tcp, linger=0):
            assert take(RemoteDataZMQ(tcp), 2) == [[0], [1]]
        gc.collect()


def test_close_from_another_thread_ends_the_wait(tcp: str) -> None:
    df = RemoteDataZMQ(tcp)
    threading.Timer(0.3, df.close).start()
    start = time.monotonic()
    with pytest.raises(DataFlowTerminated):
        next(iter(df))
    assert time.monotonic() - start < 5


def test_close_within_a_pass_ends_it(tcp: str) -> None:
    df = RemoteDataZMQ(tcp)
    with Sender(flow(2), tcp, linger=0):
        iterator = iter(df)
        next(iterator)
        df.close()
        with pytest.raises(DataFlowTerminated):
            next(iterator)
        assert take(df, 3)  # a new pass opens new sockets
        df.close()


def test_many_times_leave_nothing(tcp: str, ipc: str) -> None:
    """Threads and descriptors may end a little later, and those of an earlier test in between."""

    def use() -> None:
        with RemoteDataZMQ(tcp, ipc) as df, Sender(flow(2), tcp, linger=0):
            take(df, 1)

    use()  # something may stay of the first use, for those that follow
    with nothing_left():
        for _ in range(10):
            use()


def test_inside_a_worker(tcp: str) -> None:
    with Sender(flow(4), tcp), MultiProcessRunnerZMQ(RemoteDataZMQ(tcp), 1, start_method="spawn") as df:
        df.reset_state()
        assert [dp[0] for dp in itertools.islice(df, 6)] == [0, 1, 2, 3, 0, 1]


# ---- errors


def test_arguments_that_are_wrong(tcp: str) -> None:
    for make in (RemoteDataZMQ, lambda addr, **kw: send_dataflow_zmq(flow(1), addr, **kw)):
        for port in ("65536", "99999", "-1", "4294967376", "80x", "0x50"):
            for bind in (True, False):
                for host in ("127.0.0.1", "*", "[::1]"):
                    with pytest.raises(ValueError, match=f"no port {port}, in 'tcp://.*{port}'"):
                        make(f"tcp://{host}:{port}", bind=bind)
        with pytest.raises(ValueError, match="no port 0"):
            make("tcp://127.0.0.1:0", bind=False)
        with pytest.raises(ValueError, match="hwm"):
            make(tcp, hwm=0)
        with pytest.raises(ValueError, match="format"):
            make(tcp, format="json")
        with pytest.raises(TypeError, match="addr"):
            make(5555)
    for addr in ("localhost", "carrier-pigeon://x", "tcp://127.0.0.1"):
        with pytest.raises(ValueError, match=addr):
            next(iter(RemoteDataZMQ(addr)))
        with pytest.raises(ValueError, match=addr):
            send_dataflow_zmq(flow(1), addr)


def test_an_address_in_use(tcp: str) -> None:
    with socket.create_server(("127.0.0.1", int(tcp.rpartition(":")[2]))):
        with pytest.raises(OSError, match="in use") as info:
            next(iter(RemoteDataZMQ(tcp)))
        assert info.value.filename == tcp
        with pytest.raises(OSError, match="in use"):
            send_dataflow_zmq(flow(1), tcp, bind=True)


def test_a_source_that_fails(tcp: str) -> None:
    with RemoteDataZMQ(tcp) as df:
        sender = Sender(Broken(9, bad=4), tcp, linger=10)
        assert [dp[0] for dp in take(df, 4)] == [0, 1, 2, 3]  # nothing of what came before is lost
        sender.join(10)
        assert isinstance(sender.error, OSError)
        with pytest.raises(RuntimeError, match="empty"):
            send_dataflow_zmq(NoLength(0), tcp)
        with pytest.raises(TypeError, match="object"):
            send_dataflow_zmq(DataFromList([[object()]]), tcp)


def test_zmq_is_loaded_when_it_is_used() -> None:
    code = "import sys, dataflow.remote as r; r.RemoteDataZMQ('tcp://*:1'); assert 'zmq' not in sys.modules"
    p = script(code)
    _, err = p.communicate(timeout=20)
    assert p.returncode == 0, err


# ---- a queue between processes


@pytest.mark.parametrize("fails", [False, True])
def test_a_dataflow_in_a_process_queue(fails: bool) -> None:
    queue, p = dump_dataflow_to_process_queue(Broken(4, bad=2) if fails else flow(4), 2, 2)
    p.start()
    items = []
    while sum(index is DIE for index, _ in items) < 2:
        items.append(queue.get(timeout=20))
    p.join(10)
    assert items[:-2] == [(i, [i]) for i in range(2 if fails else 4)]
    assert (p.exitcode != 0) == fails
    queue.close()
    queue.join_thread()
    p.close()
