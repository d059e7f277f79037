"""Files, directories and downloads."""

from __future__ import annotations

import os
import posixpath
import urllib.parse
from collections.abc import Iterator

from . import logger
from ._transfer import one_process_in, transfer
from .argtools import log_once

__all__ = ["download", "get_dataset_path", "mkdir_p", "normpath", "recursive_walk"]


def mkdir_p(dirname: str) -> None:
    """Create a directory and its parents; nothing happens if it is there, or is ``''``.

    Raises:
        TypeError: ``dirname`` is None.
        OSError: it can't be created, or is a file.
    """
    if dirname is None:
        raise TypeError("mkdir_p: expected a path, got None")
    if dirname != "":
        os.makedirs(dirname, exist_ok=True)


def download(url: str, dir: str, filename: str | None = None, expect_size: int | None = None) -> str:
    """Download a file, unless it is there already.

    It gets its name when it is complete. What a broken transfer leaves behind (``<name>.part``) is used to
    go on from there at the next call.

    Args:
        url: where from.
        dir: where to; created when missing.
        filename: its name there; by default the last component of the URL.
        expect_size: bytes, if known. A file that is there with another size is downloaded again.

    Returns:
        The path of the file.

    Raises:
        OSError: the network failed, nothing came, or the size is wrong.
        ValueError: the URL has no file name and none was given.
    """
    if filename is None:
        filename = posixpath.basename(urllib.parse.unquote(urllib.parse.urlsplit(url).path))
        if not filename:
            raise ValueError(f"download: {url!r} does not end with a file name; pass filename=")
    mkdir_p(dir)
    path = os.path.join(dir, filename)
    with one_process_in(dir or "."):
        if os.path.isfile(path):
            if expect_size is None or os.path.getsize(path) == expect_size:
                logger.info("%s is there already: not downloaded again", path)
                return path
            logger.warning(
                "%s has %d bytes instead of %d: downloading it again",
                path,
                os.path.getsize(path),
                expect_size,
            )
        try:
            transfer(url, path + ".part", filename, expect_size)
        except OSError:
            logger.error("Could not download %s to %s", url, path)
            raise
        os.replace(path + ".part", path)
    logger.info("Downloaded %s: %d bytes", path, os.path.getsize(path))
    return path


def recursive_walk(rootdir: str) -> Iterator[str]:
    """Yield the path of every file below a directory, in the order of ``os.walk``."""
    for directory, _, names in os.walk(rootdir):
        for name in names:
            yield os.path.join(directory, name)


def get_dataset_path(*args: str) -> str:
    """Return a path below the root of all data sets.

    The root is the environment variable ``TENSORPACK_DATASET``, or ``~/tensorpack_data``, which is
    created.

    Args:
        *args: components to join.

    Raises:
        FileNotFoundError: ``TENSORPACK_DATASET`` is set and no such directory exists.
    """
    root = os.environ.get("TENSORPACK_DATASET")
    if root is None:
        root = os.path.join(os.path.expanduser("~"), "tensorpack_data")
        log_once(f"TENSORPACK_DATASET is not set: data sets go to {root}", "warning")
        mkdir_p(root)
    elif not os.path.isdir(root):
        raise FileNotFoundError(
            f"TENSORPACK_DATASET={root!r}: no such directory; create it or unset the variable"
        )
    return os.path.join(root, *args)


def normpath(path: str) -> str:
    """Return ``os.path.normpath(path)``, or the path itself if it contains ``://``."""
    return path if "://" in path else os.path.normpath(path)
