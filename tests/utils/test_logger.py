"""The logger: the line, the handlers, the directory."""

from __future__ import annotations

import contextlib
import inspect
import io
import logging
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dataflow.utils import logger

LINE = r"\[\d{4} \d\d:\d\d:\d\d @test_logger\.py:(\d+)\] "


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """The state of a program that has not logged yet; restored after."""
    underneath = logging.getLogger("dataflow")
    before = underneath.handlers[:], underneath.level, underneath.propagate, underneath.disabled
    underneath.handlers[:] = []
    underneath.setLevel(logging.NOTSET)
    underneath.propagate = True
    monkeypatch.setattr(logger, "_configured", False)
    monkeypatch.setattr(logger, "_FILE_HANDLER", None)
    monkeypatch.setattr(logger, "LOG_DIR", None)
    yield underneath
    if logger._FILE_HANDLER is not None:
        logger._FILE_HANDLER.close()
    underneath.handlers[:], level, underneath.propagate, underneath.disabled = before
    underneath.setLevel(level)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run_python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=50
    ).stdout


def test_import_configures_nothing():
    out = run_python(
        "import logging; before = logging.root.handlers[:], logging.root.level\n"
        "from dataflow.utils import logger; l = logging.getLogger('dataflow')\n"
        "assert (logging.root.handlers, logging.root.level) == before\n"
        "assert not l.handlers and l.level == 0 and l.propagate\n"
    )
    assert out == ""


def test_a_plain_program_sees_the_line_once():
    out = run_python("from dataflow.utils import logger\nlogger.info('a %d', 1)\nlogger.info('b')")
    assert re.fullmatch(
        r"\[\d{4} \d\d:\d\d:\d\d @<string>:2\] a 1\n\[\d{4} \d\d:\d\d:\d\d @<string>:3\] b\n", out
    )


@pytest.mark.parametrize(
    ("name", "tag"),
    [("info", ""), ("warning", "WRN "), ("warn", "WRN "), ("error", "ERR "), ("critical", "ERR ")],
)
def test_line(capsys, name, tag):
    getattr(logger, name)("x=%s", 3)
    line = sys._getframe().f_lineno - 1
    match = re.fullmatch(LINE + tag + "x=3\n", capsys.readouterr().out)
    assert match and int(match[1]) == line


def test_debug_is_hidden_until_asked_for(capsys):
    logger.debug("no")
    logger.setLevel(logging.DEBUG)
    logger.debug("yes")
    assert re.fullmatch(LINE + "DBG yes\n", capsys.readouterr().out)


def test_a_level_set_before_the_first_use_stays(capsys):
    logger.setLevel(logging.ERROR)
    logger.warning("no")
    assert capsys.readouterr().out == ""


def test_exception_adds_the_traceback(capsys):
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logger.exception("bad")
    out = capsys.readouterr().out
    assert re.match(LINE + "ERR bad\nTraceback", out)
    assert out.endswith("ZeroDivisionError: division by zero\n")


def test_stacklevel_names_the_callers_caller(capsys):
    def helper():
        logger.info("x", stacklevel=2)

    helper()
    line = sys._getframe().f_lineno - 1
    assert f":{line}]" in capsys.readouterr().out


def test_redirected_stdout_is_followed():
    for _ in range(2):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            logger.info("here")
        assert out.getvalue().count("here") == 1


def test_no_stdout_is_no_error(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", None)
    logger.info("nowhere")
    assert capsys.readouterr().err == ""


def test_a_stdout_of_the_programs_own(monkeypatch, capsys):
    class Tee:  # no flush, no isatty
        def __init__(self):
            self.text = ""

        def write(self, text):
            self.text += text

    tee = Tee()
    monkeypatch.setattr(sys, "stdout", tee)
    logger.info("x")
    assert re.fullmatch(LINE + "x\n", tee.text) and capsys.readouterr().err == ""


def test_root_handlers_do_not_print_it_again(capsys):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    try:
        logger.info("once")
    finally:
        logging.getLogger().removeHandler(handler)
    assert capsys.readouterr().out.count("once") == 1
    assert stream.getvalue() == ""


def test_a_program_that_attached_its_own_handler_is_respected(fresh, capsys):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    fresh.addHandler(handler)
    logger.info("mine")
    assert (stream.getvalue(), capsys.readouterr().out) == ("mine\n", "")
    assert fresh.handlers == [handler]
    assert fresh.propagate


def test_silence(fresh, capsys):
    fresh.disabled = True
    logger.error("no")
    fresh.disabled = False
    fresh.handlers[:] = []  # taken away by the program: not added again
    fresh.addHandler(logging.NullHandler())
    logger.error("no")
    assert capsys.readouterr().out == ""


def test_filters(capsys):
    def no_secrets(record):
        return "secret" not in record.getMessage()

    logger.addFilter(no_secrets)
    try:
        logger.info("a secret")
    finally:
        logger._logger.removeFilter(no_secrets)
    assert capsys.readouterr().out == ""


def test_threads_add_one_handler(fresh, capsys):
    barrier = threading.Barrier(8)

    def log():
        barrier.wait()
        logger.info("x")

    threads = [threading.Thread(target=log) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(fresh.handlers) == 1
    assert len(re.findall(LINE + "x\n", capsys.readouterr().out)) == 8


def test_colours_only_on_a_terminal(monkeypatch, tmp_path):
    monkeypatch.delenv("NO_COLOR", raising=False)
    logger.set_logger_dir(str(tmp_path / "log"))
    terminal = Terminal()
    with contextlib.redirect_stdout(terminal):
        logger.warning("hot")
        monkeypatch.setenv("NO_COLOR", "1")
        logger.warning("cold")
    hot, cold = terminal.getvalue().splitlines()
    assert re.fullmatch(r"\x1b\[32m\[.*\]\x1b\[0m \x1b\[31mWRN\x1b\[0m hot", hot)
    assert "\x1b[5m" not in hot  # nothing blinks
    assert "\x1b" not in cold
    assert "\x1b" not in (tmp_path / "log" / "log.log").read_text()


# the directory ---------------------------------------------------------------------------------------


def used_dir(tmp_path: Path) -> Path:
    path = tmp_path / "used"
    path.mkdir()
    (path / "old.txt").write_text("old")
    return path


def test_log_file_begins_with_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["train.py", "--lr", "0.1"])
    logger.set_logger_dir(str(tmp_path / "a" / "b" / ".."))
    logger.info("ünïcode")
    assert logger.get_logger_dir() == logger.LOG_DIR == str(tmp_path / "a")
    lines = (tmp_path / "a" / "log.log").read_text("utf-8").splitlines()
    assert lines[0].endswith("] Argv: train.py --lr 0.1")
    assert re.fullmatch(LINE + "ünïcode", lines[1])
    assert "ünïcode" in capsys.readouterr().out


def test_second_directory_takes_over(tmp_path, fresh):
    logger.set_logger_dir(tmp_path / "one")
    [first] = [handler for handler in fresh.handlers if isinstance(handler, logging.FileHandler)]
    logger.set_logger_dir(tmp_path / "two")
    logger.info("later")
    assert first.stream is None  # closed
    assert len(fresh.handlers) == 2
    assert "later" not in (tmp_path / "one" / "log.log").read_text()
    assert "later" in (tmp_path / "two" / "log.log").read_text()


def test_existing_log_is_renamed(tmp_path):
    for k in range(3):
        logger.set_logger_dir(tmp_path, action="k")
        logger.info("run %d", k)
    names = sorted(os.listdir(tmp_path))
    assert len(names) == 3 and names[0] == "log.log"
    assert all(re.fullmatch(r"log\.log\.\d{4}-\d{6}_*", name) for name in names[1:])
    assert "run 2" in (tmp_path / "log.log").read_text()


def test_hidden_files_do_not_count(tmp_path):
    (tmp_path / ".git").mkdir()
    logger.set_logger_dir(tmp_path)
    assert logger.get_logger_dir() == str(tmp_path)


def test_action_keep_and_delete(tmp_path):
    path = used_dir(tmp_path)
    logger.set_logger_dir(path, action="k")
    assert (path / "old.txt").exists()
    logger.set_logger_dir(path, action="d")
    assert os.listdir(path) == ["log.log"]


def test_action_backup(tmp_path):
    path = used_dir(tmp_path)
    logger.set_logger_dir(path, action="b")
    assert logger.get_logger_dir() == str(path)
    assert os.listdir(path) == ["log.log"]
    (backup,) = (p for p in tmp_path.iterdir() if p != path)
    assert re.fullmatch(r"used\d{4}-\d{6}", backup.name)
    assert os.listdir(backup) == ["old.txt"]


def test_action_new(tmp_path):
    path = used_dir(tmp_path)
    logger.set_logger_dir(path, action="n")
    assert os.listdir(path) == ["old.txt"]
    assert re.fullmatch(r"used\d{4}-\d{6}", os.path.basename(logger.get_logger_dir()))


def test_a_refused_action_can_be_followed_by_another(tmp_path):
    path = used_dir(tmp_path)
    logger.set_logger_dir(tmp_path / "first")
    with pytest.raises(OSError, match="'q'"):
        logger.set_logger_dir(path, action="q")
    assert logger.get_logger_dir() is None
    logger.set_logger_dir(path, action="k")
    assert logger.get_logger_dir() == str(path)


def test_asks_until_it_gets_an_answer(tmp_path, monkeypatch, capsys):
    path = used_dir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n  \n D \n"))
    logger.set_logger_dir(path)
    assert os.listdir(path) == ["log.log"]
    assert "WRN" in capsys.readouterr().out


def test_nobody_to_ask(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(OSError, match="action="):
        logger.set_logger_dir(used_dir(tmp_path))


def test_auto_set_dir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "/some/where/train_net.py", raising=False)
    logger.auto_set_dir()
    assert logger.get_logger_dir() == os.path.join("train_log", "train_net")
    logger.auto_set_dir(name="exp1")
    separator = "_" if os.name == "nt" else ":"
    assert logger.get_logger_dir() == os.path.join("train_log", f"train_net{separator}exp1")
    assert (tmp_path / logger.get_logger_dir() / "log.log").exists()


def test_auto_set_dir_without_a_script(monkeypatch):
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    with pytest.raises(RuntimeError, match="set_logger_dir"):
        logger.auto_set_dir()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_while_another_thread_logs():
    out = run_python(
        "import os, threading\n"
        "from dataflow.utils import logger\n"
        "stop = threading.Event()\n"
        "def log():\n"
        "    while not stop.is_set(): logger.debug('busy'); logger.info('busy')\n"
        "t = threading.Thread(target=log, daemon=True); t.start()\n"
        "for _ in range(10):\n"
        "    pid = os.fork()\n"
        "    if pid == 0: logger.info('child'); os._exit(0)\n"
        "    assert os.waitpid(pid, 0)[1] == 0\n"
        "stop.set(); t.join()\n"
    )
    assert len(re.findall(r"\] child\n", out)) == 10


@pytest.mark.parametrize("name", ["debug", "info", "warning", "warn", "error", "critical", "exception"])
def test_signatures_are_those_of_logging(name):
    def parameters(function):
        return [p for p in inspect.signature(function).parameters if p != "self"]

    standard = "warning" if name == "warn" else name
    assert parameters(getattr(logger, name)) == parameters(getattr(logging.Logger, standard))
