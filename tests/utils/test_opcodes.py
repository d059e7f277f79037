"""The look through a pickle before it is read."""

from __future__ import annotations

import collections
import pickle
import pickletools
from typing import Any

import numpy as np
import pytest

from dataflow.utils import _opcodes
from dataflow.utils._opcodes import check_opcodes
from dataflow.utils.serialize import UnsafePickleError, loads

VALUE: list[Any] = [
    np.arange(5),
    "x" * 300,
    b"a" * 70_000,
    {"a": (1, 2.5, 2**80, -1), (1, 2): [()]},
    [1, 2] * 3000,
    np.dtype("f4"),
    {1, 2},
    frozenset((3,)),
    1j,
    collections.OrderedDict(a=1),
    None,
    True,
    2**20,
    bytearray(b"x2\x82"),
]
REFUSED = {"EXT1", "EXT2", "EXT4", "DUP"}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_look_reaches_what_follows_any_value(protocol: int) -> None:
    data = pickle.dumps(VALUE, protocol)
    check_opcodes(data)
    for hostile in (b"\x82\xf0.", b"2.", b"r\xff\xff\xff\x7f."):
        with pytest.raises(ValueError):
            check_opcodes(data[:-1] + hostile)
    assert len(loads(data)) == len(VALUE)


def test_every_opcode_is_known() -> None:
    for opcode in pickletools.opcodes:
        code = opcode.code.encode("latin1")
        if opcode.name in REFUSED:
            with pytest.raises(ValueError):
                check_opcodes(code + bytes(8))
        elif opcode.name not in ("STOP", "PUT", "LONG_BINPUT"):
            is_known = (
                _opcodes._FIXED.match(code + bytes(8))
                or code[0] in _opcodes._LENGTHS
                or code[0] in _opcodes._LINES
            )
            assert is_known, opcode.name


def test_an_index_of_the_memo_beyond_the_bytes() -> None:
    for data in (b"Nr\xff\xff\xff\xff.", b"Np4294967295\n."):
        with pytest.raises(ValueError, match="memo"):
            loads(b"\x80\x04" + data)


def test_no_stand_in_and_no_attribute_comes_out() -> None:
    value = loads(pickle.dumps(slice(np.dtype("f4"), [np.arange(2)])))
    assert value.start == np.dtype("f4") and value.stop[0].tolist() == [0, 1]
    with pytest.raises(UnsafePickleError, match="attributes"):
        loads(b"\x80\x04ccollections\nOrderedDict\n)R}(\x8c\x04keysK\x05ub.")
    with pytest.raises(ValueError):
        loads(b"\x80\x04ccollections\ndeque\ncbuiltins\nrange\nJ\xff\xff\xff\x7f\x85R\x85R.")
