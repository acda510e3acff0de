"""Sentences for people: one row each in ``data/texts/``, in English and Chinese."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, Literal, Self, TypeAlias

Language: TypeAlias = Literal["en", "zh"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")

_FACT: Final = re.compile(r"\{(\w+)\}")


class LocalizedText(str):
    """Be the English sentence, and know its row, so that it can be said in Chinese.

    ``id`` names the row, ``facts`` what is filled in, ``row`` the sentences where they
    stand in another table than those of ``data/texts/``. It compares, hashes and joins
    as the plain English text; a join is a plain ``str``. The standard ``json`` writes
    it; msgspec, which refuses every subclass of ``str``, is given ``str(text)``.
    """

    __slots__ = ("facts", "id", "row")

    id: str
    facts: Mapping[str, str]
    row: Mapping[Language, str] | None

    def __new__(
        cls,
        text_id: str,
        facts: Mapping[str, object],
        row: Mapping[Language, str] | None = None,
    ) -> Self:
        """Fill in the English row. Raises ``KeyError`` for an id or fact it lacks."""
        # As text at once: no object is kept alive, and a Secret is a mask from here on.
        shown = {
            name: value if isinstance(value, str) else str(value)
            for name, value in facts.items()
        }
        made = super().__new__(cls, fill((row or _row(text_id))["en"], shown, "en"))
        made.id, made.facts, made.row = text_id, shown, row
        return made

    def render(self, language: Language = "en") -> str:
        """Return the sentence in a language; facts that are such texts follow it."""
        if language == "en":
            return str(self)
        return fill((self.row or _row(self.id))[language], self.facts, language)

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        return type(self), (self.id, self.facts, self.row)


def text(text_id: str, /, **facts: object) -> LocalizedText:
    """Return the text of a row, such as ``text("explain.said")``, with its facts."""
    return LocalizedText(text_id, facts)


def render(sentence: str, language: Language) -> str:
    """Return a sentence in a language; a plain ``str`` has no other and stays."""
    if isinstance(sentence, LocalizedText):
        return sentence.render(language)
    return sentence


def fill(pattern: str, facts: Mapping[str, str], language: Language) -> str:
    """Return ``pattern`` with its ``{facts}`` filled in. Raises ``KeyError``.

    Filled in once: a fact may be what a server said, and hold braces of its own.
    """
    return _FACT.sub(lambda place: render(facts[place[1]], language), pattern)


def placeholders(pattern: str) -> frozenset[str]:
    """Return the names of the facts that a sentence of the table needs."""
    return frozenset(_FACT.findall(pattern))


def read_table(name: str) -> dict[str, Any]:
    """Return a table of ``data/``, parsed anew: whoever needs it often keeps it."""
    # Imported here: a host that only looks for plugins reads no table.
    import tomllib
    from importlib import resources

    path = resources.files("bytebuddy_provider_hf") / "data" / name
    return tomllib.loads(path.read_text(encoding="utf-8"))


@cache
def rows_of(room: str) -> Mapping[str, Mapping[Language, str]]:
    """Return the rows of one room: a file each, as reading all at once takes 50 ms."""
    found: dict[str, dict[Language, str]] = read_table(f"texts/{room}.toml")
    return found


def _row(text_id: str) -> Mapping[Language, str]:
    room, _, name = text_id.partition(".")
    return rows_of(room)[name]
