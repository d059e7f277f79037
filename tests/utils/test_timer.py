"""dataflow.utils.timer, with a clock of our own."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from dataflow.utils import timer as timer_module
from dataflow.utils.timer import IterSpeedCounter, Timer, print_total_timer, timed_operation, total_timer


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(timer_module, "timer", lambda: now[0])

    def advance(seconds):
        now[0] += seconds

    return advance


def test_timed_operation(clock, capsys):
    with timed_operation("load the data"):
        clock(1.25)
    out = capsys.readouterr().out
    assert re.fullmatch(r"\[.*@test_timer\.py:\d+\] Load the data finished, time: 1\.2500 sec\.\n", out)


def test_timed_operation_logs_the_start(clock, capsys):
    with timed_operation("load", log_start=True):
        assert "@test_timer.py" in (out := capsys.readouterr().out) and "Start load ..." in out


def test_timed_operation_that_fails(clock, capsys):
    with pytest.raises(KeyError), timed_operation("load"):
        clock(2)
        raise KeyError
    assert "Load failed, time: 2.0000" in capsys.readouterr().out
    with pytest.raises(ValueError), timed_operation(""):
        pass


def test_timer(clock):
    t = Timer()
    clock(1)
    assert t.seconds() == 1
    t.pause()
    clock(10)
    assert t.is_paused() and t.seconds() == 1
    with pytest.raises(RuntimeError, match="paused already"):
        t.pause()
    t.resume()
    clock(2)
    assert not t.is_paused() and t.seconds() == 3
    with pytest.raises(RuntimeError, match="running already"):
        t.resume()
    t.pause()
    t.reset()
    clock(4)
    assert not t.is_paused() and t.seconds() == 4


def test_iter_speed_counter(clock, capsys):
    count = IterSpeedCounter(2)
    for _ in range(5):
        count()
        clock(0.5)
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("IterSpeed: 0.50 sec., 2 times, 0.25 sec/time")
    assert second.endswith("IterSpeed: 1.50 sec., 4 times, 0.375 sec/time")
    count.reset()
    clock(100)
    count(), count()
    assert "0.00 sec., 2 times" in capsys.readouterr().out


def test_total_timer(clock, capsys, monkeypatch):
    monkeypatch.setattr(timer_module, "_totals", {})
    monkeypatch.setattr(timer_module.atexit, "register", lambda func: None)
    for seconds in (1, 2):
        with total_timer("step"):
            clock(seconds)
    with pytest.raises(KeyError), total_timer("step"):
        clock(3)
        raise KeyError
    print_total_timer()
    assert "Total Time: step -> 6.0000 sec., 3 times, 2 sec/time" in capsys.readouterr().out


def test_total_timer_prints_at_exit():
    code = "from dataflow.utils.timer import total_timer\nwith total_timer('abc'): pass"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count("Total Time: abc -> ") == 1
