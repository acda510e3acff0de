"""What an entry says of its model is believed before anything is sent."""

from __future__ import annotations

import pytest
from client.test_fill import at
from servers.engines import FakeVllm

from bytebuddy_provider_hf.errors import UnsupportedRole
from bytebuddy_provider_hf.testing.script import Recorded
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import ImagePart, Message, Tool

PICTURE = [Message("user", (ImagePart("https://h.example/a.png"),))]


@virtual_time
async def test_what_is_not_among_the_capabilities_is_refused() -> None:
    """Tools and images, each by its own name; nothing leaves."""
    vllm = Recorded(FakeVllm("org/name"))
    model = at(vllm, "org/name", capabilities=())
    with pytest.raises(UnsupportedRole, match="tool_use"):
        await model.chat("hi", tools=[Tool("f")])
    with pytest.raises(UnsupportedRole, match="image_input"):
        await model.chat(PICTURE)
    assert vllm.requests == []
    assert (await model.chat("hi")).text


@virtual_time
async def test_what_is_listed_or_not_spoken_of_is_sent() -> None:
    """An entry without capabilities leaves it to the server."""
    vllm = Recorded(FakeVllm("org/name"))
    listed = at(vllm, "org/name", capabilities=("tool_use", "image_input"))
    await listed.chat("hi", tools=[Tool("f")])
    await listed.chat(PICTURE)
    await at(vllm, "org/name").chat("hi", tools=[Tool("f")])
