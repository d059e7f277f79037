"""Old names: accepted, one warning at the caller's line, the new signature on show."""

from __future__ import annotations

import inspect
import warnings

import pytest

from dataflow._compat.renamed import renamed_arguments, warn_renamed


class Repeated:
    @renamed_arguments(nr="num", count="num")
    def __init__(self, ds: object, num: int = 1) -> None:
        self.num = num


@pytest.mark.parametrize("old", ["nr", "count"])
def test_an_old_name_works_and_warns_once_at_the_caller(old: str) -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        repeated = Repeated(None, **{old: 3})
    assert repeated.num == 3
    assert [w.category for w in seen] == [DeprecationWarning]
    assert seen[0].filename == __file__
    assert f"'{old}'" in str(seen[0].message) and "'num'" in str(seen[0].message)
    assert "Repeated()" in str(seen[0].message)


def test_new_names_do_not_warn() -> None:
    assert Repeated(None, 2).num == Repeated(None, num=2).num == 2


@pytest.mark.parametrize("arguments", [((None,), {"num": 1, "nr": 2}), ((None,), {"count": 1, "nr": 2})])
def test_an_argument_given_twice_is_an_error(arguments: tuple) -> None:
    args, kwargs = arguments
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(TypeError, match="old name of the same argument"):
            Repeated(*args, **kwargs)


def test_an_argument_given_by_position_and_by_its_old_name_is_an_error() -> None:
    with pytest.warns(DeprecationWarning), pytest.raises(TypeError, match="multiple values"):
        Repeated(None, 1, nr=2)


def test_the_signature_is_that_of_the_new_names() -> None:
    assert list(inspect.signature(Repeated).parameters) == ["ds", "num"]


def test_warn_renamed_points_at_the_caller_of_its_caller() -> None:
    def start_test() -> None:
        warn_renamed("start_test()", "start()")

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        start_test()
    assert "start_test() is deprecated" in str(seen[0].message)
    source = inspect.getsource(test_warn_renamed_points_at_the_caller_of_its_caller).splitlines()
    first = inspect.getsourcelines(test_warn_renamed_points_at_the_caller_of_its_caller)[1]
    assert source[seen[0].lineno - first].strip() == "start_test()"
