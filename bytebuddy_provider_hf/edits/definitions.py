"""Find what a file defines by name: functions, classes, keys and headings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.edits.alignment import Pair, changes
from bytebuddy_provider_hf.edits.languages import Language

# A definition's head is short; minified lines are not looked at.
_LONGEST: Final = 300
_MODIFIERS: Final = (
    r"(?:(?:export|default|public|private|protected|internal|static|final|abstract"
    r"|async|override|virtual|inline|pub(?:\([\w:]+\))?|unsafe|extern|const|open|sealed"
    r"|data|declare|partial|suspend|local)\s+)*"
)
_NAMED: Final = re.compile(
    rf"\s*{_MODIFIERS}(?:function\*?|class|interface|enum|struct|trait|impl|fn|func"
    r"|fun|type|module|namespace|record|object|protocol|extension|union|def|sub"
    r"|defmodule|defp)\s+(?:\([^)]*\)\s*)?([A-Za-z_$][\w$:.]*)"
)
_ARROW: Final = re.compile(
    r"\s*(?:export\s+)?(?:const|let|var)\s+([\w$]+)\s*(?::[^=]{0,80})?=\s*"
    r"(?:async\s*)?(?:function\b|\(|[\w$]+\s*=>)"
)
# A function by its type and its brackets, as in C and Java; a method of JavaScript.
_TYPED: Final = re.compile(
    r"\s*(?:[\w<>\[\]*&:,?]+\s+)+[*&]*([\w~]+)\s*\([^;]*\)?\s*\{?\s*"
)
_METHOD: Final = re.compile(
    r"\s+(?:(?:async|static|get|set)\s+)*([A-Za-z_$#]\w*)\s*\([^()]*\)[^;()]*\{\s*"
)
_NO_NAMES: Final = frozenset(
    (
        *("return", "else", "new", "throw", "await", "case", "if", "for", "while"),
        *("switch", "delete", "goto", "typeof", "yield", "catch", "using", "lock"),
        *("elif", "except", "with", "do", "try", "in", "and", "or", "not", "assert"),
        "print",
    )
)
_PYTHON: Final = re.compile(r"\s*(?:async\s+)?(?:def|class)\s+(\w+)")
_KEY: Final = re.compile(r"[\"']?([\w./$@-][\w ./$@-]*)[\"']?\s*:(?:\s|$)")
_SHELL: Final = re.compile(r"\s*(?:function\s+([\w:-]+)|([\w:-]+)\s*\(\s*\))")
_TABLE: Final = re.compile(r"\s*\[+\s*([^\]]+?)\s*\]+")
_MEMBER: Final = re.compile(r'\s*"((?:[^"\\]|\\.){1,80})"\s*:')
_HEADING: Final = re.compile(r"#{1,6}\s+(.+?)[\s#]*")
_TARGET: Final = re.compile(r"([\w./%$()-]+)\s*::?(?!=)")
_RULE: Final = re.compile(r"([^\s{}@/;][^{};]*?)\s*\{")
_CREATED: Final = re.compile(
    r"\s*create\s+(?:or\s+replace\s+)?(?:\w+\s+)?(?:table|view|function|procedure"
    r"|index|trigger|type)\s+(?:if\s+not\s+exists\s+)?([\w.\"`]+)",
    re.IGNORECASE,
)
_COMMON: Final = (_NAMED, _ARROW, _TYPED, _METHOD)
_BY_NAME: Final = {
    "python": (_PYTHON,),
    "yaml": (_KEY,),
    "toml": (_TABLE,),
    "ini": (_TABLE,),
    "json": (_MEMBER,),
    "markdown": (_HEADING,),
    "bash": (_SHELL,),
    "makefile": (_TARGET,),
    "css": (_RULE,),
    "sql": (_CREATED,),
    "restructuredtext": (),
    "text": (),
    "dockerfile": (),
    "html": (),
    "xml": (),
}


@frozen
class Definition:
    """A name that a line defines."""

    at: int
    name: str


def definitions(lines: Sequence[str], language: Language | None) -> list[Definition]:
    """Return what the lines of a file define, in order."""
    name = "" if language is None else language.name
    found_all: list[Definition] = []
    patterns = _BY_NAME.get(name, _COMMON)
    # Of nested members only the outermost stand for something of their own.
    depth = None
    for at, line in enumerate(lines):
        if not line.strip() or len(line) > _LONGEST:
            continue
        for pattern in patterns:
            found = pattern.match(line)
            if found is None:
                continue
            if pattern in (_TYPED, _METHOD):
                words = line.split("(", 1)[0].split()
                if not _NO_NAMES.isdisjoint((words[0], found[1])) or "=" in "".join(
                    words
                ):
                    continue
            if pattern is _MEMBER:
                own = len(line) - len(line.lstrip())
                depth = own if depth is None else depth
                if own > depth:
                    continue
            named = next(filter(None, found.groups())).strip()
            found_all.append(Definition(at, named))
            break
    return found_all


def gone(
    before: Sequence[str],
    after: Sequence[str],
    pairs: Sequence[Pair],
    language: Language | None,
) -> list[str]:
    """Return the names that ``before`` defines and ``after`` does not, in order.

    ``pairs`` are their aligned lines. What is replaced in its place by as many other
    definitions was renamed, and what stands elsewhere was moved.
    """
    old, new = definitions(before, language), definitions(after, language)
    had, has = Counter(it.name for it in old), Counter(it.name for it in new)
    lost = [it for it in old if had[it.name] > has[it.name]]
    if not lost:
        return []
    added = [it for it in new if has[it.name] > had[it.name]]
    missing: list[str] = []
    lost_at = added_at = 0
    # All lists rise: each definition is looked at once.
    for a, a_end, b, b_end in changes(before, after, pairs):
        here: list[str] = []
        while lost_at < len(lost) and lost[lost_at].at < a_end:
            if lost[lost_at].at >= a:
                here.append(lost[lost_at].name)
            lost_at += 1
        instead = 0
        while added_at < len(added) and added[added_at].at < b_end:
            instead += added[added_at].at >= b
            added_at += 1
        if len(here) > instead:
            missing += here
    return list(dict.fromkeys(missing))
