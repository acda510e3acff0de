"""A tree into the values of ``model.py``, by cattrs, which finds every error at once.

What went wrong stays apart from how it is told: cattrs collects ``Mismatch``es with
notes of the fields they passed through, and ``problems_in`` maps those to places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Final

from attrs import fields_dict, frozen

from bytebuddy_provider_hf.config import values
from bytebuddy_provider_hf.config.document import (
    ListNode,
    MapNode,
    Node,
    Pair,
    Problem,
    is_null,
    shown_key,
)
from bytebuddy_provider_hf.config.kinds import Mismatch
from bytebuddy_provider_hf.config.schema import SECTIONS, Key, Nested, Section, find_key
from bytebuddy_provider_hf.types import CompletionOptions, Role

if TYPE_CHECKING:
    from cattrs import Converter

CLASSES: Final[Mapping[Section, type]] = {
    "models[]": values.ModelEntry,
    "defaultCompletionOptions": CompletionOptions,
    "requestOptions": values.RequestOptions,
    "clientCertificate": values.ClientCertificate,
    "embedOptions": values.EmbedOptions,
    "embeddingPrefixes": values.EmbeddingPrefixes,
    "chatOptions": values.ChatOptions,
    "promptTemplates": values.PromptTemplates,
    "autocompleteOptions": values.AutocompleteOptions,
    "cacheBehavior": values.CacheBehavior,
    "log": values.LogOptions,
}


@frozen
class Structured:
    """A value, or the problems that are in its way."""

    value: object | None = None
    problems: tuple[Problem, ...] = ()


def structure_entry(node: MapNode, *, path: str) -> Structured:
    """Return ``node`` as a ``ModelEntry``, or every problem it has."""
    return _structured(node, "models[]", path=path)


def structure_options(node: Node, *, path: str) -> Structured:
    """Return ``node`` as ``RequestOptions``, or every problem it has."""
    return _structured(node, "requestOptions", path=path)


def structure_log(node: Node, *, path: str) -> Structured:
    """Return ``node`` as ``LogOptions``, or every problem it has."""
    return _structured(node, "log", path=path)


def _structured(node: Node, section: Section, *, path: str) -> Structured:
    from cattrs.errors import ClassValidationError  # heavy

    cls = CLASSES[section]
    try:
        return Structured(_hooks().structure(node, cls))
    except ClassValidationError as error:
        found = _Findings(node, path)
        return Structured(problems=tuple(found.of_class(error, section, ())))
    except Mismatch as error:
        return Structured(problems=tuple(_Findings(node, path).of(error, ())))


@cache
def _hooks() -> Converter:
    from cattrs import Converter  # heavy, and needed only here

    converter = Converter(detailed_validation=True)
    for section, cls in CLASSES.items():
        converter.register_structure_hook(cls, _section_hook(section, converter))
    return converter


def _section_hook(
    section: Section, converter: Converter
) -> Callable[[object, type], object]:
    from cattrs.gen import make_dict_structure_fn, override

    cls = CLASSES[section]
    overrides = {name: override(omit=True) for name in fields_dict(cls)}
    for key in SECTIONS[section].values():
        hook = _key_hook(key, converter)
        overrides[key.field] = override(rename=key.name, struct_hook=hook)
    inner: Callable[[dict[str, Node], type], object] = make_dict_structure_fn(
        cls,
        converter,
        **overrides,  # type: ignore[arg-type]  # fields share it with its settings
    )

    def hook_section(node: object, wanted: type) -> object:
        if not isinstance(node, MapNode):
            mapping = Nested(section)
            raise Mismatch(mapping.expected, _shape(node))
        return inner(_values(node, section), wanted)

    return hook_section


def _key_hook(key: Key, converter: Converter) -> Callable[[Node, type], object]:
    kind = key.kind
    if isinstance(kind, Nested):
        cls = CLASSES[kind.section]
        return lambda node, _: converter.structure(node, cls)
    if key.field == "roles":
        return lambda node, _: _roles(kind(node))
    return lambda node, _: kind(node)


def _roles(words: object) -> tuple[Role, ...]:
    names = words if isinstance(words, tuple) else ()
    return tuple(dict.fromkeys(Role(name) for name in names))


def _shape(node: object) -> str:
    return "a list" if isinstance(node, ListNode) else "a single value"


def _values(node: MapNode, section: Section) -> dict[str, Node]:
    """Return the known keys that hold something; an empty value is no value."""
    known: dict[str, Node] = {}
    open_ended: list[Pair] = []
    for pair in node.pairs:
        key = find_key(section, pair.key.text)
        if key is None or is_null(pair.value):
            continue
        if key.name == pair.key.text:
            known[key.name] = pair.value
        else:
            open_ended.append(pair)
    if open_ended:
        rest = MapNode(tuple(open_ended), node.line, node.column)
        known["experimental_*"] = rest
    return known


class _Findings:
    """Walk the errors of cattrs and tell each with its place in the file."""

    def __init__(self, root: Node, path: str) -> None:
        self._root = root
        self._path = path

    def of_class(
        self, error: BaseException, section: Section, steps: tuple[str | int, ...]
    ) -> Iterator[Problem]:
        fields = {key.field: key for key in SECTIONS[section].values()}
        for cause in getattr(error, "exceptions", ()):
            key = fields[_field(cause)]
            inner = (*steps, key.name)
            if isinstance(cause, KeyError):
                yield self._missing(key, steps)
            elif isinstance(key.kind, Nested) and isinstance(cause, ExceptionGroup):
                yield from self.of_class(cause, key.kind.section, inner)
            else:
                yield from self.of(cause, inner)

    def of(
        self, error: BaseException, steps: tuple[str | int, ...]
    ) -> Iterator[Problem]:
        causes = error.exceptions if isinstance(error, ExceptionGroup) else (error,)
        for cause in causes:
            if not isinstance(cause, Mismatch):
                raise cause
            path = (*steps, *cause.steps)
            place = self._place(path)
            message = f"expected {cause.expected}, found {cause.found}"
            yield Problem(place.line, place.column, message, self._dotted(path))

    def _missing(self, key: Key, steps: tuple[str | int, ...]) -> Problem:
        place = self._place(steps)
        message = f"expected {key.kind.expected}, found nothing: it is required"
        path = self._dotted((*steps, key.name))
        return Problem(place.line, place.column, message, path)

    def _place(self, steps: tuple[str | int, ...]) -> Node:
        node = self._root
        for step in steps:
            inner: Node | None = None
            if isinstance(node, MapNode):
                inner = node.get(str(step))
            elif isinstance(node, ListNode) and isinstance(step, int):
                inner = node.items[step]
            if inner is None:
                break
            node = inner
        return node

    def _dotted(self, steps: tuple[str | int, ...]) -> str:
        parts = (f"[{s}]" if isinstance(s, int) else f".{shown_key(s)}" for s in steps)
        return self._path + "".join(parts)


def _field(error: BaseException) -> str:
    from cattrs.errors import AttributeValidationNote

    for note in reversed(getattr(error, "__notes__", ())):
        if isinstance(note, AttributeValidationNote):
            return str(note.name)
    raise error
