"""Find the particulars in what a server said: numbers, names, addresses.

The patterns are columns of ``data/failures.toml``. Every one is bounded, and so are the
sentences: 500 characters at most.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from bytebuddy_provider_hf.address import OWNED_ID_PATTERN
from bytebuddy_provider_hf.errors import APIError, ParameterRefused
from bytebuddy_provider_hf.failures.table import row_of
from bytebuddy_provider_hf.sampling import OPTIONS
from bytebuddy_provider_hf.secret import one_line

# More names, or longer ones, are no parameters of a request but an attack on a screen.
_MOST_NAMES: Final = 16
_LONGEST_LOCATION: Final = 500
# What a model wrote: enough to see what is wrong with it.
_LONGEST_TEXT: Final = 2_000
# A larger number is no count of tokens or texts.
_LARGEST: Final = 10**9

_WORDS: Final = ("temperature",)
_NAME: Final = r"([A-Za-z_]\w{0,40})"
# A plain word of English, such as stop or seed, is no name of a parameter by itself.
_OPTION: Final = "|".join(
    option.name for option in OPTIONS if "_" in option.name or option.name in _WORDS
)
_QUOTED: Final = re.compile(rf"'{_NAME}'", re.ASCII)
_MODEL: Final = (
    rf"\bmodel ['\"`]?({OWNED_ID_PATTERN})",
    (
        rf"huggingface\.co/(?!settings/|api/|spaces/|docs/|join|pricing)"
        rf"({OWNED_ID_PATTERN})"
    ),
)


def set_details(
    error: APIError,
    said: str,
    found: Mapping[str, object],
    headers: Mapping[str, str],
) -> None:
    """Set the attributes that the row of ``error``'s class reads from an answer."""
    row = row_of(type(error))
    for name, patterns in row.numbers.items():
        digits = _first(patterns, said)
        number = int(digits) if digits else None
        # llama.cpp says some numbers in a member of the JSON only.
        for member in _members(found, row.fields.get(name, "")):
            if number is None and type(member) is int and 0 < member < _LARGEST:
                number = member
        setattr(error, name, number)
    for name, patterns in row.texts.items():
        told = _first(patterns, said)
        for member in _members(found, row.fields.get(name, "")):
            if told is None and isinstance(member, str) and member:
                told = member[:_LONGEST_TEXT]
        setattr(error, name, told)
    for name, header in row.headers.items():
        shown = one_line(headers.get(header, ""), limit=_LONGEST_LOCATION)
        setattr(error, name, shown or None)
    if isinstance(error, ParameterRefused):
        error.parameters = refused_parameters(said, found)
        error.parameter = next(iter(error.parameters), None)


def _members(found: Mapping[str, object], name: str) -> list[object]:
    """Return what a member of the JSON holds, inner or outer."""
    places = (found.get("error"), found)
    return [place.get(name) for place in places if isinstance(place, dict)]


def model_named(said: str) -> str | None:
    """Return the Hub id that a sentence is about, or ``None``."""
    named = _first(_MODEL, said)
    return None if named is None else named.rstrip(".")


def refused_parameters(said: str, found: Mapping[str, object]) -> tuple[str, ...]:
    """Return the names of the parameters that a refusal is about."""
    patterns = row_of(ParameterRefused).parameters
    if patterns is None:
        return ()
    if listed := _first(patterns.lists, said):
        return tuple(_QUOTED.findall(listed)[:_MOST_NAMES])
    for name, pattern in patterns.sentences.items():
        if re.search(pattern, said, re.IGNORECASE):
            return (name,)
    names: dict[str, None] = {}
    # A list of complaints is joined with "; ".
    for sentence in said.split("; ")[:_MOST_NAMES]:
        for pattern in patterns.names:
            named = pattern.replace("<name>", _NAME)
            if match := re.search(named, sentence, re.ASCII | re.IGNORECASE):
                names[match[1]] = None
                break
        else:
            bare = patterns.bare.replace("<option>", _OPTION)
            if match := re.search(bare, sentence, re.IGNORECASE):
                names[match[1].lower()] = None
    told = tuple(name for name in names if name not in patterns.content)
    if told:
        return told[:_MOST_NAMES]
    inner = found.get("error")
    given = (inner if isinstance(inner, dict) else found).get("param")
    if isinstance(given, str) and given.isidentifier():
        return () if given in patterns.content else (given[:40],)
    return ()


def _first(patterns: tuple[str, ...], said: str) -> str | None:
    for pattern in patterns:
        # ``re`` keeps what it compiled.
        if match := re.search(pattern, said, re.IGNORECASE):
            return match[1]
    return None
