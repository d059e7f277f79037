"""Fetch the files of a data set: several mirrors, verified, unpacked safely, by one process at a time."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterable
from typing import Any, NamedTuple

from .._core.optional import require
from ..utils import logger
from ..utils._transfer import one_process_in, transfer
from ..utils.fs import mkdir_p


class RemoteFile(NamedTuple):
    """A file that can be had from several addresses."""

    name: str
    urls: tuple[str, ...]  # the preferred one first
    known_hash: str | None = None  # such as "md5:..."
    size: int | None = None  # bytes

    @classmethod
    def on(
        cls, mirrors: Iterable[str], name: str, known_hash: str | None = None, size: int | None = None
    ) -> RemoteFile:
        """Return the file of that name below each mirror's URL."""
        return cls(name, tuple(mirror + name for mirror in mirrors), known_hash, size)


def fetch(file: RemoteFile, directory: str) -> str:
    """Return the path of a file in a directory, downloaded if it is not there.

    Raises:
        ImportError: it must be downloaded, and pooch is missing.
        OSError: no mirror gave it. The text says what to put where by hand.
    """
    path = os.path.join(directory, file.name)
    if not os.path.isfile(path):
        mkdir_p(directory)
        with one_process_in(directory):
            _fetch(file, directory)
    return path


def fetch_and_unpack(file: RemoteFile, directory: str, content: str) -> str:
    """Return the path of something from a tar archive, fetched and unpacked if it is not there.

    Args:
        file: the archive.
        directory: where the archive goes, and what is in it.
        content: the file or folder of the archive that is wanted; it appears last, and complete.

    Raises:
        ImportError: the archive must be downloaded, and pooch is missing.
        OSError: no mirror gave it. The text says what to put where by hand.
        ValueError: the archive is broken, or is not what it should be.
    """
    path = os.path.join(directory, content)
    if not os.path.exists(path):
        mkdir_p(directory)
        with one_process_in(directory):
            if not os.path.exists(path):
                _unpack(_fetch(file, directory), directory, content)
    return path


def _fetch(file: RemoteFile, directory: str) -> str:
    path = os.path.join(directory, file.name)
    if os.path.isfile(path):
        return path
    pooch = require("pooch", "dataset")

    # pooch verifies the file and puts it in its place; the transfer is ours because pooch's can't resume
    def download(url: str, output_file: str, _: Any) -> None:
        transfer(url, path + ".part", file.name, file.size)
        os.replace(path + ".part", output_file)

    failures = []
    for url in file.urls:
        try:
            pooch.retrieve(url, file.known_hash, fname=file.name, path=directory, downloader=download)
            return path
        except (OSError, ValueError) as e:  # ValueError: another hash
            logger.warning("Could not download %s: %s", url, e)
            failures.append(e)
    raise OSError(
        f"could not download {file.name!r} ({failures[-1]}). Without a network, get it from "
        f"{' or '.join(file.urls)} and put it at {os.path.abspath(path)!r}"
    ) from failures[-1]


def _unpack(archive: str, directory: str, content: str) -> None:
    """Unpack a tar archive into a directory, all of it or nothing, ``content`` last."""
    logger.info("Unpacking %s ...", archive)
    staging = tempfile.mkdtemp(prefix=".unpacking-", dir=directory)
    try:
        try:
            with tarfile.open(archive) as tar:
                for member in tar:
                    _unpack_member(tar, member, staging)
        except (tarfile.TarError, EOFError, OSError) as e:
            raise ValueError(f"can't unpack {archive!r}: {e}; delete it to fetch it again") from e
        if not os.path.exists(os.path.join(staging, content)):
            raise ValueError(f"{archive!r} does not contain {content!r}: is it another file of that name?")
        for name in sorted(os.listdir(staging), key=lambda name: (name == content, name)):
            os.replace(os.path.join(staging, name), os.path.join(directory, name))
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _unpack_member(tar: tarfile.TarFile, member: tarfile.TarInfo, directory: str) -> None:
    """Unpack a file or folder. Without links, only a member's name could lead out of the directory."""
    root = os.path.realpath(directory)
    path = os.path.realpath(os.path.join(root, member.name))
    if path != root and not path.startswith(root + os.sep):
        raise ValueError(f"{tar.name!r} is not safe to unpack: {member.name!r} is outside the target")
    if member.isdir():
        os.makedirs(path, exist_ok=True)
        return
    source = tar.extractfile(member) if member.isfile() else None
    if source is None:
        raise ValueError(f"{tar.name!r} is not safe to unpack: {member.name!r} is a link or a device")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with source, open(path, "wb") as target:
        shutil.copyfileobj(source, target)
