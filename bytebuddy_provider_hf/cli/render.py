"""Printers of answers: Markdown on a terminal, plain text in a pipe, or JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, final

from attrs import asdict

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.amounts import served_facts
from bytebuddy_provider_hf.cli.terminal import Sanitizer, sanitize
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
    from rich.console import Console, ConsoleOptions
    from rich.live import Live
    from rich.segment import Segment

# A block of code that is still open, and the lines its drawing adds.
_FENCE: Final = re.compile(r"\s*(?:```|~~~)[^\n`]{0,40}(?=\n)")
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
    return PlainPrinter() if screen.is_interactive(screen.stdout()) else RawPrinter()


@final
class PlainPrinter(Printer):
    """Text as it comes, sanitized; a line feed at the end if there was none."""

    def __init__(self) -> None:
        self._sanitizer = Sanitizer()
        self._last = ""

    def event(self, event: Event) -> None:
        """Print a piece of text at once."""
        if isinstance(event, Text) and (shown := self._sanitizer.feed(event.text)):
            screen.emit(shown, nl=False)
            self._last = shown[-1]

    def close(self) -> None:
        """End the line."""
        if self._last not in {"", "\n"}:
            screen.emit()
            self._last = ""


@final
class RawPrinter(Printer):
    """Text as it comes and nothing else, as UTF-8: an editor or ``patch`` reads it."""

    def event(self, event: Event) -> None:
        """Print a piece of text at once."""
        if isinstance(event, Text):
            screen.emit_raw(event.text)


@final
class MarkdownPrinter(Printer):
    """Markdown on a terminal: finished blocks stay, only the last one is redrawn.

    A block is finished at an empty line outside a code fence, so that an answer longer
    than the screen is never drawn twice.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or new_console()
        self._live: Live | None = None
        self._sanitizer = Sanitizer()
        self._thoughts = Sanitizer()
        self._pending = ""
        self._printed = False
        self._thinking = False

    def event(self, event: Event) -> None:
        """Draw a piece of the answer, or of the reasoning before it."""
        if isinstance(event, Reasoning):
            text = self._thoughts.feed(event.text)
            # Reasoning after the answer began would stand in the middle of it.
            if text and not self._pending:
                self._thinking = True
                self._console.print(text, style="dim", end="", soft_wrap=True)
        elif isinstance(event, Text):
            self._end_thinking()
            shown = self._sanitizer.feed(event.text)
            self._pending += shown
            # No block ends within a line: most pieces need no look for its end.
            if "\n" in shown:
                finished, self._pending = split_blocks(self._pending)
                if finished.strip():
                    self._stop()
                    self._print(finished)
            if not self._pending.strip():
                return
            if self._live is None:
                from rich.live import Live

                # Redirected, stderr would no longer be the terminal that the status
                # line and the log look for.
                self._live = Live(
                    console=self._console,
                    transient=True,
                    refresh_per_second=12,
                    vertical_overflow="ellipsis",
                    redirect_stdout=False,
                    redirect_stderr=False,
                )
                self._live.start()
            end = last_part(self._pending, *self._console.size)
            self._live.update(SafeMarkdown(end))

    def close(self) -> None:
        """Print what is left and give the terminal back."""
        self._end_thinking()
        self._stop()
        if self._pending.strip():
            self._print(self._pending)
        self._pending = ""

    def _end_thinking(self) -> None:
        if self._thinking:
            self._console.print("\n")
            self._thinking = False

    def _stop(self) -> None:
        if self._live is not None:
            # Live draws once more when it stops, and uncropped: let that be nothing.
            self._live.update("", refresh=True)
            self._live.stop()
            self._live = None

    def _print(self, block: str) -> None:
        if self._printed:
            self._console.print()
        self._console.print(SafeMarkdown(block))
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
    a terminal's hyperlink hides where it leads.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[Segment]:
        from rich.markdown import Markdown
        from rich.segment import Segment

        markdown = Markdown(self._text, hyperlinks=False)
        for segment in console.render(markdown, options):
            if not segment.control:
                yield Segment(sanitize(segment.text), segment.style)


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


def split_blocks(text: str) -> tuple[str, str]:
    """Split at the last empty line outside a code fence: finished, and still open."""
    fence = ""
    position = end = 0
    for line in text.splitlines(keepends=True):
        position += len(line)
        mark = line.lstrip()[:3]
        if fence:
            fence = "" if line.strip() == fence else fence
        elif mark in {"```", "~~~"}:
            fence = mark
        elif not line.strip() and line.endswith("\n"):
            end = position
    return text[:end], text[end:]


def last_part(block: str, width: int, height: int) -> str:
    """Return as much of the end of an unfinished block as a screen has room for.

    It is drawn twelve times a second: drawing all of a long one would take seconds.
    """
    room = max(1, height - _FRAME)
    if len(block) <= room * width and block.count("\n") < room:
        return block
    lines = block[-room * width :].split("\n")[-room:]
    opening = _FENCE.match(block)
    return "\n".join([opening.group().strip(), *lines] if opening else lines)


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
