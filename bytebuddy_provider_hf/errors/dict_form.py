"""Turn values into plain dicts and lists, as JSON has them, and back.

Fields and their types are those that a class declares, so a new field needs nothing
here. What is read is checked whole: a key or a value that does not fit is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date
from functools import cache
from reprlib import Repr
from types import NoneType, UnionType
from typing import (
    Any,
    Final,
    Literal,
    Self,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from attrs import NOTHING, fields, has

from bytebuddy_provider_hf.errors.setup import InvalidOption
from bytebuddy_provider_hf.texts import text

TYPE: Final = "type"
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_WORD: Final = re.compile(r"(?<!^)(?=[A-Z])")
# How deep the values of a tool's schema may lie: json has a limit, too.
_DEEPEST: Final = 100
# An answer with logprobs has thousands of objects of a class.
_hints_of: Final = cache(get_type_hints)
# What a stranger wrote may be long, or deep.
_repr: Final = Repr().repr


class DictForm:
    """A value that can be written as a plain dict, and read again."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the value as dicts, lists, str, numbers, bool and None.

        Ready for ``json.dumps``, a file or an answer of FastAPI. Sentences are plain
        English text; no secret is among the values.
        """
        return cast("dict[str, Any]", plain(self))

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Self:
        """Return the value that :meth:`to_dict` wrote; the two are equal.

        Args:
            data: What ``to_dict`` returned, or ``json.loads`` of it. Fields that have
                a default may be left out.

        Raises:
            InvalidOption: A key is unknown or missing, or a value does not fit; its
                place is named.
        """
        return cast("Self", read(data, cls, cls.__name__))


class TypedDictForm(DictForm):
    """One kind out of several: the dict tells which by its ``type``."""

    __slots__ = ()


def type_name(kind: type) -> str:
    """Return the ``type`` of a class: ToolCallDelta is "tool_call_delta"."""
    return _WORD.sub("_", kind.__name__).lower()


def plain(value: object) -> object:
    """Return a value as JSON has it."""
    if isinstance(value, str):
        # A sentence that knows its translation, or a role, is a plain text from here.
        return str(value)
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if not has(type(value)):
        # A mistake in a class of ours: what is declared there cannot be written.
        message = f"{type(value).__name__} has no form in JSON"
        raise TypeError(message)
    typed = isinstance(value, TypedDictForm)
    found: dict[str, object] = {TYPE: type_name(type(value))} if typed else {}
    for each in fields(type(value)):  # type: ignore[arg-type]  # asked above
        found[each.name] = plain(getattr(value, each.name))
    return found


def read(value: object, kind: object, place: str) -> object:
    """Return ``value`` as a declared type; raises ``InvalidOption`` with the place."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        kind = member_kind(value, inner, place)
        origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal and isinstance(value, str) and value in inner:
        return value
    if origin is tuple and isinstance(value, list | tuple):
        if inner[1:] == (Ellipsis,):
            inner = inner[:1] * len(value)
        if len(inner) == len(value):
            pairs = zip(value, inner, strict=True)
            return tuple(
                read(it, of, f"{place}[{n}]") for n, (it, of) in enumerate(pairs)
            )
    if origin is Mapping and isinstance(value, Mapping) and has_text_keys(value):
        _, of = inner
        return {key: read(each, of, f"{place}.{key}") for key, each in value.items()}
    if kind is object and is_json(value):
        return value
    if kind is date and isinstance(value, str) and _DAY.fullmatch(value):
        with suppress(ValueError):  # there is no such day
            return date.fromisoformat(value)
    if kind is float and type(value) in (int, float):
        # JavaScript, for one, writes 1.0 as 1.
        return float(cast("float", value))
    if isinstance(kind, type) and type(value) is kind and not has(kind):
        return value
    if isinstance(kind, type) and isinstance(value, Mapping) and has(kind):
        return read_object(value, kind, place)
    shown = getattr(kind, "__name__", str(kind)) if origin is None else str(kind)
    raise _wrong(
        place,
        text(
            "roles.dict_value",
            wanted=shown.replace("typing.", ""),
            found=_repr(value),
        ),
    )


def has_text_keys(value: Mapping[object, object]) -> bool:
    """Return whether all keys of a mapping are texts."""
    return all(isinstance(key, str) for key in value)


def is_json(value: object, depth: int = _DEEPEST) -> bool:
    """Return whether a value is one of JSON's own, and not too deep to be written."""
    if isinstance(value, Mapping) and has_text_keys(value):
        inside: Iterable[object] = value.values()
    elif isinstance(value, list | tuple):
        inside = value
    else:
        return value is None or isinstance(value, str | int | float)
    return depth > 0 and all(is_json(each, depth - 1) for each in inside)


def member_kind(value: object, kinds: tuple[object, ...], place: str) -> object:
    """Return which of several types a value is to be read as."""
    if value is None and NoneType in kinds:
        return NoneType
    left = [kind for kind in kinds if kind is not NoneType]
    if len(left) == 1:
        return left[0]
    # A text, or its parts.
    if isinstance(value, str) and str in left:
        return str
    lists = [kind for kind in left if get_origin(kind) is tuple]
    if lists and isinstance(value, list | tuple):
        return lists[0]
    names = {type_name(kind): kind for kind in left if isinstance(kind, type)}
    told = value.get(TYPE) if isinstance(value, Mapping) else None
    if isinstance(told, str) and told in names:
        return names[told]
    raise _wrong(place, text("roles.dict_type", names=", ".join(names)))


def read_object(data: Mapping[object, object], kind: type, place: str) -> object:
    """Return an object of an attrs class."""
    hints = _hints_of(kind)
    known = {each.name: each for each in fields(kind)}
    if issubclass(kind, TypedDictForm):
        told = data.get(TYPE, type_name(kind))
        if told != type_name(kind):
            raise _wrong(place, text("roles.dict_type", names=type_name(kind)))
        data = {key: value for key, value in data.items() if key != TYPE}
    if unknown := [_repr(key) for key in data if key not in known]:
        names = ", ".join(unknown[:5])
        raise _wrong(place, text("roles.dict_unknown", names=names))
    found = {}
    for name, each in known.items():
        if name in data:
            found[name] = read(data[name], hints[name], f"{place}.{name}")
        elif each.default is NOTHING:
            raise _wrong(place, text("roles.dict_missing", name=name))
    return kind(**found)


def _wrong(place: str, problem: str) -> InvalidOption:
    return InvalidOption(
        text("roles.dict_wrong", place=place, problem=problem),
        hint=text("roles.dict_hint"),
    )
