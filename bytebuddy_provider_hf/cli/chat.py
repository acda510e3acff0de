"""``bytebuddy-hf chat``: one answer, or a talk."""

from __future__ import annotations

import asyncio
import sys
import time

import click

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.model_calls import chat_call
from bytebuddy_provider_hf.cli.model_source import ModelSource, as_chat
from bytebuddy_provider_hf.cli.options import ModelChoice, Output, Sampling
from bytebuddy_provider_hf.cli.prompt import read_prompt, require
from bytebuddy_provider_hf.cli.show_reply import ShownReply, show_reply
from bytebuddy_provider_hf.cli.text_command import text_command
from bytebuddy_provider_hf.types import Message


@click.command()
@click.argument("prompt", required=False)
@click.option("--system", metavar="TEXT", help="The system message.")
@text_command
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
    if prompt is None and not output.as_json and _is_interactive_session():
        from bytebuddy_provider_hf.cli.chat_session import run_session

        run_session(choice, system=system, sampling=sampling, output=output)
        return
    messages = opening(system)
    messages.append(Message("user", require(read_prompt(prompt))))
    asyncio.run(_once(choice, messages, sampling, output))


def opening(system: str | None) -> list[Message]:
    """Return how a conversation begins."""
    return [Message("system", system)] if system else []


def _is_interactive_session() -> bool:
    return screen.is_interactive(sys.stdin) and screen.is_interactive(sys.stdout)


async def _once(
    choice: ModelChoice, messages: list[Message], sampling: Sampling, output: Output
) -> None:
    async with ModelSource(choice) as models:
        model = await models.open(choice.name)
        call = chat_call(as_chat(model), messages, sampling)
        await show_reply(
            call, model, into=ShownReply(), output=output, clock=time.monotonic
        )
