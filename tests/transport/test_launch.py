"""Worker processes in the company of programs that do as they like."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import select
import signal
import sys
import threading
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataflow._core.random_state import PoolStreams
from dataflow._transport import descriptors, launch
from dataflow._transport.child import STATUS_UNKNOWN
from dataflow._transport.descriptors import clear_of_streams, new_pipe, streams_taken
from dataflow._transport.pipes import connected_ends
from tests.helpers.parallel import METHODS, Program, is_alive, nothing_left, wait_until, within

every_method = pytest.mark.parametrize("method", METHODS)
pytestmark = pytest.mark.timeout(60)


def call(setup: Any, code: Any, index: int) -> None:
    """Be a worker: call the code and put what it returns into the pipe, or how it failed."""
    try:
        result = code.value(index)
    except BaseException as e:
        result = repr(e)
    with open(setup.detach() if hasattr(setup, "detach") else setup, "w", closefd=False) as pipe:
        pipe.write(repr(result))


class Fd:
    """A descriptor that goes with a worker."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def detach(self) -> int:
        return self.fd

    def __reduce__(self) -> Any:
        return _detached, (descriptors.inherited_fd(self.fd),)


def _detached(fd: Any) -> Fd:
    return Fd(fd.detach())


class Workers:
    """Workers that were started by the test."""

    def __init__(self) -> None:
        self.processes: list[Any] = []

    def start(self, method: str, code: Any, index: int = 0, **kwargs: Any) -> tuple[Any, int]:
        read, write = new_pipe()
        context = launch.choose_context(method)
        launch.start_process(context, index, call, Fd(write), code, "Test", self.processes.append, **kwargs)
        os.close(write)
        return self.processes[-1], read

    def run(self, method: str, code: Any, index: int = 0, **kwargs: Any) -> Any:
        process, read = self.start(method, code, index, **kwargs)
        with open(read) as file:
            text = file.read()
        process.join(10)
        process.close()
        return eval(text) if text else None

    def close(self) -> None:
        for process in self.processes:
            if process.exitcode is None:
                process.kill()
                process.join(10)
            process.close()


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers()
    yield made
    made.close()


@every_method
def test_a_worker_gets_code_of_any_size_and_leaves_nothing(workers: Workers, method: str) -> None:
    with nothing_left():
        for size in (0, 200_000):
            data = bytes(size)
            assert workers.run(method, lambda index, data=data: (index, len(data)), index=3) == (3, size)
        assert multiprocessing.active_children() == []


@every_method
def test_what_only_a_process_that_starts_can_be_given(workers: Workers, method: str) -> None:
    context = multiprocessing.get_context(method)
    value, (ours, theirs) = context.Value("i", 1), context.Pipe()
    lock = context.Lock()

    def code(index: int) -> int:
        with lock:
            theirs.send("hello")
            value.value += 1
            return int(value.value)

    assert workers.run(method, code) == 2
    assert value.value == 2 and ours.recv() == "hello"


@every_method
@pytest.mark.parametrize("size", [0, 200_000])
def test_a_worker_that_dies_while_it_starts(workers: Workers, method: str, size: int) -> None:
    data = bytes(size)

    class Dies:
        def __setstate__(self, state: Any) -> None:
            os._exit(3)

    dies = Dies()
    dies.x = data  # type: ignore[attr-defined]
    with within(8):
        code = (lambda index: os._exit(3)) if method == "fork" else dies
        process, read = workers.start(method, code)
        os.close(read)
        process.join(8)
        assert process.exitcode == 3 and "status 3" in launch.describe_end(process)


def test_code_that_can_not_be_sent_is_named(workers: Workers) -> None:
    lock = threading.Lock()
    with pytest.raises(TypeError, match="Test can't be sent to a worker process"), nothing_left():
        workers.start("spawn", lambda index: lock)


def test_a_start_method_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match=r"Stage: start_method: expected one of fork, .* got 'frok'"):
        launch.check_start_method("frok", "Stage")
    assert launch.check_start_method(None, "Stage") is None
    with pytest.raises(ValueError, match="frok"):
        launch.choose_context("frok")


def test_the_start_method_of_another_library_is_not_ours(monkeypatch: Any) -> None:
    monkeypatch.setattr(multiprocessing, "get_start_method", lambda **kwargs: "loky")
    assert launch.choose_context(None).get_start_method() == "fork"


# ---- locks


def test_no_inherited_lock_stops_a_worker(workers: Workers) -> None:
    """NumPy's generator, and a file that is logged to, are in use by other threads at the fork."""
    generator: Any = np.random.mtrand._rand._bit_generator
    read, write = new_pipe()
    file = open(write, "w")  # noqa: SIM115
    handler = logging.StreamHandler(file)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with generator.lock:
            held.set()
            done.wait()

    def block() -> None:
        file.buffer.write(bytes(1 << 20))  # more than the pipe takes

    def code(index: int) -> bool:
        np.random.rand()
        file.buffer.write(b"x")
        return True

    threads = [threading.Thread(target=hold), threading.Thread(target=block)]
    for thread in threads:
        thread.start()
    try:
        held.wait()
        wait_until(lambda: select.select([read], [], [], 0)[0])
        assert workers.run("fork", code) is True
    finally:
        done.set()
        os.set_blocking(read, False)
        while any(thread.is_alive() for thread in threads):
            with contextlib.suppress(BlockingIOError):
                os.read(read, 1 << 16)
        handler.close()
        file.close()
        os.close(read)


def test_libraries_with_threads_that_a_fork_does_not_copy(workers: Workers, monkeypatch: Any) -> None:
    """Torch works in one thread, and JAX, which can't be helped, says so. In the parent nothing changes."""
    torch, jax, bridge = (types.ModuleType(name) for name in ("torch", "jax", "jax._src.xla_bridge"))
    threads = [4]
    monkeypatch.setattr(torch, "set_num_threads", lambda n: threads.__setitem__(0, n), raising=False)
    monkeypatch.setattr(jax, "clear_caches", lambda: None, raising=False)
    monkeypatch.setattr(bridge, "_backends", {"cpu": 1}, raising=False)
    monkeypatch.setattr(bridge, "get_backend", lambda: "cpu", raising=False)
    for module in (torch, jax, bridge):
        monkeypatch.setitem(sys.modules, module.__name__, module)

    def code(index: int) -> list[Any]:
        try:
            return [threads[0], bridge.get_backend()]
        except RuntimeError as e:
            return [threads[0], str(e)]

    got = workers.run("fork", code)
    assert got[0] == 1 and "start_method='spawn'" in got[1]
    assert threads == [4] and bridge.get_backend() == "cpu"
    assert launch.choose_context(None).get_start_method() == "spawn"


# ---- dispositions


@every_method
@pytest.mark.parametrize("how", ["ignored", "reaped"])
def test_children_that_the_program_reaps(workers: Workers, method: str, how: str) -> None:
    before = signal.getsignal(signal.SIGCHLD)
    try:
        if how == "ignored":
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        process, read = workers.start(method, lambda index: os._exit(5))
        os.close(read)
        if how == "reaped" and method != "forkserver":
            os.waitpid(process.pid, 0)
        process.join(10)
        assert process.exitcode == (5 if method == "forkserver" else STATUS_UNKNOWN)
        if method != "forkserver":
            assert "SIGCHLD" in launch.describe_end(process)
        process.kill()  # ends nobody
        process.close()
        process.close()
        assert process not in multiprocessing.active_children()
    finally:
        signal.signal(signal.SIGCHLD, before)


@every_method
def test_a_worker_has_dispositions_of_its_own(workers: Workers, method: str) -> None:
    def code(index: int) -> list[bool]:
        return [
            signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN,
            signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
            signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL,
            not signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        ]

    before = {s: signal.getsignal(s) for s in (signal.SIGPIPE, signal.SIGTERM, signal.SIGCHLD)}
    try:
        for number in before:
            signal.signal(number, signal.SIG_DFL if number == signal.SIGPIPE else lambda *args: None)
        assert workers.run(method, code) == [True] * 4
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_write_that_nobody_reads_is_an_error_and_no_signal() -> None:
    before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        for sockets in (False, True):
            with pytest.MonkeyPatch.context() as patch:
                if sockets:
                    patch.setenv("DATAFLOW_SOCKETS", "1")
                ours, theirs = connected_ends()
            ours.dont_wait()  # as the parent does; workers ignore the signal
            theirs.close()
            with pytest.raises(BrokenPipeError):
                ours.write(b"x")
            ours.close()
        assert signal.SIGPIPE not in signal.sigpending()
    finally:
        signal.signal(signal.SIGPIPE, before)


CLOSED = """
import os, sys
path, method, streams = sys.argv[1], sys.argv[2], [int(s) for s in sys.argv[3]]
from dataflow import DataFromList, MapData, MultiProcessRunnerZMQ
def talk(dp):
    found = [os.path.basename(os.readlink(f"/proc/self/fd/{s}")) for s in streams]
    return [dp[0], found]
if __name__ == "__main__":
    for s in streams:
        os.close(s)
    source = MapData(DataFromList([[i] for i in range(20)], shuffle=False), talk)
    with MultiProcessRunnerZMQ(source, 1, start_method=method) as df:
        df.reset_state()
        got = list(df)
        mine = [s for s in streams if os.path.exists(f"/proc/self/fd/{s}")]
    with open(path, "w") as f:
        f.write(repr([[dp[0] for dp in got], got[0][1], mine]))
"""


@pytest.mark.slow
@every_method
@pytest.mark.parametrize("streams", ["0", "2", "12", "012"])
def test_no_descriptor_is_a_standard_stream(method: str, streams: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    program = Program(tmp_path / "program.py", CLOSED, str(out), method, streams)
    assert program.end() == 0, program.err
    numbers, in_worker, in_program = eval(out.read_text())
    assert numbers == list(range(20))
    assert set(in_worker) <= {"null"} and in_program == []


def test_streams_are_left_as_they_are() -> None:
    def closed() -> bool:
        return not os.path.exists("/proc/self/fd/0")

    pid = os.fork()
    if pid == 0:
        os.close(0)
        with streams_taken(), streams_taken():
            fd = os.open(os.devnull, os.O_RDONLY)
        status = fd < 3 or not closed()
        status |= min(new_pipe()) < 3 or not closed()
        status |= clear_of_streams(os.open(os.devnull, os.O_RDONLY)) < 3 or not closed()
        os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


# ---- ends

END = """
import contextlib, multiprocessing, os, sys, threading, time
from dataflow import DataFromList, MultiProcessRunnerZMQ, MultiProcessMapData, MultiProcessRunner
def stage(method):
    source = DataFromList([[i] for i in range(50)], shuffle=False)
    inner = MultiProcessRunnerZMQ(source, 1, start_method=method)
    return MultiProcessMapData(inner, 1, list, start_method=method)
def iterate(df):
    with contextlib.suppress(BaseException):
        list(df)
def work(how, method):
    df = stage(method)
    df.reset_state()
    if how == "daemon thread":
        threading.Thread(target=iterate, args=(df,), daemon=True).start()
        time.sleep(0.1)
        return
    for dp in df:
        if dp[0] == 5:
            if how == "raises":
                raise ValueError("the training failed")
            if how == "exits":
                sys.exit(3)
            return
if __name__ == "__main__":
    outer, method, how = sys.argv[1:]
    if outer == "os.fork":
        df = stage(method)
        df.reset_state()
        next(iter(df))
        pid = os.fork()
        if pid == 0:
            sys.exit({"ends": 0, "exits": 3, "daemon thread": 0}.get(how) if how != "raises" else 1)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        next(iter(df))
        sys.exit(status)
    process = multiprocessing.get_context(outer).Process(target=work, args=(how, method))
    process.start()
    process.join()
    sys.exit(process.exitcode)
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["ends", "raises", "exits", "daemon thread"])
@pytest.mark.parametrize(
    ("outer", "method"),
    [("fork", "fork"), ("fork", "forkserver"), ("spawn", "fork"), ("spawn", "spawn"), ("os.fork", "fork")],
)
def test_a_child_ends_with_workers_running(outer: str, method: str, how: str, tmp_path: Path) -> None:
    program = Program(tmp_path / "program.py", END, outer, method, how)
    with within(15):
        status = program.end(15)
    assert status == {"raises": 1, "exits": 3}.get(how, 0), program.err
    assert ("the training failed" in program.err) == (how == "raises" and outer != "os.fork")
    if how != "raises":
        assert program.err == ""


DAEMONIC = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
from dataflow import DataFromList, MultiProcessRunnerZMQ, MultiProcessMapData, MultiThreadMapData
def use(method):
    source = DataFromList([[i] for i in range(5)], shuffle=False)
    inner = MultiProcessMapData(source, 2, list, strict=True, start_method=method)
    with MultiProcessMapData(inner, 1, list, strict=True, start_method=method) as df:
        df.reset_state()
        total = sum(x for (x,) in df)
    inner.close()
    with MultiProcessRunnerZMQ(source, 1, start_method=method) as df:
        df.reset_state()
        return total + sum(x for (x,) in df)
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    with context.Pool(1) as pool:
        assert pool.map(use, [sys.argv[2]]) == [20]
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        assert executor.submit(use, sys.argv[2]).result() == 20
"""


@pytest.mark.slow
@pytest.mark.parametrize("outer", ["fork", "spawn"])
@every_method
def test_in_workers_of_other_libraries(outer: str, method: str, tmp_path: Path) -> None:
    program = Program(tmp_path / "program.py", DAEMONIC, outer, method)
    assert program.end(30) == 0, program.err
    assert program.err == ""


KILLED = """
import os, re, sys, threading
from dataflow import DataFromList, MultiProcessMapData
def long_call(dp):
    print(os.getpid(), flush=True)
    re.match(r"(a+)+$", "a" * 40 + "b")  # takes years, and lets no other thread run
if __name__ == "__main__":
    method, where = sys.argv[1:]
    df = MultiProcessMapData(DataFromList([[1]]), 1, long_call, strict=True, start_method=method)
    if where == "thread":
        thread = threading.Thread(target=df.reset_state)
        thread.start()
        thread.join()
    else:
        df.reset_state()
    list(df)
"""


@pytest.mark.slow
@pytest.mark.parametrize("where", ["main", "thread"])
@every_method
def test_no_worker_outlives_a_killed_program(method: str, where: str, tmp_path: Path) -> None:
    program = Program(tmp_path / "program.py", KILLED, method, where)
    (pid,) = map(int, [program.line()])
    assert is_alive(pid)
    program.process.kill()
    try:
        wait_until(lambda: not is_alive(pid), 2.0)
    finally:
        program.end()
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)


def test_a_fork_of_the_users_holds_no_worker_alive(workers: Workers) -> None:
    """Else a worker would go on, if the program is killed, until its other children end."""
    read, write = new_pipe()
    process, answer = workers.start("fork", lambda index: time.sleep(60))
    pid = os.fork()
    if pid == 0:
        os.close(write)
        links = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _is_open(fd)]
        os._exit(f"pipe:[{os.fstat(life_line).st_ino}]" in links if (life_line := _life_line(process)) else 0)
    assert os.waitpid(pid, 0)[1] == 0
    for fd in (read, write, answer):
        os.close(fd)


def _is_open(fd: str) -> bool:
    return os.path.exists(f"/proc/self/fd/{fd}")


def _life_line(process: Any) -> int:
    return max(0, process._popen._life_line)


# ---- randomness


@every_method
def test_workers_get_their_streams(workers: Workers, method: str) -> None:
    def code(index: int) -> tuple[float, float]:
        import random

        return float(np.random.rand()), random.random()

    state = np.random.get_state()
    try:
        streams = PoolStreams(plain=False)
        drawn = [workers.run(method, code, i, stream=streams.stream_of(i)) for i in (0, 1, 0)]
        assert len({x for x, _ in drawn}) == len({x for _, x in drawn}) == 3
        assert np.random.get_state()[1].tolist() == state[1].tolist()  # type: ignore[index,union-attr]
    finally:
        streams.close()
