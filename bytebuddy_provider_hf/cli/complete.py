"""``bytebuddy-hf complete``: a text gone on with, no template around it."""

from __future__ import annotations

import asyncio
import time

import click
from attrs import evolve

from bytebuddy_provider_hf.cli.model_calls import complete_call
from bytebuddy_provider_hf.cli.model_source import ModelSource, as_complete
from bytebuddy_provider_hf.cli.options import ModelChoice, Output, Sampling
from bytebuddy_provider_hf.cli.prompt import read_prompt, require
from bytebuddy_provider_hf.cli.show_reply import ShownReply, show_reply
from bytebuddy_provider_hf.cli.text_command import text_command


@click.command()
@click.argument("prompt", required=False)
@text_command
def complete(
    *, prompt: str | None, choice: ModelChoice, sampling: Sampling, output: Output
) -> None:
    """Let a model go on with a text exactly as it stands.

    PROMPT and what is piped in make one text.
    """
    text = require(read_prompt(prompt))
    # Markdown would draw a continued text as something it is not.
    asyncio.run(_once(choice, text, sampling, evolve(output, markdown=False)))


async def _once(
    choice: ModelChoice, prompt: str, sampling: Sampling, output: Output
) -> None:
    async with ModelSource(choice) as models:
        model = await models.open(choice.name)
        call = complete_call(as_complete(model), prompt, sampling)
        await show_reply(
            call, model, into=ShownReply(), output=output, clock=time.monotonic
        )
