"""Unified diffs, as ``patch`` and ``git apply`` take them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.edits.alignment import aligned

_CONTEXT: Final = 3
_NO_END: Final = "\n\\ No newline at end of file\n"
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


@frozen
class _Change:
    """Lines ``a`` to ``a_end`` become lines ``b`` to ``b_end``."""

    a: int
    a_end: int
    b: int
    b_end: int


def unified(original: str, changed: str, *, path: str = "") -> str:
    """Return the unified diff from one text to the other, empty where they are equal.

    Three lines of context. A last line without an end is marked as ``diff`` marks it;
    carriage returns are part of the lines. A ``path`` that holds control characters or
    quotes is written as git writes it.
    """
    before, after = _kept(original), _kept(changed)
    changes = list(_changes(before, after))
    if not changes:
        return ""
    written = [f"--- {_name('a', path)}\n", f"+++ {_name('b', path)}\n"]
    for group in _grouped(changes):
        written += _hunk(before, after, group)
    return "".join(written)


def _kept(text: str) -> list[str]:
    """Return lines with their ends; only a line feed ends one."""
    *whole, rest = text.split("\n")
    lines = [f"{line}\n" for line in whole]
    return [*lines, rest] if rest else lines


def _changes(before: Sequence[str], after: Sequence[str]) -> Iterator[_Change]:
    a = b = 0
    for i, j in [*aligned(before, after), (len(before), len(after))]:
        if i > a or j > b:
            yield _Change(a, i, b, j)
        a, b = i + 1, j + 1


def _grouped(changes: list[_Change]) -> Iterator[list[_Change]]:
    group = [changes[0]]
    for change in changes[1:]:
        if change.a - group[-1].a_end > 2 * _CONTEXT:
            yield group
            group = []
        group.append(change)
    yield group


def _hunk(
    before: Sequence[str], after: Sequence[str], group: list[_Change]
) -> Iterator[str]:
    first, last = group[0], group[-1]
    lead = min(first.a, _CONTEXT)
    a, b = first.a - lead, first.b - lead
    tail = min(len(before) - last.a_end, _CONTEXT)
    a_end, b_end = last.a_end + tail, last.b_end + tail
    yield f"@@ -{_range(a, a_end)} +{_range(b, b_end)} @@\n"
    at = a
    for change in group:
        yield from (_line(" ", line) for line in before[at : change.a])
        yield from (_line("-", line) for line in before[change.a : change.a_end])
        yield from (_line("+", line) for line in after[change.b : change.b_end])
        at = change.a_end
    yield from (_line(" ", line) for line in before[at:a_end])


def _line(sign: str, line: str) -> str:
    return sign + (line if line.endswith("\n") else line + _NO_END)


def _range(start: int, end: int) -> str:
    """Return a range as POSIX writes it: an empty one names the line before it."""
    count = end - start
    if count == 1:
        return str(start + 1)
    return f"{start + 1 if count else start},{count}"


def _name(side: str, path: str) -> str:
    if not path:
        return "original" if side == "a" else "changed"
    name = f"{side}/{path.lstrip('/')}"
    if any(char in _ESCAPES or not char.isprintable() for char in name):
        return '"' + "".join(map(_escaped, name)) + '"'
    # A tab ends a name that holds spaces.
    return f"{name}\t" if " " in name else name


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    return "".join(f"\\{byte:03o}" for byte in char.encode("utf-8", "surrogatepass"))
