"""Edits made by chance, and the ways in which an assistant may suggest them."""

from __future__ import annotations

import difflib
import random
import re
from collections.abc import Callable, Iterator
from typing import Final

from attrs import frozen

MARKERS: Final = {
    "py": ("# ... existing code ...", "# ... rest of the code ...", "# ..."),
    "js": ("// ... existing code ...", "/* ... */", "// … unchanged …", "…"),
    "html": ("<!-- ... existing code ... -->", "<!-- ... -->"),
    "sql": ("-- ... rest of the query ...", "-- ..."),
}
KINDS: Final = ("insert", "delete", "replace", "move", "rename", "several", "edges")
_NOUNS: Final = [
    "count",
    "total",
    "größe",
    "名前",
    "index",
    "value",
    "table",
    "state",
    "имя",
    "buffer",
    "node",
]
_VERBS: Final = [
    "load",
    "store",
    "écrire",
    "find",
    "merge",
    "split",
    "計算",
    "render",
    "check",
    "close",
]


@frozen
class Edit:
    """A file, what is to become of it, and in what language it is."""

    kind: str
    language: str
    original: str
    changed: str


def edits(seed: int, count: int) -> Iterator[Edit]:
    """Give so many edits of generated files; about a third has CR LF, or no end."""
    rng = random.Random(seed)
    made = 0
    while made < count:
        language = rng.choice(sorted(MARKERS))
        lines = _file(rng, language)
        kind = KINDS[made % len(KINDS)]
        changed = _CHANGES[kind](rng, list(lines), language)
        end = "\r\n" if rng.random() < 0.3 else "\n"
        original, wanted = end.join(lines), end.join(changed)
        if rng.random() < 0.7:
            original, wanted = original + end, wanted + end
        if lines == changed or not changed or not changed[-1] or not lines[-1]:
            continue
        made += 1
        yield Edit(kind, language, original, wanted)


def broken(rng: random.Random, diff: str) -> str:
    """Return a diff with line numbers and counts that are wrong."""

    def other(match: re.Match[str]) -> str:
        off = rng.choice((-7, -2, 1, 3, 40))
        start = max(1, int(match[1]) + off)
        return f"@@ -{start},{rng.randint(1, 9)} +{start},{rng.randint(1, 9)} @@"

    return re.sub(r"@@ -(\d+)\S* \+\S+ @@", other, diff)


def bare(rng: random.Random, diff: str) -> str:
    """Return a diff as models shorten it: no names of files, no numbers."""
    body = diff.split("\n", 2)[2]
    return re.sub(r"@@ -.*? @@", rng.choice(("@@ ... @@", "@@", "@@ def f @@")), body)


def stripped(rng: random.Random, diff: str) -> str:
    """Return a diff whose blank context lost its space, and with git's noise."""
    noise = "diff --git a/x b/x\nindex 1234567..89abcde 100644\n"
    return noise + re.sub(r"(?m)^ $", "", diff)


def diff_of(edit: Edit, context: int = 3) -> str:
    """Return the unified diff as ``diff`` writes it, by another hand than ours."""
    before, after = _kept(edit.original), _kept(edit.changed)
    written = difflib.unified_diff(before, after, "a/x", "b/x", n=context)
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in written
    )


def lazy_of(rng: random.Random, edit: Edit, context: int) -> str:
    """Return the changed lines with some round them, markers for the rest.

    The context reaches to a line that says something, as a person would choose it.
    """
    before = edit.original.replace("\r", "").split("\n")
    after = edit.changed.replace("\r", "").split("\n")
    marker = rng.choice(MARKERS[edit.language])
    shown = [False] * len(after)
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for tag, _, _, start, end in matcher.get_opcodes():
        if tag == "equal":
            continue
        shown[start:end] = [True] * (end - start)
        _show(shown, after, start - 1, -1, context)
        _show(shown, after, end, 1, context)
    written: list[str] = []
    for at, line in enumerate(after):
        if shown[at]:
            written.append(line)
        elif at and not shown[at - 1]:
            continue
        else:
            indent = line[: len(line) - len(line.lstrip())]
            written.append(indent + marker)
    if not after[-1] and not shown[-1] and len(after) > 1 and shown[-2]:
        # The last line end is no line that could be left out.
        written.pop()
    return "\n".join(written).rstrip("\n") + "\n"


def fenced(rng: random.Random, edit: Edit, suggestion: str, info: str) -> str:
    """Return a suggestion as an assistant hands it over."""
    end = "" if suggestion.endswith("\n") else "\n"
    block = f"```{info}\n{suggestion}{end}```\n"
    opener = rng.choice(("", "Here is the change:\n\n", "Sure! I changed this.\n"))
    closer = rng.choice(("", "\nThis does what you asked for.\n"))
    return f"{opener}{block}{closer}"


def _show(
    shown: list[bool], lines: list[str], at: int, step: int, context: int
) -> None:
    left = context
    while 0 <= at < len(lines):
        shown[at] = True
        left -= 1
        if left <= 0 and sum(char.isalnum() for char in lines[at]) > 4:
            return
        at += step


def _kept(text: str) -> list[str]:
    return [line for line in re.split(r"(?<=\n)", text) if line]


def _name(rng: random.Random) -> str:
    return f"{rng.choice(_VERBS)}_{rng.choice(_NOUNS)}{rng.choice(('', '2', '_x'))}"


def _line(rng: random.Random, language: str) -> str:
    tab = rng.choice(("    ", "    ", "\t", "        "))
    name, other = _name(rng), _name(rng)
    forms = {
        "py": (
            f"{tab}{name} = {other}({rng.randint(0, 9)})",
            f"{tab}return {name}",
            "",
        ),
        "js": (f"{tab}const {name} = {other}();", f"{tab}{name}++;", f"{tab}}}", ""),
        "html": (
            f"{tab}<p>{name} {other}</p>",
            f'{tab}<b id="{name}">',
            f"{tab}</div>",
        ),
        "sql": (
            f"{tab}{name} INTEGER, {other}",
            f"{tab}AND {name} = 'ü {other}'",
            ");",
        ),
    }
    return rng.choice(forms[language])


def _head(rng: random.Random, language: str) -> list[str]:
    name = _name(rng)
    heads = {
        "py": ["", f"def {name}(a, b):"],
        "js": ["}", "", f"function {name}(a) {{"],
        "html": ["", f'<div class="{name}">'],
        "sql": ["", f"CREATE TABLE {name} ("],
    }
    return heads[language]


def _file(rng: random.Random, language: str) -> list[str]:
    lines = [f"{_name(rng)} {_name(rng)}"]
    for _ in range(rng.randint(1, 9)):
        lines += _head(rng, language)
        lines += [_line(rng, language) for _ in range(rng.randint(1, 8))]
    return [*lines, f"{_name(rng)} {_name(rng)}"]


def _insert(rng: random.Random, lines: list[str], language: str) -> list[str]:
    at = rng.randint(0, len(lines))
    new = [_line(rng, language) for _ in range(rng.randint(1, 5))]
    return [*lines[:at], *new, *lines[at:]]


def _delete(rng: random.Random, lines: list[str], _language: str) -> list[str]:
    at = rng.randrange(len(lines))
    return [*lines[:at], *lines[at + rng.randint(1, 5) :]]


def _replace(rng: random.Random, lines: list[str], language: str) -> list[str]:
    at = rng.randrange(len(lines))
    new = [_line(rng, language) for _ in range(rng.randint(1, 4))]
    return [*lines[:at], *new, *lines[at + rng.randint(1, 4) :]]


def _move(rng: random.Random, lines: list[str], _language: str) -> list[str]:
    at = rng.randrange(len(lines))
    end = at + rng.randint(1, 4)
    taken, rest = lines[at:end], [*lines[:at], *lines[end:]]
    to = rng.randint(0, len(rest))
    return [*rest[:to], *taken, *rest[to:]]


def _rename(rng: random.Random, lines: list[str], _language: str) -> list[str]:
    names = sorted({name for line in lines for name in re.findall(r"\w+_\w+", line)})
    old = rng.choice(names)
    return [re.sub(rf"\b{old}\b", "ganz_neu", line) for line in lines]


def _several(rng: random.Random, lines: list[str], language: str) -> list[str]:
    for _ in range(rng.randint(2, 4)):
        change = rng.choice((_insert, _delete, _replace))
        lines = change(rng, lines, language) or lines
    return lines


def _edges(rng: random.Random, lines: list[str], language: str) -> list[str]:
    new = [_line(rng, language).strip() or "x_y" for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.5:
        return [*new, *lines]
    return [*lines, *new]


_CHANGES: Final[dict[str, Callable[[random.Random, list[str], str], list[str]]]] = {
    "insert": _insert,
    "delete": _delete,
    "replace": _replace,
    "move": _move,
    "rename": _rename,
    "several": _several,
    "edges": _edges,
}
