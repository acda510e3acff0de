"""What the router and the Hub told is known later: in memory, and from the disk."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping

import pytest
from attrs import define, field
from catalogue_world import HUB_MODELS, LLAMA, MASK, OLD, QWEN, HuggingFace
from hypothesis import given
from hypothesis import strategies as st
from recorded import recorded

from bytebuddy_provider_hf.address import HUB, ROUTER
from bytebuddy_provider_hf.hub.models_api import (
    MOST_PAGES,
    HubCatalogue,
    ModelQuery,
    next_page,
    read_model,
    read_model_list,
)
from bytebuddy_provider_hf.hub.router_models import RouterCatalogue, read_models
from bytebuddy_provider_hf.money import Price
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.transport.http_client import Destination, HttpClient

DAY = 86_400.0


@define(eq=False)
class Disk:
    """Keep answers as the store on disk does, with an age of its own."""

    kept: dict[str, bytes] = field(factory=dict)
    age: float = 0.0

    async def get(self, key: str) -> tuple[bytes, float] | None:
        return (self.kept[key], self.age) if key in self.kept else None

    def put(self, key: str, answer: bytes) -> None:
        self.kept[key] = answer


@define(eq=False)
class World:
    """Hugging Face, a disk, and catalogues of one process after the other."""

    site: HuggingFace = field(factory=HuggingFace)
    disk: Disk = field(factory=Disk)

    @property
    def router(self) -> RouterCatalogue:
        clock = asyncio.get_running_loop().time
        return RouterCatalogue(clock=clock, store=self.disk)

    @property
    def hub(self) -> HubCatalogue:
        return HubCatalogue(clock=asyncio.get_running_loop().time, store=self.disk)

    def client(self, origin: str) -> HttpClient:
        return MemoryConnect(self.site)(Destination(origin))


@virtual_time
async def test_all_that_the_router_tells_of_an_offer_is_read() -> None:
    """Price, window, speed, latency, abilities, status, modalities."""
    world = World()
    found = await world.router.model(LLAMA, world.client(ROUTER))
    assert found is not None
    model, age = found
    groq = model.offers[0]
    assert (groq.price, groq.context_length) == (
        Price(590_000_000, 790_000_000),
        131_072,
    )
    assert (groq.throughput, groq.first_token_ms) == (276.4, 210.0)
    assert (groq.supports_tools, groq.supports_structured_output) == (True, False)
    assert [each.status for each in model.offers] == ["live", "live", "live", "error"]
    assert (model.inputs, model.outputs, age) == (("text",), ("text",), 0.0)


@virtual_time
async def test_prices_are_known_without_asking() -> None:
    """Of what was asked for in this process, with the age; the later answer counts."""
    world = World()
    router = world.router
    assert router.known_offers(LLAMA) is None
    assert router.price_of(LLAMA, "novita") is None
    await router.models(world.client(ROUTER))
    await asyncio.sleep(30)
    price = Price(135_000_000, 400_000_000)
    assert router.price_of(LLAMA, "novita") == (price, 30.0)
    assert router.price_of(f"{LLAMA.lower()}:groq", "novita") == (price, 30.0)
    assert router.price_of(LLAMA, "featherless-ai") is None
    assert router.price_of(LLAMA, "nobody") is None
    await router.model(LLAMA, world.client(ROUTER))
    known = router.known_offers(LLAMA)
    assert known is not None
    assert (len(known[0]), known[1]) == (4, 0.0)
    # In the list or not, an hour later it is still known.
    await asyncio.sleep(3600)
    known = router.known_offers(QWEN)
    assert known is not None
    assert known[1] == 3630.0


@virtual_time
async def test_the_next_process_asks_nobody_while_answers_are_fresh() -> None:
    """And asks again when they are not, keeping the old one where nobody answers."""
    world = World()
    await world.router.model(LLAMA, world.client(ROUTER))
    await world.hub.model(LLAMA, world.client(HUB))
    asked = len(world.site.asked)
    world.disk.age = 60.0
    found = await world.router.model(LLAMA, world.client(ROUTER))
    told = await world.hub.model(LLAMA, world.client(HUB))
    assert found is not None
    assert told is not None
    assert (found[1], told[1]) == (60.0, 60.0)
    assert len(world.site.asked) == asked
    world.disk.age, world.site.is_down = 2 * DAY, True
    old = await world.router.model(LLAMA, world.client(ROUTER))
    assert old is not None
    assert old[1] == 2 * DAY
    assert len(world.site.asked) == asked + 1
    # A failure's hint is not made of what was true two days ago.
    assert await world.router.serving(LLAMA, world.client(ROUTER)) is None


@virtual_time
async def test_without_a_client_nobody_is_asked() -> None:
    """Only what is kept counts."""
    world = World()
    assert await world.router.models(None) is None
    assert await world.hub.models(ModelQuery("llama"), None) is None
    assert await world.hub.card(LLAMA, None) is None
    await world.hub.card(LLAMA, world.client(HUB))
    await world.router.model(LLAMA, world.client(ROUTER))
    asked = len(world.site.asked)
    world.disk.age = 5.0
    card = await world.hub.card(LLAMA, None)
    assert card is not None
    assert card[0].limitations
    router = world.router
    await router.model(LLAMA, None)
    assert router.price_of(LLAMA, "novita") is not None
    assert len(world.site.asked) == asked


@virtual_time
async def test_that_nobody_serves_a_model_is_kept_too() -> None:
    """The next process knows it, and what is not known is never kept as that."""
    world = World()
    router = world.router
    found = await router.model("a/b", world.client(ROUTER))
    assert found is not None
    assert found[0].offers == ()
    assert await world.router.model("a/b", None) is not None
    world.site.is_down = True
    assert await world.router.model("c/d", world.client(ROUTER)) is None
    assert await world.router.model("c/d", None) is None


@virtual_time
async def test_a_renaming_is_followed_once() -> None:
    """The present id is known, under the old name, by later processes too."""
    world = World()
    found = await world.hub.model(OLD, world.client(HUB))
    assert found is not None
    assert found[0].id == LLAMA
    assert world.site.asked == [f"/api/models/{OLD}", f"/api/models/{LLAMA}"]
    kept = await world.hub.model(OLD, None)
    assert kept is not None
    assert kept[0].id == LLAMA


@virtual_time
async def test_pages_are_followed_to_a_bound() -> None:
    """Each model once; at most five pages; of the kept list nothing is missing."""
    world = World()
    world.site.hub = {
        f"a/m{number}": {"pipeline_tag": "text-generation"} for number in range(30)
    }
    world.site.page_size = 4
    found = await world.hub.models(ModelQuery(), world.client(HUB))
    assert found is not None
    assert [each.id for each in found[0]] == [f"a/m{n}" for n in range(4 * MOST_PAGES)]
    assert len(world.site.asked) == MOST_PAGES
    kept = await world.hub.models(ModelQuery(), None)
    assert kept is not None
    assert kept[0] == found[0]


@pytest.mark.parametrize(
    ("link", "followed"),
    [
        ('<https://huggingface.co/api/models?cursor=x>; rel="next"', True),
        ("<https://huggingface.co/api/models?cursor=x>; rel=next", True),
        ('<https://huggingface.co/api/models?a=b>; title="x"; rel="next"', True),
        ('<https://huggingface.co/api/models?cursor=x>; rel="prev"', False),
        ('<https://huggingface.co.evil.example/api/models?c=x>; rel="next"', False),
        ('<https://evil.example/api/models?cursor=x>; rel="next"', False),
        ('<http://huggingface.co/api/models?cursor=x>; rel="next"', False),
        ('<https://huggingface.co/api/whoami-v2?x>; rel="next"', False),
        ('</api/models?cursor=x>; rel="next"', False),
        ("", False),
    ],
)
def test_only_the_hubs_own_list_goes_on(link: str, followed: bool) -> None:
    """Another origin would be told what is searched for."""
    assert (next_page({"link": link}) is not None) is followed


def test_a_query_says_what_is_wanted() -> None:
    """And nothing else; every field that is read is named."""
    query = ModelQuery("a b", task="fill-mask", provider="all", licence="mit", limit=7)
    assert query.url_at().startswith(
        f"{HUB}/api/models?search=a+b&pipeline_tag=fill-mask&"
    )
    assert "&filter=license%3Amit&" in query.url_at()
    assert "&limit=7&" in query.url_at()
    fields = set(re.findall(r"expand\[\]=(\w+)", query.url_at()))
    assert {"likes", "gated", "inferenceProviderMapping", "safetensors"} <= fields
    assert "config" not in fields


def test_a_model_of_a_list_is_read_whole() -> None:
    """Likes, licence, languages, size, gate, tags, day, and who serves it."""
    page = json.dumps([{"id": name, **told} for name, told in HUB_MODELS.items()])
    found = read_model_list(page.encode())
    assert found is not None
    by_id = {each.id: each for each in found}
    llama, mask = by_id[LLAMA], by_id[MASK]
    assert (llama.likes, llama.downloads, llama.licence) == (2531, 612345, "llama3.3")
    assert (llama.parameters, llama.gate, llama.is_warm) == (
        70553706496,
        "manual",
        True,
    )
    assert (llama.modified, llama.languages[:2]) == ("2024-12-21", ("en", "fr"))
    (served,) = mask.served_by
    assert (served.provider, served.status, served.task) == (
        "hf-inference",
        "live",
        "fill-mask",
    )
    assert mask.provider_ids == {"hf-inference": MASK}


@pytest.mark.parametrize(
    ("told", "licence"),
    [
        ({"cardData": {"license": "mit"}}, "mit"),
        ({"cardData": {"license": ["mit", "x"]}}, "mit"),
        ({"cardData": {"license": "other", "license_name": "llama2"}}, "llama2"),
        ({"cardData": {"license": "other"}}, "other"),
        ({"tags": ["a", "license:mit"]}, "mit"),
        ({"cardData": {"license": {"a": 1}}}, None),
        ({}, None),
    ],
)
def test_a_licence_is_read_wherever_it_stands(
    told: Mapping[str, object], licence: str | None
) -> None:
    """The card's own name for it, where "other" is all that it says."""
    found = read_model(json.dumps({"id": "a/b", **told}).encode())
    assert found is not None
    assert found.licence == licence


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "likes",
                "tags",
                "cardData",
                "safetensors",
                "gated",
                "lastModified",
                "inferenceProviderMapping",
                "providers",
                "architecture",
                "inference",
            ]
        ),
        _JSON,
    )
)
def test_any_answer_is_read(said: dict[str, object]) -> None:
    """Every field may be anything."""
    body = json.dumps([{"id": "a/b", **said}]).encode()
    found = read_model_list(body)
    assert found is not None
    assert [each.id for each in found] == ["a/b"]
    read_models(body)


def test_recorded_answers_are_read() -> None:
    """Of every recorded model: id, task, likes, and who serves it, in both forms."""
    served = liked = 0
    records = json.loads(recorded("tapes", "hub_api.json").read_text("utf-8"))
    for record in records:
        body = record["body"]
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        found = read_model(data)
        clipped = bool(record.get("body_clipped"))
        if record["status"] != 200 or clipped or not data.startswith(b"{"):
            continue
        said = json.loads(data)
        if "id" not in said:
            continue
        assert found is not None
        assert found.id == said["id"]
        if "pipeline_tag" in said:
            assert found.pipeline_tag == said["pipeline_tag"]
        if "likes" in said:
            liked += found.likes == said["likes"]
            assert found.tags
            assert found.modified == said["lastModified"][:10]
        mapping = said.get("inferenceProviderMapping")
        if mapping:
            served += 1
            named = {each.provider for each in found.served_by}
            listed = (
                set(mapping)
                if isinstance(mapping, dict)
                else {each["provider"] for each in mapping}
            )
            assert named == listed
            assert all(each.status and each.task for each in found.served_by)
    assert (served >= 8, liked >= 10) == (True, True), (served, liked)
