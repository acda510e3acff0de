"""``bytebuddy-hf fill``: code completed at a place in a file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import click
from attrs import asdict

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.code_options import code_options
from bytebuddy_provider_hf.cli.collect_reply import collect_reply
from bytebuddy_provider_hf.cli.cursor import Cursor, cursor_of
from bytebuddy_provider_hf.cli.line_ends import with_line_ends_of, with_line_feeds
from bytebuddy_provider_hf.cli.model_calls import fill_call
from bytebuddy_provider_hf.cli.model_source import ModelSource, as_fill
from bytebuddy_provider_hf.cli.options import ModelChoice, Sampling
from bytebuddy_provider_hf.cli.raw_output import raw_printer
from bytebuddy_provider_hf.cli.show_reply import print_notes
from bytebuddy_provider_hf.cli.textfile import (
    piped_file,
    read_text_file,
    replace_text,
)
from bytebuddy_provider_hf.prompts.fill_context import FillContext
from bytebuddy_provider_hf.types import Reply, Role

_EXAMPLES: Final = """\
\b
Examples:
  bytebuddy-hf fill app.py:12:9
  bytebuddy-hf fill app.py:12 --one-line --insert
  bytebuddy-hf fill app.py:12:9 --file models.py --repository shop
  bytebuddy-hf fill app.py:12:9 --stdin < unsaved.py
"""


@click.command(epilog=_EXAMPLES)
@click.argument("place", type=cursor_of, metavar="FILE:LINE:COL")
@click.option("--one-line", is_flag=True, help="End with the line of the cursor.")
@click.option(
    "--file",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="OTHER",
    help="Show the model this file too; may be repeated, the most useful last.",
)
@click.option("--repository", default="", metavar="NAME", help="The project's name.")
@click.option(
    "--stdin", is_flag=True, help="Read the text from stdin: FILE is only its name."
)
@click.option("--insert", is_flag=True, help="Write the filling into the file, too.")
@code_options
def fill(
    *,
    place: Cursor,
    one_line: bool,
    files: tuple[Path, ...],
    repository: str,
    stdin: bool,
    insert: bool,
    choice: ModelChoice,
    sampling: Sampling,
    as_json: bool,
) -> None:
    """Complete code at a place in a file: print what belongs there.

    LINE and COL count from 1; COL counts characters, and the cursor stands before that
    character. FILE:LINE is the end of the line.
    """
    if insert and stdin:
        message = "--insert writes into a file, and --stdin reads none"
        raise click.UsageError(message)
    path = Path(place.file)
    source = piped_file(path) if stdin else read_text_file(path)
    prefix, suffix = place.split(with_line_feeds(source.text))
    others = tuple(
        (it.label, with_line_feeds(it.text)) for it in map(read_text_file, files)
    )
    context = FillContext(
        prefix, suffix, source.label, repository=repository, files=others
    )
    reply = asyncio.run(
        _filled(choice, context, sampling, multiline=not one_line, as_json=as_json)
    )
    if insert and reply.text:
        new = f"{prefix}{with_line_feeds(reply.text)}{suffix}"
        replace_text(source, with_line_ends_of(source.text, new))
    _tell(place, reply, inserted=insert and bool(reply.text), as_json=as_json)


async def _filled(
    choice: ModelChoice,
    context: FillContext,
    sampling: Sampling,
    *,
    multiline: bool,
    as_json: bool,
) -> Reply:
    async with ModelSource(choice) as models:
        model = await models.open(choice.name, role=Role.AUTOCOMPLETE)
        call = fill_call(as_fill(model), context, sampling, multiline=multiline)
        shown = None if as_json else raw_printer()
        return await collect_reply(call, model, shown=shown)


def _tell(place: Cursor, reply: Reply, *, inserted: bool, as_json: bool) -> None:
    if not as_json:
        print_notes(reply)
        if inserted:
            screen.note(f"wrote {place.file}")
        return
    screen.print_json(
        {
            "file": place.file,
            "line": place.line,
            "column": place.column,
            "text": reply.text,
            "inserted": inserted,
            "finish_reason": reply.finish_reason,
            "notes": list(reply.notes),
            "usage": None if reply.usage is None else asdict(reply.usage),
            "model": reply.model,
        }
    )
