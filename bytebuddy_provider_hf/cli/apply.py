"""``bytebuddy-hf apply``: a suggested change worked into a file."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Final

import click

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.calls import apply_call
from bytebuddy_provider_hf.cli.changes import (
    Manner,
    change_of,
    change_options,
    settle,
    whole,
)
from bytebuddy_provider_hf.cli.code_options import code_options
from bytebuddy_provider_hf.cli.gathering import gather
from bytebuddy_provider_hf.cli.line_ends import plain
from bytebuddy_provider_hf.cli.options import ModelChoice, Sampling
from bytebuddy_provider_hf.cli.progress import Progress
from bytebuddy_provider_hf.cli.shelf import Shelf, as_apply
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
    manner: Manner,
) -> None:
    """Work SUGGESTION into FILE: see the diff, then say yes or no.

    SUGGESTION is a file, "-", or piped in: a unified diff, the whole new file, or parts
    of it with markers such as "... existing code ...". These are placed by rule; a
    model is asked only where no rule is certain. What has no place is an error, and
    nothing is written.
    """
    source = read_text_file(file)
    suggested = _suggestion(suggestion)
    reply = asyncio.run(_asked(choice, source, suggested, sampling, manner))
    settle(change_of(source, whole(reply, hint=_CUT), reply), manner)


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
    return plain(text)


async def _asked(
    choice: ModelChoice,
    source: TextFile,
    suggested: str,
    sampling: Sampling,
    manner: Manner,
) -> Reply:
    async with Shelf(choice) as shelf:
        model = await shelf.open(choice.name, role=Role.APPLY)
        call = apply_call(
            as_apply(model),
            plain(source.text),
            suggested,
            sampling,
            path=source.label,
        )
        shown = None if manner.as_json else Progress(model.name, time.monotonic)
        return await gather(call, model, shown=shown)
