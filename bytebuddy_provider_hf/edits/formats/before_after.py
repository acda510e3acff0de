"""Read pairs of old and new code, told by labels such as "Before:" and "After:"."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final, Literal, TypeAlias

from bytebuddy_provider_hf.edits.formats.hunks import Hunk, Patch, hunk_of
from bytebuddy_provider_hf.edits.lines import lines_of

Label: TypeAlias = Literal["before", "after"]

_LONGEST: Final = 120
_EDGES: Final = "#*_>-=~/<!:：.` \t0123456789❌✅🔴🟢➡️→✔✖"
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
    """Return what the first line of code says that the code is, if it is a label."""
    first = next((line for line in lines if line.strip()), "")
    return None if first in known or first[:1].isspace() else label_of(first)


def pair_of(old: str, new: str, known: Container[str] = ()) -> Patch:
    """Return the hunk that turns old code into new; labels in the code are dropped."""
    sides: list[list[tuple[str, str]]] = []
    mixed = False
    for text in (old, new):
        lines = lines_of(text)
        mixed = mixed or not lines.uniform
        start = 0
        if label_in(lines.texts, known):
            start = next(at for at, line in enumerate(lines.texts) if line.strip()) + 1
        sides.append(list(zip(lines.texts, lines.ends, strict=True))[start:])
    return Patch(tuple(_hunks([sides])), frozenset(), mixed)


def read_pairs(text: str, known: Container[str] = ()) -> Patch | None:
    """Return pairs in one text, told by comments: ``# Before``, then ``# After``.

    The first line is such a comment, and they alternate; else there is no pair. A blank
    line before a comment is layout.
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
    if (
        not found
        or any(line.strip() for line in lines.texts[: found[0][0]])
        or [label for _, label in found] != ["before", "after"] * (len(found) // 2)
    ):
        return None
    parts: list[list[tuple[str, str]]] = []
    for (start, _), (end, _) in pairwise([*found, (len(lines.texts), None)]):
        inner = range(start + 1, end)
        if end < len(lines.texts) and inner and not lines.texts[end - 1].strip():
            inner = inner[:-1]
        parts.append([(lines.texts[at], lines.ends[at]) for at in inner])
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return Patch(tuple(_hunks(pairs)), frozenset(), not lines.uniform)


def _hunks(
    pairs: Iterable[Sequence[Sequence[tuple[str, str]]]],
) -> Iterator[Hunk]:
    for old, new in pairs:
        body = hunk_of(old, new)
        if any(line.sign in ("+", "-") for line in body):
            yield Hunk(body, text="\n".join(line.sign + line.text for line in body))
