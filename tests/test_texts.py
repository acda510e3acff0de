"""Every sentence for people is one row, and says the same in both languages."""

from __future__ import annotations

import ast
import functools
import json
import pickle
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

import bytebuddy_provider_hf
from bytebuddy_provider_hf.errors import ByteBuddyError
from bytebuddy_provider_hf.secret import MASK, Secret
from bytebuddy_provider_hf.texts import (
    LocalizedText,
    fill,
    placeholders,
    render,
    rows_of,
    text,
)

PACKAGE = Path(bytebuddy_provider_hf.__file__).parent
# What a reader copies: it must not differ between the languages.
COPIED = re.compile(
    r"`[^`]+`|https://\w[^\s`'\"，。；：、）)]*[^\s`'\"，。；：、）),.:;]"
)
CHINESE = re.compile("[\u4e00-\u9fff]")


class Use(NamedTuple):
    """A call of ``text`` in the sources: its rows, its facts, or ``None`` for any."""

    ids: tuple[str, ...]
    facts: frozenset[str] | None
    place: str


@functools.cache
def uses() -> tuple[Use, ...]:
    """Return every use; asked in a test, for each process imports every test."""
    sources = sorted(PACKAGE.rglob("*.py"))
    return tuple(use for path in sources for use in _uses_in(path))


def _uses_in(path: Path) -> Iterator[Use]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        # A table keeps partial(text, "…"), said when it is needed.
        made = [node.func, *node.args]
        if isinstance(node.func, ast.Name) and node.func.id == "partial":
            made = node.args
        if len(made) > 1 and _is_text(made[0]):
            ids = tuple(_strings(made[1]))
            names = {keyword.arg for keyword in node.keywords}
            known = None if None in names else frozenset(map(str, names))
            yield Use(ids, known, f"{path.relative_to(PACKAGE)}:{node.lineno}")


def _is_text(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        value = function.value
        return (
            function.attr == "text"
            and isinstance(value, ast.Name)
            and value.id == "texts"
        )
    return isinstance(function, ast.Name) and function.id == "text"


def _strings(node: ast.expr) -> Iterator[str]:
    """Yield the constants that a row's id may be: one, or both arms of a choice."""
    if isinstance(node, ast.IfExp):
        yield from _strings(node.body)
        yield from _strings(node.orelse)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def all_rows() -> dict[str, Mapping[str, str]]:
    rooms = [path.stem for path in (PACKAGE / "data" / "texts").glob("*.toml")]
    return {
        f"{room}.{name}": row for room in rooms for name, row in rows_of(room).items()
    }


ROWS = all_rows()


@pytest.mark.parametrize("text_id", ROWS)
def test_a_row_says_the_same_in_both_languages(text_id: str) -> None:
    """Both languages are there; facts, commands and addresses are the same."""
    row = ROWS[text_id]
    assert set(row) == {"en", "zh"}
    assert all(row.values())
    assert placeholders(row["en"]) == placeholders(row["zh"])
    assert sorted(COPIED.findall(row["en"])) == sorted(COPIED.findall(row["zh"]))
    assert CHINESE.search(row["en"]) is None


def test_every_row_is_used_and_every_use_has_a_row() -> None:
    """No sentence is left over, and none is missing."""
    assert all(use.ids for use in uses()), [use for use in uses() if not use.ids]
    assert {text_id for use in uses() for text_id in use.ids} == set(ROWS)


def test_a_use_names_the_facts_of_its_row() -> None:
    """A fact too few would be an exception where a sentence was due."""
    wrong = [
        (use.place, text_id, set(use.facts))
        for use in uses()
        if use.facts is not None
        for text_id in use.ids
        if use.facts != placeholders(ROWS[text_id]["en"])
    ]
    assert wrong == []


def test_a_text_is_its_english_sentence() -> None:
    """It compares, hashes, prints and travels as ``str``."""
    said = text("explain.next")
    assert said == "Next:"
    assert {said: 1}["Next:"] == 1
    assert json.dumps([said]) == '["Next:"]'
    assert type(str(said)) is str
    # What msgspec writes is made plain before.
    assert msgspec.json.encode(str(said)) == b'"Next:"'
    assert said.render() == said.render("en") == "Next:"
    assert said.render("zh") == render(said, "zh") == "下一步："
    assert render("plain", "zh") == "plain"


def test_a_text_can_be_pickled() -> None:
    """Errors and notes cross processes, and are still said in either language."""
    made = pickle.loads(pickle.dumps(text("explain.next")))  # noqa: S301 - made here
    assert isinstance(made, LocalizedText)
    assert (made, made.render("zh")) == ("Next:", "下一步：")
    assert (made.id, made.facts) == ("explain.next", {})


def test_an_error_keeps_the_text_it_was_made_with() -> None:
    """Its message and hint can be said in Chinese, also in another process."""
    error = ByteBuddyError(text("explain.next"), hint=text("time.hours", count=3))
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
    assert (render(again.message, "zh"), render(again.hint, "zh")) == (
        "下一步：",
        "3 小时",
    )
    assert str(again) == "Next:. 3 hours"


def test_an_error_masks_what_a_text_may_not_show() -> None:
    """Then the masked line is all there is, in every language."""
    error = ByteBuddyError(text("cli.error", said="hf_abcdefghijklmnop"))
    assert "abcdefghijklmnop" not in render(error.message, "zh")


def test_a_fact_is_said_in_the_language_of_its_sentence() -> None:
    """A text in a text follows it."""
    facts = {"what": text("explain.next"), "count": "3"}
    assert fill("{what} {count}", facts, "en") == "Next: 3"
    assert fill("{what} {count}", facts, "zh") == "下一步： 3"


def test_a_fact_with_braces_is_filled_in_once() -> None:
    """What a server said is no pattern."""
    assert fill("{said}", {"said": "{said}{x}"}, "en") == "{said}{x}"


def test_a_secret_is_never_a_fact() -> None:
    """It is a mask from the moment it is handed over."""
    made = LocalizedText("explain.next", {"key": Secret("sk-0123456789")})
    assert made.facts == {"key": MASK}


def test_an_unknown_row_is_a_key_error() -> None:
    """A mistake of the program, found by the tests above."""
    with pytest.raises(KeyError):
        LocalizedText("explain.nothing", {})


def test_a_fact_that_is_missing_is_a_key_error() -> None:
    """The same of a fact."""
    with pytest.raises(KeyError):
        fill("{said}", {}, "en")
