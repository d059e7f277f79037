"""Fetching and unpacking, from a web server on this machine."""

from __future__ import annotations

import hashlib
import io
import os
import random
import sys
import tarfile

import pytest

from dataflow.dataset._download import RemoteFile, fetch, fetch_and_unpack
from dataflow.utils import _transfer
from tests.helpers.http_server import web_server

CONTENT = random.Random(0).randbytes(200_000)
MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def web(monkeypatch):
    monkeypatch.setattr(_transfer.time, "sleep", lambda seconds: None)
    with web_server() as server:
        server.files["good/f"] = CONTENT
        server.files["bad/f"] = b"something else"
        yield server


def on(web, *mirrors, name="f", **kwargs):
    return RemoteFile.on([web.url + mirror + "/" for mirror in mirrors], name, **kwargs)


def tar_of(*members):
    """Return the bytes of a .tar.gz; a member is (name, content or None for a folder, or a TarInfo)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
                continue
            name, content = member
            info = tarfile.TarInfo(name)
            if content is None:
                info.type = tarfile.DIRTYPE
                info.mode = 0o755
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("known_hash", [None, MD5])
def test_fetch(web, tmp_path, known_hash):
    path = fetch(on(web, "good", known_hash=known_hash, size=len(CONTENT)), str(tmp_path / "new"))
    assert path == str(tmp_path / "new" / "f")
    assert os.listdir(tmp_path / "new") == ["f"]
    assert (tmp_path / "new" / "f").read_bytes() == CONTENT


def test_what_is_there_is_used(web, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)  # and pooch is not needed
    (tmp_path / "f").write_bytes(b"mine")
    fetch(on(web, "good", known_hash=MD5), str(tmp_path))
    (tmp_path / "folder").mkdir()
    fetch_and_unpack(on(web, "good", name="x.tgz"), str(tmp_path), "folder")
    assert web.requests == [] and (tmp_path / "f").read_bytes() == b"mine"


def test_pooch_is_asked_for(web, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"dataflow-loader\[dataset\]"):
        fetch(on(web, "good"), str(tmp_path))


@pytest.mark.parametrize("first", ["missing", "bad"])
def test_next_mirror(web, tmp_path, first, capsys):
    path = fetch(on(web, first, "good", known_hash=MD5), str(tmp_path))
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert os.listdir(tmp_path) == [os.path.basename(path)]
    assert f"WRN Could not download {web.url}{first}/f" in capsys.readouterr().out


def test_wrong_hash(web, tmp_path):
    with pytest.raises(OSError, match="hash") as error:
        fetch(on(web, "bad", known_hash=MD5), str(tmp_path))
    assert os.listdir(tmp_path) == []
    assert web.url in str(error.value)


def test_wrong_size_keeps_the_file_aside(web, tmp_path):
    with pytest.raises(OSError, match="expected 3"):
        fetch(on(web, "bad", size=3), str(tmp_path))
    assert os.listdir(tmp_path) == ["f.part.bad"]


def test_offline(tmp_path):
    file = RemoteFile.on(["http://127.0.0.1:1/some/"], "data.gz")
    with pytest.raises(OSError) as error:
        fetch(file, str(tmp_path))
    for part in ("http://127.0.0.1:1/some/data.gz", "'data.gz'", repr(str(tmp_path / "data.gz"))):
        assert part in str(error.value)
    assert os.listdir(tmp_path) == []


def test_resumes_and_verifies(web, tmp_path):
    web.break_after = [50_000] * 3
    with pytest.raises(OSError, match="broke off"):
        fetch(on(web, "good", known_hash=MD5), str(tmp_path))
    assert os.listdir(tmp_path) == ["f.part"]
    fetch(on(web, "good", known_hash=MD5), str(tmp_path))
    assert os.listdir(tmp_path) == ["f"]
    assert web.requests[-1][1] == "bytes=150000-"


def unpack(web, tmp_path, *members, content="top"):
    web.files["good/a.tgz"] = tar_of(*members)
    return fetch_and_unpack(on(web, "good", name="a.tgz"), str(tmp_path / "data"), content)


def test_unpack(web, tmp_path):
    path = unpack(web, tmp_path, ("top", None), ("top/a", b"1"), ("./top/sub/b", b"2"), ("beside", b"3"))
    assert path == str(tmp_path / "data" / "top")
    assert sorted(os.listdir(tmp_path / "data")) == ["a.tgz", "beside", "top"]
    assert (tmp_path / "data" / "top" / "a").read_bytes() == b"1"
    assert (tmp_path / "data" / "top" / "sub" / "b").read_bytes() == b"2"
    unpack(web, tmp_path)
    assert len(web.requests) == 1


def test_unpack_replaces_files_that_are_there(web, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "beside").write_bytes(b"old")
    unpack(web, tmp_path, ("top", b"1"), ("beside", b"3"))
    assert (tmp_path / "data" / "beside").read_bytes() == b"3"


@pytest.mark.parametrize(
    "member",
    [
        ("../evil", b"x"),
        ("top/../../evil", b"x"),
        ("{tmp}/evil", b"x"),
        link("top/evil", "/etc/passwd"),
        link("top/evil", "../../evil"),
        link("top/evil", "top/a", tarfile.LNKTYPE),
        link("top/evil", "", tarfile.FIFOTYPE),
        link("top/evil", "", tarfile.CHRTYPE),
    ],
    ids=lambda m: m.name + m.linkname if isinstance(m, tarfile.TarInfo) else m[0],
)
def test_nothing_leaves_the_target(web, tmp_path, member):
    if not isinstance(member, tarfile.TarInfo):
        member = (member[0].format(tmp=tmp_path), member[1])
    with pytest.raises(ValueError, match="not safe to unpack"):
        unpack(web, tmp_path, ("top", None), ("top/a", b"1"), member)
    assert os.listdir(tmp_path) == ["data"]
    assert os.listdir(tmp_path / "data") == ["a.tgz"]


def test_a_broken_archive_leaves_nothing_unpacked(web, tmp_path):
    whole = tar_of(("top", None), ("top/a", CONTENT))
    for content in (whole[:-50_000], b"no archive"):
        (tmp_path / "a.tgz").write_bytes(content)
        with pytest.raises(ValueError, match="can't unpack"):
            fetch_and_unpack(on(web, "good", name="a.tgz"), str(tmp_path), "top")
        assert os.listdir(tmp_path) == ["a.tgz"]


def test_another_archive(web, tmp_path):
    with pytest.raises(ValueError, match="does not contain 'top'"):
        unpack(web, tmp_path, ("other", b"1"))
