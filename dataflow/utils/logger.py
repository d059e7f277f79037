"""A module used like a logger: ``from dataflow.utils import logger; logger.info("...")``.

Underneath is the standard ``logging.getLogger("dataflow")``. Importing this module configures nothing. The
first message that goes through these functions gives that logger a handler that prints to ``sys.stdout`` in
this library's line format, level INFO and ``propagate=False``, unless the program configured the logger
before: its handlers, level and ``disabled`` are respected. To silence the library, use any of the standard
ways on ``logging.getLogger("dataflow")``.
"""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

__all__ = [
    "addFilter",
    "auto_set_dir",
    "critical",
    "debug",
    "error",
    "exception",
    "get_logger_dir",
    "info",
    "setLevel",
    "set_logger_dir",
    "warn",
    "warning",
]

_GREEN, _RED, _RED_UNDERLINED, _YELLOW, _RESET = "\033[32m", "\033[31m", "\033[4;31m", "\033[33m", "\033[0m"
_TAGS = {  # level -> tag, its colour
    logging.DEBUG: ("DBG", _YELLOW),
    logging.WARNING: ("WRN", _RED),
    logging.ERROR: ("ERR", _RED_UNDERLINED),
    logging.CRITICAL: ("ERR", _RED_UNDERLINED),
}


class _LineFormatter(logging.Formatter):
    """``[MMDD HH:MM:SS @file.py:LINE] TAG message``."""

    def __init__(self, coloured: Callable[[], bool]) -> None:
        super().__init__(datefmt="%m%d %H:%M:%S")
        self._coloured = coloured

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line without a traceback."""
        place = f"[{self.formatTime(record, self.datefmt)} @{record.filename}:{record.lineno}]"
        tag, colour = _TAGS.get(record.levelno, ("", ""))
        if self._coloured():
            place = _GREEN + place + _RESET
            tag = tag and colour + tag + _RESET
        return " ".join(filter(None, (place, tag))) + " " + record.message


class _StdoutHandler(logging.Handler):
    """Writes to whatever ``sys.stdout`` is at that moment, so redirecting it works."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        try:
            if sys.stdout is not None:  # None in a windowed program
                sys.stdout.write(self.format(record) + "\n")
                getattr(sys.stdout, "flush", bool)()
        except Exception:
            self.handleError(record)


def _stdout_is_terminal() -> bool:
    # what a program puts in the place of sys.stdout often has no more than write()
    return not os.environ.get("NO_COLOR") and getattr(sys.stdout, "isatty", bool)()


LOG_DIR: str | None = None
_FILE_HANDLER: logging.FileHandler | None = None
_logger = logging.getLogger("dataflow")
# one instance, so that threads which race to add it add it once
_STDOUT_HANDLER = _StdoutHandler()
_STDOUT_HANDLER.setFormatter(_LineFormatter(_stdout_is_terminal))
_configured = False

addFilter = _logger.addFilter
setLevel = _logger.setLevel


def _ready() -> logging.Logger:
    """Return the logger, configured if this is its first use and the program has not done so."""
    global _configured
    if not _configured:
        if _logger.level == logging.NOTSET:
            _logger.setLevel(logging.INFO)
        if not _logger.handlers:
            _logger.addHandler(_STDOUT_HANDLER)
            _logger.propagate = False  # a handler of the root logger would print each line again
        _configured = True
    return _logger


def _deeper(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments with a ``stacklevel`` that leads past the function of this module."""
    return {**kwargs, "stacklevel": kwargs.get("stacklevel", 1) + 1}


def debug(msg: object, *args: object, **kwargs: Any) -> None:
    """Log ``msg % args`` at level DEBUG. Arguments are those of ``logging.Logger.debug``."""
    _ready().debug(msg, *args, **_deeper(kwargs))


def info(msg: object, *args: object, **kwargs: Any) -> None:
    """Log ``msg % args`` at level INFO."""
    _ready().info(msg, *args, **_deeper(kwargs))


def warning(msg: object, *args: object, **kwargs: Any) -> None:
    """Log ``msg % args`` at level WARNING, tagged ``WRN``."""
    _ready().warning(msg, *args, **_deeper(kwargs))


warn = warning


def error(msg: object, *args: object, **kwargs: Any) -> None:
    """Log ``msg % args`` at level ERROR, tagged ``ERR``."""
    _ready().error(msg, *args, **_deeper(kwargs))


def critical(msg: object, *args: object, **kwargs: Any) -> None:
    """Log ``msg % args`` at level CRITICAL, tagged ``ERR``."""
    _ready().critical(msg, *args, **_deeper(kwargs))


def exception(msg: object, *args: object, exc_info: Any = True, **kwargs: Any) -> None:
    """Log ``msg % args`` at level ERROR, followed by the traceback of the current exception."""
    _ready().error(msg, *args, exc_info=exc_info, **_deeper(kwargs))


def get_logger_dir() -> str | None:
    """Return the directory of the last ``set_logger_dir``, or None."""
    return LOG_DIR


def set_logger_dir(dirname: str | os.PathLike[str], action: str | None = None) -> None:
    """Write everything that is logged from now on to ``<dirname>/log.log`` as well.

    A ``log.log`` that is already there is kept under a name with a time stamp.

    Args:
        dirname: the directory; created when missing.
        action: what to do when it exists and is not empty: ``"k"`` keep its content, ``"d"`` delete it,
            ``"b"`` rename the old directory to a name with a time stamp, ``"n"`` use a new name with a
            time stamp, ``"q"`` give up. None asks on the terminal.

    Raises:
        OSError: the directory is not empty and the action is none of ``k``, ``d``, ``b``, ``n``; or it can't
            be made or written.
    """
    global LOG_DIR, _FILE_HANDLER
    logger = _ready()
    if _FILE_HANDLER is not None:
        old, _FILE_HANDLER, LOG_DIR = _FILE_HANDLER, None, None
        logger.removeHandler(old)
        old.close()

    directory = os.path.normpath(dirname)
    if os.path.isdir(directory) and any(not name.startswith(".") for name in os.listdir(directory)):
        directory = _clear(directory, _ask(directory) if action is None else action)
    os.makedirs(directory, exist_ok=True)

    path = os.path.join(directory, "log.log")
    backup = None
    if os.path.exists(path):
        backup = _unused(path + "." + _time_stamp())
        os.rename(path, backup)
    _FILE_HANDLER = logging.FileHandler(path, mode="w", encoding="utf-8")
    _FILE_HANDLER.setFormatter(_LineFormatter(lambda: False))
    logger.addHandler(_FILE_HANDLER)
    LOG_DIR = directory
    info("Argv: %s", shlex.join(sys.argv))
    if backup is not None:
        info("The log file that was here is now %s", backup)


def auto_set_dir(action: str | None = None, name: str | None = None) -> None:
    """Call ``set_logger_dir`` with ``train_log/<name of the main script>``.

    Args:
        action: see ``set_logger_dir``.
        name: if given, ``:<name>`` is appended (``_<name>`` on Windows).

    Raises:
        RuntimeError: there is no main script, as in an interactive session.
        OSError: see ``set_logger_dir``.
    """
    script = getattr(sys.modules["__main__"], "__file__", None)
    if script is None:
        raise RuntimeError(
            "auto_set_dir: names the directory after the main script, and there is none here; "
            "call set_logger_dir(dirname) instead"
        )
    directory = os.path.join("train_log", os.path.splitext(os.path.basename(script))[0])
    if name:
        directory += ("_" if os.name == "nt" else ":") + name
    set_logger_dir(directory, action=action)


def _ask(directory: str) -> str:
    warning("Log directory %s exists and is not empty. Use 'd' to delete what is in it.", directory)
    question = "Choose: k (keep), d (delete), b (backup), n (new directory), q (quit): "
    try:
        while not (answer := input(question).strip().lower()):
            pass
    except EOFError:
        raise OSError(
            f"set_logger_dir: {directory!r} is not empty and nobody is there to ask; "
            "pass action='k', 'd', 'b' or 'n'"
        ) from None
    return answer


def _clear(directory: str, action: str) -> str:
    """Make way in a directory that is not empty; return the directory to use."""
    if action == "k":
        return directory
    if action == "d":
        shutil.rmtree(directory, ignore_errors=True)
        if os.path.exists(directory):
            shutil.rmtree(directory)  # what is left can't be deleted: say why
        return directory
    if action == "b":
        backup = _unused(directory + _time_stamp())
        shutil.move(directory, backup)
        info("The old log directory is now %s", backup)
        return directory
    if action == "n":
        directory = _unused(directory + _time_stamp())
        info("Using the log directory %s", directory)
        return directory
    raise OSError(
        f"set_logger_dir: {directory!r} exists and is not empty, and the action is {action!r}; "
        "expected 'k' (keep), 'd' (delete), 'b' (backup) or 'n' (new directory)"
    )


def _time_stamp() -> str:
    return datetime.now().strftime("%m%d-%H%M%S")


def _unused(path: str) -> str:
    while os.path.exists(path):  # two runs in one second
        path += "_"
    return path
