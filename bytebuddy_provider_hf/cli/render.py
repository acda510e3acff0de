"""Printers of answers: Markdown on a terminal, plain text in a pipe, or JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from copy import copy
from functools import cache
from typing import TYPE_CHECKING, Final, final

from attrs import asdict

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.amounts import served_facts
from bytebuddy_provider_hf.cli.terminal import (
    Sanitizer,
    VisiblePieces,
    sanitize,
    sanitize_line,
)
from bytebuddy_provider_hf.types import (
    BudgetAlert,
    Done,
    Event,
    Loading,
    Progress,
    Reasoning,
    Reply,
    Text,
    ToolCallDelta,
)

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from rich.console import Console, ConsoleOptions
    from rich.live import Live
    from rich.markdown import Markdown
    from rich.segment import Segment

# A line that opens a block of code, also as the first of a list's item: what stands
# behind backticks holds none.
_FENCE_LINE: Final = re.compile(r"(?:(?:[-*+]|\d{1,9}[.)])\s+)*(`{3,}(?!.*`)|~{3,})")
# A block of code that is still open, and the lines its drawing adds.
_FENCE: Final = re.compile(r"\s{0,40}(?:`{3,9}|~{3,9})[^\n`]{0,40}(?=\n)")
_LONGEST_FENCE: Final = 100
# Of a list whose item ended with an empty line, the rest is a block of its own.
_INDENTED_FENCE: Final = re.compile(r"\n*( {1,40})(?:`{3}|~{3})")
_FRAME: Final = 4

_EVENT_TYPES: Final[dict[type, str]] = {
    Text: "text",
    Progress: "progress",
    Reasoning: "reasoning",
    Loading: "loading",
    BudgetAlert: "budget_alert",
    ToolCallDelta: "tool_call",
    Done: "done",
}


class Printer:
    """Show the events of one answer on stdout; this class itself shows nothing.

    ``close`` leaves the screen tidy at any time. Waits are for the status line.
    """

    def event(self, event: Event) -> None:
        """Show one event."""

    def stopped(self) -> None:
        """Say, to a program, that a person stopped the call."""

    def close(self) -> None:
        """End what is being shown, whether or not the answer is complete."""


def text_printer(*, as_json: bool, stream: bool, markdown: bool) -> Printer:
    """Return the printer of an answer that suits the options and what stdout is."""
    if as_json:
        return JsonLinesPrinter() if stream else JsonPrinter()
    if markdown and screen.is_terminal(screen.stdout()):
        return MarkdownPrinter()
    return PlainPrinter()


def code_printer(*, as_json: bool) -> Printer:
    """Return the printer of code that suits what stdout is."""
    if as_json:
        return CodeJsonPrinter()
    return CodePrinter() if screen.is_interactive(screen.stdout()) else RawPrinter()


@final
class PlainPrinter(Printer):
    """Text as it comes, sanitized; a line feed at the end if there was none."""

    def __init__(self) -> None:
        self._sanitizer = Sanitizer()
        self._last = ""

    def event(self, event: Event) -> None:
        """Print a piece of text at once, and what the answer calls at its end."""
        if isinstance(event, Text) and (shown := self._sanitizer.feed(event.text)):
            screen.emit(shown, nl=False)
            self._last = shown[-1]
        elif isinstance(event, Done):
            self.close()
            emit_tool_calls(event.reply)

    def close(self) -> None:
        """End the line."""
        if self._last not in {"", "\n"}:
            screen.emit()
            self._last = ""


@final
class CodePrinter(Printer):
    """Code as it comes, with every hidden character shown by its number.

    What a terminal would swallow or obey still gets into the file that it is for.
    """

    def __init__(self) -> None:
        self._pieces = VisiblePieces()
        self._last = ""

    def event(self, event: Event) -> None:
        """Print a piece of text at once."""
        if isinstance(event, Text):
            self._print(self._pieces.feed(event.text))

    def close(self) -> None:
        """Print what was held back, and end the line."""
        self._print(self._pieces.end())
        if self._last not in {"", "\n"}:
            screen.emit()
            self._last = ""

    def _print(self, shown: str) -> None:
        if shown:
            screen.emit(shown, nl=False)
            self._last = shown[-1]


@final
class RawPrinter(Printer):
    """Text as it comes and nothing else, as UTF-8: an editor or ``patch`` reads it."""

    def event(self, event: Event) -> None:
        """Print a piece of text at once."""
        if isinstance(event, Text):
            screen.emit_raw(event.text)


@final
class Blocks:
    """Split Markdown that arrives in pieces at the empty lines outside code fences.

    Each character is looked at once, however long a block grows. ``pending`` are the
    pieces of the block that is still open.
    """

    def __init__(self) -> None:
        self.pending: list[str] = []
        # The line that has no end yet, and the fence that has none.
        self._line: list[str] = []
        self._fence = ""

    def feed(self, text: str) -> str:
        """Return the blocks that ``text`` finishes, or nothing."""
        # Markdown ends lines at line feeds only: a text may hold U+2028.
        *lines, rest = text.split("\n")
        position = end = 0
        for piece in lines:
            position += len(piece) + 1
            line, self._line = "".join((*self._line, piece)).strip(), []
            fence = _FENCE_LINE.match(line)
            if self._fence:
                # Longer than the one it ends, and with nothing behind it.
                if fence and line == fence[1] and line.startswith(self._fence):
                    self._fence = ""
            elif fence:
                self._fence = fence[1]
            elif not line:
                end = position
        if rest:
            self._line.append(rest)
        if not end:
            if text:
                self.pending.append(text)
            return ""
        finished = "".join((*self.pending, text[:end]))
        self.pending = [text[end:]] if text[end:] else []
        return finished


@final
class MarkdownPrinter(Printer):
    """Markdown on a terminal: finished blocks stay, only the last one is redrawn.

    A block is finished at an empty line outside a code fence, so that an answer longer
    than the screen is never drawn twice. What is unfinished is drawn by the clock and
    not by the piece: a fast server sends thousands of them a second.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or new_console()
        self._live: Live | None = None
        self._sanitizer = Sanitizer()
        self._thoughts = Sanitizer()
        self._blocks = Blocks()
        # Whether there is anything to see in the unfinished block.
        self._begun = False
        self._printed = False
        self._thinking = False

    def event(self, event: Event) -> None:
        """Draw a piece of the answer, or of the reasoning before it."""
        if isinstance(event, Reasoning):
            text = self._thoughts.feed(event.text)
            # Reasoning after the answer began would stand in the middle of it.
            if text and not self._begun:
                self._stop()
                self._thinking = True
                self._console.print(text, style="dim", end="", soft_wrap=True)
        elif isinstance(event, Text):
            self._end_thinking()
            shown = self._sanitizer.feed(event.text)
            finished = self._blocks.feed(shown)
            if finished:
                self._begun = any(map(str.strip, self._blocks.pending))
                if not finished.isspace():
                    self._print(finished)
            else:
                self._begun = self._begun or bool(shown.strip())
            if self._begun and self._live is None:
                from rich.live import Live

                # Redirected, stderr would no longer be the terminal that the status
                # line and the log look for. One for all blocks: each is a thread.
                self._live = Live(
                    console=self._console,
                    transient=True,
                    refresh_per_second=12,
                    vertical_overflow="ellipsis",
                    redirect_stdout=False,
                    redirect_stderr=False,
                    get_renderable=self._unfinished,
                )
                self._live.start()
        elif isinstance(event, Done):
            self.close()
            emit_tool_calls(event.reply)

    def close(self) -> None:
        """Print what is left and give the terminal back."""
        self._end_thinking()
        rest, self._blocks = "".join(self._blocks.pending), Blocks()
        self._stop()
        if not (self._begun and rest):
            return
        self._begun = False
        self._print(rest)

    def _unfinished(self) -> SafeMarkdown | str:
        # Asked for by the thread that draws, too: the list may grow meanwhile.
        pending = self._blocks.pending
        if not (self._begun and pending):
            return ""
        # What is drawn over has to be counted: nobody knows how wide a tab is.
        return SafeMarkdown(last_part(pending, *self._console.size).expandtabs(4))

    def _end_thinking(self) -> None:
        if self._thinking:
            self._console.print("\n")
            self._thinking = False

    def _stop(self) -> None:
        if self._live is not None:
            # Live draws once more when it stops, and uncropped: let that be nothing.
            self._begun, begun = False, self._begun
            self._live.stop()
            self._live, self._begun = None, begun

    def _print(self, block: str) -> None:
        # Each print draws what is unfinished once more: the empty line between two
        # blocks is none of its own. What is longer than a line is code.
        self._console.print(SafeMarkdown(block, apart=self._printed), crop=False)
        self._printed = True


@final
class JsonPrinter(Printer):
    """One JSON object when the answer is complete, or stopped."""

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def event(self, event: Event) -> None:
        """Print the reply."""
        if isinstance(event, Text):
            self._pieces.append(event.text)
        elif isinstance(event, Done):
            screen.print_json(reply_object(event.reply))

    def stopped(self) -> None:
        """Print what came so far."""
        screen.print_json({"stopped": True, "text": "".join(self._pieces)})


@final
class JsonLinesPrinter(Printer):
    """One JSON object a line, as the events come."""

    def event(self, event: Event) -> None:
        """Print the event."""
        screen.print_json(event_object(event))


@final
class CodeJsonPrinter(Printer):
    """Nothing while code comes: it is a member of the object printed in the end."""

    def stopped(self) -> None:
        """Say that no file was written."""
        screen.print_json({"stopped": True, "written": False})


@final
class SafeMarkdown:
    """Markdown whose drawn text is sanitized once more.

    An entity such as ``&#x202e;`` becomes a control character only when Markdown is
    read, after the text itself was sanitized. Links are shown, never made clickable:
    a terminal's hyperlink hides where it leads. ``apart``: an empty line comes first.
    """

    def __init__(self, text: str, *, apart: bool = False) -> None:
        indented = _INDENTED_FENCE.match(text)
        # Else four blanks would make its fences a part of the code.
        self._text = without_indent(text, len(indented[1])) if indented else text
        self._apart = apart

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[Segment]:
        from rich.segment import Segment

        if self._apart:
            yield Segment.line()
        blank, parser = _markdown()
        markdown = copy(blank)
        markdown.markup, markdown.parsed = self._text, parser.parse(self._text)
        for segment in console.render(markdown, options):
            if segment.control:
                continue
            text = segment.text
            # A segment is a word or a line, and hardly any has to be changed.
            if text.isprintable():
                yield segment
            else:
                yield Segment(sanitize(text), segment.style)


@cache
def _markdown() -> tuple[Markdown, MarkdownIt]:
    """Return Markdown without a text, and its parser: to make one takes 0.3 ms."""
    from markdown_it import MarkdownIt

    from bytebuddy_provider_hf.cli.code_blocks import CopyableMarkdown

    # As rich makes it.
    parser = MarkdownIt().enable("strikethrough").enable("table")
    return CopyableMarkdown("", hyperlinks=False), parser


def emit_tool_calls(reply: Reply) -> None:
    """Print each call that an answer wants made: the tool, and its arguments as JSON.

    They are what the model wrote, which need not be JSON.
    """
    for call in reply.tool_calls:
        screen.emit(f"{sanitize_line(call.name)} {sanitize(call.arguments)}")


def new_console() -> Console:
    """Return a console on stdout that adds nothing of its own to a text."""
    from rich.console import Console

    # rich reads markup and emoji names such as [b] and :smile: unless told not to.
    return Console(
        file=screen.stdout(),
        markup=False,
        emoji=False,
        highlight=False,
        no_color=not screen.coloured(screen.stdout()),
    )


def last_part(pieces: Sequence[str], width: int, height: int) -> str:
    """Return as much of the end of an unfinished block as a screen has room for.

    It is drawn twelve times a second: drawing all of a long one would take seconds.
    """
    room = max(1, height - _FRAME)
    end: list[str] = []
    size = 0
    for piece in reversed(pieces):
        end.append(piece)
        size += len(piece)
        if size > room * width:
            break
    block = "".join(reversed(end))
    if len(end) == len(pieces) and size <= room * width and block.count("\n") < room:
        return block
    lines = block[-room * width :].split("\n")[-room:]
    # The fence stands in the first pieces, if there is one.
    start = ""
    for piece in pieces:
        start += piece
        if len(start) > _LONGEST_FENCE:
            break
    opening = _FENCE.match(start)
    return "\n".join([opening.group().strip(), *lines] if opening else lines)


def without_indent(block: str, most: int) -> str:
    """Return ``block`` with so many blanks less before each line, where it has them."""
    return re.sub(rf"^ {{1,{most}}}", "", block, flags=re.MULTILINE)


def event_object(event: Event) -> dict[str, object]:
    """Return an event as ``--json --stream`` prints it, told apart by ``type``."""
    members = asdict(event)
    # Only the first of several answers is printed, so its number says nothing.
    members.pop("choice", None)
    if isinstance(event, Done):
        members["reply"] = reply_object(event.reply)
    return {"type": _EVENT_TYPES[type(event)], **members}


def reply_object(reply: Reply) -> dict[str, object]:
    """Return a whole reply as ``--json`` prints it."""
    return {**asdict(reply), **served_facts(reply)}
