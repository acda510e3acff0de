"""``HF_ENDPOINT`` names a mirror of the Hub: it is asked about models, no more."""

from __future__ import annotations

import logging

import pytest

from bytebuddy_provider_hf.address import HUB
from bytebuddy_provider_hf.client.catalogue import Catalogue
from bytebuddy_provider_hf.client.endpoint import mirror_of
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.hub.models_api import next_page
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.memory import MemoryClient, MemoryConnect
from bytebuddy_provider_hf.transport.http_client import Destination

MIRROR = "https://hf-mirror.example"
TOKEN = "hf_CanaryCanaryCanaryCanaryCanary0123"


class Watched:
    """Connect in memory, and note where."""

    def __init__(self) -> None:
        facts = {"org/name": {"pipeline_tag": "text-generation"}}
        self.connect = MemoryConnect(FakeHub(facts=facts))
        self.origins: list[str] = []
        self.holders: list[str] = []

    def __call__(self, destination: Destination) -> MemoryClient:
        self.origins.append(destination.origin)
        if destination.credential is not None:
            self.holders.append(destination.origin)
        return self.connect(destination)


@pytest.mark.asyncio
async def test_the_mirror_is_asked_about_models_without_a_token() -> None:
    """The Hub itself is not, and the router's list is as ever."""
    watched = Watched()
    env = {"HF_ENDPOINT": f"{MIRROR}/", "HF_TOKEN": TOKEN}
    async with (
        Runtime(connect=watched) as runtime,
        Catalogue(runtime=runtime, env=env) as catalogue,
    ):
        page = await catalogue.show("org/name")
    assert page.facts is not None
    assert MIRROR in watched.origins
    assert HUB not in watched.origins
    assert watched.holders == []


@pytest.mark.asyncio
async def test_a_call_takes_its_token_to_the_router_only() -> None:
    """A mirror that is set for downloads gets no key."""
    watched = Watched()
    env = {"HF_ENDPOINT": MIRROR, "HF_TOKEN": TOKEN}
    async with (
        Runtime(connect=watched) as runtime,
        open_model("org/name", env=env, runtime=runtime) as model,
    ):
        await model.chat("hi")
    assert MIRROR not in watched.holders
    assert watched.holders


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("", None),
        (HUB, None),
        (MIRROR, MIRROR),
        ("http://127.0.0.1:8090", "http://127.0.0.1:8090"),
        ("http://mirror.example", None),
        ("hf-mirror.example", None),
        ("https://user:secret@mirror.example", None),
    ],
)
def test_what_may_be_a_mirror(
    written: str, found: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """What may not is told once, without what may be a password."""
    with caplog.at_level(logging.WARNING):
        assert mirror_of({"HF_ENDPOINT": written}) == found
        assert mirror_of({"HF_ENDPOINT": written}) == found
    ignored = found is None and written not in ("", HUB)
    assert len(caplog.records) == int(ignored)
    assert "secret" not in caplog.text


def test_a_page_of_the_hub_is_read_at_the_mirror() -> None:
    """It may pass the Hub's own links on; a link to elsewhere is not followed."""
    link = f'<{HUB}/api/models?cursor=2>; rel="next"'
    assert next_page({"link": link}, MIRROR) == f"{MIRROR}/api/models?cursor=2"
    other = '<https://evil.example/api/models?cursor=2>; rel="next"'
    assert next_page({"link": other}, MIRROR) is None
    assert next_page({}, MIRROR) is None
