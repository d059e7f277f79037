"""Encoding of values: same types and values back, old data read, nothing executed."""

from __future__ import annotations

import codecs
import collections
import datetime
import math
import os
import pickle
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as npst
import msgpack
import msgpack_numpy
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow.utils import serialize
from dataflow.utils.serialize import (
    MsgpackSerializer,
    PickleSerializer,
    PyarrowSerializer,
    UnsafePickleError,
    dumps,
    dumps_once,
    loads,
    loads_once,
)


def same(a: Any, b: Any) -> bool:
    """Return whether two values have the same type and value, all the way down; arrays must be writable."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        if a.dtype != b.dtype or a.shape != b.shape or not b.flags.writeable:
            return False
        if a.dtype.kind == "O":
            return all(same(x, y) for x, y in zip(a.ravel(), b.ravel(), strict=True))
        return a.tobytes() == b.tobytes()
    if isinstance(a, np.generic):
        return a.dtype == b.dtype and a.tobytes() == b.tobytes()
    if isinstance(a, list | tuple | collections.deque):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return len(a) == len(b) and all(k in b and same(a[k], b[k]) for k in a)
    if isinstance(a, float | complex):
        return repr(a) == repr(b)
    return bool(a == b)


PACKED_TITLE = np.dtype([(("title", "a"), "i4"), ("b", "u1")])
WITH_OFFSETS = np.dtype({"names": ["a", "b"], "formats": ["i2", "f8"], "offsets": [4, 8], "itemsize": 24})
ALIGNED = np.dtype([("a", "u1"), ("b", "f8")], align=True)
EXTENSIONS = [PACKED_TITLE, WITH_OFFSETS, ALIGNED]

VALUES = [
    None,
    True,
    0,
    -(2**63),
    2**64 - 1,
    2**64,
    -(2**63) - 1,
    -(3**500),
    1.5,
    float("inf"),
    -0.0,
    1 - 2j,
    complex(-0.0, math.inf),
    "é \ud800",
    b"\x00\xff",
    [],
    (),
    ((1,), [(2, [3])]),
    {},
    {1, "a", (2, 3)},
    frozenset([frozenset(), b"x"]),
    {1: "int", (1, 2): "tuple", None: 0, 2.5: [], b"bytes": {}, frozenset([1]): 1, np.int64(7): "scalar"},
    {b"nd": 5, b"type": "not an array"},
    {"nd": True, "other": 1},
    np.float64(2.5),
    np.float32("nan"),
    np.bool_(True),
    np.int8(-3),
    np.uint64(2**64 - 1),
    np.complex64(1 + 2j),
    np.longdouble(1) / 3,
    np.str_("text"),
    np.bytes_(b"bytes"),
    np.datetime64("2020-02-29T12", "h"),
    np.timedelta64(5, "25s"),
    np.zeros((), [("a", "i4"), ("b", "f4", 2)])[()],
    np.arange(6, dtype=np.uint8).reshape(2, 3),
    np.array(7.0),
    np.zeros((0, 3), np.int16),
    np.zeros(3, "S0"),
    np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(10)[::-2],
    np.arange(3, dtype=">i4"),
    np.array(["", "längst"]),
    np.array([b"a", b"bc"]),
    np.array(["2020", "NaT"], "M8[D]"),
    np.arange(3, dtype="m8[ns]"),
    np.zeros(2, "V5"),
    np.ones(2, [("a", "i4"), ("b", [("c", "f2", (2, 2)), ("d", "S3")])]),
    np.ones(3, WITH_OFFSETS),
    np.ones(3, PACKED_TITLE),
    np.ones(3, ALIGNED),
    np.array([None, [1, np.arange(3)], {"a": (np.ones(2),)}, "text"], object).reshape(2, 2),
    np.array([], object),
    np.full((300, 400), 3, np.uint16),  # large enough for the decoder of large values
]


def name_of(value: Any) -> str:
    return f"{type(value).__name__} {value!r:.30}".replace("\n", " ").encode("ascii", "replace").decode()


class TestRoundTrip:
    @pytest.mark.parametrize("value", VALUES, ids=name_of)
    @pytest.mark.parametrize("serializer", [MsgpackSerializer, PickleSerializer])
    def test_value(self, value: Any, serializer: Any) -> None:
        assert same(value, serializer.loads(serializer.dumps(value)))

    @pytest.mark.parametrize("value", VALUES, ids=name_of)
    def test_beside_a_large_array(self, value: Any) -> None:
        large = np.arange(40_000, dtype=np.uint16).reshape(100, -1)
        for whole in (
            [value, large],
            (large, value),
            {"value": value, "large": large},
            [[value], large, [large]],
        ):
            assert same(whole, loads(dumps(whole)))
            assert same(whole, loads(memoryview(dumps(whole))))

    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.text()
            | st.binary()
            | st.complex_numbers(),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.lists(inner, max_size=4).map(tuple)
                | st.dictionaries(
                    st.text() | st.integers() | st.binary() | st.tuples(st.text()), inner, max_size=4
                )
            ),
            max_leaves=12,
        )
    )
    def test_any_nested_value(self, value: Any) -> None:
        assert same(value, loads(dumps(value)))

    @given(
        npst.arrays(
            npst.scalar_dtypes() | npst.array_dtypes(allow_subarrays=True),
            npst.array_shapes(min_dims=0, min_side=0, max_side=4),
        )
    )
    def test_any_array(self, array: np.ndarray) -> None:
        assert same(array, loads(dumps(array)))

    def test_arrays_own_their_values(self) -> None:
        buffer = bytearray(dumps([np.zeros(10), np.zeros(50_000), b"bytes"]))
        small, large, _ = loads(buffer)
        buffer[:] = b"\xff" * len(buffer)
        assert not small.any() and not large.any()
        small[0] = large[0] = 1

    def test_containers_of_other_classes_become_plain(self) -> None:
        Point = collections.namedtuple("Point", "x y")
        ordered = collections.OrderedDict(b=1, a=2)
        assert loads(dumps([Point(1, 2), ordered, bytearray(b"a")])) == [(1, 2), {"b": 1, "a": 2}, b"a"]

    @pytest.mark.parametrize(
        "value",
        [object(), datetime.date(2020, 1, 1), lambda: 0, np.ma.masked_array([1]), np.zeros(1, [("a", "O")])],
        ids=lambda v: type(v).__name__,
    )
    def test_what_cannot_be_stored_is_named(self, value: Any) -> None:
        with pytest.raises(TypeError, match=r"can't be stored"):
            dumps([1, (value,)])

    def test_a_value_inside_itself_is_refused(self) -> None:
        value: list[Any] = []
        value.append(value)
        with pytest.raises(ValueError, match="recursion"):
            dumps(value)


class TestMsgpackNumpy:
    """Files of ours are for everybody who has msgpack-numpy, and theirs for us."""

    @pytest.mark.parametrize(
        "value", [v for v in VALUES if isinstance(v, np.ndarray | np.generic)], ids=name_of
    )
    def test_it_reads_ours(self, value: Any) -> None:
        dtype = value.dtype
        if dtype.kind == "O" or dtype in EXTENSIONS or isinstance(value, np.void) or not dtype.itemsize:
            pytest.skip("not in its layout")
        theirs = msgpack.unpackb(dumps([value]), object_hook=msgpack_numpy.decode)[0]
        assert theirs.dtype == dtype and theirs.shape == value.shape and theirs.tobytes() == value.tobytes()

    def test_we_read_theirs(self) -> None:
        values = [v for v in VALUES if isinstance(v, np.ndarray) and v.dtype.kind not in "MmOV" and v.size]
        values += [np.zeros(2, [("a", "i4"), ("b", "f4", (2,))]), np.float32(1.5), 1 + 2j]
        packed = msgpack.packb(values, default=msgpack_numpy.encode)
        assert same(values, loads(packed))

    def test_object_arrays_of_theirs(self) -> None:
        array = np.array([None, [1, 2], "x", np.arange(2)], object)
        assert same([array], loads(msgpack.packb([array], default=msgpack_numpy.encode)))

    def test_the_extension_types_are_documented_numbers(self) -> None:
        def code(value: Any) -> int:
            return msgpack.unpackb(dumps(value)).code

        array = np.array([None], object)
        assert [code(v) for v in ((1,), {1}, frozenset(), 2**64, array, np.ones(1, WITH_OFFSETS))] == [
            1,
            2,
            3,
            4,
            5,
            6,
        ]

    def test_unknown_extensions_stay(self) -> None:
        assert loads(msgpack.packb([msgpack.ExtType(99, b"x")])) == [msgpack.ExtType(99, b"x")]


class TestOldData:
    def test_msgpack_of_python_2(self) -> None:
        # without a type for bytes: arrays, their keys and all strings were written as raw text
        for shape in ((2, 3), (300, 400)):
            array = np.full(shape, 200, np.uint8)
            layout = {"nd": True, "type": "|u1", "shape": shape, "data": array.tobytes()}
            old = msgpack.packb([layout, 3, "text"], use_bin_type=False)
            assert same([array, 3, b"text"], loads(old))

    def test_msgpack_without_kind_and_with_text_keys(self) -> None:
        layout = {"nd": True, "type": "<i2", "shape": [2], "data": b"\x01\x00\x02\x00"}
        assert same([np.array([1, 2], np.int16)], loads(msgpack.packb([layout])))

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_pickles_of_all_protocols(self, protocol: int) -> None:
        values = [
            *VALUES,
            bytearray(b"ab"),
            range(3),
            slice(1, 2),
            collections.deque([np.ones(1)], 3),
            np.dtype("M8[us]"),
        ]
        values += [
            collections.OrderedDict(b=1, a=np.ones(1)),
            np.rec.array([(1, 2.0)]).dtype,
            np.dtype(("i4", (2,))),
        ]
        data = pickle.dumps(values, protocol)
        assert same(values, loads(data))
        assert same(values, loads(data.replace(b"numpy._core", b"numpy.core")) if protocol < 4 else values)
        assert serialize.encoding_of(data).startswith("pickle protocol")

    def test_the_module_names_of_numpy_1(self) -> None:
        old = (
            b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85q\x03U\x01bq\x04\x87q\x05Rq\x06"
            b"(K\x01K\x03\x85q\x07cnumpy\ndtype\nq\x08U\x02u1q\tK\x00K\x01\x87q\nRq\x0b(K\x03U\x01|q\x0cNNNJ\xff\xff\xff\xff"
            b"J\xff\xff\xff\xffK\x00tq\rb\x89U\x03\x01\x80\xffq\x0etq\x0fb."
        )  # by Python 2, whose strings of bytes need care
        assert same(np.array([1, 128, 255], np.uint8), loads(old))

    def test_strings_of_python_2_are_text_only_if_ascii(self) -> None:
        old = b"\x80\x02}(U\x05imageU\x03\xff\xd8\x00U\x05labelX\x03\x00\x00\x00\xc3\xa9tu."
        assert loads(old) == {"image": b"\xff\xd8\x00", "label": "ét"}
        assert loads(b"(lp0\nS'abc'\np1\naI5\naL7L\na.") == ["abc", 5, 7]

    def test_an_array_in_a_cycle(self) -> None:
        value: list[Any] = [np.ones(1)]
        value.append((value, value[0]))
        found = loads(pickle.dumps(value))
        assert found[1][0] is found and found[1][1] is found[0]

    def test_pyarrow_is_told_apart(self) -> None:
        with pytest.raises(ValueError, match="pyarrow"):
            loads(b"\x01\x00\x00\x00\x00\x00\x00\x00")


class Exploit:
    """Its pickle makes a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


def exploits(path: str) -> dict[str, bytes]:
    """Return pickles that would make a directory at ``path``, in as many ways as there are."""
    quoted = repr(path).encode()
    by_protocol = {
        f"protocol {p}": pickle.dumps([Exploit(path)], p) for p in range(pickle.HIGHEST_PROTOCOL + 1)
    }
    code = f"__import__('os').mkdir({path!r})".encode()
    short = bytes([len(code)]) + code

    def text(value: bytes) -> bytes:
        return b"\x8c" + bytes([len(value)]) + value

    return {
        **by_protocol,
        "eval": b"cbuiltins\neval\n(V" + code + b"\ntR.",
        "python 2 name": b"c__builtin__\neval\n(V" + code + b"\ntR.",
        "instance": b"(V" + path.encode() + b"\nios\nmkdir\n.",
        "object": b"(cos\nmkdir\nV" + path.encode() + b"\no.",
        "dotted name": b"\x80\x04"
        + text(b"numpy")
        + text(b"os.mkdir")
        + b"\x93"
        + text(path.encode())
        + b"\x85R.",
        "attribute of a known name": b"\x80\x04" + text(b"numpy") + text(b"ndarray.tofile") + b"\x93)R.",
        "getattr": b"cbuiltins\ngetattr\n(cnumpy\ndtype\nV__init__\ntR.",
        "numpy's own runner": b"cnumpy.testing._private.utils\nrunstring\n(V" + code + b"\n}tR.",
        "numpy load": b"cnumpy\nload\n(V" + path.encode() + b"\ntR.",
        "codecs": b"c_codecs\nlookup\n(Vrot13\ntR.",
        "new object": b"\x80\x02cos\nmkdir\nS" + quoted + b"\n\x85\x81.",
        "array subclass": b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nmatrix\n(I0\ntVb\ntR.",
        "class as a value": b"(lp0\ncsubprocess\nPopen\na.",
        "string": b"\x80\x02U" + short + b"0cos\nmkdir\nU" + bytes([len(path)]) + path.encode() + b"\x85R.",
    }


def in_object_array(pickled: bytes) -> bytes:
    """Return msgpack with an object array as msgpack-numpy writes it."""
    layout = {b"nd": True, b"type": [["", "|O"]], b"kind": b"O", b"shape": [1], b"data": pickled}
    return msgpack.packb([layout, np.zeros(40_000).tobytes()])


class Reduced:
    """Pickled as what it is given: a function, its arguments, and a state."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts

    def __reduce__(self) -> Any:
        return self.parts


DTYPE = np.dtype("f8")
MAKE_ARRAY, _, ARRAY_STATE = np.zeros(2).__reduce__()  # type: ignore[misc]
MAKE_SCALAR = np.float64(1).__reduce__()[0]
FROM_BUFFER = np.zeros(2).__reduce_ex__(5)[0]
WRONG_REDUCTIONS: dict[str, tuple[Any, ...]] = {
    "unknown dtype": (np.dtype, ("no such", False, True)),
    "state of a dtype": (np.dtype, ("f8", False, True), (9, "<")),
    "class of an array": (MAKE_ARRAY, (np.dtype, (0,), b"b")),
    "state of an array": (MAKE_ARRAY, (np.ndarray, (0,), b"b"), (1, (2,))),
    "dtype of an array": (MAKE_ARRAY, (np.ndarray, (0,), b"b"), (1, (2,), "f8", False, bytes(16))),
    "shape of an array": (MAKE_ARRAY, (np.ndarray, (0,), b"b"), (1, (-2,), DTYPE, False, bytes(16))),
    "size of an array": (MAKE_ARRAY, (np.ndarray, (0,), b"b"), (1, (3,), DTYPE, False, bytes(16))),
    "bytes of an array": (MAKE_ARRAY, (np.ndarray, (0,), b"b"), (1, (2,), DTYPE, False, 5)),
    "size of a buffer": (FROM_BUFFER, (bytes(16), DTYPE, (3,), "C")),
    "bytes of a scalar": (MAKE_SCALAR, (DTYPE, b"short")),
    "text to encode": (codecs.encode, (5, "latin1")),
    "encoding": (codecs.encode, ("text", "rot13")),
    "items of a set": (set, (5,)),
    "a call of a class": (np.ndarray, ((2,),)),
    "a class by itself": (list, ([np.ndarray],)),
}
LARGE_VALUES = [
    dumps(value)
    for value in (
        [np.zeros(9000), 1, "text", None, 2.5],
        (np.zeros((100, 300), np.float32), [1, {"a": b"b"}], -1),
        {"image": np.zeros((200, 200, 3), np.uint8), "label": 70_000, "name": "x" * 300},
    )
]


class TestNothingIsExecuted:
    @pytest.mark.parametrize("name", exploits("x"))
    @pytest.mark.parametrize("wrap", [bytes, in_object_array], ids=["plain", "object array"])
    def test_exploit(self, name: str, wrap: Any, tmp_path: Path) -> None:
        target = tmp_path / "executed"
        with pytest.raises(UnsafePickleError) as caught:
            loads(wrap(exploits(str(target))[name]))
        assert not target.exists()
        assert "allow_pickle=True" in str(caught.value) and "DATAFLOW_ALLOW_PICKLE" in str(caught.value)
        if name.startswith("protocol"):
            assert f"{os.mkdir.__module__}.mkdir" in str(caught.value)

    def test_the_exploits_are_real(self, tmp_path: Path) -> None:
        for i, name in enumerate(["protocol 0", "protocol 4", "eval", "instance", "object"]):
            target = tmp_path / str(i)
            pickle.loads(exploits(str(target))[name])
            assert target.exists()

    def test_opt_in(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        loads(pickle.dumps(Exploit(str(tmp_path / "1"))), allow_pickle=True)
        loads(in_object_array(pickle.dumps(Exploit(str(tmp_path / "2")))), allow_pickle=True)
        monkeypatch.setenv("DATAFLOW_ALLOW_PICKLE", "1")
        loads(pickle.dumps(Exploit(str(tmp_path / "3"))))
        assert sorted(os.listdir(tmp_path)) == ["1", "2", "3"]
        with pytest.raises(UnsafePickleError):  # the argument decides
            loads(pickle.dumps(Exploit(str(tmp_path / "4"))), allow_pickle=False)
        monkeypatch.setenv("DATAFLOW_ALLOW_PICKLE", "yes")
        with pytest.raises(ValueError, match="expected 0 or 1"):
            loads(pickle.dumps(1))

    def test_a_dtype_edited_after_its_array_was_made(self) -> None:
        # NumPy itself would then follow the array's bytes as pointers
        dtype = b"cnumpy\ndtype\n(VV8\nI00\nI01\ntRp1\n"
        array = b"cnumpy._core.numeric\n_frombuffer\n(B\x08\x00\x00\x00AAAAAAAAg1\n(I1\ntVC\ntRp2\n0"
        state = b"g1\n(I3\nV|\nN(Va\nt}Va\n(cnumpy\ndtype\n(VO8\nI00\nI01\ntRI0\ntsI8\nI1\nI0\ntb0"
        found = loads(b"\x80\x03" + dtype + b"0" + array + state + b"g2\n.")
        assert found.dtype == np.dtype("V8") and found.tobytes() == b"AAAAAAAA"

    def test_objects_from_raw_bytes(self) -> None:
        raw = b"B\x08\x00\x00\x00AAAAAAAA"
        objects = b"cnumpy\ndtype\n(VO8\nI00\nI01\ntR"
        fields = (
            b"cnumpy\ndtype\n(VV8\nI00\nI01\ntR(I3\nV|\nN(Va\nt}Va\n(" + objects + b"I0\ntsI8\nI1\nI0\ntb"
        )
        for dtype in (objects, fields):
            array = b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntVb\ntR"
            for data in (
                b"cnumpy._core.numeric\n_frombuffer\n(" + raw + dtype + b"(I1\ntVC\ntR.",
                b"cnumpy._core.multiarray\nscalar\n(" + dtype + raw + b"tR.",
                array + b"(I1\n(I1\nt" + dtype + b"I00\n" + raw + b"tb.",
            ):
                with pytest.raises(ValueError):
                    loads(b"\x80\x03" + data)

    def test_objects_from_raw_bytes_in_msgpack(self) -> None:
        for type_, kind in (("|O", b""), ([["a", "|O"]], b"V")):
            layout = {b"nd": True, b"type": type_, b"kind": kind, b"shape": [1], b"data": b"A" * 8}
            for large in (0, 100_000):
                with pytest.raises(ValueError, match="damaged"):
                    loads(msgpack.packb([layout, b"x" * large]))

    def test_state_for_a_function(self) -> None:
        with pytest.raises(ValueError):
            loads(b"c_codecs\nencode\n}V__call__\nI1\nsb.")

    def test_no_memory_for_promises(self) -> None:
        bombs = [
            b"cbuiltins\nbytearray\n(L1000000000000L\ntR.",
            b"cbuiltins\nbytes\n(L1000000000000L\ntR.",
            b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(L1000000000000L\ntVb\ntR.",
            msgpack.packb({b"nd": True, b"type": "<f8", b"kind": b"", b"shape": [2**40], b"data": b""}),
            msgpack.packb({b"nd": False, b"type": "<U1000000000", b"data": b""}),
            msgpack.packb(msgpack.ExtType(5, msgpack.packb([[2**40], []]))),
        ]
        for bomb in bombs:
            with pytest.raises(ValueError):
                loads(bomb)

    @given(st.data())
    def test_damaged_data_raise_value_errors_only(self, data: Any) -> None:
        value = [
            np.arange(5),
            {"a": (1, b"x"), 2: None},
            np.float32(1),
            np.array([None], object),
            "text",
            {1},
        ]
        good = data.draw(st.sampled_from([dumps(value), *(pickle.dumps(value, p) for p in (0, 2, 3, 4, 5))]))
        bad = bytearray(good)
        for _ in range(data.draw(st.integers(1, 4))):
            bad[data.draw(st.integers(0, len(bad) - 1))] = data.draw(st.integers(0, 255))
        del bad[data.draw(st.integers(0, len(bad))) :]
        # LONG_BINPUT with a huge number reserves memory inside Python's own reader
        if b"r" in bad:
            return
        with suppress(ValueError):
            loads(bytes(bad))

    @given(st.data())
    def test_damage_in_the_head_of_a_large_value_raises_value_errors_only(self, data: Any) -> None:
        good = data.draw(st.sampled_from(LARGE_VALUES))
        bad = bytearray(good)
        for _ in range(data.draw(st.integers(1, 2))):
            bad[data.draw(st.integers(0, 120))] = data.draw(st.integers(0, 255))
        del bad[data.draw(st.sampled_from([len(bad), len(bad) - 1, 100])) :]
        with suppress(ValueError):
            loads(bytes(bad))

    @pytest.mark.parametrize("what", [*WRONG_REDUCTIONS])
    def test_wrong_arguments_and_states_are_value_errors(self, what: str) -> None:
        value = [Reduced(*WRONG_REDUCTIONS[what])]
        with pytest.raises(ValueError, match="pickled value"):
            loads(pickle.dumps(value, 2))

    def test_a_pickle_that_is_nested_too_deeply(self) -> None:
        with pytest.raises(ValueError, match="nested too deeply"):
            loads(b"cnumpy\ndtype\n" + b"(" * 100_000 + b"t" * 100_000 + b".")

    @given(st.binary(max_size=40))
    def test_noise_raises_value_errors_only(self, noise: bytes) -> None:
        if b"r" in noise:
            return
        with suppress(ValueError):
            loads(noise)


def chosen_in_new_process(code: str, **variables: str) -> str:
    environment = {**os.environ, **variables}
    done = subprocess.run(
        [sys.executable, "-c", "from dataflow.utils.serialize import *\n" + code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


class TestChoice:
    def test_defaults(self) -> None:
        assert serialize.encoding_of(dumps([1])) == "msgpack"
        assert isinstance(dumps_once([1]), memoryview) and loads_once(dumps_once([1, (2,)])) == [1, (2,)]

    def test_variables(self) -> None:
        code = "print(encoding_of(dumps([1])), encoding_of(dumps_once([1])), "
        code += "loads(dumps((1,))), loads_once(dumps_once((1,))))"
        highest = pickle.HIGHEST_PROTOCOL
        assert chosen_in_new_process(code, TENSORPACK_SERIALIZE="pickle") == (
            f"pickle protocol {highest} pickle protocol {pickle.DEFAULT_PROTOCOL} (1,) (1,)"
        )
        assert chosen_in_new_process(code, TENSORPACK_ONCE_SERIALIZE="msgpack") == "msgpack msgpack (1,) (1,)"

    def test_unknown_choices_are_errors(self) -> None:
        message = chosen_in_new_process("dumps(1)", TENSORPACK_SERIALIZE="json")
        assert message == "ValueError: TENSORPACK_SERIALIZE='json': expected 'msgpack' or 'pickle'"
        assert "lost pyarrow.serialize" in chosen_in_new_process("dumps(1)", TENSORPACK_SERIALIZE="pyarrow")

    def test_pickle_written_is_read_as_plain_data(self) -> None:
        code = "import datetime; loads(dumps(datetime.date(2020, 1, 1)))"
        assert "datetime.date" in chosen_in_new_process(code, TENSORPACK_SERIALIZE="pickle")

    def test_pyarrow_says_that_it_is_gone(self) -> None:
        for method in (PyarrowSerializer.dumps, PyarrowSerializer.dumps_bytes, PyarrowSerializer.loads):
            with pytest.raises(RuntimeError, match=r"pyarrow\.serialize"):
                method(b"")
