"""Draw Markdown whose blocks of code can be copied from the screen as they are.

A line of code begins at the left edge and ends with its last character, in a list and
in a quotation too. A line that is longer than the terminal is one line to a terminal
that copies it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.containers import Renderables
from rich.markdown import (
    BlockQuote,
    CodeBlock,
    ListItem,
    Markdown,
    MarkdownElement,
)
from rich.segment import Segment
from rich.style import Style
from rich.syntax import Syntax
from rich.text import Text

# Marks the segments of code, for the list or the quotation that they stand in. It is
# no colour: a terminal is not told.
_CODE: Final = "code"
_MARK: Final = Style.from_meta({_CODE: True})
# Without a background there is one theme for dark and light terminals: their own
# colours.
_THEME: Final = "ansi_dark"
_QUOTED: Final = "▌ "


class BareCode(CodeBlock):
    """A block of code: its lines and nothing else."""

    def __rich_console__(self, console: Console, _: ConsoleOptions) -> RenderResult:
        """Yield each line, with its tabs and blanks, however long it is."""
        code = self.text.plain.removesuffix("\n")
        # A tab size of 0 leaves tabs alone: a Makefile needs them.
        drawn = Syntax(code, self.lexer_name, theme=_THEME, tab_size=0).highlight(code)
        # A lexer is another's code, and may change what it reads.
        if drawn.plain.removesuffix("\n") != code:
            drawn = Text(code)
        for line in Segment.split_lines(drawn.render(console)):
            yield from Segment.apply_style(line, post_style=_MARK)
            yield Segment.line()


class Item(ListItem):
    """An item of a list; the code in it is not indented."""

    def render_bullet(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the item behind a point."""
        style = console.get_style("markdown.item.bullet", default="none")
        yield from beside(
            self.elements, console, options, (" • ", "   "), style, inside=self.style
        )

    def render_number(
        self, console: Console, options: ConsoleOptions, number: int, last_number: int
    ) -> RenderResult:
        """Yield the item behind its number, which is as wide as the last one."""
        style = console.get_style("markdown.item.number", default="none")
        width = len(str(last_number)) + 2
        marks = (f"{number} ".rjust(width), " " * width)
        yield from beside(
            self.elements, console, options, marks, style, inside=self.style
        )


class Quotation(BlockQuote):
    """A quotation; the code in it has no mark before its lines."""

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        """Yield the quotation behind bars."""
        marks = (_QUOTED, _QUOTED)
        yield from beside(
            self.elements, console, options, marks, self.style, inside=self.style
        )


class CopyableMarkdown(Markdown):
    """Markdown with such code."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "fence": BareCode,
        "code_block": BareCode,
        "list_item_open": Item,
        "blockquote_open": Quotation,
    }


def beside(
    elements: Renderables,
    console: Console,
    options: ConsoleOptions,
    marks: tuple[str, str],
    style: Style,
    *,
    inside: Style,
) -> Iterator[Segment]:
    """Yield ``elements`` with a mark before each line, but none before code.

    The first of the ``marks`` is that of the first line.
    """
    first, other = marks
    room = options.update(width=max(1, options.max_width - len(first)))
    drawn = Segment.apply_style(console.render(elements, room), inside)
    mark = first
    for line in Segment.split_lines(drawn):
        is_code = not line or (
            line[0].style is not None and _CODE in line[0].style.meta
        )
        if not is_code:
            yield Segment(mark, style)
        elif mark is not other:
            # The item begins with code: its number has a line of its own.
            yield Segment(mark.rstrip(), style)
            yield Segment.line()
        mark = other
        yield from line
        yield Segment.line()
