"""How a pipeline prints: each stage with its own arguments and, nested, what it wraps."""

from __future__ import annotations

import inspect
import reprlib
import textwrap
from typing import Any

_MISSING = object()
_ALSO = ("ds", "df_lists", "probs")  # shown even when they are no constructor arguments
_MAX_LINES = 20  # of an argument whose own repr has several


class _Short(reprlib.Repr):
    """Cuts what is long: after some lines if it is laid out in lines, such as augmentors are.

    Of arrays, also in lists, it tells no more than dtype and shape.
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
        if isinstance(value, nested):
            blocks.append(f"{name}={value!r}")
        elif isinstance(value, list | tuple) and any(isinstance(v, nested) for v in value):
            items = ",\n".join(repr(v) if isinstance(v, nested) else _value(v) for v in value)
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
