"""Classify lines by which assistants leave code out ("... existing code ...")."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

# A marker is short; longer lines are code or text.
_LONGEST: Final = 160
_MOST_WORDS: Final = 14

# How comments open and end, the longer first.
_COMMENTS: Final = (
    ("{/*", "*/}"),
    ("{{!--", "--}}"),
    ("{{!", "}}"),
    ("{#", "#}"),
    ("<%--", "--%>"),
    ("<!--", "-->"),
    ("/*", "*/"),
    ("(*", "*)"),
    ("{-", "-}"),
    ("//", ""),
    ("#", ""),
    ("--", ""),
    (";", ""),
    (".. ", ""),
    ("%", ""),
    ("REM ", ""),
)
_PAIRS: Final = (("[", "]"), ("(", ")"), ("<", ">"), ("{", "}"))
_DOTS: Final = re.compile(r"\.{3,}|…+")
_NAMES: Final = (
    r"code|file|function|class|method|module|imports?|implementation|logic|body|lines?"
    r"|content|contents|component|script|program|tests?|definitions?|properties|fields"
)
# A word that says "left out", in English or Chinese; _PHRASE and _SURE are stricter.
_KEY: Final = re.compile(
    r"\b(?:existing|rest|remain(?:s|ing|der)?|unchanged|same|other|others|previous"
    r"|original|keep|kept|omitted|elided|no changes?|not changed|as before|as is|above"
    r"|below|snip(?:ped)?|continues?)\b"
    r"|更多|其余|其它|其他|剩余|省略|不变|现有|原有|保持|已有",
    re.IGNORECASE,
)
_PHRASE: Final = re.compile(
    r"(?:the |your |all )*(?:existing|remaining|unchanged|previous|original|other"
    rf"|rest of (?:the |your |this )?)(?: ?\w+){{0,3}}? ?(?:{_NAMES})\b"
    r"|.*\b(?:unchanged|omitted|no changes?|(?:stays?|remains?|keep) (?:the )?same|as"
    r" before|as is)\b|(?:其余|其他|剩余|现有|原有).*",
    re.IGNORECASE,
)
_SURE: Final = re.compile(
    r"(?:the |your |all )*"
    r"(?:(?:existing|unchanged|previous|original|remaining) code(?: here| unchanged"
    r"| goes here| remains?(?: here| unchanged| the same)?)?"
    rf"|(?:the )?rest of (?:the |your |this )?(?:{_NAMES})"
    r"(?: here| unchanged| (?:is |stays? |remains? )?(?:unchanged|the same|as is"
    r"|as before))?)[.:]?",
    re.IGNORECASE,
)
_INSIDE: Final = re.compile(
    r"(?:\.{3}|…)\s*(?:the )?(?:existing|rest of|remaining|unchanged|same as)\b"
    r"|\b(?:existing code|rest of (?:the |your )?code)\b|其余代码|现有代码",
    re.IGNORECASE,
)


class ElisionKind(Enum):
    """What a line may be: a marker, something that may be one, or a line of code."""

    CODE = "code"
    UNSURE = "unsure"
    MARKER = "marker"


def classify_line(line: str) -> ElisionKind:
    """Return what a line is; never a guess: what may be a marker is ``UNSURE``."""
    text = line.strip()
    if not text:
        return ElisionKind.CODE
    found = ElisionKind.CODE
    if len(text) <= _LONGEST:
        said, upper, comment = text, text.upper(), False
        for opening, ending in _COMMENTS:
            if not upper.startswith(opening) or not text.endswith(ending):
                continue
            # "/*/" opens a comment and does not end it.
            if len(text) < len(opening) + len(ending):
                continue
            said, comment = text[len(opening) : len(text) - len(ending)], True
            # Comments open with more of the same sign, too: "///", "##", "/**".
            said = said.lstrip(opening[-1] + "!").rstrip("*").strip()
            for left, right in _PAIRS:
                if said.startswith(left) and said.endswith(right):
                    said = said[1:-1].strip()
            break
        found = _kind(said, comment=comment)
    if found is ElisionKind.CODE and _INSIDE.search(text):
        # A marker after code, in the same line: part of the line may be left out.
        return ElisionKind.UNSURE
    return found


def _kind(said: str, *, comment: bool) -> ElisionKind:
    """Return what a comment is, or a line without a comment's signs."""
    start = _DOTS.match(said)
    core = said[start.end() :] if start else said
    end = next((m for m in _DOTS.finditer(core) if m.end() == len(core)), None)
    core = core[: end.start()].strip() if end else core.strip()
    keyed = _KEY.search(core) is not None
    if not comment:
        # JavaScript spreads a value so: "...options".
        spread = said.startswith("...") and not said[3:4].isspace()
        if core and end and start and keyed:
            return ElisionKind.MARKER
        # Three dots alone are a statement of Python; no language has the character "…".
        if start and not core and set(said) == {"…"}:
            return ElisionKind.MARKER
        unsure = start and (not core or not spread)
        return ElisionKind.UNSURE if unsure else ElisionKind.CODE
    # What says so much explains something, dots or not.
    if len(core.split()) > _MOST_WORDS:
        return ElisionKind.CODE
    if start:
        return ElisionKind.MARKER if end or keyed or not core else ElisionKind.UNSURE
    if end and keyed:
        return ElisionKind.MARKER if _PHRASE.match(core) else ElisionKind.UNSURE
    if _SURE.fullmatch(core):
        return ElisionKind.MARKER
    # "TODO: rename this..." trails off; " ..." after a blank stands for something.
    apart = end and said.removesuffix("…").rstrip(".")[-1:].isspace()
    return ElisionKind.UNSURE if apart or _PHRASE.fullmatch(core) else ElisionKind.CODE
