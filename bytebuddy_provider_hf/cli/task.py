"""Command ``task``: fill masks, classify, translate, answer from a text."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

import click
from attrs import asdict

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.amounts import served_facts
from bytebuddy_provider_hf.cli.arguments import read_prompt
from bytebuddy_provider_hf.cli.call_watch import CallWatch
from bytebuddy_provider_hf.cli.model_source import ModelSource, require
from bytebuddy_provider_hf.cli.options import CallSettings, call_options, command
from bytebuddy_provider_hf.cli.scoring import vector_line
from bytebuddy_provider_hf.cli.show_reply import print_used
from bytebuddy_provider_hf.cli.status_line import StatusLine
from bytebuddy_provider_hf.cli.terminal import sanitize, sanitize_line
from bytebuddy_provider_hf.outcomes import (
    Answer,
    Entity,
    Features,
    Filling,
    Label,
    Outcome,
    Similarities,
    TaskReply,
)
from bytebuddy_provider_hf.plugins.protocols import Tasks
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.wire.tasks import check_task

# The one task whose input has members also where it is a plain text.
_CONVERSATIONAL: Final = "conversational"


def parse_object(given: str) -> dict[str, object]:
    """Return the JSON object that an option's text holds."""
    found = _json(given)
    if isinstance(found, dict):
        return found
    raise click.BadParameter(text("cli.wants_object"))


def _json(given: str) -> object:
    """Return the value of a JSON text, ``None`` for any other text."""
    try:
        found: object = json.loads(given)
    except (ValueError, RecursionError):
        return None
    return found


@command(
    'bytebuddy-hf task fill-mask "Paris is the [MASK] of France." \\',
    "    -m google-bert/bert-base-uncased",
    "bytebuddy-hf task question-answering -m deepset/roberta-base-squad2 \\",
    '    \'{"question": "Who?", "context": "Ada wrote it."}\'',
    'bytebuddy-hf task zero-shot-classification "It broke." \\',
    '    -m facebook/bart-large-mnli --parameters \'{"candidate_labels": ["bug"]}\'',
)
@click.argument("name")
@click.argument("inputs", required=False, metavar="[INPUT]")
@click.option(
    "--parameters",
    type=parse_object,
    metavar="JSON",
    help='Parameters of the task, as an object: {"top_k": 3}.',
)
@call_options(sampling=False)
def task(
    *,
    name: str,
    inputs: str | None,
    parameters: dict[str, object] | None,
    settings: CallSettings,
    as_json: bool,
) -> None:
    """Run the task NAME, such as fill-mask, on a model of the Hub.

    INPUT is a text, or JSON for tasks with several inputs: an object, or a list of
    texts. It can also be piped in.
    """
    typed = read_prompt(inputs)
    given = parameters or {}
    if settings.model is None:
        raise click.UsageError(text("cli.name_model"))
    value = _json(typed)
    if not isinstance(value, dict | list):
        # A number or a word in quotes is a text that looks like JSON.
        value = {"text": typed} if name == _CONVERSATIONAL else typed
    # Before the model opens, which may want a token first.
    check_task(name, value, given)
    began = time.monotonic()
    with CallWatch() as watch:
        reply = asyncio.run(_ask(settings, name, value, given, watch, quiet=as_json))
    seconds = time.monotonic() - began
    # The tasks of the Hub tell no tokens.
    used = partial(print_used, settings, reply, settings.model, seconds, usage=None)
    if as_json:
        screen.print_json({"task": name, **asdict(reply), **served_facts(reply)})
        used(quiet=True)
        return
    # Each input has a group of outcomes; an empty line keeps longer ones apart.
    for place, group in enumerate(reply.groups):
        if place and len(group) > 1:
            screen.emit()
        for outcome in group:
            for line in _lines(outcome):
                screen.emit(line)
    screen.print_notes(reply.notes)
    used(quiet=False)


async def _ask(
    settings: CallSettings,
    name: str,
    inputs: object,
    parameters: Mapping[str, object],
    watch: CallWatch,
    *,
    quiet: bool,
) -> TaskReply:
    async with ModelSource(settings) as models:
        model = await models.open(settings.model)
        line = StatusLine(model.name, quiet=quiet)
        watch.begin(model, settings.timeout)
        try:
            return await require(model, Tasks).task(
                name,
                inputs,
                parameters,
                timeout=settings.timeout,
                wait=settings.wait,
                on_event=line.event,
            )
        except asyncio.CancelledError:
            # A program that reads JSON gets an object whatever happens.
            if quiet:
                screen.print_json({"stopped": True})
            raise
        finally:
            watch.end()
            line.clear()


def _lines(outcome: Outcome) -> Iterator[str]:
    match outcome:
        case Label(label, score):
            yield f"{score:.4f}  {sanitize_line(label)}"
        # The sentence says more than the word, where the server tells it.
        case Filling(word, score, _, sequence):
            yield f"{score:.4f}  {sanitize_line(sequence or word)}"
        case Entity(group, score, word):
            yield f"{score:.4f}  {sanitize_line(group)}  {sanitize_line(word)}"
        case Answer(said, score) if score is not None:
            yield f"{score:.4f}  {sanitize_line(said)}"
        case Similarities(scores):
            yield from (f"{score:.4f}" for score in scores)
        case Features(vectors):
            yield from (vector_line("", vector).rstrip() for vector in vectors)
        case _:  # a text, and answers without a score: as it stands, with its lines
            yield sanitize(getattr(outcome, "text", ""))
