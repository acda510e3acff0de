"""``bytebuddy-hf task``: fill masks, classify, translate, answer by a text."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Final

import click
from attrs import asdict, frozen

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.batch_commands import (
    NoteLog,
    StatusLine,
    WaitOptions,
    call_options,
)
from bytebuddy_provider_hf.cli.embed import line
from bytebuddy_provider_hf.cli.model_source import ModelSource
from bytebuddy_provider_hf.cli.options import ModelChoice
from bytebuddy_provider_hf.cli.prompt import read_prompt, require
from bytebuddy_provider_hf.cli.terminal import sanitize, sanitize_line
from bytebuddy_provider_hf.errors import InvalidOption
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
from bytebuddy_provider_hf.plugins.protocols import Model, Tasks
from bytebuddy_provider_hf.wire.tasks import check_task

_CONVERSATIONAL: Final = "conversational"


_EXAMPLES: Final = """\
\b
Examples:
  bytebuddy-hf task fill-mask "Paris is the [MASK] of France." \\
      -m google-bert/bert-base-uncased
  bytebuddy-hf task question-answering -m deepset/roberta-base-squad2 \\
      '{"question": "Who?", "context": "Ada wrote it."}'
  bytebuddy-hf task zero-shot-classification "It broke." \\
      -m facebook/bart-large-mnli --parameters '{"candidate_labels": ["bug"]}'
"""


@click.command(epilog=_EXAMPLES)
@click.argument("name")
@click.argument("inputs", required=False, metavar="[INPUT]")
@click.option(
    "--parameters",
    metavar="JSON",
    help='What the task may be told, as an object: {"top_k": 3}.',
)
@call_options
def task(
    *,
    name: str,
    inputs: str | None,
    parameters: str | None,
    choice: ModelChoice,
    wait_options: WaitOptions,
    as_json: bool,
) -> None:
    """Have a model of the Hub do the task NAME, such as fill-mask.

    INPUT is a text; a JSON object or a JSON list of texts is taken as such, because
    some tasks want several members. It can also be piped in.
    """
    text = require(read_prompt(inputs))
    given = _object(parameters)
    if choice.name is None:
        message = "name the model with -m: each task has models of its own"
        raise click.UsageError(message)
    request = _TaskRequest(name, _value(name, text), given)
    # Before the model opens, which may want a token first.
    check_task(request.name, request.inputs, request.parameters)
    reply = asyncio.run(_done(choice, request, wait_options, quiet=as_json))
    if as_json:
        screen.print_json({"task": name, **asdict(reply)})
    else:
        _print(reply)
        NoteLog().add(reply.notes)


@frozen
class _TaskRequest:
    name: str
    inputs: object
    parameters: Mapping[str, object]


async def _done(
    choice: ModelChoice,
    request: _TaskRequest,
    wait_options: WaitOptions,
    *,
    quiet: bool,
) -> TaskReply:
    async with ModelSource(choice) as models:
        model = await models.open(choice.name)
        waiting = StatusLine(model.name, quiet=quiet)
        try:
            return await as_tasks(model).task(
                request.name,
                request.inputs,
                request.parameters,
                timeout=wait_options.timeout,
                wait=wait_options.wait,
                on_event=waiting.event,
            )
        except asyncio.CancelledError:
            if quiet:
                screen.print_json({"stopped": True})
            raise
        finally:
            waiting.close()


def as_tasks(model: Model) -> Tasks:
    """Return ``model`` as one that does tasks, or say that it does not."""
    if isinstance(model, Tasks):
        return model
    message = f"the model {model.name} does no tasks"
    raise InvalidOption(message)


def _value(name: str, text: str) -> object:
    """Return what a text on the command line means as the input of a task."""
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict | list):
        return found
    return {"text": text} if name == _CONVERSATIONAL else text


def _object(text: str | None) -> dict[str, object]:
    if text is None:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        message = '--parameters wants a JSON object, such as {"top_k": 3}'
        raise click.UsageError(message)
    return found


def _print(reply: TaskReply) -> None:
    for place, group in enumerate(reply.groups):
        if place and len(group) > 1:
            screen.emit()
        for outcome in group:
            for text in _lines(outcome):
                screen.emit(text)


def _lines(outcome: Outcome) -> Iterator[str]:
    match outcome:
        case Label(label, score):
            yield f"{score:.4f}  {sanitize_line(label)}"
        case Filling(text, score, _, sequence):
            yield f"{score:.4f}  {sanitize_line(sequence or text)}"
        case Entity(group, score, word):
            yield f"{score:.4f}  {sanitize_line(group)}  {sanitize_line(word)}"
        case Answer(text, score) if score is not None:
            yield f"{score:.4f}  {sanitize_line(text)}"
        case Similarities(scores):
            yield from (f"{score:.4f}" for score in scores)
        case Features(vectors):
            yield from (line("", vector).rstrip() for vector in vectors)
        case _:
            yield sanitize(getattr(outcome, "text", ""))
