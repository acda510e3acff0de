"""``bytebuddy-hf chat``: one answer, or a talk."""

from __future__ import annotations

import asyncio
import sys
import time

import click

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.answer import Answer, show
from bytebuddy_provider_hf.cli.calls import chat_call
from bytebuddy_provider_hf.cli.options import ModelChoice, Output, Sampling
from bytebuddy_provider_hf.cli.prompt import read_prompt, require
from bytebuddy_provider_hf.cli.question import question
from bytebuddy_provider_hf.cli.shelf import Shelf, as_chat
from bytebuddy_provider_hf.types import Message


@click.command()
@click.argument("prompt", required=False)
@click.option("--system", metavar="TEXT", help="The system message.")
@question
def chat(
    *,
    prompt: str | None,
    system: str | None,
    choice: ModelChoice,
    sampling: Sampling,
    output: Output,
) -> None:
    """Ask a model, or talk with it.

    PROMPT and what is piped in make one question. On a terminal without PROMPT, a talk
    begins; /help there lists what it understands.
    """
    if prompt is None and not output.as_json and _somebody_is_there():
        from bytebuddy_provider_hf.cli.talk import talk

        talk(choice, system=system, sampling=sampling, output=output)
        return
    messages = opening(system)
    messages.append(Message("user", require(read_prompt(prompt))))
    asyncio.run(_once(choice, messages, sampling, output))


def opening(system: str | None) -> list[Message]:
    """Return how a conversation begins."""
    return [Message("system", system)] if system else []


def _somebody_is_there() -> bool:
    return screen.is_interactive(sys.stdin) and screen.is_interactive(sys.stdout)


async def _once(
    choice: ModelChoice, messages: list[Message], sampling: Sampling, output: Output
) -> None:
    async with Shelf(choice) as shelf:
        model = await shelf.open(choice.name)
        call = chat_call(as_chat(model), messages, sampling)
        await show(call, model, into=Answer(), output=output, clock=time.monotonic)
