"""Text for reprs and messages: dataflows and augmentors as constructor calls, short datapoints, types."""

from __future__ import annotations

import inspect
import pprint
import re
import reprlib
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

_MISSING = object()
_ALSO = ("ds", "df_lists", "probs")  # shown even if they are not constructor arguments
_MAX_LINES = 20  # shown of an argument whose repr has several lines
_VOWEL_SOUND = re.compile("[aeio]|un(?!i)|ndarray", re.IGNORECASE)  # but: a uint8, a unit


def type_in_words(value: Any) -> str:
    """Return the type of a value for a message: ``None``, ``an int``, ``a str``."""
    name = type(value).__name__
    if value is None:
        return "None"
    return f"{'an' if _VOWEL_SOUND.match(name) else 'a'} {name}"


class _Short(reprlib.Repr):
    """Shortens long reprs; those with several lines, such as augmentors', after a number of lines.

    Arrays, also those in lists, are shown by dtype and shape only.
    """

    def repr_instance(self, x: Any, level: int) -> str:
        if hasattr(x, "shape") and hasattr(x, "dtype"):
            return f"<{type(x).__name__} {x.dtype} {tuple(x.shape)}>"
        lines = _text(x).splitlines()
        if len(lines) < 2:
            return super().repr_instance(x, level)
        return "\n".join(lines[:_MAX_LINES] + ["..."] * (len(lines) > _MAX_LINES))


def _text(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # a class of the user's may raise anything; a repr must not
        return ""


_short = _Short()
_short.maxstring = _short.maxother = 60


class _Datapoint(_Short):
    """Shows more text than ``_Short``, enough to recognize a datapoint, e.g. by the end of a path."""

    def repr_instance(self, x: Any, level: int) -> str:
        if isinstance(x, np.generic):
            return _text(x)[: self.maxother]
        return super().repr_instance(x, level)


_datapoint = _Datapoint()
_datapoint.maxstring = _datapoint.maxother = 200


def short_repr(dp: Any) -> str:
    """Return a short text for a datapoint. It never fails."""
    try:
        return _datapoint.repr(dp)
    except Exception:  # a class of the user's may raise anything; a message must not
        return type_in_words(dp)


def describe(obj: Any, nested: type) -> str:
    """Return ``Class(argument=value, ...)``, ``nested`` instances on lines of their own.

    Arguments are those of the constructor that have an attribute of the same name (or with a leading
    underscore), so a subclass gets a useful repr without doing anything.
    """
    names = _constructor_arguments(type(obj))
    names += [name for name in _ALSO if name not in names and name in vars(obj)]
    plain: list[str] = []
    blocks: list[str] = []
    for name in names:
        value = _attribute(obj, name)
        if value is _MISSING:
            continue
        flows = _flows_in(value, nested)
        if isinstance(value, nested):
            blocks.append(f"{name}={value!r}")
        elif any(isinstance(v, nested) for v in flows):
            items = ",\n".join(repr(v) if isinstance(v, nested) else _value(v) for v in flows)
            blocks.append(f"{name}=[\n{textwrap.indent(items, '  ')}]")
        else:
            text = _value(value)
            (blocks if "\n" in text else plain).append(f"{name}={text}")
    head = type(obj).__name__
    if not blocks:
        return f"{head}({', '.join(plain)})"
    if plain:
        blocks.append(", ".join(plain))
    body = textwrap.indent(",\n".join(blocks), "  ")
    return f"{head}(\n{body})"


def _flows_in(value: Any, nested: type) -> list[Any]:
    """Return the items of a list, of pairs ``(dataflow, probability)`` the dataflow."""
    if not isinstance(value, list | tuple):
        return []
    return [v[0] if isinstance(v, list | tuple) and v and isinstance(v[0], nested) else v for v in value]


def _constructor_arguments(cls: type) -> list[str]:
    try:
        parameters = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def _attribute(obj: Any, name: str) -> Any:
    for candidate in (name, "_" + name):
        try:
            value = getattr(obj, candidate)
        except Exception:  # a property of the user's may raise anything; a repr must not
            continue
        if not (inspect.ismethod(value) and value.__self__ is obj):  # size() is no argument called size
            return value
    return _MISSING


def _value(value: Any) -> str:
    """Return a short text for one argument."""
    if inspect.isroutine(value):
        return getattr(value, "__qualname__", repr(value)).replace("<locals>.", "")
    if isinstance(value, list | tuple | set | frozenset | dict) and len(value) > 6:
        return f"<{type(value).__name__} of {len(value)}>"
    return _short.repr(value)


class Described:
    """Base class of objects whose repr is a constructor call, built from attributes of the same names."""

    def _init(self, params: Mapping[str, Any]) -> None:
        """Store constructor arguments under their own names.

        Args:
            params: usually ``locals()`` of ``__init__``. ``self`` and names beginning with ``_`` are skipped.
        """
        for name, value in params.items():
            if name != "self" and not name.startswith("_"):
                setattr(self, name, value)

    def __repr__(self) -> str:
        """Return ``imgaug.Class(argument=value, ...)`` without the arguments that equal their defaults."""
        cls = type(self)
        shown = []
        if cls.__init__ is not object.__init__:
            for parameter in list(inspect.signature(cls.__init__).parameters.values())[1:]:
                if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or not hasattr(
                    self, parameter.name
                ):
                    return object.__repr__(self)
                value = getattr(self, parameter.name)
                if not _same(value, parameter.default):
                    shown.append(f"{parameter.name}={pprint.pformat(value)}")
        return f"imgaug.{cls.__name__}({', '.join(shown)})"


def bracketed(name: str, items: Iterable[object]) -> str:
    """Return ``imgaug.name([...])`` with one item a line."""
    lines = ",\n".join("  " + repr(item).replace("\n", "\n  ") for item in items)
    return f"imgaug.{name}([\n{lines}])"


def _same(value: Any, default: Any) -> bool:
    # 0 and 0.0 are equal but differ as a bound of Clip; comparing arrays gives an array, not a bool
    if type(value) is not type(default) or isinstance(value, np.ndarray):
        return False
    return bool(value == default)


def printable(text: str) -> str:
    """Return a text with all that would steer a terminal escaped, but line ends."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(c if c == "\n" or c.isprintable() else ascii(c)[1:-1] for c in text)
