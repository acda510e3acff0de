"""One way to each error class that only writing a file meets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from security.provoking import CANARY, Trigger, World, model_at

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.cli.changes import complete_text
from bytebuddy_provider_hf.cli.textfile import read_text_file, replace_text
from bytebuddy_provider_hf.config.write import write_secret
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.answers import chat_reply
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest


async def _not_kept(world: World) -> object:
    return write_secret(world.folder / ".env", "HF_API_KEY", Secret(f"{CANARY}\nx"))


async def _changed_meanwhile(world: World) -> object:
    path = world.folder / "code.py"
    path.write_text("a = 1\n")
    file = read_text_file(path)
    path.write_text("a = 2\n")
    return replace_text(file, "a = 3\n")


async def _half_an_answer(_world: World) -> object:
    async def handler(_request: FakeRequest) -> FakeReply:
        return chat_reply("a =", finish_reason="length")

    async with model_at(handler) as model:
        return complete_text(await model.chat("a"), hint="Raise --max-tokens.")


WRITING: Final[Mapping[type[errors.ByteBuddyError], Trigger]] = {
    errors.ByteBuddyError: _changed_meanwhile,
    errors.ConfigError: _not_kept,
    errors.ResponseError: _half_an_answer,
}
