"""Commands ``embed`` and ``rerank``: many texts become vectors or scores."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

import click
from attrs import asdict, define, field

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.amounts import served_facts
from bytebuddy_provider_hf.cli.arguments import read_texts
from bytebuddy_provider_hf.cli.call_watch import CallWatch
from bytebuddy_provider_hf.cli.language import localized
from bytebuddy_provider_hf.cli.model_source import ModelSource, require
from bytebuddy_provider_hf.cli.options import CallSettings, call_options, command
from bytebuddy_provider_hf.cli.show_reply import print_used
from bytebuddy_provider_hf.cli.status_line import StatusLine
from bytebuddy_provider_hf.cli.terminal import sanitize_line
from bytebuddy_provider_hf.errors import MalformedResponse
from bytebuddy_provider_hf.money import Cost, total_cost
from bytebuddy_provider_hf.outcomes import Embeddings, Scores, Vector
from bytebuddy_provider_hf.plugins.protocols import Embed, Model, OnEvent, Rerank
from bytebuddy_provider_hf.secret import redact
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Role, Usage

# So many inputs are handed over at once: enough to keep every permit busy, and few
# enough that a person sees progress, and that what came before Ctrl-C is kept.
CHUNK_SIZE: Final = 1_024

# Of a vector and of a text, what a line for people shows.
_FIRST_NUMBERS: Final = 4
_LONGEST_TEXT: Final = 40


R = TypeVar("R", Embeddings, Scores)

# Gets a model, a chunk of the inputs, the seconds that are left and whom to tell of
# waiting; returns the answer for the chunk.
Send: TypeAlias = Callable[[Model, Sequence[str], float | None, OnEvent], Awaitable[R]]


@command(
    'bytebuddy-hf embed -m sentence-transformers/all-MiniLM-L6-v2 "a cat" "a dog"',
    "bytebuddy-hf embed --base http://127.0.0.1:8080 -m any --file lines.txt --json",
)
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    metavar="LINES",
    help='Each line of this file is a text; "-" reads a pipe.',
)
@click.option(
    "--query", is_flag=True, help="The texts are queries, not documents to be searched."
)
@click.option(
    "--dimensions",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="Length of the vectors, where the model has a choice.",
)
@call_options(sampling=False)
def embed(
    *,
    texts: tuple[str, ...],
    file: Path | None,
    query: bool,
    dimensions: int | None,
    settings: CallSettings,
    as_json: bool,
) -> None:
    """Turn texts into vectors, in batches as large as the server takes.

    Prints one line for each text: the length of its vector and the first numbers. With
    --json each line is an object with the whole vector, printed as they come; the last
    one has model, count and usage. Empty lines are skipped.
    """
    inputs = read_texts(texts, file, text("cli.texts"))

    call = Batch(settings, Role.EMBED, inputs, text("cli.texts"), quiet=as_json)
    with call.watch:
        asyncio.run(
            _print_vectors(
                call,
                lambda model, chunk, left, tell: require(model, Embed).embed(
                    chunk,
                    query=query,
                    dimensions=dimensions,
                    timeout=left,
                    wait=settings.wait,
                    on_event=tell,
                ),
            )
        )


@command(
    'bytebuddy-hf rerank -m BAAI/bge-reranker-v2-m3 "red fish" "a cat" "a red fish"',
    'grep -rn TODO . | bytebuddy-hf rerank --base http://127.0.0.1:8080 -m any "leak"',
)
@click.argument("query")
@click.argument("documents", nargs=-1, metavar="[DOCUMENT]...")
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    metavar="LINES",
    help='Each line of this file is a document; "-" reads a pipe.',
)
@call_options(sampling=False)
def rerank(
    *,
    query: str,
    documents: tuple[str, ...],
    file: Path | None,
    settings: CallSettings,
    as_json: bool,
) -> None:
    """Score how well documents answer QUERY, and print them best first.

    Each line is a score and its document; higher is better, in a range of the model's
    own. With --json the documents keep their order. Empty lines are skipped.
    """
    inputs = read_texts(documents, file, text("cli.documents"))

    items = text("cli.documents")
    call = Batch(settings, Role.RERANK, inputs, items, quiet=as_json)
    with call.watch:
        asyncio.run(
            _print_scores(
                call,
                lambda model, chunk, left, tell: require(model, Rerank).rerank(
                    query, chunk, timeout=left, wait=settings.wait, on_event=tell
                ),
            )
        )


@define
class Batch:
    """A call on many inputs, sent in chunks; ``items`` is what people call them."""

    settings: CallSettings
    role: Role
    inputs: Sequence[str]
    items: str
    # With --json: notes are a member of what is printed, and nothing is said meanwhile.
    quiet: bool
    notes: dict[str, None] = field(factory=dict)
    costs: list[Cost] = field(factory=list)
    usages: list[Usage | None] = field(factory=list)
    began: float = field(factory=time.monotonic)
    watch: CallWatch = field(factory=CallWatch)

    async def answers(self, send: Send[R]) -> AsyncGenerator[tuple[int, R], None]:
        """Yield the answer for each chunk, with where the chunk begins."""
        timeout, count = self.settings.timeout, len(self.inputs)
        # The time of a call is for all chunks together.
        ends = None if timeout is None else time.monotonic() + timeout
        done = 0
        async with ModelSource(self.settings) as models:
            model = await models.open(self.settings.model, role=self.role)
            line = StatusLine(model.name, quiet=self.quiet)
            try:
                for start in range(0, count, CHUNK_SIZE):
                    line.progress(start, count, self.items)
                    chunk = self.inputs[start : start + CHUNK_SIZE]
                    left = None if ends is None else max(1e-3, ends - time.monotonic())
                    self.watch.begin(model, left)
                    answer = await send(model, chunk, left, line.event)
                    self.watch.end()
                    line.clear()
                    yield start, answer
                    done = start + len(chunk)
                    self.costs.append(answer.cost)
                    self.usages.append(answer.usage)
                    # Every chunk may have the same ones.
                    new = [it for it in answer.notes if it not in self.notes]
                    self.notes |= dict.fromkeys(new)
                    if not self.quiet:
                        screen.print_notes(dict.fromkeys(new))
            except asyncio.CancelledError:
                if self.quiet:
                    screen.print_json({"stopped": True, "count": done})
                raise
            finally:
                self.watch.end()
                line.clear()

    def print_used(self, last: Embeddings | Scores) -> None:
        """Print what all chunks used together; ``last`` is the last answer."""
        print_used(
            self.settings,
            last,
            last.model or self.settings.model or "",
            time.monotonic() - self.began,
            usage=Usage.total(self.usages),
            cost=total_cost(self.costs),
            quiet=self.quiet,
        )


async def _print_vectors(call: Batch, send: Send[Embeddings]) -> None:
    length = 0
    last: Embeddings | None = None
    async with aclosing(call.answers(send)) as answers:
        async for start, found in answers:
            for index, vector in enumerate(found.vectors, start):
                length = length or len(vector)
                if len(vector) != length:
                    raise MalformedResponse(
                        text("cli.dimensions_differ", first=length, second=len(vector))
                    )
                given = call.inputs[index]
                if call.quiet:
                    row = {"index": index, "text": given, "vector": vector}
                    screen.print_json({"type": "vector", **row})
                else:
                    screen.emit(vector_line(given, vector))
            last = found
    if last is None:
        return
    if call.quiet:
        usage = Usage.total(call.usages)
        screen.print_json(
            {
                "type": "done",
                "count": len(call.inputs),
                "dimensions": length,
                "model": last.model,
                "pooling": last.pooling,
                "usage": None if usage is None else asdict(usage),
                "notes": list(call.notes),
                **served_facts(last, cost=total_cost(call.costs)),
            }
        )
    call.print_used(last)


async def _print_scores(call: Batch, send: Send[Scores]) -> None:
    scores: list[float] = []
    last: Scores | None = None
    async with aclosing(call.answers(send)) as answers:
        async for _, found in answers:
            scores.extend(found.scores)
            last = found
    if last is None:
        return
    scored = list(zip(scores, call.inputs, strict=True))
    if call.quiet:
        results = [
            {"index": index, "score": score, "document": document}
            for index, (score, document) in enumerate(scored)
        ]
        screen.print_json(
            {
                "model": last.model,
                "results": results,
                "notes": list(call.notes),
                **served_facts(last, cost=total_cost(call.costs)),
            }
        )
        call.print_used(last)
        return
    # Equal scores keep the order that the documents were given in.
    ranked = sorted(scored, key=lambda pair: -pair[0])
    width = max(len(f"{score:.6f}") for score in scores)
    for score, document in ranked:
        # A line that grep found may hold a token.
        screen.emit(f"{score:>{width}.6f}  {redact(sanitize_line(document))}")
    call.print_used(last)


def vector_line(given: str, vector: Vector) -> str:
    """Return a line for people: dimensions, first numbers, and what it is about."""
    first = " ".join(f"{number:+.4f}" for number in vector[:_FIRST_NUMBERS])
    more = " …" if len(vector) > _FIRST_NUMBERS else ""
    shown = sanitize_line(given)
    if len(shown) > _LONGEST_TEXT:
        shown = f"{shown[: _LONGEST_TEXT - 1]}…"
    line = text("cli.vector", count=len(vector), numbers=f"{first}{more}", said=shown)
    return localized(line)
