"""Commands on code: ``edit`` and ``apply`` change a file, ``fill`` completes one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click
from attrs import asdict, evolve

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.arguments import (
    Cursor,
    LineRange,
    parse_cursor,
    parse_line_range,
    readable,
)
from bytebuddy_provider_hf.cli.changes import (
    WriteMode,
    change_options,
    complete_text,
    controls_error,
    finish,
    hidden_added,
    hidden_note,
    refused_controls,
    reply_facts,
)
from bytebuddy_provider_hf.cli.code_call import (
    after_rules,
    reply_in_doubt,
    returning_doubts,
)
from bytebuddy_provider_hf.cli.model_source import require
from bytebuddy_provider_hf.cli.options import CallSettings, call_options, command
from bytebuddy_provider_hf.cli.render import CodeJsonPrinter, Printer, code_printer
from bytebuddy_provider_hf.cli.show_reply import ask, print_notes
from bytebuddy_provider_hf.cli.textfile import (
    ended_like,
    outside_target,
    piped_file,
    read_input_file,
    read_text_file,
    replace_text,
    with_line_ends_of,
    with_line_feeds,
)
from bytebuddy_provider_hf.client.roles.by_rule import place_by_rule
from bytebuddy_provider_hf.errors import EditDoubtful, InvalidOption, ResponseError
from bytebuddy_provider_hf.plugins.protocols import Apply, Edit, Fill, Model, ReplyCall
from bytebuddy_provider_hf.secret import one_line
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Reply, Role

# Characters of an answer that is no code: enough to see what the model took it for.
_SHOWN: Final = 200


@command(
    'bytebuddy-hf edit app.py -i "add type hints"',
    'bytebuddy-hf edit app.py --lines 10:25 -i "handle an empty list" --yes',
    'bytebuddy-hf edit app.py -i "use pathlib" --diff > pathlib.patch',
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-i",
    "--instruction",
    metavar="TEXT",
    required=True,
    help="What to change, in plain words.",
)
@click.option(
    "--lines",
    type=parse_line_range,
    metavar="A:B",
    help="Change only these lines; the model sees the others too.",
)
@call_options()
@change_options
def edit(
    *,
    file: Path,
    instruction: str,
    lines: LineRange | None,
    settings: CallSettings,
    mode: WriteMode,
) -> None:
    """Change FILE as instructed: review the diff, then say yes or no.

    Nothing is written without a yes, here or by --yes. Without a terminal the diff goes
    to stdout. A change that may not be what was meant, because much is gone that nobody
    named, is in doubt: you are asked once more, and --yes alone refuses it.
    """
    wanted = readable(instruction)
    if not wanted.strip():
        raise click.UsageError(text("cli.no_instruction"))
    source = read_text_file(file)
    # Models write line feeds; the ends of the file come back when it is written.
    before, code, after = (lines or LineRange()).split(
        with_line_feeds(source.text), str(file)
    )
    reply = _changed(
        settings,
        lambda model: returning_doubts(require(model, Edit).edit)(
            code,
            wanted,
            prefix=before,
            suffix=after,
            path=source.label,
            **settings.arguments,
        ),
        role=Role.EDIT,
        mode=mode,
    )
    changed = complete_text(reply, hint=text("cli.fewer_lines"))
    # Our own models see to both; one of another provider may not. No code at all is
    # no answer: who wants to delete everything uses an editor.
    if code.strip() and not changed.strip():
        raise ResponseError(text("cli.no_code"), hint=text("cli.other_words"))
    changed = ended_like(code, changed)
    if lines is not None and changed == code:
        first = before.count("\n") + 1
        last = first + code.removesuffix("\n").count("\n")
        raise ResponseError(
            text("cli.no_change_in_lines", first=first, last=last),
            hint=text("cli.other_words"),
        )
    finish(source, f"{before}{changed}{after}", reply, mode)


@command(
    "bytebuddy-hf apply app.py change.diff",
    'bytebuddy-hf chat "…" < app.py | bytebuddy-hf apply app.py --yes',
)
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("suggestion", type=click.Path(path_type=Path), required=False)
@call_options()
@change_options
def apply(
    *,
    file: Path,
    suggestion: Path | None,
    settings: CallSettings,
    mode: WriteMode,
) -> None:
    """Work SUGGESTION into FILE: review the diff, then say yes or no.

    SUGGESTION is a file, "-", or piped in. Placed by rule, without a model, a
    configuration or a token, are

    \b
      a unified diff, also with wrong line numbers
      SEARCH/REPLACE blocks, as aider and Cline write them
      "*** Begin Patch" of codex
      git's conflict markers; the second side is taken
      the whole new file, or one block that is there already
      parts with "... existing code ..." for what stays

    in fences or not, with words around them or not. A model is asked only where no rule
    is certain, and its answer is checked. What has no place is an error, and nothing is
    written.
    """  # noqa: D301  # click reads the character itself, not its escape
    source = read_text_file(file)
    # A pipe is read only where nobody types: without a suggestion we would wait.
    if suggestion is not None and str(suggestion) != "-":
        suggested = read_input_file(suggestion).text
    elif suggestion is None and screen.is_interactive(sys.stdin):
        raise click.UsageError(text("cli.no_suggestion"))
    else:
        suggested = piped_file(Path("-")).text
    # A command before the pipe that failed is not a wish to change nothing.
    if not suggested.strip():
        raise click.UsageError(text("cli.empty_suggestion"))
    original, change = with_line_feeds(source.text), with_line_feeds(suggested)
    # Before anything is opened: where a rule suffices nobody needs a model.
    reply = place_by_rule(original, change, path=source.label)
    if not isinstance(reply, Reply):
        with after_rules(settings, original, change, unplaced=reply):
            reply = _changed(
                settings,
                lambda model: returning_doubts(require(model, Apply).apply)(
                    original, change, path=source.label, **settings.arguments
                ),
                role=Role.APPLY,
                mode=mode,
            )
    wanted = complete_text(reply, hint=text("cli.smaller_file"))
    finish(source, wanted, reply, mode)


def _changed(
    settings: CallSettings,
    call: Callable[[Model], ReplyCall],
    *,
    role: Role,
    mode: WriteMode,
) -> Reply:
    """Return the reply of a call whose code is shown only as a diff, at the end."""
    # Half a file on the screen helps nobody: meanwhile its lines are counted.
    try:
        return ask(
            settings,
            call,
            CodeJsonPrinter() if mode.as_json else Printer(),
            role=role,
            quiet=mode.as_json,
            counts_lines=True,
        )
    except EditDoubtful as error:
        return reply_in_doubt(error)
    except ResponseError as error:
        # Classes of their own say what happened; the others are about the answer, and
        # its first words tell a person why. JSON has all of it.
        if type(error) is ResponseError and error.partial and not mode.as_json:
            said = one_line(error.partial, limit=_SHOWN)
            error.add_note(text("cli.model_said", said=said))
        raise


@command(
    "bytebuddy-hf fill app.py:12:9",
    "bytebuddy-hf fill app.py:12 --one-line --insert",
    "bytebuddy-hf fill app.py:12:9 --file models.py --repository shop",
    "bytebuddy-hf fill app.py:12:9 --stdin < unsaved.py",
)
@click.argument("cursor", type=parse_cursor, metavar="FILE:LINE:COL")
@click.option("--one-line", is_flag=True, help="Complete only the line of the cursor.")
@click.option(
    "--file",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="OTHER",
    help="Show the model this file too; may be repeated, most useful last.",
)
@click.option("--repository", default="", metavar="NAME", help="The project's name.")
@click.option(
    "--stdin", is_flag=True, help="Read the text from stdin: FILE is only its name."
)
@click.option("--insert", is_flag=True, help="Also write the completion into the file.")
@click.option(
    "-y",
    "--yes",
    is_flag=True,
    help="With --insert: write also where a symbolic link leads out of this folder.",
)
@call_options()
def fill(
    *,
    cursor: Cursor,
    one_line: bool,
    files: tuple[Path, ...],
    repository: str,
    stdin: bool,
    insert: bool,
    yes: bool,
    settings: CallSettings,
    as_json: bool,
) -> None:
    """Complete code at a place in a file: print what belongs there.

    LINE and COL count from 1; COL counts characters, and the cursor stands before that
    character. FILE:LINE is the end of the line.
    """
    if insert and stdin:
        raise click.UsageError(text("cli.insert_and_stdin"))
    read = piped_file if stdin else read_text_file
    source = read(Path(cursor.file))
    # Before the model is asked: an answer that may not be written helps nobody.
    if insert and (target := outside_target(source.path)):
        said = text("cli.leads_outside", file=source.path, target=target)
        screen.note(said)
        asked = all(map(screen.is_interactive, (sys.stdin, sys.stderr)))
        if not yes and not asked:
            raise InvalidOption(said, hint=text("cli.yes_writes_there"))
        if not yes and not screen.agreed(text("cli.write_there"), stream=sys.stderr):
            screen.note(text("cli.not_written", file=cursor.file))
            return
    # As the model shall see it; the line ends come back with --insert.
    before = with_line_feeds(source.text)
    prefix, suffix = cursor.split(before)
    others = tuple(
        (it.label, with_line_feeds(it.text)) for it in map(read_input_file, files)
    )
    reply = ask(
        settings,
        lambda model: require(model, Fill).fill(
            prefix,
            suffix,
            path=source.label,
            repository=repository,
            files=others,
            multiline=not one_line,
            **settings.arguments,
        ),
        code_printer(as_json=as_json),
        role=Role.AUTOCOMPLETE,
        quiet=as_json,
    )
    # Nothing at all is a fair filling; it needs no writing.
    inserted = insert and bool(reply.text)
    new = f"{prefix}{with_line_feeds(reply.text)}{suffix}"
    if added := hidden_added(before, new):
        # A pipe has them as they are, and so has the file: nothing else would tell.
        reply = evolve(reply, notes=(*reply.notes, hidden_note(added)))
    if inserted:
        if refused := refused_controls(added):
            raise controls_error(refused, file=cursor.file, partial=reply.text)
        replace_text(source, with_line_ends_of(source.text, new))
    if as_json:
        shown = {**asdict(cursor), "text": reply.text, "inserted": inserted}
        shown["finish_reason"] = reply.finish_reason
        screen.print_json({**shown, **reply_facts(reply)})
        return
    print_notes(reply)
    if inserted:
        screen.note(text("cli.wrote", file=cursor.file))
