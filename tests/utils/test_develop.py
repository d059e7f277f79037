"""dataflow.utils.develop and dataflow.utils.gpu."""

from __future__ import annotations

import sys
from collections import Counter

import pytest

from dataflow.utils import develop, gpu
from dataflow.utils.develop import (
    HIDE_DOC,
    LazyLoader,
    building_rtfd,
    create_dummy_class,
    create_dummy_func,
    deprecated,
    log_deprecated,
)


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(develop, "_warned", Counter())


def test_dummy_class():
    dummy = create_dummy_class("Reader", "lmdb")
    assert dummy.__name__ == "Reader" and isinstance(dummy, type)
    with pytest.raises(ImportError, match="Reader needs lmdb"):
        dummy(1, a=2)
    with pytest.raises(AttributeError, match="Reader needs lmdb"):
        _ = dummy.open

    class Sub(dummy):
        pass

    with pytest.raises(ImportError, match="Reader needs lmdb"):
        Sub()


def test_dummy_func():
    dummy = create_dummy_func("read", ["lmdb", "cv2"])
    with pytest.raises(ImportError, match="read needs lmdb,cv2"):
        dummy(1, a=2)


def test_building_rtfd(monkeypatch):
    for name in ("READTHEDOCS", "DOC_BUILDING"):
        monkeypatch.delenv(name, raising=False)
    assert not building_rtfd()
    monkeypatch.setenv("DOC_BUILDING", "1")
    assert building_rtfd()
    monkeypatch.delenv("DOC_BUILDING")
    monkeypatch.setenv("READTHEDOCS", "True")
    assert building_rtfd()


def test_log_deprecated(capsys):
    log_deprecated("old()", "Use new().", "2031-02-03")
    out = capsys.readouterr().out
    assert "@test_develop.py" in out
    assert out.endswith(
        "WRN [Deprecated] old() is deprecated. Use new(). Legacy support ends after 03 Feb 2031.\n"
    )
    log_deprecated(text="Only text.")
    assert capsys.readouterr().out.endswith("[Deprecated] Only text.\n")
    with pytest.raises(ValueError, match="name or a text"):
        log_deprecated()
    with pytest.raises(ValueError):
        log_deprecated("a", eos="soon")


def test_log_deprecated_at_most(capsys):
    for _ in range(3):
        log_deprecated("a", max_num_warnings=2)
        log_deprecated("b")
    out = capsys.readouterr().out
    assert (out.count("a is deprecated"), out.count("b is deprecated")) == (2, 3)


def test_deprecated_names_the_caller(capsys):
    @deprecated("Use g().", max_num_warnings=2)
    def f(x):
        """Doc."""
        return x + 1

    assert [f(k) for k in range(3)] == [1, 2, 3]
    line = sys._getframe().f_lineno - 1
    assert (f.__name__, f.__doc__) == ("f", "Doc.")
    first, *rest = capsys.readouterr().out.splitlines()
    assert len(rest) == 1
    assert f"@test_develop.py:{line}] WRN [Deprecated] f [test_develop.py:{line}] is deprecated" in first


def test_hide_doc():
    def f():
        pass

    assert HIDE_DOC(f) is f


def test_lazy_loader(tmp_path, monkeypatch):
    (tmp_path / "lazy_one.py").write_text("VALUE = 3")
    monkeypatch.syspath_prepend(str(tmp_path))
    names = {}
    names["lazy"] = LazyLoader("lazy", names, "lazy_one")
    assert "lazy_one" not in sys.modules
    assert names["lazy"].VALUE == 3
    assert names["lazy"] is sys.modules.pop("lazy_one")
    assert "VALUE" in dir(LazyLoader("lazy", names, "lazy_one"))
    del sys.modules["lazy_one"]
    with pytest.raises(ImportError):
        _ = LazyLoader("x", names, "surely_not_a_module").x


@pytest.mark.parametrize(
    ("visible", "count"), [("0,1,3", 3), ("", 0), ("-1", 0), ("0,-1,2", 1), ("GPU-abc", 1), (" 1 ", 1)]
)
def test_num_gpu_from_the_environment(monkeypatch, visible, count):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpu.get_num_gpu() == count
    with pytest.warns(DeprecationWarning, match="get_num_gpu") as seen:
        assert gpu.get_nr_gpu() == count
    assert seen[0].filename == __file__


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_num_gpu_from_nvidia_smi(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu.get_num_gpu() == 0
    smi = tmp_path / "nvidia-smi"
    smi.write_text(
        '#!/bin/sh\n[ "$1" = -L ] && echo "GPU 0: X (UUID: GPU-1)" && echo "  MIG 1g.5gb Device 0" '
        '&& echo "GPU 1: X (UUID: GPU-2)"\n'
    )
    smi.chmod(0o755)
    assert gpu.get_num_gpu() == 2
    smi.write_text("#!/bin/sh\nexit 9\n")
    assert gpu.get_num_gpu() == 0
    assert "nvidia-smi can't list" in capsys.readouterr().out
