"""Check a tree against the schema and make it the values of ``values.py``.

Every kind checks its own value, so that all errors are told at once, each with its
place; cattrs then builds the classes of what was found right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Final, get_args

from attrs import frozen, has

from bytebuddy_provider_hf.config import values
from bytebuddy_provider_hf.config.document import (
    ListNode,
    MapNode,
    Node,
    Pair,
    Problem,
    ScalarNode,
    is_null,
    shown_key,
)
from bytebuddy_provider_hf.config.kinds import Mismatch, nearest_word
from bytebuddy_provider_hf.config.schema import (
    KEYS,
    SECTIONS,
    Nested,
    Section,
    find_key,
    sections_with,
)
from bytebuddy_provider_hf.texts import text
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
    "budget": values.BudgetOptions,
    "cache": values.CacheOptions,
    "alerts": values.AlertOptions,
    "log": values.LogOptions,
}


@frozen
class Structured:
    """A value, or the problems that are in its way."""

    value: object | None = None
    problems: tuple[Problem, ...] = ()


def structure(node: Node, section: Section, *, path: str) -> Structured:
    """Return ``node`` as the class of ``section``, or every problem it has."""
    problems: list[Problem] = []
    found = _checked(node, section, path, problems)
    if problems:
        return Structured(problems=tuple(problems))
    return Structured(_converter().structure(found, CLASSES[section]))


def _checked(
    node: Node, section: Section, path: str, problems: list[Problem]
) -> dict[str, object]:
    """Return the values of a section by their fields; an empty value is no value."""
    if not isinstance(node, MapNode):
        is_list = isinstance(node, ListNode)
        message = text(
            "config.expected",
            expected=text("config.a_mapping"),
            found=text("config.a_list" if is_list else "config.single_value"),
            hint="",
        )
        problems.append(Problem(node.line, node.column, message, path))
        return {}
    known: dict[str, Node] = {}
    open_ended: list[Pair] = []
    for pair in node.pairs:
        key = find_key(section, pair.key.text)
        if key is None or is_null(pair.value):
            continue
        value = pair.value
        if key.name != pair.key.text:
            open_ended.append(pair)
            value = MapNode(tuple(open_ended), node.line, node.column)
        known[key.name] = value
    found: dict[str, object] = {}
    # In the order of the schema: the same file gives the same messages.
    for key in SECTIONS[section].values():
        inner = f"{path}.{key.name}"
        if key.name not in known:
            if key.required:
                message = text("config.required", expected=key.kind.expected)
                missing = Problem(node.line, node.column, message, inner)
                problems.append(_misspelled(node, key.name, path) or missing)
            continue
        value = known[key.name]
        if isinstance(key.kind, Nested):
            if key.kind.lone:
                value = key.kind(value) if isinstance(value, ScalarNode) else value
            found[key.field] = _checked(value, key.kind.section, inner, problems)
            continue
        try:
            found[key.field] = key.kind(value)
        except* Mismatch as group:
            problems += (_located(error, value, inner) for error in group.exceptions)
    return found


def _misspelled(node: MapNode, wanted: str, path: str) -> Problem | None:
    """Return the problem of the key that is meant for the missing key ``wanted``."""
    for pair in node.pairs:
        name = pair.key.text
        # A key that is known is meant for what it says.
        if find_key("models[]", name) is None and nearest_word(name, (wanted,)):
            shown, hint = shown_key(name), text("config.near_key", near=wanted)
            message = text("config.unknown_key", key=shown, hint=hint)
            return Problem(pair.key.line, pair.key.column, message, f"{path}.{shown}")
    return None


def _located(error: BaseException, node: Node, path: str) -> Problem:
    """Return a mismatch as a problem, at the place that its steps lead to."""
    # A fault of ours, not of the file.
    if not isinstance(error, Mismatch):
        raise error
    for step in error.steps:
        inner = (
            node.get(step)
            if isinstance(node, MapNode) and isinstance(step, str)
            else None
        )
        if isinstance(node, ListNode) and isinstance(step, int):
            inner = node.items[step]
        node = inner or node
        path += f"[{step}]" if isinstance(step, int) else f".{shown_key(step)}"
    message = text(
        "config.expected", expected=error.expected, found=error.found, hint=""
    )
    return Problem(node.line, node.column, message, path)


@cache
def _converter() -> Converter:
    from cattrs import Converter  # heavy, and needed only here

    converter = Converter()
    # What a kind has checked is taken as it is: cattrs would make 1.0 of a 1, and
    # knows no Secret.
    converter.register_structure_hook_func(
        lambda cls: not any(map(has, (cls, *get_args(cls)))), lambda value, _: value
    )
    converter.register_structure_hook_func(
        lambda cls: cls == tuple[Role, ...],
        lambda names, _: tuple(dict.fromkeys(map(Role, names))),
    )
    return converter


def unknown_keys(
    node: MapNode, section: Section, *, path: str, searches: Iterator[object]
) -> Iterator[Problem]:
    """Yield a notice for every key of ``node`` and below that means nothing here.

    For as many as there are ``searches`` it names the key that may be meant.
    """
    for pair in node.pairs:
        key = find_key(section, pair.key.text)
        shown = shown_key(pair.key.text)
        dotted = f"{path}.{shown}" if path else shown
        if key is None:
            name = pair.key.text
            hint = "" if next(searches, None) is None else _hint(name, section)
            message = text("config.unknown_key", key=shown, hint=hint)
            yield Problem(pair.key.line, pair.key.column, message, dotted)
        elif isinstance(key.kind, Nested) and isinstance(pair.value, MapNode):
            yield from unknown_keys(
                pair.value, key.kind.section, path=dotted, searches=searches
            )


def _hint(name: str, section: Section) -> str:
    # A slip is more likely than a key in the wrong place.
    near = nearest_word(name, SECTIONS[section])
    if near:
        return text("config.near_key", near=near)
    elsewhere = sections_with(name)
    if elsewhere:
        return text("config.belongs_under", section=elsewhere[0])
    far = nearest_word(name, (known.name for known in KEYS))
    if far is None:
        return ""
    return text("config.near_elsewhere", near=far, section=sections_with(far)[0])
