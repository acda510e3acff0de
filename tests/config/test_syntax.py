"""Text that is no YAML, or YAML that wants too much."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from config_world import World

from bytebuddy_provider_hf.config.document import MAX_BYTES, parse, plain_value
from bytebuddy_provider_hf.errors import ConfigInvalid

GOOD = "models:\n  - name: a\n    provider: p\n    model: m\n"


@pytest.mark.parametrize(
    "tagged",
    [
        "!!python/object/apply:os.system [echo]",
        "!!python/name:os.system",
        "!!binary aGk=",
        "!!str 1",
        "!mine {a: 1}",
        "!<tag:yaml.org,2002:int> 3",
        "! text",
        "!!set {a, b}",
        "!!timestamp 2001-01-01",
    ],
)
def test_no_tag_is_constructed(world: World, tagged: str) -> None:
    """Every tag is an error with its line and column."""
    (problem,) = world.problems(f"{GOOD}    extra: {tagged}\n")
    assert problem.startswith("chosen.yaml:5:12: YAML tags are not used here")


def bomb() -> str:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join(['*' + before] * 9)}]")
    return "\n".join(lines)


@pytest.mark.measured
@pytest.mark.parametrize(
    "text",
    [
        bomb(),
        "a: *unknown",
        "a: &a [*a]",
        "a: &a {<<: *a}",
        "[" * 3_000,
        "[\n" * 3_000,
        "{a: " * 3_000,
        "- " * 3_000,
        "? " * 3_000,
        "a:\n" + "".join(" " * depth + "a:\n" for depth in range(1, 500)),
        "x: " + "[" * 40 + "]" * 40,
        "a: [" + "1," * 100_000 + "]",
        "x" * (MAX_BYTES + 1),
    ],
    ids=range(13),
)
def test_a_bomb_is_refused_quickly_and_cheaply(world: World, text: str) -> None:
    """Aliases, depth, number and size are bounded: under a second and 50 MiB."""
    world.problems("a: 1")
    begin = time.process_time()
    assert len(world.problems(text)) == 1
    assert time.process_time() - begin < 1
    tracemalloc.start()
    parse(text.encode())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50 * 1024 * 1024


@pytest.mark.measured
def test_brackets_without_end_are_seen_before_the_parser_slows_down() -> None:
    """The scanner needs half a second for a line of them; the look ahead does not."""
    begin = time.process_time()
    document = parse(b"[" * 3_000)
    assert time.process_time() - begin < 0.2
    assert [p.message for p in document.problems] == ["nested deeper than 20 levels"]


def test_braces_in_a_text_are_no_depth(world: World) -> None:
    """A template full of braces is text."""
    entry = world.entry("promptTemplates:\n  edit: |\n    " + "{{{ prefix }}}" * 30)
    assert entry.prompt_templates.edit.count("{{{") == 30


def test_a_key_written_twice_names_both_places(world: World) -> None:
    """The last one does not win in silence."""
    text = GOOD + "    model: other\n    apiKey: a\n    apiKey: b\n"
    assert world.problems(text) == [
        "chosen.yaml:5:5: the key model is already set at 4:5",
        "chosen.yaml:7:5: the key apiKey is already set at 6:5",
    ]


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (GOOD.encode("utf-16"), "1:1: the file is UTF-16 or UTF-32"),
        (GOOD.encode("utf-16-le"), "1:1: the file is UTF-16 or UTF-32"),
        (GOOD.encode("utf-32"), "1:1: the file is UTF-16 or UTF-32"),
        (b"a: b\nname: caf\xe9\n", "2:10: byte 0xE9 is not UTF-8"),
        (b"a: b\r\nname: caf\xe9\n", "2:10: byte 0xE9 is not UTF-8"),
        (
            b"models: []\na: x\0y and a long tail of plain text\n",
            "2:5: the control character U+0000",
        ),
        (b"a: \x1b[31m", "1:4: the control character U+001B"),
        ("a: \x9b31m".encode(), "1:4: the control character U+009B"),
        (b"models:\n\t- name: a\n", "2:1: a tab stands here"),
        (b"models:\n  - name:\ta\n    x:\n\ty: 1\n", "2:10: a tab stands here"),
        (b"a: 1\n---\nb: 2\n", "2:1: a second document"),
        (b"a: [1, 2\n", "2:1: expected ',' or ']'"),
        (b'a: "x\n', "2:1: found unexpected end of stream: the file seems to be cut"),
        (b"a: b: c\n", "1:5: a second ': ' in one value"),
        (b"a:\n  b: 1\n c: 2\n", "3:2: this line is indented like none"),
        (b"a: 1\nb\nc: 2\n", "2:1: a key without ': '"),
        (b"[a]: 1\n", "1:1: a key must be a word"),
        (b"{a: 1}: 1\n", "1:1: a key must be a word"),
        (b"- a\n", "1:1: expected a mapping with models, found a list"),
        (b"just text\n", "1:1: expected a mapping with models, found just text"),
        (b'a: "\\U99999999"\n', "1:1: the file is not valid YAML"),
        # No indentation is wrong there.
        (b'a: "x\nb: "y"\nc: "z"\n', "1:4: a quote has no other one to pair with"),
        (b"a: 'x\nb: 'y'\nc: 'z'\n", "1:4: a quote has no other one to pair with"),
        (b'a: "x",\nb: y\n', "1:7: something follows the closing quote"),
        (b'a: "x" // mine\nb: y\n', "1:8: something follows the closing quote"),
    ],
)
def test_a_broken_file_says_where(world: World, raw: bytes, problem: str) -> None:
    """Each kind of broken text has its place and its words."""
    (found,) = world.problems(raw)
    assert found.startswith(f"chosen.yaml:{problem}")


@pytest.mark.parametrize(
    "raw", [b"\xef\xbb\xbf" + GOOD.encode(), GOOD.replace("\n", "\r\n").encode()]
)
def test_a_byte_order_mark_and_crlf_are_fine(world: World, raw: bytes) -> None:
    """Editors of Windows write both, and neither moves a place."""
    (entry,) = world.read(raw).entries
    assert (entry.model, entry.source.line, entry.source.column) == ("m", 2, 5)


@pytest.mark.parametrize(
    "value",
    [
        "&sk-canary x",
        "*sk-canary",
        "!sk-canary",
        "!sk!canary x",
        "%sk-canary",
        "@sk-canary",
        "`sk-canary`",
        '"sk-canary',
        "'sk-canary",
        "{sk-canary",
        "sk-canary: x: y",
        "|sk-canary",
        "sk-canary\n  apiKey: sk-canary",
        '"\\sk-canary"',
    ],
)
def test_a_key_that_breaks_the_yaml_is_not_shown(world: World, value: str) -> None:
    """The parser's own words may quote the text: ours do not."""
    for problem in world.problems(f"{GOOD}    apiKey: {value}\n"):
        assert "canary" not in problem


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("true", True),
        ("FALSE", False),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("2001-01-01", "2001-01-01"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-3", -3),
        ("null", None),
        ("~", None),
        ("", None),
        ('"7"', "7"),
        ("'true'", "true"),
        ("=", "="),
        ("1.", 1.0),
        ("+.inf", float("inf")),
        ("9" * 5_000, "9" * 5_000),
        ("0b1", "0b1"),
        ("1.2.3", "1.2.3"),
    ],
)
def test_values_are_those_of_yaml_1_2(text: str, value: object) -> None:
    """Nothing is a sexagesimal number, a date or a Norwegian bool."""
    found = plain_value(parse(f"a: {text}\n".encode()).root)["a"]
    assert found == value
    assert type(found) is type(value)


def test_a_file_written_half_is_an_error_or_what_stood_before(world: World) -> None:
    """Cut at every byte, a file loads whole entries or says what is missing."""
    whole = 'models:\n  - name: "a"\n    provider: "p"\n    model: "org/name"\n'
    for cut in range(len("models:\n  - "), len(whole) - 1):
        try:
            config = world.read(whole[:cut])
        except ConfigInvalid:
            continue
        else:
            # Only the last closing quote's line end may be missing.
            assert [e.model for e in config.entries] == ["org/name"]
