"""Load what is known of each class of errors: the rows of ``data/failures.toml``.

Its first lines say what the columns mean. The file is read when the first failure is
classified or explained, once a process: 20 ms to parse it, 25 to compile its patterns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, TypeAlias

import msgspec
from attrs import frozen

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.errors import ByteBuddyError
from bytebuddy_provider_hf.texts import (
    LANGUAGES,
    Language,
    LocalizedText,
    placeholders,
    read_table,
)

Alternatives: TypeAlias = tuple[str, ...]


# Structs, because msgspec checks the whole file while it builds them: a column that is
# misspelt or of another type is an error that names its place.
class Wording(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Patterns of what servers say, and where they count."""

    words: tuple[str, ...]
    statuses: frozenset[int] = frozenset()
    status_bound: bool = False
    host: str = ""
    last: bool = False


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A class in one language: title, meaning, the next step and further ones.

    ``lead`` begins the message. Where its column is empty it is the title.
    """

    title: str
    meaning: str
    lead: str = ""
    hint: Alternatives = ()
    steps: tuple[Alternatives, ...] = ()


class ParameterPatterns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Find the names of refused parameters in a sentence."""

    lists: tuple[str, ...]
    sentences: dict[str, str]
    names: tuple[str, ...]
    bare: str
    content: frozenset[str]


class FailureRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that is known of one class of errors."""

    en: Words
    zh: Words
    exit: str = ""
    retry: str = ""
    overload: bool = False
    fallback: str = ""
    statuses: tuple[int | str, ...] = ()
    also_with: tuple[int, ...] = ()
    likeliest: tuple[int, ...] = ()
    codes: tuple[str, ...] = ()
    wordings: tuple[Wording, ...] = ()
    without_token: str = ""
    elsewhere: str = ""
    # msgspec gives each row an empty one of its own.
    numbers: dict[str, tuple[str, ...]] = {}
    texts: dict[str, tuple[str, ...]] = {}
    fields: dict[str, str] = {}
    headers: dict[str, str] = {}
    parameters: ParameterPatterns | None = None

    def words(self, language: Language) -> Words:
        """Return what is said of the class in a language."""
        return self.en if language == "en" else self.zh


# What holds for the classes below one, too, until one of them says otherwise.
_INHERITED: Final = (
    "exit",
    "retry",
    "overload",
    "fallback",
    "numbers",
    "texts",
    "fields",
    "headers",
)


class _StreamStatus(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    status: int
    codes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    stream_status: tuple[_StreamStatus, ...]
    links: dict[str, dict[str, str]]
    phrases: dict[str, dict[Language, str]]
    shared: dict[str, dict[Language, Alternatives]]
    rows: dict[str, FailureRow]


@frozen
class Rule:
    """A wording of the table, compiled, with the name of its class."""

    pattern: re.Pattern[str]
    name: str
    wording: Wording


@frozen
class FailureTable:
    """The file, arranged for looking up. ``constants`` are links and phrases.

    ``event_codes`` and ``stream_status`` tell the status of an error inside a 200.
    ``demands`` has the facts of which one must be known for a constant to be said.
    """

    rows: Mapping[str, FailureRow]
    rules: tuple[Rule, ...]
    by_code: Mapping[str, str]
    by_status: Mapping[int | str, str]
    event_codes: Mapping[str, int]
    stream_status: tuple[tuple[re.Pattern[str], int], ...]
    constants: Mapping[str, str]
    demands: Mapping[str, frozenset[str]]


@cache
def failure_table() -> FailureTable:
    """Return the table. A mistake in the file is an exception that names its place."""
    raw = read_table("failures.toml")
    # Classes are written with a capital, the tables beside them without.
    classes = {name: raw.pop(name) for name in [*raw] if name[0].isupper()}
    file = msgspec.convert({**raw, "rows": classes}, _File)
    links = {name: url for each in file.links.values() for name, url in each.items()}
    # What a dedicated endpoint may be told of, Hugging Face's own services may too.
    demands = {
        name: frozenset({"huggingface", host})
        for host, each in file.links.items()
        for name in each
    }
    return FailureTable(
        rows={name: _completed(name, file) for name in file.rows},
        # No IGNORECASE: the words that are searched are lower case.
        rules=tuple(
            Rule(re.compile("|".join(wording.words)), name, wording)
            for name, row in file.rows.items()
            for wording in row.wordings
        ),
        by_code={c.lower(): name for name, row in file.rows.items() for c in row.codes},
        by_status={s: name for name, row in file.rows.items() for s in row.statuses},
        event_codes={c: each.status for each in file.stream_status for c in each.codes},
        stream_status=tuple(
            (re.compile("|".join(each.words)), each.status)
            for each in file.stream_status
            if each.words
        ),
        constants=links
        | {
            name: LocalizedText(name, links, phrase)
            for name, phrase in file.phrases.items()
        },
        demands=demands
        | {
            name: frozenset.intersection(
                *(demands[link] for link in placeholders(phrase["en"]))
            )
            for name, phrase in file.phrases.items()
        },
    )


def row_of(kind: type[ByteBuddyError]) -> FailureRow:
    """Return the row of a class, or of its nearest base, for a class of a host."""
    rows = failure_table().rows
    return next(rows[base.__name__] for base in kind.__mro__ if base.__name__ in rows)


def _completed(name: str, file: _File) -> FailureRow:
    """Return a row with its lists written out, and what it has from its bases."""
    bases = [
        file.rows[base.__name__]
        for base in getattr(errors, name).__mro__
        if base.__name__ in file.rows
    ]
    inherited = {
        column: next((value for row in bases if (value := getattr(row, column))), None)
        for column in _INHERITED
    }
    changes: dict[str, Any] = {
        column: value for column, value in inherited.items() if value
    }
    for language in LANGUAGES:
        words = bases[0].words(language)
        # Of the words only the hint is that of the classes above, too.
        hint = next((w.hint for row in bases if (w := row.words(language)).hint), ())
        changes[language] = msgspec.structs.replace(
            words,
            lead=words.lead or words.title,
            hint=tuple(_written_out(hint, language, file)),
            steps=tuple(tuple(_written_out(s, language, file)) for s in words.steps),
        )
    return msgspec.structs.replace(bases[0], **changes)


def _written_out(
    alternatives: Alternatives, language: Language, file: _File
) -> Iterator[str]:
    for one in alternatives:
        # A list of [shared], so that steps of several classes stand once.
        if one.startswith("@"):
            yield from _written_out(file.shared[one[1:]][language], language, file)
        else:
            yield one
