"""The catalogue puts together what router and Hub tell, and asks only who it may."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from attrs import define, field
from catalogue_world import GONE, LLAMA, MASK, OLD, QWEN, SMALL, HuggingFace
from client.page import MODELS

from bytebuddy_provider_hf.client.catalogue import (
    Catalogue,
    Estimate,
    ModelFilter,
    SortKey,
    all_private,
)
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.errors import (
    ConnectionFailed,
    InvalidModelId,
    InvalidOption,
    ModelNotFound,
)
from bytebuddy_provider_hf.hub.nearness import snapshot
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.storage.kept_answers import KeptAnswers
from bytebuddy_provider_hf.testing.answers import json_reply
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest

LOCAL = ("http://127.0.0.1:8080", "https://models.my.example/v1")


@define(eq=False)
class World:
    """Hugging Face, and a folder for what is kept of its answers."""

    folder: Path
    site: HuggingFace = field(factory=HuggingFace)

    def catalogue(
        self, *bases: str | None, env: dict[str, str] | None = None
    ) -> Catalogue:
        runtime = Runtime(
            connect=MemoryConnect(self.site), answers=KeptAnswers(self.folder)
        )
        token = {"HF_TOKEN": "hf_OfNobodyOfNobodyOfNobodyOfNobody"}
        return Catalogue(bases=bases, runtime=runtime, env={**token, **(env or {})})


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "answers")


async def ids(world: World, said: str = "", **wanted: object) -> list[str]:
    sort = wanted.pop("sort", None)
    limit = wanted.pop("limit", 20)
    async with world.catalogue() as catalogue:
        found = await catalogue.search(
            said,
            wanted=ModelFilter(**wanted),  # type: ignore[arg-type]  # a table's
            sort=sort,  # type: ignore[arg-type]  # as above
            limit=limit,  # type: ignore[arg-type]  # as above
        )
    return [each.id for each in found.models]


@pytest.mark.asyncio
async def test_a_search_finds_served_models_first(world: World) -> None:
    """Every word is in the id; then likes decide."""
    assert await ids(world, "llama") == [LLAMA, GONE, "nobody/llama-finetune"]
    assert await ids(world, "instruct qwen") == [QWEN, SMALL]
    assert await ids(world, "llama", limit=1) == [LLAMA]
    assert await ids(world, "no such model") == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"with_tools": True}, [LLAMA, QWEN]),
        ({"with_structured_output": True}, [LLAMA, QWEN]),
        ({"min_context": 200_000}, [QWEN, SMALL]),
        ({"max_price": 400_000_000}, [LLAMA, SMALL]),
        ({"max_price": 30_000_000}, [SMALL]),
        ({"provider": "together"}, [QWEN]),
        ({"is_warm": True}, [LLAMA, QWEN, MASK, SMALL]),
        ({"task": "fill-mask"}, [MASK]),
        # Of what only the router lists, licence and gate are not known.
        ({"licence": "apache-2.0"}, [QWEN, SMALL]),
        ({"is_gated": True}, [LLAMA, GONE]),
        ({"is_gated": False, "is_warm": True}, [QWEN, MASK, SMALL]),
        # One provider alone must fit: groq has the tools, novita the price.
        ({"provider": "groq", "max_price": 400_000_000}, []),
        ({"max_price": 100_000_000, "with_tools": True}, []),
    ],
)
@pytest.mark.asyncio
async def test_filters_hold_for_one_provider(
    world: World, wanted: dict[str, object], found: list[str]
) -> None:
    """Price, window, abilities and provider are of the same offer."""
    assert await ids(world, **wanted) == found


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        ("price", [SMALL, LLAMA, QWEN, MASK]),
        ("speed", [LLAMA, SMALL, QWEN, MASK]),
        ("context", [SMALL, QWEN, LLAMA, MASK]),
        ("likes", [LLAMA, GONE, QWEN, MASK, SMALL, "nobody/llama-finetune"]),
    ],
)
@pytest.mark.asyncio
async def test_the_best_stand_first(
    world: World, sort: SortKey, found: list[str]
) -> None:
    """What is not known stands last, and is never taken for 0."""
    assert await ids(world, sort=sort) == found


@pytest.mark.asyncio
async def test_a_model_is_shown_with_all_that_is_known(world: World) -> None:
    """By its present id; the card's summary and limits; what a call costs where."""
    async with world.catalogue() as catalogue:
        page = await catalogue.show(OLD, prompt_tokens=2_000, answer_tokens=100)
    assert (page.id, page.asked, page.is_served) == (LLAMA, OLD, True)
    assert page.facts is not None
    assert (page.facts.licence, page.facts.gate) == ("llama3.3", "manual")
    assert page.card.heading == "Ethical Considerations and Limitations"
    assert page.cheapest == Estimate(
        "novita", 310_000, pytest.approx(1.49 + 100 / 24.7)
    )
    assert page.fastest == Estimate(
        "groq", 1_259_000, pytest.approx(0.21 + 100 / 276.4)
    )
    assert page.abilities[0].role == "chat"


@pytest.mark.asyncio
async def test_a_call_that_no_window_holds_has_no_price(world: World) -> None:
    """Nobody is the cheapest for what nobody can read."""
    async with world.catalogue() as catalogue:
        page = await catalogue.show(LLAMA, prompt_tokens=131_000, answer_tokens=1_000)
    assert (page.cheapest, page.fastest) == (None, None)


@pytest.mark.asyncio
async def test_what_is_not_there_is_not_found(world: World) -> None:
    """A private model looks the same: no token is sent."""
    async with world.catalogue() as catalogue:
        with pytest.raises(ModelNotFound, match="Neither the router nor the Hub"):
            await catalogue.show("a/b")
        with pytest.raises(InvalidModelId):
            await catalogue.show("../etc")


@pytest.mark.asyncio
@pytest.mark.parametrize("told", ["https://u:hf_aaaaaaaaaaaaaaaaaaaa@a/b", "a/b:c:d"])
async def test_what_is_no_id_is_not_cut_to_one(world: World, told: str) -> None:
    """An address would be the model "https"; its token is not printed."""
    async with world.catalogue() as catalogue:
        for ask in (catalogue.show, catalogue.suggest):
            with pytest.raises(InvalidModelId) as failed:
                await ask(told)
            assert "hf_a" not in str(failed.value)
        assert (await catalogue.show(f"{LLAMA}:novita")).id == LLAMA


def test_offline_what_was_told_counts(world: World) -> None:
    """With its age, in another process; nothing is asked."""

    async def online() -> None:
        async with world.catalogue() as catalogue:
            await catalogue.show(LLAMA)
            await catalogue.search("llama")

    async def offline() -> None:
        async with world.catalogue(env={"HF_HUB_OFFLINE": "1"}) as catalogue:
            assert not catalogue.may_ask
            assert (await catalogue.show(LLAMA)).card.limitations
            assert (await catalogue.search("llama")).is_whole
            other = await catalogue.search("qwen")
            with pytest.raises(ConnectionFailed, match="no answer from the") as failed:
                await catalogue.show(QWEN)
        # Only the router's list knows of what the Hub was never asked.
        assert [each.id for each in other.models] == [SMALL, QWEN]
        assert not other.is_whole
        assert "HF_HUB_OFFLINE" in str(failed.value.hint)

    # The end of a loop waits for what it has written.
    asyncio.run(online())
    asked = len(world.site.asked)
    asyncio.run(offline())
    assert len(world.site.asked) == asked


@pytest.mark.asyncio
async def test_private_servers_keep_questions_at_home(world: World) -> None:
    """Where every address is private nothing is asked; one of theirs will do."""
    async with world.catalogue(*LOCAL) as catalogue:
        assert catalogue.is_private
        with pytest.raises(ConnectionFailed) as failed:
            await catalogue.search("llama")
        assert "--online" in str(failed.value.hint)
        near = await catalogue.suggest(GONE)
        assert await catalogue.live_models() == ()
    assert near.snapshot == snapshot().day
    assert world.site.asked == []
    assert not all_private([])
    assert not all_private([*LOCAL, None])
    assert all_private([*LOCAL, "nonsense"])
    assert not all_private(["https://x.endpoints.huggingface.cloud"])


@pytest.mark.asyncio
async def test_a_model_nobody_serves_has_living_neighbours(world: World) -> None:
    """By what the router lists now, and the Hub for other tasks."""
    async with world.catalogue() as catalogue:
        near = await catalogue.suggest(GONE)
        masks = await catalogue.suggest("bert-base-multilingual-cased")
        itself = await catalogue.suggest(LLAMA)
    assert near.suggestions[0].profile.id == LLAMA
    assert near.suggestions[0].profile.provider == "novita"
    assert (near.snapshot, near.is_served) == (None, False)
    assert near.age == pytest.approx(0, abs=1)
    assert [each.profile.id for each in masks.suggestions] == [MASK]
    assert itself.is_served


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.asyncio
async def test_without_a_network_the_page_s_models_have_neighbours(
    world: World, model: str
) -> None:
    """The package's own list answers, and says of which day it is."""
    world.site.is_down = True
    async with world.catalogue() as catalogue:
        near = await catalogue.suggest(model)
    assert near.suggestions
    assert near.snapshot == snapshot().day


@pytest.mark.asyncio
async def test_live_models_are_offered_by_how_many_serve_them(world: World) -> None:
    """Only those with a price; none where the router is silent."""
    async with world.catalogue() as catalogue:
        found = await catalogue.live_models()
    assert [each.id for each in found] == [LLAMA, SMALL, QWEN]
    world.site.is_down = True
    async with World(world.folder / "new", world.site).catalogue() as catalogue:
        assert await catalogue.live_models() == ()


@pytest.mark.asyncio
async def test_a_server_of_ones_own_says_what_it_serves(tmp_path: Path) -> None:
    """Below any route of the address; with the key of a call there."""
    asked: list[str] = []

    async def vllm(request: FakeRequest) -> FakeReply:
        asked.append(request.path)
        assert request.headers["authorization"] == "Bearer secret-of-mine"
        if request.path == "/p/v1/models":
            model = {"id": "org/name", "owned_by": "vllm", "max_model_len": 8192}
            return json_reply({"data": [model]})
        return json_reply({}, status=404)

    runtime = Runtime(connect=MemoryConnect(vllm))
    async with Catalogue(runtime=runtime, env={}) as catalogue:
        found = await catalogue.served_at(
            "https://my.example/p/v1/chat/completions",
            api_key=Secret("secret-of-mine"),
            state_dir=tmp_path,
        )
        with pytest.raises(InvalidOption, match="Hugging Face's own"):
            await catalogue.served_at("https://router.huggingface.co/v1")
    assert (found.server, found.models, found.context_length) == (
        "vLLM",
        ("org/name",),
        8192,
    )
    assert set(asked) == {"/p/v1/models"}
