"""Say in Chinese what click says: the help of a command, and what is wrong usage.

The English help stands in the code, the Chinese in ``data/help.zh.toml``, which is
read only where this process speaks Chinese. What has no row stays English.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from copy import copy
from functools import cache
from typing import Any, Final, TypeVar

import click

from bytebuddy_provider_hf.cli.wrapping import wrap
from bytebuddy_provider_hf.texts import fill, placeholders, read_table

AnyCommand = TypeVar("AnyCommand", bound=click.Command)

# Facts that are words of click themselves; any other was typed by somebody.
_SPOKEN: Final = frozenset({"message", "kind"})
# A line of an epilog: what to type, a gap, and what it does.
_BESIDE: Final = re.compile(r"(\s*\S.*?)( {2,})(\S.*)")
_BELOW: Final = "      "
# Help, and what click adds: [default: 20; 1<=x<=500].
_EXTRA: Final = re.compile(r"(.*?)(?:  \[([^\[\]]*)\])?", re.DOTALL)


@cache
def help_table() -> dict[str, Any]:
    """Return the Chinese of every help, by the path of its command."""
    return read_table("help.zh.toml")


def in_chinese(command: AnyCommand, path: str) -> AnyCommand:
    """Return a copy of a command, and of those below it, whose help is Chinese.

    ``path`` is how it is called, without the program: ``models search``.
    """
    row, shared = help_table().get(path, {}), help_table()["options"]
    known = {**shared, **row.get("options", {})}
    # A copy: another call in this process may ask in English.
    made = copy(command)
    made.context_class = ChineseContext
    made.help = row.get("help", command.help)
    made.short_help = row.get("short", command.short_help)
    beside: dict[str, str] = row.get("beside", {})
    lines: list[str] = []
    for line in (command.epilog or "").splitlines():
        # What is typed stays, the words beside it and the heads are said.
        if found := _BESIDE.fullmatch(line):
            typed, gap, words = found.groups()
            lines.append(f"{typed}{gap}{beside.get(words, words)}")
        else:
            lines.append(f"{said(line[:-1])}：" if line.endswith(":") else line)
    made.epilog = "\n".join(lines)
    made.params = [copy(each) for each in command.params]
    for each in made.params:
        if isinstance(each, click.Option) and each.help:
            name = long_name(each)
            each.help = known.get(name, each.help)
    if isinstance(made, click.Group):
        made.commands = {
            name: in_chinese(below, f"{path} {name}")
            for name, below in made.commands.items()
        }
    return made


def long_name(option: click.Option) -> str:
    """Return the name by which the table knows an option: the one with two dashes."""
    return next(name for name in option.opts if name.startswith("--"))


def said(sentence: str) -> str:
    """Return in Chinese what click said in English; what has no row stays."""
    words: dict[str, str] = help_table()["words"]
    if sentence in words:
        return words[sentence]
    for english, chinese in help_table()["sentences"].items():
        pattern = re.escape(english)
        for name in placeholders(english):
            pattern = pattern.replace(rf"\{{{name}\}}", f"(?P<{name}>.+?)")
        if found := re.fullmatch(pattern, sentence, re.DOTALL):
            facts = {
                name: said(value) if name in _SPOKEN else value
                for name, value in found.groupdict().items()
            }
            return fill(chinese, facts, "zh")
    return sentence


class ChineseFormatter(click.HelpFormatter):
    """Write help with Chinese heads, in lines measured by the cells they take."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write how a command is called."""
        for english, chinese in help_table()["metavars"].items():
            args = args.replace(english, chinese)
        begin = prefix or f"{said('Usage')}："
        self._write_lines(wrap(f"{begin}{prog} {args}", self.width, hanging="  "))

    def write_heading(self, heading: str) -> None:
        """Write the head of a list."""
        self._write_lines([f"{said(heading)}："])

    def write_text(self, text: str) -> None:
        """Write paragraphs; one that begins with a backspace keeps its lines."""
        from rich.cells import cell_len

        room = self.width - self.current_indent
        for number, paragraph in enumerate(text.strip("\n").split("\n\n")):
            first, _, rest = paragraph.partition("\n")
            if number:
                self.write("\n")
            if first.strip() != "\b":
                self._write_lines(wrap(paragraph, room))
                continue
            for line in rest.splitlines():
                found = _BESIDE.fullmatch(line)
                if found is None or cell_len(line) <= room:
                    self._write_lines([line])
                else:
                    # No room beside it: the words stand below what is typed.
                    below = wrap(found[3], room - len(_BELOW))
                    self._write_lines([found[1], *(_BELOW + each for each in below)])

    def write_dl(
        self,
        rows: Iterable[tuple[str, str]],
        col_max: int = 30,
        col_spacing: int = 2,
    ) -> None:
        """Write names and what they mean, side by side where there is room."""
        from rich.cells import cell_len

        listed = list(rows)
        room = self.width - self.current_indent
        # On a narrow terminal the longer names have a line of their own.
        widest = min(col_max, self.width * 3 // 8)
        column = min(widest, max(cell_len(name) for name, _ in listed)) + col_spacing
        for name, meaning in listed:
            found = _EXTRA.fullmatch(meaning)
            words, extra = found.groups() if found else (meaning, None)
            whole = help_table()["words"].get(words, words)
            if extra:
                whole += f" [{'；'.join(map(said, extra.split('; ')))}]"
            # A choice of many values is broken behind a bar.
            heads = wrap(name.replace("|", "| "), room, hanging="  ")
            if len(heads) == 1 and cell_len(name) <= room:
                heads = [name]
            heads = [head.replace("| ", "|") for head in heads]
            lines = wrap(whole, room - column)
            if len(heads) == 1 and cell_len(name) <= column - col_spacing:
                heads = [f"{name}{' ' * (column - cell_len(name))}{lines.pop(0)}"]
            self._write_lines([*heads, *(f"{'':{column}}{line}" for line in lines)])

    def _write_lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            indent = " " * self.current_indent if line else ""
            self.write(f"{indent}{line}\n")


class ChineseContext(click.Context):
    """Let a command that is called in Chinese write its help so."""

    formatter_class = ChineseFormatter
