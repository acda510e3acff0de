"""One row an option: what holds for all rows, and that there are no others."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from typing import Final, get_type_hints

import pytest
from attrs import fields_dict
from package_sources import Sources

from bytebuddy_provider_hf.config.schema import KEYS
from bytebuddy_provider_hf.sampling import OPTIONS, Range
from bytebuddy_provider_hf.types import CompletionOptions
from bytebuddy_provider_hf.wire.dialects import SERVERS

# How much may be answered is computed with, and the window is a fact of a model too.
COMPUTED: Final = ("max_tokens", "context_length")
# Where else an option may be named.
NAMED: Final = {
    "types.py": "the typed fields",
    "config/schema.py": "what of a body no project's file replaces",
    "plugins/protocols.py": "the signatures that plugins are checked by",
    "client/model.py": "the keywords of a call",
    "client/request.py": "the effort and the switch decide each other",
    "cli/options.py": "the flags of a command",
    "wire/supported_options.py": "the rule by which the options of reasoning are sent",
    "wire/route_options.py": "OpenAI's ranges",
    "wire/server.py": "OpenAI's names",
    "wire/tasks.py": "top_k of a classification is no option",
}


def spelled(nodes: tuple[ast.AST, ...]) -> Iterator[str]:
    """Find the texts and keywords of a file."""
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg


def test_there_is_a_row_for_each_field_in_its_order() -> None:
    """The order is that of the members of a body."""
    assert [option.name for option in OPTIONS] == list(fields_dict(CompletionOptions))


def test_the_kind_of_a_row_is_the_type_of_its_field() -> None:
    """What is checked at the door is what the type says."""
    hints = get_type_hints(CompletionOptions)
    kinds = {"number": float, "whole": int, "flag": bool}
    for option in OPTIONS:
        if option.kind in kinds:
            assert hints[option.name] == kinds[option.kind] | None


def test_keys_are_the_names_in_the_style_of_the_file() -> None:
    """They are written out so that a search finds them; the file has no others."""
    for option in OPTIONS:
        first, *others = option.name.split("_")
        assert option.key == first + "".join(map(str.capitalize, others))
    section = [key.name for key in KEYS if key.section == "defaultCompletionOptions"]
    assert section == [option.key for option in OPTIONS]


@pytest.mark.parametrize("kind", SERVERS)
def test_servers_take_options_that_there_are(kind: type) -> None:
    """Each that is taken, refused or dated has a row, each number a range."""
    names = {option.name for option in OPTIONS}
    numbers = {option.name for option in OPTIONS if option.handling == "number"}
    for route in ("chat", "completions", "generate", "tasks", "infill"):
        taken = kind().options_for(route)
        assert {*taken.names, *taken.reasons, *taken.since, *taken.ranges} <= names
        assert numbers & taken.names.keys() <= taken.ranges.keys()


def test_an_option_is_named_in_its_row_and_where_a_server_differs(
    sources: Sources,
) -> None:
    """Adding one touches this table, and the servers that call it otherwise."""
    names = {
        name
        for option in OPTIONS
        if "_" in option.name and option.name not in COMPUTED
        for name in (option.name, option.key)
    }
    found = {path for path, nodes in sources.items() if names & set(spelled(nodes))}
    others = {
        name
        for name in found - NAMED.keys() - {"sampling.py"}
        # The simulators stand for other people's servers.
        if not name.startswith(("wire/dialects/", "testing/"))
    }
    assert not others


@pytest.mark.parametrize(
    ("allowed", "value", "nearest"),
    [
        (Range(0, 1), 1, 1),
        (Range(0, 1, below=True), 0.99999999999, None),
        (Range(0, 1, above=True), 1e-60, None),
        (Range(0, 2, clamped=True), 5, 2),
        (Range(0, 2, clamped=True), -1, None),
        (Range(0, 2, clamped=True), math.inf, None),
        (Range(0, 1), math.nan, None),
    ],
)
def test_a_value_is_inside_also_as_a_32_bit_float(
    allowed: Range, value: float, nearest: float | None
) -> None:
    """A server would see its bound, which it excludes; only what is above is cut."""
    assert allowed.nearest(value) == nearest
