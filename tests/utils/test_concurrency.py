"""dataflow.utils.concurrency: threads, processes, signals, order."""

from __future__ import annotations

import multiprocessing as mp
import os
import queue
import signal
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow.utils import concurrency
from dataflow.utils.concurrency import (
    DIE,
    LoopThread,
    OrderedContainer,
    OrderedResultGatherProc,
    ShareSessionThread,
    StoppableThread,
    enable_death_signal,
    ensure_proc_terminate,
    is_main_thread,
    mask_sigint,
    start_proc_mask_signal,
    subproc_call,
)

spawn = mp.get_context("spawn")


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=50, text=True)


def test_stoppable_thread():
    event = threading.Event()
    t = StoppableThread(event)
    assert not t.stopped()
    t.stop()
    assert t.stopped() and event.is_set()
    assert not StoppableThread().stopped()


def test_stoppable_queues(monkeypatch):
    monkeypatch.setattr(concurrency, "_POLL", 0.01)
    t = StoppableThread()
    q = queue.Queue(1)
    t.queue_put_stoppable(q, 3)
    assert t.queue_get_stoppable(q) == 3
    threading.Timer(0.05, t.stop).start()
    assert t.queue_get_stoppable(q) is None  # waits on the empty queue until stopped
    q.put(1)
    t.queue_put_stoppable(q, 2)
    assert q.get() == 1 and q.empty()


def test_loop_thread_pauses_and_stops():
    calls = []
    t = LoopThread(lambda: (calls.append(1), time.sleep(0.001)))
    assert t.daemon
    t.pause()
    t.start()
    time.sleep(0.03)
    assert not calls
    t.resume()
    wait_until(lambda: len(calls) > 3)
    t.pause()
    t.stop()
    t.join(10)
    assert not t.is_alive()


def test_loop_thread_not_pausable():
    t = LoopThread(lambda: None, pausable=False)
    for action in (t.pause, t.resume):
        with pytest.raises(RuntimeError, match="pausable"):
            action()


def test_tensorflow_only():
    with pytest.raises(RuntimeError, match="TensorFlow"):
        ShareSessionThread()


def test_mask_sigint():
    before = signal.getsignal(signal.SIGINT)
    with mask_sigint() as masked:
        assert masked
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    with pytest.raises(KeyError), mask_sigint():
        raise KeyError
    assert signal.getsignal(signal.SIGINT) is before

    seen = []

    def elsewhere():
        with mask_sigint() as masked:
            seen.extend([masked, is_main_thread()])

    t = threading.Thread(target=elsewhere)
    t.start()
    t.join()
    assert seen == [False, False] and is_main_thread()


def report_sigint(connection):
    connection.send(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)


def test_start_proc_mask_signal():
    here, there = spawn.Pipe()
    procs = [spawn.Process(target=report_sigint, args=(there,)) for _ in range(2)]
    start_proc_mask_signal(procs)
    for p in procs:
        p.join()
    assert here.recv() and here.recv()
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    here.close(), there.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_processes_are_terminated_at_exit_and_warned_about_once():
    done = run_python(
        "import multiprocessing as mp, time\n"
        "from dataflow.utils.concurrency import *\n"
        "fork = mp.get_context('fork')\n"
        "procs = [fork.Process(target=time.sleep, args=(1000,)) for _ in range(2)]\n"
        "ensure_proc_terminate(procs)\n"
        "ensure_proc_terminate(fork.Process(target=print))\n"  # never started
        "start_proc_mask_signal(procs[0]); start_proc_mask_signal(procs[1])\n"
        "print([p.pid for p in procs], flush=True)\n"
    )
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.count("WRN Starting a process by fork") == 1
    for pid in eval(done.stdout.splitlines()[-1]):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_ensure_proc_terminate_does_not_keep_processes_alive():
    import gc
    import weakref

    p = spawn.Process(target=print)
    ensure_proc_terminate(p)
    ref = weakref.ref(p)
    del p
    gc.collect()
    assert ref() is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")
def test_death_signal():
    # a parent that is killed can't clean up: only the kernel tells its child
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import os, time\n"
            "from dataflow.utils.concurrency import enable_death_signal\n"
            "if os.fork() == 0:\n"
            "    enable_death_signal(); print(os.getpid(), flush=True); time.sleep(1000)\n"
            "time.sleep(1000)\n",
        ],
        stdout=subprocess.PIPE,
    )
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()

    def gone():
        try:
            os.kill(child, 0)
            with open(f"/proc/{child}/stat") as f:
                return f.read().rpartition(")")[2].split()[0] == "Z"
        except (ProcessLookupError, FileNotFoundError):
            return True

    wait_until(gone)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")
def test_death_signal_when_the_parent_is_gone_already(monkeypatch):
    class Gone:
        def is_alive(self):
            return False

    sent = []
    monkeypatch.setattr(concurrency.mp, "parent_process", Gone)
    monkeypatch.setattr(concurrency.os, "kill", lambda *args: sent.append(args))
    monkeypatch.setattr(concurrency.ctypes, "CDLL", lambda *a, **k: FakeLibc())
    enable_death_signal()
    assert sent == [(os.getpid(), signal.SIGHUP)]


class FakeLibc:
    def prctl(self, *args):
        assert args == (1, signal.SIGHUP, 0, 0, 0)
        return 0


def test_subproc_call(capfd):
    code = "import sys; print('out', flush=True); print('err', file=sys.stderr)"
    assert subproc_call([sys.executable, "-c", code]) == (b"out\nerr\n", 0)
    assert subproc_call(f'"{sys.executable}" -c "print(1)"') == (b"1\n", 0)
    assert capfd.readouterr().out == ""


def test_subproc_call_that_fails(capfd):
    code = "print('x', flush=True); raise SystemExit(3)"
    assert subproc_call([sys.executable, "-c", code]) == (b"x\n", 3)
    assert "status 3" in capfd.readouterr().out
    assert subproc_call(["/surely/no/such/program"]) == (b"", -2)
    assert "could not be run" in capfd.readouterr().out
    code = "import time; print('x', flush=True); time.sleep(1000)"
    output, status = subproc_call([sys.executable, "-c", code], timeout=1.5)
    assert output in (b"x\n", b"") and status == -1
    assert "timed out" in capfd.readouterr().out


@pytest.mark.skipif(os.name != "posix", reason="another shell")
@pytest.mark.parametrize(
    ("cmd", "expected"),
    [
        ("echo oops; exit 3", (b"oops\n", 3)),
        ("echo $((1 + 2)) | cat", (b"3\n", 0)),
        ("exec 2>&1; surely_no_such_program 2> /dev/null", (b"", 127)),
        (["echo", "a; b"], (b"a; b\n", 0)),
    ],
)
def test_subproc_call_runs_a_string_in_a_shell(cmd, expected):
    assert subproc_call(cmd) == expected


@pytest.mark.skipif(os.name != "posix", reason="no process groups")
def test_subproc_call_ends_what_the_shell_started():
    start = time.monotonic()
    assert subproc_call("echo begun; sleep 60; echo end", timeout=0.5) == (b"begun\n", -1)
    assert time.monotonic() - start < 30


@given(st.permutations(range(8)), st.integers(-3, 3))
def test_ordered_container(ranks, start):
    c = OrderedContainer(start)
    got = []
    for rank in ranks:
        c.put(rank + start, {"value": rank})  # values need not compare
        while c.has_next():
            got.append(c.get())
    assert got == [(k + start, {"value": k}) for k in range(8)]
    with pytest.raises(RuntimeError, match="not here yet"):
        c.get()


@pytest.mark.skipif("fork" not in mp.get_all_start_methods(), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_ordered_result_gather_proc():
    q = mp.Queue()
    gather = OrderedResultGatherProc(q, nr_producer=2, start=1)
    gather.start()
    for item in [(3, "c"), (1, "a"), DIE, (2, "b"), DIE]:
        q.put(item)
    assert [gather.get() for _ in range(4)] == [(1, "a"), (2, "b"), (3, "c"), DIE]
    gather.join(10)
    assert gather.exitcode == 0
    for each in (q, gather.result_queue):
        each.close()
        each.join_thread()
