"""Files and downloads, from a web server on this machine."""

from __future__ import annotations

import os
import random
import threading
import urllib.error

import pytest

from dataflow.utils import _transfer, argtools
from dataflow.utils.fs import download, get_dataset_path, mkdir_p, normpath, recursive_walk
from tests.helpers.http_server import web_server

CONTENT = random.Random(0).randbytes(300_000)


@pytest.fixture
def web(monkeypatch):
    monkeypatch.setattr(_transfer.time, "sleep", lambda seconds: None)
    with web_server() as server:
        server.files["a/data.bin"] = CONTENT
        yield server


def test_download(web, tmp_path, capsys):
    path = download(web.url + "a/data.bin", str(tmp_path / "new" / "dir"), expect_size=len(CONTENT))
    assert path == str(tmp_path / "new" / "dir" / "data.bin")
    assert (tmp_path / "new" / "dir" / "data.bin").read_bytes() == CONTENT
    assert os.listdir(tmp_path / "new" / "dir") == ["data.bin"]
    assert "data.bin:" in capsys.readouterr().err  # the progress bar


def test_name_from_url_or_argument(web, tmp_path):
    web.files["a/b%20c.bin?version=1"] = b"x"
    assert os.path.basename(download(web.url + "a/b%20c.bin?version=1", str(tmp_path))) == "b c.bin"
    assert os.path.basename(download(web.url + "a/data.bin", str(tmp_path), "other")) == "other"
    with pytest.raises(ValueError, match="filename="):
        download(web.url, str(tmp_path))


@pytest.mark.parametrize("size", [None, 4])
def test_a_file_that_is_there_is_not_fetched(web, tmp_path, size):
    (tmp_path / "data.bin").write_bytes(b"mine")
    download(web.url + "a/data.bin", str(tmp_path), expect_size=size)
    assert (tmp_path / "data.bin").read_bytes() == b"mine"
    assert web.requests == []


def test_a_file_of_another_size_is_replaced(web, tmp_path, capsys):
    (tmp_path / "data.bin").write_bytes(b"mine")
    download(web.url + "a/data.bin", str(tmp_path), expect_size=len(CONTENT))
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert "WRN" in capsys.readouterr().out


def test_a_wrong_size_raises_and_keeps_the_file_aside(web, tmp_path, capsys):
    with pytest.raises(OSError, match="expected 5"):
        download(web.url + "a/data.bin", str(tmp_path), expect_size=5)
    assert os.listdir(tmp_path) == ["data.bin.part.bad"]
    assert "ERR" in capsys.readouterr().out


def test_nothing_came(web, tmp_path):
    web.files["empty"] = b""
    with pytest.raises(OSError, match="0 bytes"):
        download(web.url + "empty", str(tmp_path))
    assert not (tmp_path / "empty").exists()


def test_a_broken_connection_is_tried_again_from_there(web, tmp_path):
    web.break_after = [100_000, 50_000]
    download(web.url + "a/data.bin", str(tmp_path))
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert [wanted for _, wanted in web.requests] == [None, "bytes=100000-", "bytes=150000-"]


def test_a_later_call_resumes(web, tmp_path):
    web.break_after = [1000] * 3
    with pytest.raises(ConnectionError, match="broke off"):
        download(web.url + "a/data.bin", str(tmp_path))
    assert os.listdir(tmp_path) == ["data.bin.part"]
    download(web.url + "a/data.bin", str(tmp_path))
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert web.requests[-1][1] == "bytes=3000-"


@pytest.mark.parametrize("cause", ["no ranges", "another date", "no date"])
def test_starts_over_where_it_can_not_resume(web, tmp_path, cause):
    web.break_after = [1000] * 3
    with pytest.raises(ConnectionError):
        download(web.url + "a/data.bin", str(tmp_path))
    web.files["a/data.bin"] = CONTENT[::-1]  # mixing would show
    if cause == "no ranges":
        web.ranges = False
    else:
        web.date = "Tue, 03 Nov 2020 10:00:00 GMT" if cause == "another date" else "no date at all"
    download(web.url + "a/data.bin", str(tmp_path))
    assert (tmp_path / "data.bin").read_bytes() == CONTENT[::-1]


def test_a_part_longer_than_the_file_is_dropped(web, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(b"x" * len(CONTENT))
    date = 1604311200  # that of the server
    os.utime(tmp_path / "data.bin.part", (date, date))
    download(web.url + "a/data.bin", str(tmp_path))
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_errors_of_the_network_come_through(web, tmp_path, capsys):
    with pytest.raises(urllib.error.HTTPError, match="404"):
        download(web.url + "missing", str(tmp_path))
    with pytest.raises(urllib.error.URLError):
        download("http://127.0.0.1:1/x", str(tmp_path))
    assert os.listdir(tmp_path) == []
    assert capsys.readouterr().out.count("ERR") == 2


def test_many_at_once_fetch_it_once(web, tmp_path):
    pytest.importorskip("fcntl")
    threads = [
        threading.Thread(target=download, args=(web.url + "a/data.bin", str(tmp_path))) for _ in range(4)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert len(web.requests) == 1


def test_mkdir_p(tmp_path):
    mkdir_p(str(tmp_path / "a" / "b"))
    mkdir_p(str(tmp_path / "a" / "b"))
    assert (tmp_path / "a" / "b").is_dir()
    mkdir_p("")
    with pytest.raises(TypeError):
        mkdir_p(None)
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        mkdir_p(str(tmp_path / "file"))


def test_recursive_walk(tmp_path):
    for name in ("a", "d/b", "d/e/c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert sorted(recursive_walk(str(tmp_path))) == [str(tmp_path / name) for name in ("a", "d/b", "d/e/c")]


def test_normpath():
    assert normpath("a//b/../c") == os.path.join("a", "c")
    assert normpath("s3://bucket//x/../y") == "s3://bucket//x/../y"


def test_dataset_path_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("TENSORPACK_DATASET", str(tmp_path))
    assert get_dataset_path() == str(tmp_path)
    assert get_dataset_path("a", "b") == str(tmp_path / "a" / "b")
    assert os.listdir(tmp_path) == []
    monkeypatch.setenv("TENSORPACK_DATASET", str(tmp_path / "missing"))
    with pytest.raises(FileNotFoundError, match="TENSORPACK_DATASET"):
        get_dataset_path("a")


def test_dataset_path_by_default(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("TENSORPACK_DATASET", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setattr(argtools, "_logged", set())
    for _ in range(2):
        assert get_dataset_path("a") == str(tmp_path / "tensorpack_data" / "a")
    assert os.listdir(tmp_path) == ["tensorpack_data"]
    assert capsys.readouterr().out.count("WRN") == 1
