"""Caffe's LMDB databases."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from dataflow import CaffeLMDB
from dataflow.utils.loadcaffe import get_caffe_pb
from tests.helpers.storage import database


class TestCaffeLMDB:
    def test_all_kinds_of_data(self, tmp_path: Path) -> None:
        image = np.random.RandomState(0).randint(0, 256, (4, 5, 3), np.uint8)
        planes = image.transpose(2, 0, 1)
        Datum = get_caffe_pb().Datum
        encoded = cv2.imencode(".png", image)[1].tobytes()
        raw = Datum(channels=3, height=4, width=5, data=planes.tobytes(), label=-2)
        floats = Datum(channels=3, height=4, width=5, float_data=planes.ravel() / 2, label=3)
        packed = Datum(data=encoded, encoded=True, label=5)
        records = {b"%08d" % i: d.SerializeToString() for i, d in enumerate((raw, floats, packed))}
        path = database(tmp_path / "db", records)
        first, second, third = CaffeLMDB(path, shuffle=False)
        assert [first[1], second[1], third[1]] == [-2, 3, 5]
        assert first[0].dtype == np.uint8 and second[0].dtype == np.float32
        for found in (first[0], second[0] * 2, third[0]):
            assert found.shape == (4, 5, 3) and (found == image).all()
        first[0][:] = 0  # writable
        assert len(list(CaffeLMDB(path, keys="{:0>8d}"))) == 3

    def test_a_bad_record_is_left_out(self, tmp_path: Path) -> None:
        wrong_size = get_caffe_pb().Datum(channels=3, height=9, width=9, data=b"abc")
        records = {
            b"0": b"\xff\xff\xff noise",
            b"1": wrong_size.SerializeToString(),
            b"2": get_caffe_pb()
            .Datum(channels=1, height=1, width=1, data=b"\7", label=1)
            .SerializeToString(),
        }
        [[image, label]] = CaffeLMDB(database(tmp_path / "db", records), shuffle=False)
        assert image.tolist() == [[[7]]] and label == 1
