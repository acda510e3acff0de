"""Split a text into lines, each with the line end that it has, and assemble one."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from typing import Final, TypeAlias

from attrs import frozen

_CRLF: Final = "\r\n"
_WORDS: Final = re.compile(r"[^\W_]+")
# Words that end or divide a block: they stand everywhere and mark no place.
_EVERYWHERE: Final = frozenset(
    (
        *("begin", "do", "then", "try", "else", "finally", "pass", "break", "continue"),
        *("return", "end", "endif", "fi", "done", "esac"),
    )
)

# A line of the original by number, a new text, or a new text with its line end.
Piece: TypeAlias = int | str | tuple[str, str]


@frozen
class Lines:
    """The lines of a text: ``texts`` without, ``ends`` with their line ends only.

    Only LF and CR LF end a line. The last end is empty where the text does
    not end with one; a text that does has no empty line after it.
    """

    texts: tuple[str, ...]
    ends: tuple[str, ...]

    @property
    def ended(self) -> bool:
        """Whether the last line has a line end; so it is with no line at all."""
        return not self.ends or bool(self.ends[-1])

    @property
    def usual(self) -> str:
        """The line end that most lines have."""
        crlf = self.ends.count(_CRLF)
        return _CRLF if crlf * 2 > sum(map(bool, self.ends)) else "\n"

    @property
    def uniform(self) -> bool:
        """Whether all lines end in the same way."""
        return len(set(self.ends) - {""}) < 2  # noqa: PLR2004 - one kind of end


def lines_of(text: str) -> Lines:
    """Return a text's lines; none for an empty text."""
    # str.splitlines also breaks at form feeds and U+2028, which may stand in a line.
    texts: list[str] = []
    ends: list[str] = []
    *whole, rest = text.split("\n")
    if "\r" not in text:
        # By far the most texts, and each is split many times.
        texts, ends = whole, ["\n"] * len(whole)
        whole = []
    for line in whole:
        texts.append(line.removesuffix("\r"))
        ends.append(_CRLF if line.endswith("\r") else "\n")
    if rest:
        texts.append(rest)
        ends.append("")
    return Lines(tuple(texts), tuple(ends))


def assemble(
    original: Lines, pieces: Iterable[Piece], *, ended: bool | None = None
) -> str:
    """Return a text of lines of ``original``, by number, and of new ones.

    Lines that were there keep their ends; a new one has the end of all others, or
    where they differ that of the line before it. The last line ends as the original's
    does, or as ``ended`` says.
    """
    usual = last = original.usual
    uniform = original.uniform
    written: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            written += (piece, usual if uniform else last)
        elif isinstance(piece, tuple):
            written += piece
        else:
            last = original.ends[piece] or usual
            written += (original.texts[piece], last)
    if written and not (original.ended if ended is None else ended):
        written.pop()
    return "".join(written)


def is_distinctive(line: str) -> bool:
    """Whether a line can tell a place: no blank line, bracket or bare ``end``."""
    # The beginning tells: minified files have lines of a megabyte.
    words = _WORDS.findall(line, 0, 400)
    return any(word.lower() not in _EVERYWHERE for word in words)


def any_known(lines: Iterable[str], known: Container[str]) -> bool:
    """Return whether a line that tells a place is one of the ``known``."""
    return any(line in known and is_distinctive(line) for line in lines)
