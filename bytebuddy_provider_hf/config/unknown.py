"""Keys that the schema does not know: told with their place and a likely spelling."""

from __future__ import annotations

from collections.abc import Iterator

from bytebuddy_provider_hf.config.document import (
    MapNode,
    Pair,
    Problem,
    ScalarNode,
    shown_key,
)
from bytebuddy_provider_hf.config.kinds import nearest_word
from bytebuddy_provider_hf.config.schema import (
    KEYS,
    SECTIONS,
    Nested,
    Section,
    find_key,
    sections_with,
)


def unknown_keys(node: MapNode, section: Section, *, path: str) -> Iterator[Problem]:
    """Yield a notice for every key of ``node`` and below that means nothing here."""
    for pair in node.pairs:
        key = find_key(section, pair.key.text)
        dotted = f"{path}.{shown_key(pair.key.text)}" if path else pair.key.text
        if key is None:
            yield _notice(pair.key, section, dotted)
        elif isinstance(key.kind, Nested) and isinstance(pair.value, MapNode):
            yield from unknown_keys(pair.value, key.kind.section, path=dotted)


def extra_pairs(node: MapNode) -> tuple[Pair, ...]:
    """Return the pairs of an entry whose keys the schema does not know."""
    return tuple(p for p in node.pairs if find_key("models[]", p.key.text) is None)


def _notice(key: ScalarNode, section: Section, path: str) -> Problem:
    name = key.text
    near = nearest_word(name, SECTIONS[section])
    elsewhere = sections_with(name)
    far = nearest_word(name, (known.name for known in KEYS))
    if near:
        hint = f"; do you mean {near}?"
    elif elsewhere:
        hint = f"; it belongs under {elsewhere[0]}"
    elif far:
        hint = f"; do you mean {far}, under {sections_with(far)[0]}?"
    else:
        hint = ""
    message = f"unknown key {shown_key(name)}{hint}"
    return Problem(key.line, key.column, message, path)
