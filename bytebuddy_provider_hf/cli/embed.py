"""``bytebuddy-hf embed``: texts become vectors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Final

import click
from attrs import asdict, define, field

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
from bytebuddy_provider_hf.errors import InvalidOption, MalformedResponse
from bytebuddy_provider_hf.outcomes import Embeddings, Vector
from bytebuddy_provider_hf.plugins.protocols import Embed, Model, OnEvent
from bytebuddy_provider_hf.types import Role, Usage

_FIRST: Final = 4
_LONGEST: Final = 40


_EXAMPLES: Final = """\
\b
Examples:
  bytebuddy-hf embed -m sentence-transformers/all-MiniLM-L6-v2 "a cat" "a dog"
  bytebuddy-hf embed --base http://127.0.0.1:8080 -m any --file lines.txt --json
"""


@click.command(epilog=_EXAMPLES)
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    metavar="LINES",
    help='Each line of this file is a text, too; "-" is what is piped in.',
)
@click.option("--query", is_flag=True, help="They are queries, not what is searched.")
@click.option(
    "--dimensions",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="How long the vectors shall be, where the model can choose.",
)
@call_options
def embed(
    *,
    texts: tuple[str, ...],
    file: Path | None,
    query: bool,
    dimensions: int | None,
    choice: ModelChoice,
    wait_options: WaitOptions,
    as_json: bool,
) -> None:
    """Turn texts into vectors, in batches as large as the server takes.

    Prints one line for each text: how many numbers its vector has, and the first of
    them. With --json each line is an object with the whole vector, as they come, and
    the last one tells model, count and usage. Empty lines are no texts.
    """
    found = read_texts(texts, file)
    if not found:
        message = (
            "there are no texts: give some as arguments, by --file, or pipe them in"
        )
        raise click.UsageError(message)
    request = _EmbedRequest(found, query=query, dimensions=dimensions, as_json=as_json)
    asyncio.run(_embedded(choice, request, wait_options))


@define
class _EmbedRequest:
    texts: Sequence[str]
    query: bool
    dimensions: int | None
    as_json: bool


@define
class _Shown:
    """What was printed so far; every vector must be as long as the first."""

    as_json: bool
    notes: NoteLog = field(factory=NoteLog)
    count: int = 0
    last: Embeddings | None = None
    usage: Usage | None = field(factory=Usage)
    _length: int = 0

    def take(self, start: int, texts: Sequence[str], found: Embeddings) -> None:
        """Print the vectors of a portion."""
        for place, vector in enumerate(found.vectors):
            self._check(vector)
            text = texts[start + place]
            if self.as_json:
                row = {"index": start + place, "text": text, "vector": vector}
                screen.print_json({"type": "vector", **row})
            else:
                screen.emit(line(text, vector))
            self.count += 1
        self.last, self.usage = found, _added(self.usage, found.usage)
        self.notes.add(found.notes, quiet=self.as_json)

    def done(self) -> None:
        """Print what holds for all of them."""
        if not self.as_json or self.last is None:
            return
        screen.print_json(
            {
                "type": "done",
                "count": self.count,
                "dimensions": self._length,
                "model": self.last.model,
                "pooling": self.last.pooling,
                "usage": None if self.usage is None else asdict(self.usage),
                "notes": list(self.notes.said),
            }
        )

    def _check(self, vector: Vector) -> None:
        self._length = self._length or len(vector)
        if len(vector) != self._length:
            message = (
                f"The server's vectors have different numbers of dimensions: "
                f"{self._length} and {len(vector)}."
            )
            raise MalformedResponse(message)


async def _embedded(
    choice: ModelChoice, request: _EmbedRequest, wait_options: WaitOptions
) -> None:
    async with ModelSource(choice) as models:
        model = await models.open(choice.name, role=Role.EMBED)
        shown = _Shown(request.as_json)

        def ask(
            texts: Sequence[str], left: float | None, tell: OnEvent
        ) -> Awaitable[Embeddings]:
            return as_embed(model).embed(
                texts,
                query=request.query,
                dimensions=request.dimensions,
                timeout=left,
                wait=wait_options.wait,
                on_event=tell,
            )

        waiting = StatusLine(model.name, quiet=request.as_json)
        try:
            async for start, found in chunks(
                request.texts,
                ask,
                wait_options=wait_options,
                waiting=waiting,
                items="texts",
            ):
                shown.take(start, request.texts, found)
        except asyncio.CancelledError:
            if request.as_json:
                screen.print_json({"stopped": True, "count": shown.count})
            raise
        shown.done()


def line(text: str, vector: Vector) -> str:
    """Return a line for people: dimensions, first numbers, and what it is about."""
    first = " ".join(f"{number:+.4f}" for number in vector[:_FIRST])
    more = " …" if len(vector) > _FIRST else ""
    shown = sanitize_line(text)
    cut = f"{shown[: _LONGEST - 1]}…" if len(shown) > _LONGEST else shown
    return f"{len(vector)} dimensions  {first}{more}  {cut}"


def as_embed(model: Model) -> Embed:
    """Return ``model`` as one that embeds, or say that it does not."""
    if isinstance(model, Embed):
        return model
    message = f"the model {model.name} gives no vectors"
    raise InvalidOption(message)


def _added(so_far: Usage | None, more: Usage | None) -> Usage | None:
    if so_far is None or more is None:
        return None
    return Usage(
        so_far.prompt_tokens + more.prompt_tokens,
        so_far.completion_tokens + more.completion_tokens,
        so_far.total_tokens + more.total_tokens,
    )
