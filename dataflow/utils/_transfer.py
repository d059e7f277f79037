"""Fetch one file over the network: resumable, with a progress bar, never half a file under its own name."""

from __future__ import annotations

import contextlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.utils import formatdate, parsedate_to_datetime
from typing import Any

from .utils import get_tqdm

_CHUNK = 1 << 18
_TIMEOUT = 60.0  # seconds without a byte
_ATTEMPTS = 3


def transfer(url: str, part: str, name: str, expect_size: int | None = None) -> None:
    """Fetch ``url`` into the file ``part``, going on where an earlier transfer broke off.

    A broken connection is tried again a few times. ``part`` stays when all attempts fail, for next time.

    Args:
        url: http, https, ftp or file.
        part: path of a file for this purpose only. The caller renames it.
        name: what the progress bar says.
        expect_size: bytes, if known.

    Raises:
        OSError: the network failed (``urllib.error.URLError``, ``ConnectionError``), nothing came, or
            the size is not the expected one; then the file is kept beside as ``<part>.bad``.
    """
    for attempt in range(_ATTEMPTS):
        try:
            _transfer_once(url, part, name, expect_size)
            break
        except (ConnectionError, TimeoutError, http.client.HTTPException) as e:
            if attempt + 1 == _ATTEMPTS:
                raise ConnectionError(f"{url}: the transfer broke off: {e}") from e
            time.sleep(attempt)
    size = os.path.getsize(part)
    if size == 0 or (expect_size is not None and size != expect_size):
        os.replace(part, part + ".bad")
        raise OSError(
            f"{url}: got {size} bytes, expected {'some' if expect_size is None else expect_size}; "
            f"what came is in {part + '.bad'!r}"
        )


def _transfer_once(url: str, part: str, name: str, expect_size: int | None) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": "dataflow"})
    have = os.path.getsize(part) if os.path.exists(part) else 0
    if have:
        request.add_header("Range", f"bytes={have}-")
        # Go on only with the very file that was begun: its date is kept as that of the part.
        request.add_header("If-Range", formatdate(os.path.getmtime(part), usegmt=True))
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as e:
        e.close()
        if e.code != 416:
            raise
        os.remove(part)  # all of another file, or more than there is
        raise ConnectionResetError("the part that was here does not belong to this file; start over") from e
    with response:
        if getattr(response, "status", None) != 206:
            have = 0
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            os.remove(part)
            raise ConnectionResetError("the server resumed at another place; start over")
        length = response.headers.get("Content-Length")
        if length is not None and not (length.isascii() and length.isdigit()):
            raise OSError(f"{url}: the server says {length[:80]!a} for a length")
        total = None if length is None else have + int(length)
        try:
            with open(part, "ab" if have else "wb") as out, _bar(name, total, have) as bar:
                while chunk := response.read(_CHUNK):
                    out.write(chunk)
                    have += len(chunk)
                    bar.update(len(chunk))
                    if expect_size is not None and have > expect_size:
                        return  # the caller finds the size wrong
        finally:
            _set_date(part, response.headers.get("Last-Modified"))
    if total is not None and have < total:
        raise ConnectionResetError(f"{have} of {total} bytes came")


def _bar(name: str, total: int | None, initial: int) -> Any:
    return get_tqdm(total=total, initial=initial, unit="B", unit_scale=True, desc=name)


def _set_date(path: str, last_modified: str | None) -> None:
    if last_modified is not None:
        with contextlib.suppress(ValueError):  # not a date: the next attempt starts over
            date = parsedate_to_datetime(last_modified).timestamp()
            os.utime(path, (date, date))


@contextlib.contextmanager
def one_process_in(directory: str) -> Iterator[None]:
    """Let one process at a time work in a directory, where the system has ``flock``.

    The processes of a distributed job all want the same data set at the same moment.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    fd = os.open(directory, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
