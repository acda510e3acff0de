"""Sentences for people: one row each in ``data/texts/``, in English and Chinese.

A row names an option by what it is called in Python, ``{option:max_tokens}`` or
``{option:request_options.proxy}``. As ``str`` it stands there so; whoever shows it to
others gives a :data:`Spelling`, such as :func:`in_file` for the readers of a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, Literal, Self, TypeAlias

Language: TypeAlias = Literal["en", "zh"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")

# How an option is written where a sentence is shown, by its name in Python.
Spelling: TypeAlias = Callable[[str], str]

_FACT: Final = re.compile(r"\{(\w+)\}")
_PLACE: Final = re.compile(r"\{(?:option:([\w.]+)|(\w+))\}")


def in_python(option: str) -> str:
    """Return an option as a program writes it: ``request_options.proxy``."""
    return option


def in_file(option: str) -> str:
    """Return an option as a configuration file has it: ``requestOptions.proxy``."""
    return ".".join(map(key_of, option.split(".")))


def key_of(field_name: str) -> str:
    """Return a field's key in a file: its name as YAML writes it."""
    first, *rest = field_name.split("_")
    return first + "".join(part.capitalize() for part in rest)


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

    def render(self, language: Language = "en", spelling: Spelling = in_python) -> str:
        """Return the sentence in a language; facts that are such texts follow it."""
        if language == "en" and spelling is in_python:
            return str(self)
        row = self.row or _row(self.id)
        return fill(row[language], self.facts, language, spelling)

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        return type(self), (self.id, self.facts, self.row)


def text(text_id: str, /, **facts: object) -> LocalizedText:
    """Return the text of a row, such as ``text("explain.said")``, with its facts."""
    return LocalizedText(text_id, facts)


def number_text(value: float) -> str:
    """Return a number as a sentence has it: 600, 0.5, 86,400."""
    return f"{value:,.3g}" if value < 1 else f"{value:,.1f}".removesuffix(".0")


def option_name(option: str) -> LocalizedText:
    """Return the name of an option, as a fact of a sentence."""
    name = f"{{option:{option}}}"
    return LocalizedText("option", {}, {"en": name, "zh": name})


def render(sentence: str, language: Language, spelling: Spelling = in_python) -> str:
    """Return a sentence in a language; a plain ``str`` has no other and stays."""
    if isinstance(sentence, LocalizedText):
        return sentence.render(language, spelling)
    return sentence


def fill(
    pattern: str,
    facts: Mapping[str, str],
    language: Language,
    spelling: Spelling = in_python,
) -> str:
    """Return ``pattern`` with its options and ``{facts}`` filled in; or ``KeyError``.

    Filled in once: a fact may be what a server said, and hold braces of its own.
    """

    def filled(place: re.Match[str]) -> str:
        option, fact = place.groups()
        if option is not None:
            return spelling(option)
        return render(facts[fact], language, spelling)

    return _PLACE.sub(filled, pattern)


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
