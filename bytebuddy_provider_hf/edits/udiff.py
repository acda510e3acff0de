"""Write unified diffs, as ``patch`` and ``git apply`` take them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.edits.alignment import aligned

# As diff -u and git write by default.
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
    before, after = _lines(original), _lines(changed)
    groups: list[list[_Change]] = []
    a = b = 0
    for i, j in [*aligned(before, after), (len(before), len(after))]:
        if i > a or j > b:
            # Changes whose context would touch share a hunk.
            if not groups or a - groups[-1][-1].a_end > 2 * _CONTEXT:
                groups.append([])
            groups[-1].append(_Change(a, i, b, j))
        a, b = i + 1, j + 1
    if not groups:
        return ""
    written = [f"--- {_name('a', path)}\n", f"+++ {_name('b', path)}\n"]
    for group in groups:
        first, last = group[0], group[-1]
        lead = min(first.a, _CONTEXT)
        tail = min(len(before) - last.a_end, _CONTEXT)
        at, end = first.a - lead, last.a_end + tail
        new = _range(first.b - lead, last.b_end + tail)
        written.append(f"@@ -{_range(at, end)} +{new} @@\n")
        for change in group:
            written += _signed(" ", before[at : change.a])
            written += _signed("-", before[change.a : change.a_end])
            written += _signed("+", after[change.b : change.b_end])
            at = change.a_end
        written += _signed(" ", before[at:end])
    return "".join(written)


def _lines(text: str) -> list[str]:
    """Return lines with their ends; only a line feed ends one."""
    *whole, rest = text.split("\n")
    lines = [f"{line}\n" for line in whole]
    return [*lines, rest] if rest else lines


def _signed(sign: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield sign + (line if line.endswith("\n") else line + _NO_END)


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
    if all(char not in _ESCAPES and char.isprintable() for char in name):
        # A tab ends a name that holds spaces.
        return f"{name}\t" if " " in name else name
    # As git's quote_c_style: octal bytes for what has no escape and cannot be printed.
    quoted: list[str] = []
    for char in name:
        raw = char.encode("utf-8", "surrogatepass")
        octal = "".join(f"\\{byte:03o}" for byte in raw)
        quoted.append(_ESCAPES.get(char, char if char.isprintable() else octal))
    return f'"{"".join(quoted)}"'
