"""The shared fixtures do what they say."""

from __future__ import annotations

import aiohttp
import pytest
from aioresponses import aioresponses

from bytebuddy_provider_hf.testing.hub import FakeHub

pytestmark = pytest.mark.asyncio


async def test_aioresponses_works_with_this_aiohttp(aiomock: aioresponses) -> None:
    """A mocked request is answered and recorded."""
    aiomock.post("http://nowhere/x", payload={"a": 1}, headers={"x-b": "2"})
    async with (
        aiohttp.ClientSession() as session,
        session.post("http://nowhere/x", json={"q": 1}) as answer,
    ):
        assert await answer.json() == {"a": 1}
        assert answer.headers["x-b"] == "2"
    ((key, calls),) = aiomock.requests.items()
    assert str(key[1]) == "http://nowhere/x"
    assert calls[0].kwargs["json"] == {"q": 1}


async def test_the_hub_is_served(fake_hub: FakeHub, fake_hub_url: str) -> None:
    """The fixture's hub is the one that answers at the fixture's URL."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{fake_hub_url}/v1/models") as answer,
    ):
        assert answer.status == 200
    assert [request.path for request in fake_hub.requests] == ["/v1/models"]
