"""``bytebuddy-hf rerank``: documents in the order of how well they answer a query."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Final

import click

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.batch_commands import (
    NoteLog,
    StatusLine,
    WaitOptions,
    call_options,
    chunks,
)
from bytebuddy_provider_hf.cli.model_source import ModelSource
from bytebuddy_provider_hf.cli.options import ModelChoice
from bytebuddy_provider_hf.cli.terminal import sanitize_line
from bytebuddy_provider_hf.cli.texts import read_texts
from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.outcomes import Scores
from bytebuddy_provider_hf.plugins.protocols import Model, OnEvent, Rerank
from bytebuddy_provider_hf.secret import redact
from bytebuddy_provider_hf.types import Role

_EXAMPLES: Final = """\
\b
Examples:
  bytebuddy-hf rerank -m BAAI/bge-reranker-v2-m3 "red fish" "a cat" "a red fish"
  grep -rn TODO . | bytebuddy-hf rerank --base http://127.0.0.1:8080 -m any "leak"
"""


@click.command(epilog=_EXAMPLES)
@click.argument("query")
@click.argument("documents", nargs=-1, metavar="[DOCUMENT]...")
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    metavar="LINES",
    help='Each line of this file is a document, too; "-" is what is piped in.',
)
@call_options
def rerank(
    *,
    query: str,
    documents: tuple[str, ...],
    file: Path | None,
    choice: ModelChoice,
    wait_options: WaitOptions,
    as_json: bool,
) -> None:
    """Score how well documents answer QUERY, and print them best first.

    Each line is a score and its document; more is better, in a range that is the
    model's own. With --json the documents keep their order. Empty lines are none.
    """
    found = read_texts(documents, file)
    if not found:
        message = (
            "there are no documents: give some as arguments, by --file, or pipe them in"
        )
        raise click.UsageError(message)
    asyncio.run(_reranked(choice, query, found, wait_options, as_json=as_json))


async def _reranked(
    choice: ModelChoice,
    query: str,
    documents: Sequence[str],
    wait_options: WaitOptions,
    *,
    as_json: bool,
) -> None:
    async with ModelSource(choice) as models:
        model = await models.open(choice.name, role=Role.RERANK)
        scores: list[float] = []
        notes, name = NoteLog(), ""

        def ask(
            portion: Sequence[str], left: float | None, tell: OnEvent
        ) -> Awaitable[Scores]:
            return as_rerank(model).rerank(
                query, portion, timeout=left, wait=wait_options.wait, on_event=tell
            )

        waiting = StatusLine(model.name, quiet=as_json)
        try:
            async for _, found in chunks(
                documents,
                ask,
                wait_options=wait_options,
                waiting=waiting,
                items="documents",
            ):
                scores.extend(found.scores)
                notes.add(found.notes, quiet=as_json)
                name = found.model
        except asyncio.CancelledError:
            if as_json:
                screen.print_json({"stopped": True, "count": len(scores)})
            raise
    if as_json:
        _print_json(documents, scores, model=name, notes=notes)
    else:
        _print(documents, scores)


def as_rerank(model: Model) -> Rerank:
    """Return ``model`` as one that scores documents, or say that it does not."""
    if isinstance(model, Rerank):
        return model
    message = f"the model {model.name} scores no documents"
    raise InvalidOption(message)


def _print(documents: Sequence[str], scores: Sequence[float]) -> None:
    # Equal scores keep the order that the documents were given in.
    ranked = sorted(zip(scores, documents, strict=True), key=lambda pair: -pair[0])
    shown = [f"{score:.6f}" for score, _ in ranked]
    width = max(map(len, shown))
    for score, (_, document) in zip(shown, ranked, strict=True):
        screen.emit(f"{score:>{width}}  {redact(sanitize_line(document))}")


def _print_json(
    documents: Sequence[str], scores: Sequence[float], *, model: str, notes: NoteLog
) -> None:
    results = [
        {"index": place, "score": score, "document": document}
        for place, (score, document) in enumerate(zip(scores, documents, strict=True))
    ]
    screen.print_json({"model": model, "results": results, "notes": list(notes.said)})
