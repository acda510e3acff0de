"""Read code that comes with line numbers, as tools show files to models."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.edits.lines import is_distinctive, lines_of

# How a number stands before its line; each is tried on all lines.
_STYLES: Final = (
    re.compile(r"[ ]{0,8}(\d{1,7})(\t)(.*)", re.DOTALL),
    re.compile(r"[ ]{0,8}(\d{1,7})[ ]{0,4}([|│→])(.*)", re.DOTALL),
    re.compile(r"[ ]{0,8}[Ll](?:ine )?(\d{1,7})(:)(.*)", re.DOTALL),
    re.compile(r"[ ]{0,8}(\d{1,7})(:)(.*)", re.DOTALL),
)
# One line of so many may lack its number: a model put it in.
_MOST_BARE: Final = 10


@frozen
class Numbered:
    """Code without its numbers: from line ``first`` to ``last``, counted from 1.

    ``gaps`` tells that numbers are left out: whether those lines go or stay, nobody
    knows.
    """

    lines: tuple[str, ...]
    first: int
    last: int
    gaps: bool


def read_numbered(
    lines: Sequence[str], known: Container[str] | None = None
) -> Numbered | None:
    """Return the code of numbered lines; ``None`` for code that only looks like it.

    Nearly every line has a number, the numbers rise, and what stands behind them is
    ``known``, lines of the original, where the lines as they stand are not: a table of
    numbers and a mapping of them look the same. Without ``known`` numbers are believed.
    """
    filled = sum(bool(line.strip()) for line in lines)
    numbers = sum(line.strip().isdecimal() for line in lines)
    for style in _STYLES:
        matches = [style.fullmatch(line) for line in lines]
        found = [match for match in matches if match]
        if not found or (filled - len(found) - numbers) * _MOST_BARE > filled:
            continue
        # One space after the sign belongs to it, if every line has one.
        spaced = found[0][2] != "\t" and all(
            match[3][:1] == " " for match in found if match[3].strip()
        )
        code: list[str] = []
        first = last = bare = 0
        gaps = rising = False
        for line, match in zip(lines, matches, strict=True):
            if match is None:
                # Of a blank line the number alone is left, its sign trimmed.
                said = line.strip()
                if first and said.isdecimal() and said == str(last + 1 + bare):
                    last, bare = last + 1 + bare, 0
                    code.append("")
                    continue
                code.append(line)
                bare += 1
                continue
            number = int(match[1])
            if first and number <= last:
                break
            gaps = gaps or (bool(first) and number > last + 1 + bare)
            first, last, bare = first or number, number, 0
            code.append(match[3][spaced:] if match[3].strip() else "")
        else:
            rising = first > 0
        if rising and known is None:
            return Numbered(tuple(code), first, last, gaps)
        if not rising or known is None:
            continue
        pairs = [pair for pair in zip(code, lines, strict=True) if pair[0] != pair[1]]
        told = sum(new in known and is_distinctive(new) for new, _ in pairs)
        if told > sum(old in known for _, old in pairs):
            return Numbered(tuple(code), first, last, gaps)
    return None


def numbered_text(text: str, known: Container[str]) -> Numbered | None:
    """Return the code of a text with line numbers, if it has those."""
    # Looking at the first line is enough for most texts.
    lines = lines_of(text).texts
    begins = next((line for line in lines if line.strip()), "")
    if not any(style.match(begins) for style in _STYLES):
        return None
    return read_numbered(lines, known)
