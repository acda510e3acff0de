"""``bytebuddy-hf edit``: a file changed as a person says."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

import click

from bytebuddy_provider_hf.cli.changes import (
    WriteMode,
    change_of,
    change_options,
    complete_text,
    finish,
)
from bytebuddy_provider_hf.cli.code_options import code_options
from bytebuddy_provider_hf.cli.collect_reply import collect_reply
from bytebuddy_provider_hf.cli.cursor import LineRange, line_range_of
from bytebuddy_provider_hf.cli.line_ends import ended_like, with_line_feeds
from bytebuddy_provider_hf.cli.model_calls import edit_call
from bytebuddy_provider_hf.cli.model_source import ModelSource, as_edit
from bytebuddy_provider_hf.cli.options import ModelChoice, Sampling
from bytebuddy_provider_hf.cli.progress import Progress
from bytebuddy_provider_hf.cli.textfile import read_text_file
from bytebuddy_provider_hf.errors import ResponseError
from bytebuddy_provider_hf.prompts.edit import EditTask
from bytebuddy_provider_hf.types import Reply, Role

_CUT: Final = "Raise --max-tokens, or edit fewer lines (--lines A:B)."
_EXAMPLES: Final = """\
\b
Examples:
  bytebuddy-hf edit app.py -i "add type hints"
  bytebuddy-hf edit app.py --lines 10:25 -i "handle an empty list" --yes
  bytebuddy-hf edit app.py -i "use pathlib" --diff > pathlib.patch
"""


@click.command(epilog=_EXAMPLES)
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
    type=line_range_of,
    metavar="A:B",
    help="Change these lines only; the rest is shown to the model.",
)
@code_options
@change_options
def edit(
    *,
    file: Path,
    instruction: str,
    lines: LineRange | None,
    choice: ModelChoice,
    sampling: Sampling,
    mode: WriteMode,
) -> None:
    """Change FILE as you say: see the diff, then say yes or no.

    Nothing is written without a yes, here or by --yes. Without a terminal the diff goes
    to stdout.
    """
    wanted = instruction.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if not wanted.strip():
        message = "the instruction is empty: say with -i what to change"
        raise click.UsageError(message)
    source = read_text_file(file)
    before, code, after = (lines or LineRange()).split(
        with_line_feeds(source.text), str(file)
    )
    task = EditTask(code, wanted, before, after, source.label)
    reply = asyncio.run(_asked(choice, task, sampling, mode))
    # Our own models see to it; one of another provider may not.
    changed = ended_like(code, _some(code, complete_text(reply, hint=_CUT)))
    finish(change_of(source, f"{before}{changed}{after}", reply), mode)


async def _asked(
    choice: ModelChoice, task: EditTask, sampling: Sampling, mode: WriteMode
) -> Reply:
    async with ModelSource(choice) as models:
        model = await models.open(choice.name, role=Role.EDIT)
        call = edit_call(as_edit(model), task, sampling)
        shown = None if mode.as_json else Progress(model.name, time.monotonic)
        return await collect_reply(call, model, shown=shown)


def _some(code: str, changed: str) -> str:
    """Return the changed code; none at all is no answer: who deletes uses an editor."""
    if code.strip() and not changed.strip():
        raise ResponseError(
            "The model answered with no code. Nothing was written.",
            hint="Say it in other words, or give the role edit to another model.",
        )
    return changed
