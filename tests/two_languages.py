"""What must be the same of a sentence in English and in Chinese, whatever its words."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

# What a reader copies: it must not differ between the languages.
COPIED: Final = re.compile(
    r"`[^`]+`|https://\w[^\s`'\"，。；：、）)]*[^\s`'\"，。；：、）),.:;]"
)
CHINESE: Final = re.compile("[\u4e00-\u9fff]")
# What is written in the middle of a word is part of that name: "Latin-1" has no number.
NUMBER: Final = re.compile(r"(?<![A-Za-z\d.\-])\d(?:[\d,.]*\d)?", re.ASCII)
# What stands in a file, on a command line or in a program: maxTokens, tool_choice,
# requestOptions.proxy, chat(), HF_TOKEN, --yes, 'auth'.
NAME: Final = re.compile(
    r"--[a-z][a-z\-]+"
    r"|\b[A-Za-z_]\w*(?:\.[A-Za-z]\w*)+(?:\(\))?"
    r"|\b[A-Za-z]\w*\((?=[)'\"])\)?"
    r"|\b[A-Za-z]+_\w+"
    r"|\b[a-z]+[A-Z]\w*"
    r"|\b[A-Z]{2,}[A-Z\d]*\b",
    re.ASCII,
)
# Words in quotes that name what another page or program calls so.
QUOTED: Final = re.compile(r"(?<!\w)['\"“]([A-Za-z][^'\"“”{}]*)['\"”](?!\w)", re.ASCII)
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_MONTH: Final = re.compile(rf"\b({'|'.join(_MONTHS)})\b(?= \d|$)")
_PLACE: Final = re.compile(r"\{\w+\}")


def copied(sentence: str) -> Counter[str]:
    """Return the commands and addresses of a sentence."""
    return Counter(COPIED.findall(sentence))


def numbers(sentence: str) -> Counter[str]:
    """Return the numbers of a sentence; Chinese counts the months."""
    counted = _MONTH.sub(lambda m: str(_MONTHS.index(m[1]) + 1), sentence)
    return Counter(NUMBER.findall(counted))


def names(sentence: str) -> frozenset[str]:
    """Return the names of keys, options, functions and variables in a sentence."""
    return frozenset(NAME.findall(_PLACE.sub(" ", sentence)))


def quoted(sentence: str) -> frozenset[str]:
    """Return the words that a sentence quotes."""
    return frozenset(QUOTED.findall(sentence))
