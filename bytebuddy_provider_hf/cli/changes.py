"""Show a change to a file, ask whether to write it, and write it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import reduce, wraps
from typing import Final

import click
from attrs import asdict, evolve, frozen

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.amounts import served_facts
from bytebuddy_provider_hf.cli.options import FACTS, add_options
from bytebuddy_provider_hf.cli.terminal import (
    hidden_characters,
    numbered,
    visible_controls,
)
from bytebuddy_provider_hf.cli.textfile import (
    TextFile,
    outside_target,
    replace_text,
    with_line_ends_of,
    with_line_feeds,
)
from bytebuddy_provider_hf.edits.udiff import unified
from bytebuddy_provider_hf.errors import Doubt, EditDoubtful, ResponseError
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Reply

# Of the characters that a change hides: enough to look for them.
_NAMED: Final = 8
# How git colours a diff: the first character of a line -> its colour.
_COLOURS: Final = {"+": "green", "-": "red", "@": "cyan"}


@frozen
class WriteMode:
    """How a change is finished: written without asking, only shown, or as JSON.

    With ``accept_doubts`` a change in doubt is written like any other.
    """

    yes: bool = False
    diff_only: bool = False
    as_json: bool = False
    accept_doubts: bool = False


def change_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--yes``, ``--accept-doubts`` and ``--diff``, gathered as ``mode``."""

    @wraps(command)
    def gather(
        *,
        yes: bool,
        diff_only: bool,
        accept_doubts: bool,
        as_json: bool,
        **own: object,
    ) -> None:
        if yes and diff_only:
            raise click.UsageError(text("cli.yes_and_diff"))
        if accept_doubts and diff_only:
            raise click.UsageError(text("cli.doubts_and_diff"))
        command(mode=WriteMode(yes, diff_only, as_json, accept_doubts), **own)

    return add_options(
        gather,
        click.option(
            "-y",
            "--yes",
            is_flag=True,
            help="Write without asking, unless the change is in doubt.",
        ),
        click.option(
            "--accept-doubts",
            is_flag=True,
            help="Treat a change in doubt as any other: --yes writes it.",
        ),
        click.option(
            "--diff", "diff_only", is_flag=True, help="Print the diff, write nothing."
        ),
    )


def complete_text(reply: Reply, *, hint: str) -> str:
    """Return the text of an answer that is complete, with line feeds.

    Raises ``ResponseError`` for one that is not, with ``hint`` where it was cut: a file
    never gets half an answer.
    """
    if reply.finish_reason in {None, "stop"}:
        return with_line_feeds(reply.text)
    if reply.finish_reason == "length":
        error = ResponseError(text("cli.cut_answer"), hint=hint)
    else:
        error = ResponseError(
            text("cli.not_whole", reason=repr(reply.finish_reason)),
            hint=text("cli.ask_again"),
        )
    error.partial = reply.text
    raise error


def reply_facts(reply: Reply) -> dict[str, object]:
    """Return what ``--json`` prints of a reply beside its text."""
    return {
        "notes": list(reply.notes),
        "usage": None if reply.usage is None else asdict(reply.usage),
        "model": reply.model,
        **served_facts(reply),
    }


def hidden_added(before: str, after: str) -> dict[str, list[int]]:
    """Return the hidden characters that ``after`` has more of, with their lines.

    Both texts have line feeds. What the file had already, a form feed or a mark of
    direction, is nobody's addition.
    """
    found = hidden_characters(after)
    if not found:
        return {}
    had = Counter(character for _, character in hidden_characters(before))
    known, lines = frozenset(before.split("\n")), after.split("\n")
    # Of several, those on lines that the file did not have came with the change.
    found.sort(key=lambda each: (lines[each[0] - 1] in known, each[0]))
    places: dict[str, list[int]] = {}
    for line, character in found:
        places.setdefault(character, []).append(line)
    return {
        character: sorted(at[: len(at) - had[character]])
        for character, at in places.items()
        if len(at) > had[character]
    }


def hidden_note(added: Mapping[str, Sequence[int]]) -> str:
    """Return what to tell of hidden characters that a change adds."""
    return text("cli.hidden_added", found=_listed(added))


def refused_controls(added: Mapping[str, Sequence[int]]) -> dict[str, Sequence[int]]:
    """Return those of the hidden characters that no file gets unread: C0 and DEL.

    A terminal obeys them. Beyond ASCII there may be a reason: Persian needs a joiner,
    a file from Windows may have C1.
    """
    return {each: at for each, at in added.items() if each.isascii()}


def controls_error(
    refused: Mapping[str, Sequence[int]], *, file: object, partial: str
) -> ResponseError:
    """Return the error of an insertion that holds control characters."""
    error = ResponseError(
        text("cli.controls_refused", file=file, found=_listed(refused)),
        hint=text("cli.ask_again"),
    )
    error.partial = partial
    return error


def _listed(added: Mapping[str, Sequence[int]]) -> str:
    """Return the numbers of characters, each with the first line that it is on."""
    named = [
        text(
            "cli.hidden_at",
            character=numbered(character),
            line=lines[0],
            count=len(lines),
        )
        for character, lines in list(added.items())[:_NAMED]
    ]
    if len(added) > _NAMED:
        named.append(text("cli.and_more", count=len(added) - _NAMED))
    return reduce(lambda one, more: text("roles.listed", first=one, last=more), named)


def finish(file: TextFile, wanted: str, reply: Reply, mode: WriteMode) -> None:
    """Show a change, and write it where somebody said so: ``--yes``, or a person.

    ``wanted`` is the whole file as it shall be, with line feeds. Raises
    ``EditDoubtful`` where ``--yes`` alone would have to write a change in doubt.
    """
    new = with_line_ends_of(file.text, wanted)
    changed = new != file.text
    added = hidden_added(with_line_feeds(file.text), wanted)
    if refused := refused_controls(added):
        lines = wanted.split("\n")
        quoted = dict.fromkeys(lines[at[0] - 1] for at in refused.values())
        said = text("cli.controls_doubt", found=_listed(refused))
        doubt = Doubt("controls", said, tuple(quoted))
        reply = evolve(reply, doubts=(*reply.doubts, doubt))
    # Also where nobody looks at the diff.
    if told := {each: at for each, at in added.items() if each not in refused}:
        reply = evolve(reply, notes=(*reply.notes, hidden_note(told)))
    # Of what is stored, byte order mark and line ends included: it may be a patch.
    before, after = file.stored(file.text), file.stored(new)
    diff = unified(before, after, path=file.label) if changed else ""
    doubtful = changed and bool(reply.doubts) and not mode.accept_doubts
    is_refused = mode.yes and doubtful
    if changed and (target := outside_target(file.path)):
        # Whoever says yes, now or by an option, knows which file it is about.
        screen.note(text("cli.leads_outside", file=file.path, target=target))
    written = changed and mode.yes and not doubtful
    if written:
        # Before it is shown: a reader of the diff may go away.
        replace_text(file, new)
    if mode.as_json:
        facts = {
            "file": str(file.path),
            "changed": changed,
            "written": written,
            "diff": diff,
            "doubts": [asdict(doubt) for doubt in reply.doubts],
            **reply_facts(reply),
        }
        if not is_refused:
            screen.print_json(facts)
            return
        # Who reads the failure needs the change as well: both are one object.
        click.get_current_context().meta[FACTS] = facts
    else:
        screen.print_notes(reply.notes)
        if changed:
            show_diff(diff)
        screen.print_doubts(reply.doubts)
    if is_refused:
        error = EditDoubtful(
            text("cli.in_doubt", file=file.path), hint=text("cli.accept_doubts")
        )
        error.original, error.result = before, after
        error.diff, error.doubts = diff, reply.doubts
        raise error
    if not changed:
        screen.note(text("cli.no_change", file=file.path))
    elif written:
        screen.note(text("cli.wrote", file=file.path))
    elif mode.diff_only:
        return
    elif not all(map(screen.is_interactive, (sys.stdin, screen.stdout(), sys.stderr))):
        options = "--yes --accept-doubts" if doubtful else "--yes"
        screen.note(text("cli.yes_writes", file=file.path, options=options))
    elif screen.agreed(text("cli.write_anyway") if doubtful else text("cli.apply")):
        replace_text(file, new)
        screen.note(text("cli.wrote", file=file.path))
    else:
        screen.note(text("cli.not_written", file=file.path))


def show_diff(diff: str) -> None:
    """Print a unified diff, coloured on a terminal."""
    if not screen.is_interactive(screen.stdout()):
        screen.emit_raw(diff)
        return
    # Whoever is asked to agree sees every character that would be written.
    lines = visible_controls(diff).removesuffix("\n").split("\n")
    if screen.coloured(screen.stdout()):
        inside = False
        for at, line in enumerate(lines):
            # The two lines of the head begin with - and + as well.
            inside = inside or line.startswith("@@")
            if not inside:
                lines[at] = click.style(line, bold=True)
            elif line[:1] in _COLOURS:
                lines[at] = click.style(line, fg=_COLOURS[line[:1]])
    screen.emit("\n".join(lines))
