"""A change to a file, from the model's answer to the file: shown, asked, written."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import update_wrapper
from select import select
from typing import Final, TypeVar

import click
from attrs import asdict, field, frozen

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.line_ends import with_line_ends_of, with_line_feeds
from bytebuddy_provider_hf.cli.raw_output import show_diff
from bytebuddy_provider_hf.cli.textfile import TextFile, replace_text
from bytebuddy_provider_hf.edits.udiff import unified
from bytebuddy_provider_hf.errors import ResponseError
from bytebuddy_provider_hf.types import Reply

# Seconds between two looks for Ctrl-C.
_LOOK: Final = 0.2

AnyCallable = TypeVar("AnyCallable", bound=Callable[..., object])


@frozen
class WriteMode:
    """How a change ends: written without asking, only shown, or told as JSON."""

    yes: bool = False
    diff_only: bool = False
    as_json: bool = False


@frozen
class FileChange:
    """What becomes of a file; ``text`` is as it would be written."""

    file: TextFile
    text: str = field(repr=False)
    reply: Reply = field(repr=False)

    @property
    def changed(self) -> bool:
        """Whether the file would be another."""
        return self.text != self.file.text

    def diff(self) -> str:
        """Return the unified diff of the file's bytes: what will be written."""
        file = self.file
        before, after = file.stored(file.text), file.stored(self.text)
        return unified(before, after, path=file.label) if self.changed else ""


def change_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--yes`` and ``--diff``; call ``command`` with ``manner``."""

    def gathered(*, yes: bool, diff_only: bool, as_json: bool, **own: object) -> None:
        if yes and diff_only:
            message = "--yes writes and --diff does not: give one of them"
            raise click.UsageError(message)
        command(mode=WriteMode(yes, diff_only, as_json), **own)

    update_wrapper(gathered, command)
    for option in (
        click.option(
            "--diff", "diff_only", is_flag=True, help="Print the diff, write nothing."
        ),
        click.option("-y", "--yes", is_flag=True, help="Write without asking."),
    ):
        gathered = option(gathered)
    return gathered


def complete_text(reply: Reply, *, hint: str) -> str:
    """Return the text of an answer that is complete, with line feeds.

    Raises ``ResponseError`` for one that is not, with ``hint`` where it was cut: a file
    never gets half an answer.
    """
    if reply.finish_reason in {None, "stop"}:
        return with_line_feeds(reply.text)
    if reply.finish_reason == "length":
        error = ResponseError(
            "The answer was cut at its limit of tokens. Nothing was written.", hint=hint
        )
    else:
        error = ResponseError(
            f"The answer is not whole: it ended with {reply.finish_reason!r}. Nothing "
            "was written.",
            hint="Ask again, or in other words.",
        )
    error.partial = reply.text
    raise error


def change_of(file: TextFile, text: str, reply: Reply) -> FileChange:
    """Return the change that makes ``text``, with line feeds, of a file."""
    return FileChange(file, with_line_ends_of(file.text, text), reply)


def finish(change: FileChange, mode: WriteMode) -> None:
    """Show a change, and write it where somebody said so: ``--yes``, or a person."""
    if mode.as_json:
        written = change.changed and mode.yes
        if written:
            replace_text(change.file, change.text)
        screen.print_json(_object(change, written=written))
        return
    for text in change.reply.notes:
        screen.note(f"note: {text}", colour="yellow")
    name = str(change.file.path)
    if not change.changed:
        screen.note(f"no change: {name} stays as it is")
    elif mode.yes:
        # Before it is shown: a reader of the diff may go away.
        replace_text(change.file, change.text)
        show_diff(change.diff())
        screen.note(f"wrote {name}")
    else:
        _ask(change, name, mode)


def _ask(change: FileChange, name: str, mode: WriteMode) -> None:
    show_diff(change.diff())
    if mode.diff_only:
        return
    if not _is_interactive_session():
        screen.note(f"{name} was not written; --yes writes it")
    elif _agreed():
        replace_text(change.file, change.text)
        screen.note(f"wrote {name}")
    else:
        screen.note(f"{name} was not written")


def _is_interactive_session() -> bool:
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return all(screen.is_interactive(stream) for stream in streams)


def _agreed() -> bool:
    sys.stdout.write("Apply? [y/N] ")
    sys.stdout.flush()
    answer = _line()
    if not answer:
        screen.note("")
    return answer.strip().lower() in {"y", "yes"}


def _line() -> str:
    """Return a line from the terminal, empty at its end.

    ``input`` would sleep on where Ctrl-C came just before it went to sleep.
    """
    while sys.platform != "win32" and not select([sys.stdin], [], [], _LOOK)[0]:
        pass
    return sys.stdin.readline()


def _object(change: FileChange, *, written: bool) -> dict[str, object]:
    reply = change.reply
    return {
        "file": str(change.file.path),
        "changed": change.changed,
        "written": written,
        "diff": change.diff(),
        "notes": list(reply.notes),
        "usage": None if reply.usage is None else asdict(reply.usage),
        "model": reply.model,
    }
