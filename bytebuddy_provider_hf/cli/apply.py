"""``bytebuddy-hf apply``: a suggested change worked into a file."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Final

import click

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.changes import (
    WriteMode,
    change_of,
    change_options,
    complete_text,
    finish,
)
from bytebuddy_provider_hf.cli.code_options import code_options
from bytebuddy_provider_hf.cli.collect_reply import collect_reply
from bytebuddy_provider_hf.cli.line_ends import with_line_feeds
from bytebuddy_provider_hf.cli.model_calls import apply_call
from bytebuddy_provider_hf.cli.model_source import ModelSource, as_apply
from bytebuddy_provider_hf.cli.options import ModelChoice, Sampling
from bytebuddy_provider_hf.cli.progress import Progress
from bytebuddy_provider_hf.cli.textfile import (
    TextFile,
    piped_file,
    read_text_file,
)
from bytebuddy_provider_hf.types import Reply, Role

_CUT: Final = "Raise --max-tokens, or apply the change to a smaller file."
_EXAMPLES: Final = """\
\b
Examples:
  bytebuddy-hf apply app.py change.diff
  bytebuddy-hf chat "…" < app.py | bytebuddy-hf apply app.py --yes
"""


@click.command(epilog=_EXAMPLES)
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("suggestion", type=click.Path(path_type=Path), required=False)
@code_options
@change_options
def apply(
    *,
    file: Path,
    suggestion: Path | None,
    choice: ModelChoice,
    sampling: Sampling,
    mode: WriteMode,
) -> None:
    """Work SUGGESTION into FILE: see the diff, then say yes or no.

    SUGGESTION is a file, "-", or piped in: a unified diff, the whole new file, or parts
    of it with markers such as "... existing code ...". These are placed by rule; a
    model is asked only where no rule is certain. What has no place is an error, and
    nothing is written.
    """
    source = read_text_file(file)
    suggested = _suggestion(suggestion)
    reply = asyncio.run(_asked(choice, source, suggested, sampling, mode))
    finish(change_of(source, complete_text(reply, hint=_CUT), reply), mode)


def _suggestion(path: Path | None) -> str:
    if path is not None and str(path) != "-":
        text = read_text_file(path).text
    elif path is None and screen.is_interactive(sys.stdin):
        message = "there is no suggestion: name its file, or pipe it in"
        raise click.UsageError(message)
    else:
        text = piped_file(Path("-")).text
    if not text.strip():
        message = "the suggestion is empty"
        raise click.UsageError(message)
    return with_line_feeds(text)


async def _asked(
    choice: ModelChoice,
    source: TextFile,
    suggested: str,
    sampling: Sampling,
    mode: WriteMode,
) -> Reply:
    async with ModelSource(choice) as models:
        model = await models.open(choice.name, role=Role.APPLY)
        call = apply_call(
            as_apply(model),
            with_line_feeds(source.text),
            suggested,
            sampling,
            path=source.label,
        )
        shown = None if mode.as_json else Progress(model.name, time.monotonic)
        return await collect_reply(call, model, shown=shown)
