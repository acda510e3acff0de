"""Read the arguments of commands: cursors, ranges of lines, prompts, texts."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

import click
from attrs import frozen

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.textfile import no_file
from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.texts import text

# The last numbers count: C:\a.py and a file called a:1 have colons of their own.
_CURSOR: Final = re.compile(r"(.+?):([0-9]{1,9})(?::([0-9]{1,9}))?", re.DOTALL)
_LINES: Final = re.compile(r"([0-9]{0,9})(:?)([0-9]{0,9})")

# Bytes. A pipe may never end, and memory does: no model reads a longer prompt, and
# more texts than that are better cut into several runs.
_LONGEST_PROMPT: Final = 16 * 1024 * 1024
_LARGEST_FILE: Final = 256 * 1024 * 1024
_PIPED: Final = "-"


@frozen
class Cursor:
    """A cursor in a file: line and column count from 1; no column is a line's end."""

    file: str
    line: int
    column: int | None = None

    def split(self, content: str) -> tuple[str, str]:
        """Return what stands before and after the cursor in ``content``.

        A column counts characters. Raises ``InvalidOption`` where there is no such
        place.
        """
        start, end = _line(content, self.line, self.file)
        size = end - start
        column = size + 1 if self.column is None else self.column
        if column > size + 1:
            raise InvalidOption(
                text(
                    "cli.no_column",
                    line=self.line,
                    file=self.file,
                    size=size,
                    column=column,
                ),
                hint=text("cli.last_column", column=size + 1),
            )
        at = start + column - 1
        return content[:at], content[at:]


def parse_cursor(given: str) -> Cursor:
    """Return the cursor that ``FILE:LINE:COL`` or ``FILE:LINE`` describes."""
    match = _CURSOR.fullmatch(given)
    numbers = [int(each) for each in match.groups()[1:] if each] if match else []
    if match is None or 0 in numbers:
        raise click.BadParameter(text("cli.no_place", given=repr(given)))
    return Cursor(match[1], *numbers)


@frozen
class LineRange:
    """The lines from ``first`` to ``last``, both counted from 1 and both included."""

    first: int = 1
    last: int | None = None

    def split(self, content: str, name: str) -> tuple[str, str, str]:
        """Return what stands before, in and after the lines.

        Raises ``InvalidOption`` where there are no such lines.
        """
        start, _ = _line(content, self.first, name)
        if self.last is None:
            return content[:start], content[start:], ""
        _, end = _line(content, self.last, name)
        # The last line takes its line end along: the code after it begins a line.
        end = content.find("\n", end) + 1 or len(content)
        return content[:start], content[start:end], content[end:]


def parse_line_range(given: str) -> LineRange:
    """Return the lines of ``A:B``, ``A:`` (to the end), ``:B`` or one line ``A``."""
    match = _LINES.fullmatch(given)
    if match is None or not (match[1] or match[3]):
        raise click.BadParameter(text("cli.no_range", given=repr(given)))
    first = int(match[1] or 1)
    last = int(match[3]) if match[3] else None if match[2] else first
    if first < 1 or (last is not None and last < first):
        raise click.BadParameter(text("cli.backward_range", given=repr(given)))
    return LineRange(first, last)


def _line(content: str, number: int, name: str) -> tuple[int, int]:
    """Return where line ``number`` starts and ends; its line end is not in it."""
    start = 0
    for passed in range(1, number):
        found = content.find("\n", start)
        if found < 0:
            raise InvalidOption(
                text("cli.no_line", file=name, last=passed, line=number)
            )
        start = found + 1
    end = content.find("\n", start)
    end = len(content) if end < 0 else end
    # No cursor stands between the two characters of a CR LF.
    return start, end - 1 if content[start:end].endswith("\r") else end


def readable(argument: str) -> str:
    """Return an argument as text that can be sent.

    Python hands over bytes that are not UTF-8 as lone surrogates (PEP 383), which no
    JSON can carry; they become replacement characters.
    """
    return argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def read_prompt(argument: str | None, *, is_optional: bool = False) -> str:
    """Return the argument and the piped text, in this order.

    ``-`` stands for what is piped in. A terminal is not read. Raises ``UsageError``
    where there is no text at all, unless it ``is_optional``.
    """
    if argument == _PIPED:
        argument = None
    parts = [] if argument is None else [readable(argument)]
    if not screen.is_interactive(sys.stdin):
        raw = sys.stdin.buffer.read(_LONGEST_PROMPT + 1)
        if len(raw) > _LONGEST_PROMPT:
            raise click.UsageError(text("cli.long_prompt"))
        piped = raw.decode("utf-8", "replace")
        if piped.strip():
            # A prompt that is only piped in is sent exactly as it came.
            parts.append(piped if argument is None else piped.rstrip("\n"))
    prompt = "\n\n".join(parts)
    if not prompt.strip() and not is_optional:
        raise click.UsageError(text("cli.no_prompt"))
    return prompt


def read_texts(arguments: tuple[str, ...], file: Path | None, what: str) -> list[str]:
    """Return the arguments and the lines of ``file``, ``-`` for what is piped in.

    Without either, what is piped in is read. Empty lines are no texts. Raises
    ``UsageError`` where there are no texts at all, which are called ``what``;
    ``InvalidOption`` where there is no such file; ``OSError`` where it cannot be read.
    """
    texts = [readable(argument) for argument in arguments]
    if file is None and not texts and not screen.is_interactive(sys.stdin):
        file = Path(_PIPED)
    if file is not None:
        try:
            if str(file) == _PIPED:
                raw = sys.stdin.buffer.read(_LARGEST_FILE + 1)
            else:
                with file.open("rb") as opened:
                    raw = opened.read(_LARGEST_FILE + 1)
        except FileNotFoundError as error:
            raise no_file(file) from error
        except IsADirectoryError as error:
            raise InvalidOption(text("cli.not_a_file", file=file)) from error
        if len(raw) > _LARGEST_FILE:
            raise click.UsageError(text("cli.large_file", file=file))
        # Not splitlines: a text may hold U+2028 or a form feed.
        lines = raw.decode("utf-8-sig", "replace").split("\n")
        texts += [each for line in lines if (each := line.removesuffix("\r")).strip()]
    if not texts:
        raise click.UsageError(text("cli.no_texts", items=what))
    return texts
