"""SVMlight files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import dump_svmlight_file

from dataflow import SVMLightData


class TestSVMLightData:
    def test_rows(self, tmp_path: Path, seed: None) -> None:
        x = np.random.RandomState(0).rand(7, 5) * (np.random.RandomState(1).rand(7, 5) > 0.6)
        path = str(tmp_path / "data.svm")
        dump_svmlight_file(x, np.arange(7), path)
        ds = SVMLightData(path, shuffle=False)
        rows = list(ds)
        assert len(ds) == 7 and np.allclose([row for row, _ in rows], x)
        assert isinstance(rows[2][1], np.float64) and [y for _, y in rows] == list(range(7))
        assert rows[0][0].dtype == np.float64 and ds.X.nnz == np.count_nonzero(x)
        shuffled = SVMLightData(path)
        shuffled.reset_state()
        assert [y for _, y in shuffled] == np.random.RandomState(42).permutation(7).tolist()

    def test_errors(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"nothing\.svm"):
            SVMLightData(str(tmp_path / "nothing.svm"))
        (tmp_path / "bad").write_text("one two:three\n")
        with pytest.raises(ValueError, match="bad is not an SVMlight file"):
            SVMLightData(str(tmp_path / "bad"))
