"""Read pairs of old and new code, told by labels such as "Before:" and "After:"."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from itertools import pairwise
from typing import Final, Literal, TypeAlias

from bytebuddy_provider_hf.edits.hunks import Hunk, Patch, hunk_of
from bytebuddy_provider_hf.edits.lines import Lines, lines_of

Label: TypeAlias = Literal["before", "after"]

_LONGEST: Final = 120
_EDGES: Final = "#*_>-=~/<!:：.`()[] \t0123456789❌✅🔴🟢➡️→✔✖"
_THINGS: Final = (
    r"(?: (?:code|version|implementation|functions?|methods?|class|blocks?|lines?"
    r"|files?|sections?|parts?|snippet|imports?|statements?|definition))*"
)
_WHERE: Final = r"(?: \([^()]*\)| (?:in|at|from) .*)?"
_BEFORE: Final = re.compile(
    rf"(?:the )?(?:before|old|original|current|existing){_THINGS}{_WHERE}"
    r"|(?:replace|change|find|search(?: for)?|instead of|from)"
    r"(?: (?:this|these|the following|the|existing|old|current|original))*"
    rf"{_THINGS}{_WHERE}"
    r"|(?:修改|更改|替换|改动|改)前(?:的)?(?:代码)?|(?:原来|原始|原|旧|当前|之前)(?:的)?(?:代码)?"
    r"|(?:将|把|查找)(?:以下|下面|这段|这行)?(?:的)?(?:代码)?",
    re.IGNORECASE,
)
_AFTER: Final = re.compile(
    r"(?:the )?(?:after|new|updated|modified|changed|fixed|improved|revised"
    r"|replacement)"
    rf"{_THINGS}{_WHERE}"
    r"|(?:(?:replace|change) (?:it|this|that|them) )?(?:with|to|into|by|use)"
    rf"(?: (?:this|these|the following|the|new|updated))*{_THINGS}{_WHERE}"
    r"|(?:修改|更改|替换|改动|改)后(?:的)?(?:代码)?|(?:改|替换|更改|修改|变)(?:为|成)(?:以下|下面)?"
    r"(?:的)?(?:代码)?|(?:新|之后|现在)(?:的)?(?:代码)?",
    re.IGNORECASE,
)
# "Replace the line in main():" says what goes; with what comes it is no label.
_SENTENCE: Final = re.compile(r"(?:replace|change|find) [^:]*[:：]", re.IGNORECASE)
_BOTH: Final = re.compile(r"\b(?:with|to|by|into)\b", re.IGNORECASE)
_COMMENT: Final = ("#", "//", "--", "/*", "<!--", ";", "%")


def label_of(line: str) -> Label | None:
    """Return which code a line announces: the old, the new, or none."""
    text = line.strip()
    if len(text) > _LONGEST:
        return None
    said = text.removesuffix("-->").removesuffix("*/").strip(_EDGES)
    if _BEFORE.fullmatch(said):
        return "before"
    if _AFTER.fullmatch(said):
        return "after"
    sentence = _SENTENCE.fullmatch(text.strip("*#> "))
    return "before" if sentence and not _BOTH.search(said) else None


def label_in(lines: Sequence[str], known: Container[str]) -> Label | None:
    """Return what the first line of code says, as a comment, that the code is."""
    first = next((line for line in lines if line.strip()), "")
    if first in known or not first.lstrip().startswith(_COMMENT):
        return None
    return label_of(first)


def pair_of(old: str, new: str, known: Container[str] = ()) -> Patch:
    """Return the hunk that turns old code into new; labels in comments are dropped."""
    sides: list[list[tuple[str, str]]] = []
    mixed = False
    for text in (old, new):
        lines = lines_of(text)
        mixed = mixed or not lines.uniform
        start = 0
        if label_in(lines.texts, known):
            start = next(at for at, line in enumerate(lines.texts) if line.strip()) + 1
        sides.append(_trimmed(lines, start, len(lines.texts)))
    lines_of_hunk = hunk_of(*sides)
    changes = any(line.sign in ("+", "-") for line in lines_of_hunk)
    hunks = (Hunk(lines_of_hunk, text=f"{old}\n{new}"),) if changes else ()
    return Patch(hunks, frozenset(), mixed)


def read_pairs(text: str, known: Container[str] = ()) -> Patch | None:
    """Return pairs in one text, told by comments: ``# Before``, then ``# After``.

    The first line is such a comment, and they alternate; else there is no pair.
    """
    lines = lines_of(text)
    if label_in(lines.texts, known) != "before":
        return None
    found = [
        (at, label)
        for at, line in enumerate(lines.texts)
        if line.lstrip().startswith(_COMMENT)
        and line not in known
        and (label := label_of(line))
    ]
    if len(found) % 2 or any(
        label != ("before", "after")[number % 2]
        for number, (_, label) in enumerate(found)
    ):
        return None
    edges = [*(at for at, _ in found), len(lines.texts)]
    parts = [_trimmed(lines, start + 1, end) for start, end in pairwise(edges)]
    hunks: list[Hunk] = []
    for old, new in zip(parts[::2], parts[1::2], strict=True):
        body = hunk_of(old, new)
        if any(line.sign in ("+", "-") for line in body):
            source = "\n".join(line.sign + line.text for line in body)
            hunks.append(Hunk(body, text=source))
    return Patch(tuple(hunks), frozenset(), not lines.uniform)


def _trimmed(lines: Lines, start: int, end: int) -> list[tuple[str, str]]:
    """Return lines without the blank ones round them, which are layout."""
    while start < end and not lines.texts[start].strip():
        start += 1
    while start < end and not lines.texts[end - 1].strip():
        end -= 1
    return list(zip(lines.texts[start:end], lines.ends[start:end], strict=True))
