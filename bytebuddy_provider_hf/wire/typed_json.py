"""Decode JSON into structs: typed first, tolerant second, total always.

msgspec with only the fields we read decodes a chunk in about 0.4 µs. It refuses what
real servers send now and then (``5.0`` for an int, NaN, a lone surrogate, broken
UTF-8), so what it refuses is decoded untyped, and its members are fitted one by one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final, Protocol, TypeVar, cast

import msgspec
from msgspec import inspect

from bytebuddy_provider_hf.json_cost import MOST_ELEMENTS, check_json_cost
from bytebuddy_provider_hf.lenient_json import lenient_integer, parsed
from bytebuddy_provider_hf.wire.floats import number

# What msgspec raises for bytes that are not as a type says.
UNDECODED: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_S = TypeVar("_S", bound=msgspec.Struct)
_Found_co = TypeVar("_Found_co", covariant=True)


class StructReader(Protocol[_Found_co]):
    """Read one object, of at most so many elements."""

    def __call__(self, data: bytes, *, most: int = ...) -> _Found_co | None:
        """Return the object; raises ``ResponseTooLarge``."""
        ...


# What is longer is read by the decoder alone, or not at all.
MOST_LENIENT: Final = 4 * 1024 * 1024
# Of so many objects the members are fitted: each takes 15 µs.
_MOST_FITTED: Final = 2_048
# Of one type a value fits by its class alone.
_SIMPLE: Final[Mapping[type[inspect.Type], Callable[[object], object]]] = {
    inspect.StrType: lambda value: value if isinstance(value, str) else None,
    inspect.IntType: lenient_integer,
    inspect.FloatType: number,
    inspect.BoolType: lambda value: value is True,
    inspect.AnyType: lambda value: value,
    inspect.CustomType: lambda value: value,  # object
    inspect.NoneType: lambda _value: None,
    inspect.RawType: lambda value: msgspec.Raw(json.dumps(value).encode()),
}
# In a list of these a place without a value is kept, for places count there.
_MAY_BE_NONE: Final = (inspect.NoneType, inspect.AnyType, inspect.CustomType)


def struct_decoder(
    kind: type[_S], *, most_fitted: int = _MOST_FITTED
) -> StructReader[_S]:
    """Return what reads such an object, or a list that begins with one.

    It returns ``None`` where there is none. Raises ``ResponseTooLarge`` for more than
    ``most`` elements, or for more lists and objects than ``most_fitted`` where their
    members have to be fitted one by one.
    """
    decode = msgspec.json.Decoder(kind).decode

    def read(data: bytes, *, most: int = MOST_ELEMENTS) -> _S | None:
        check_json_cost(data, most)
        try:
            return decode(data)
        except UNDECODED:
            pass
        # json and the fitting by hand take ten times as long.
        if len(data) > MOST_LENIENT:
            return None
        check_json_cost(data, most, containers=most_fitted)
        value = parsed(data)
        return fitted(value[0] if isinstance(value, list) and value else value, kind)

    return read


def fitted(value: object, kind: type[_S]) -> _S | None:
    """Return a struct with what fits of an object; the rest keeps its default.

    A struct may have a method ``normalized``, which says in its own words what others
    say in theirs. ``None`` where ``value`` is no object, or lacks what has no default.
    """
    if not isinstance(value, dict):
        return None
    normalized = getattr(kind, "normalized", None)
    # Defaults are msgspec's own: a member that does not fit is as one left out.
    given = value if normalized is None else normalized(value)
    fields, required = _fields(kind)
    members: dict[str, object] = {}
    for name, each in given.items():
        field = None if each is None else fields.get(name)
        found = None if field is None else _fit(each, field.type)
        if field is not None and found is not None:
            members[field.name] = found
    return kind(**members) if required <= members.keys() else None


@cache  # a millisecond a struct, and few answers need it
def _fields(
    kind: type[msgspec.Struct],
) -> tuple[Mapping[str, inspect.Field], frozenset[str]]:
    """Return the fields by their names on the wire, and those without a default."""
    found = cast("inspect.StructType", inspect.type_info(kind)).fields
    return (
        {field.encode_name: field for field in found},
        frozenset(field.name for field in found if field.required),
    )


def _fit(value: object, kind: inspect.Type) -> object:
    """Return what of a value is of a type; ``None`` where nothing is."""
    simple = _SIMPLE.get(type(kind))
    if simple is not None:
        return simple(value)
    match kind:
        case inspect.UnionType():
            # In the order in which the types are written.
            found = (_fit(value, each) for each in kind.types)
            return next((each for each in found if each is not None), None)
        case inspect.StructType():
            return fitted(value, kind.cls)
        case inspect.DictType() if isinstance(value, dict):
            return {name: _fit(each, kind.value_type) for name, each in value.items()}
        case inspect.ListType() if isinstance(value, list):
            items = [_fit(each, kind.item_type) for each in value]
            inner = kind.item_type
            types = inner.types if isinstance(inner, inspect.UnionType) else (inner,)
            if any(isinstance(each, _MAY_BE_NONE) for each in types):
                return items
            return [each for each in items if each is not None]
        case inspect.VarTupleType() if isinstance(value, list):
            items = [_fit(each, kind.item_type) for each in value]
            # A vector with a hole is no vector.
            return None if None in items else tuple(items)
        case _:
            return None
