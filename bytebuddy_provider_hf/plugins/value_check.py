"""Compare a value of foreign code with the type that a protocol declares for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from functools import cache
from types import NoneType, UnionType
from typing import Final, Literal, Union, get_args, get_origin, get_type_hints

from attrs import fields_dict, has

# True is an int to Python, and no number.
_NUMBERS: Final[Mapping[object, frozenset[type]]] = {
    float: frozenset({float, int}),
    int: frozenset({int}),
}
_LONGEST: Final = 40


class Nothing:
    """What stands where an object lacks an attribute that its class declares."""


def wrong_part(value: object, kind: object, name: str) -> tuple[str, str] | None:
    """Return where ``value`` is not of ``kind`` and what stands there, or ``None``.

    The place is a path such as ``Reply.usage.total_tokens``. A list may stand for a
    tuple, and an ``int`` for a ``float``; otherwise the declaration holds.
    """
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        found = [wrong_part(value, each, name) for each in get_args(kind)]
        if None in found:
            return None
        # A part of the right class that is wrong inside tells more than the whole.
        return next((it for it in found if it and it[0] != name), found[0])
    if origin is Literal:
        fits = isinstance(value, str) and value in get_args(kind)
        return None if fits else (name, repr(value)[:_LONGEST])
    parts = _parts(value, kind if origin is None else origin, get_args(kind), name)
    if parts is None:
        return name, type(value).__name__
    return next(filter(None, (wrong_part(*each) for each in parts)), None)


def _parts(
    value: object, kind: object, inner: tuple[object, ...], name: str
) -> Iterable[tuple[object, object, str]] | None:
    """Return what to look at in ``value``; ``None`` where its class is wrong."""
    if kind in _NUMBERS:
        return () if type(value) in _NUMBERS[kind] else None
    if kind is tuple and isinstance(value, tuple | list):
        if inner[1:] != (Ellipsis,):
            inner = inner if len(inner) == len(value) else (Nothing,) * len(value)
        # One look for a vector of thousands of numbers.
        elif set(map(type, value)) <= _NUMBERS.get(inner[0], frozenset()):
            return ()
        else:
            inner = inner[:1] * len(value)
        pairs = zip(value, inner, strict=True)
        return ((it, of, f"{name}[{n}]") for n, (it, of) in enumerate(pairs))
    if kind is frozenset and isinstance(value, AbstractSet):
        return ((it, inner[0], name) for it in value)
    if kind is Mapping and isinstance(value, Mapping):
        return ((it, inner[1], f"{name}[{key!r:.40}]") for key, it in value.items())
    wanted = NoneType if kind is None else kind
    if not isinstance(wanted, type) or not isinstance(value, wanted):
        return None
    # An object made without __init__ lacks what it declares.
    return (
        (getattr(value, part, Nothing()), declared, f"{name}.{part}")
        for part, declared in (_declared(wanted) if has(wanted) else ())
    )


@cache
def _declared(kind: type) -> tuple[tuple[str, object], ...]:
    """Return the fields of an attrs class with their types."""
    hints = get_type_hints(kind)
    return tuple((name, hints[name]) for name in fields_dict(kind))
