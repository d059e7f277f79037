"""A file appears under its name only when it is complete."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["new_directory", "new_file", "refuse_existing"]


def refuse_existing(path: str, *, but_files: bool = False) -> None:
    """Check that a file can be made at ``path``.

    Args:
        path: the path.
        but_files: whether a plain file may be there.

    Raises:
        FileExistsError: something is there.
        FileNotFoundError: the directory it would be in is not.
    """
    if os.path.lexists(path) and not (but_files and os.path.isfile(path)):
        raise FileExistsError(f"{path} exists already. Remove it first, or save to another path")
    parent = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(parent):
        raise FileNotFoundError(f"can't save to {path}: there is no directory {parent}")


@contextmanager
def new_file(path: str, *, replace: bool = False) -> Iterator[str]:
    """Give the block a hidden path beside ``path`` to write and close a file at.

    When the block ends the file is on disk, and then becomes ``path``. If it raises, the file is removed. If
    the process dies, what remains is called ``.NAME.XXXXXXXX.partial``.

    Args:
        path: the file to make. Where it is a symbolic link, the file that it leads to.
        replace: whether to replace a file that is there. It stays as it is until the new one is complete.

    Raises:
        FileExistsError: something is at ``path``, before or after the block, that is not to be replaced.
    """
    refuse_existing(path, but_files=replace)
    path = os.path.realpath(path) if replace else os.path.abspath(path)
    partial = _partial_path(path)
    try:
        yield partial
        _sync(partial)
        if replace and os.path.isfile(path):
            shutil.copymode(path, partial)
            os.replace(partial, path)
        else:
            _publish(partial, path)
        _sync_directory(os.path.dirname(path))
    finally:
        with suppress(FileNotFoundError):
            os.unlink(partial)


@contextmanager
def new_directory(path: str) -> Iterator[str]:
    """Do for a directory what ``new_file`` does for a file. The block has to make it."""
    refuse_existing(path)
    path = os.path.abspath(path)
    partial = _partial_path(path)
    try:
        yield partial
        for directory, _, files in os.walk(partial):
            for name in files:
                _sync(os.path.join(directory, name))
            _sync_directory(directory)
        refuse_existing(path)
        os.rename(partial, path)
        _sync_directory(os.path.dirname(path))
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _partial_path(path: str) -> str:
    directory, name = os.path.split(path)
    return os.path.join(directory, f".{name}.{secrets.token_hex(4)}.partial")


def _publish(partial: str, path: str) -> None:
    """Give a complete file its name, unless that was taken in the meantime."""
    try:
        os.link(partial, path)  # rename would replace what is there
    except FileExistsError:
        refuse_existing(path)
        raise
    except OSError:  # a file system without links
        refuse_existing(path)
        os.rename(partial, path)


def _sync_directory(path: str) -> None:
    if os.name == "posix":  # a directory can't be opened elsewhere
        _sync(path)


def _sync(path: str) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
