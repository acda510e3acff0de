"""Make the slips that models make in a suggestion whose meaning stays clear."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable
from typing import Final, Literal, TypeAlias

from attrs import evolve, frozen

from benchmarks.edits.cases import CODE, Edit, Line, Suggestion
from benchmarks.edits.changes import altered
from benchmarks.edits.styles import PROSE, Style
from bytebuddy_provider_hf.edits.lines import is_distinctive

# What a slip may leave behind in the result: these differences are no fault.
Lenient: TypeAlias = Literal["blank lines", "trailing blanks", "line ends"]
_RANGE: Final = re.compile(r"(\d+)(?:,(\d+))?")
_OPENERS: Final = (
    "Here is the updated code:",
    "Sure! Here's the change you asked for:",
    "I've made the following changes to the file:",
    "好的，以下是修改后的代码：",
    "下面是更新后的内容：",
)
_CLOSERS: Final = (
    "Let me know if you need anything else!",
    "This keeps the behaviour of the other functions as it was.",
    "I changed only what was needed; the rest stays as it is.",
    "如果还有其他问题，请随时告诉我。",
    "以上就是全部修改。",
)


@frozen
class Slip:
    """A slip: ``make`` returns the suggestion with it, or nothing if it has no place.

    Where it is ``harmless``, a careful reader still places the change for sure.
    """

    name: str
    make: Callable[[Edit, Style, Suggestion, random.Random], Suggestion | None]
    lenient: frozenset[Lenient] = frozenset()
    harmless: bool = True


def _with(
    suggestion: Suggestion, lines: Iterable[Line], *, ambiguous: bool = False
) -> Suggestion | None:
    """Return a suggestion of other lines; nothing if they are the same."""
    made = evolve(
        suggestion,
        lines=tuple(lines),
        ambiguous=suggestion.ambiguous or ambiguous,
    )
    return None if made.text == suggestion.text else made


def _wrong_numbers(
    edit: Edit, style: Style, suggestion: Suggestion, rng: random.Random
) -> Suggestion | None:
    del edit
    off = rng.choice((-7, -2, -1, 1, 2, 5, 40))
    if style.family == "numbered":
        off = abs(off)

    def moved(match: re.Match[str]) -> str:
        count = match[2] and f",{max(0, int(match[2]) + rng.choice((-1, 0, 1, 2)))}"
        return f"{max(1, int(match[1]) + off)}{count or ''}"

    made = _with(suggestion, (_renumbered(x, moved) for x in suggestion.lines))
    return made and evolve(made, numbered=False)


def _renumbered(line: Line, changed: Callable[[re.Match[str]], str]) -> Line:
    """Return a line with other numbers, where it is one that states some."""
    if line.role == "header" and line.text.startswith("@@ -"):
        head, sign, rest = line.text[3:].partition(" @@")
        return evolve(line, text=f"@@ {_RANGE.sub(changed, head)}{sign}{rest}")
    if line.role == "header" and line.text.startswith(":start_line:"):
        return evolve(line, text=_RANGE.sub(changed, line.text))
    return evolve(line, before=_RANGE.sub(changed, line.before))


def _wrong_counts(
    edit: Edit, style: Style, suggestion: Suggestion, rng: random.Random
) -> Suggestion | None:
    del edit, style

    def counted(match: re.Match[str]) -> str:
        count = int(match[2] or 1) + rng.choice((-2, -1, 1, 3))
        return f"{match[1]},{max(0, count)}"

    made = _with(
        suggestion,
        (
            _renumbered(x, counted) if x.role == "header" else x
            for x in suggestion.lines
        ),
    )
    return made and evolve(made, numbered=False)


def _wrong_word(
    edit: Edit, style: Style, suggestion: Suggestion, rng: random.Random
) -> Suggestion | None:
    roles = {
        "diff": ("context",),
        "codex": ("context",),
        "part": ("edge",),
    }.get(style.family, ())
    places = [
        at
        for at, line in enumerate(suggestion.lines)
        if line.role in roles and is_distinctive(line.text)
    ]
    if not places:
        return None
    at = rng.choice(places)
    lines = list(suggestion.lines)
    new = altered(lines[at].text, rng)
    # With another word it must not be another line of the file.
    if new.strip() in edit.file.counts:
        return None
    lines[at] = evolve(lines[at], text=new)
    return _with(suggestion, lines)


def _outdented(
    edit: Edit, style: Style, suggestion: Suggestion, rng: random.Random
) -> Suggestion | None:
    del edit, style, rng
    filled = [x.text for x in suggestion.lines if x.role in CODE and x.text.strip()]
    if any(line.startswith("\t") for line in filled):
        return None
    cut = min((len(x) - len(x.lstrip(" ")) for x in filled), default=0)
    return _with(
        suggestion,
        (
            evolve(x, text=x.text[cut:]) if x.role in (*CODE, "marker") else x
            for x in suggestion.lines
            if x.role not in (*CODE, "marker") or not x.text[:cut].strip()
        ),
    )


def _tabs(
    edit: Edit, style: Style, suggestion: Suggestion, rng: random.Random
) -> Suggestion | None:
    del edit, style, rng
    return _with(
        suggestion,
        (
            evolve(x, text=tabbed(x.text)) if x.role in (*CODE, "marker") else x
            for x in suggestion.lines
        ),
    )


def tabbed(line: str) -> str:
    """Return a line with tabs in the place of each four blanks before it."""
    bare = line.lstrip(" ")
    depth = len(line) - len(bare)
    return "\t" * (depth // 4) + " " * (depth % 4) + bare


def _trailing(
    edit: Edit, style: Style, suggestion: Suggestion, rng: random.Random
) -> Suggestion | None:
    del edit, style, rng
    return _with(
        suggestion,
        (
            evolve(
                x,
                text=x.text.rstrip(),
                before=x.before if x.text.strip() else x.before.rstrip(),
            )
            for x in suggestion.lines
        ),
    )


def _trailing_more(
    edit: Edit, style: Style, suggestion: Suggestion, rng: random.Random
) -> Suggestion | None:
    del edit, style
    # In Markdown two blanks at the end are a line break, and in a string they count.
    return _with(
        suggestion,
        (
            evolve(x, text=x.text + "  ")
            if x.role in ("context", "edge")
            and x.text.strip()
            and rng.randrange(3) == 0
            else x
            for x in suggestion.lines
        ),
    )


def _crlf(
    edit: Edit, style: Style, suggestion: Suggestion, rng: random.Random
) -> Suggestion | None:
    del edit, style, rng
    return evolve(suggestion, eol="\r\n")


def _unended(
    edit: Edit, style: Style, suggestion: Suggestion, rng: random.Random
) -> Suggestion | None:
    del edit, style, rng
    # The end of a blank line is the line.
    if not suggestion.lines[-1].written.strip():
        return None
    return evolve(suggestion, ended=False)


def _blank_lost(
    edit: Edit, style: Style, suggestion: Suggestion, rng: random.Random
) -> Suggestion | None:
    del edit, style
    places = [
        at
        for at, x in enumerate(suggestion.lines)
        if x.role in CODE and not x.text.strip()
    ]
    if not places:
        return None
    at = rng.choice(places)
    return _with(suggestion, (*suggestion.lines[:at], *suggestion.lines[at + 1 :]))


def _blank_added(
    edit: Edit, style: Style, suggestion: Suggestion, rng: random.Random
) -> Suggestion | None:
    del edit, style
    places = [
        at for at, x in enumerate(suggestion.lines) if x.role in CODE and x.text.strip()
    ]
    if not places:
        return None
    at = rng.choice(places)
    like = suggestion.lines[at]
    blank = evolve(like, text="", role=like.role if like.role != "edge" else "context")
    return _with(suggestion, (*suggestion.lines[:at], blank, *suggestion.lines[at:]))


def _blank_edges(
    edit: Edit, style: Style, suggestion: Suggestion, rng: random.Random
) -> Suggestion | None:
    del edit, style, rng
    found: list[Line] = []
    for line in suggestion.lines:
        if line.role == "close":
            found.append(Line("", "talk"))
        found.append(line)
        if line.role == "open":
            found.append(Line("", "talk"))
    return _with(suggestion, [Line("", "talk"), *found, Line("", "talk")])


def _unclosed(
    edit: Edit, style: Style, suggestion: Suggestion, rng: random.Random
) -> Suggestion | None:
    del edit, style, rng
    if suggestion.lines[-1].role != "close":
        return None
    return _with(suggestion, suggestion.lines[:-1])


def _prose(
    edit: Edit, style: Style, suggestion: Suggestion, rng: random.Random
) -> Suggestion | None:
    before = [Line(rng.choice(_OPENERS), "talk"), Line("", "talk")]
    after = [Line("", "talk"), Line(rng.choice(_CLOSERS), "talk")]
    if suggestion.lines[-1].role not in ("close", "sign"):
        # In a text of sentences nothing tells where the talk ends.
        if edit.file.language in PROSE or style.family in ("diff", "codex"):
            return None
        after = []
    return _with(suggestion, [*before, *suggestion.lines, *after])


def _install(
    edit: Edit, style: Style, suggestion: Suggestion, rng: random.Random
) -> Suggestion | None:
    del style
    if suggestion.lines[-1].role != "close" or edit.file.language in (
        *PROSE,
        "bash",
    ):
        return None
    package = rng.choice(("requests", "rich", "attrs"))
    return _with(
        suggestion,
        [
            Line("First install what it needs:", "talk"),
            Line("", "talk"),
            Line("```bash", "talk"),
            Line(f"pip install {package}", "talk"),
            Line("```", "talk"),
            Line("", "talk"),
            Line("Then change the file:", "talk"),
            Line("", "talk"),
            *suggestion.lines,
        ],
    )


def _example(
    edit: Edit, style: Style, suggestion: Suggestion, rng: random.Random
) -> Suggestion | None:
    del style, rng
    if suggestion.lines[-1].role != "close" or edit.file.language != "python":
        return None
    module = edit.file.path.rpartition("/")[2].removesuffix(".py")
    return _with(
        suggestion,
        [
            *suggestion.lines,
            Line("", "talk"),
            Line("Example of use:", "talk"),
            Line("", "talk"),
            Line("```python", "talk"),
            Line(f"import {module}", "talk"),
            Line("", "talk"),
            Line(f"print({module}.example_of_use(3))", "talk"),
            Line("```", "talk"),
        ],
    )


_BLANK: Final[frozenset[Lenient]] = frozenset(("blank lines",))
_ENDS: Final[frozenset[Lenient]] = frozenset(("trailing blanks",))
SLIPS: Final = (
    Slip("wrong numbers", _wrong_numbers),
    Slip("wrong counts", _wrong_counts),
    Slip("context word wrong", _wrong_word, harmless=False),
    Slip("outdented", _outdented, harmless=False),
    Slip("tabs for blanks", _tabs, harmless=False),
    Slip("trailing blanks cut", _trailing, _ENDS),
    Slip("trailing blanks added", _trailing_more, _ENDS),
    Slip("CR LF", _crlf, frozenset(("line ends",))),
    Slip("last line end lost", _unended),
    Slip("blank line lost", _blank_lost, _BLANK, harmless=False),
    Slip("blank line added", _blank_added, _BLANK, harmless=False),
    Slip("blank lines at the edges", _blank_edges, _BLANK),
    Slip("fence not closed", _unclosed),
    Slip("prose around", _prose, _BLANK),
    Slip("install command first", _install),
    Slip("example of use last", _example),
)
