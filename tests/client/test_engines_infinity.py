"""infinity, called through ``open_model``: a test for each wire quirk."""

from __future__ import annotations

from pathlib import Path

import pytest
from client.scoring import ENDPOINT, Open, at
from servers.engines import FakeVllm
from servers.engines_infinity import CLASSIFIER, EMBEDDER, RERANKER, FakeInfinity

from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.client.server_cache import ServerCache
from bytebuddy_provider_hf.errors import (
    ModelOverloaded,
    RouteNotFound,
    TokenInvalid,
    UnsupportedRole,
    WrongServedModel,
)
from bytebuddy_provider_hf.outcomes import Features, Label
from bytebuddy_provider_hf.testing.answers import simulated_score, simulated_vector
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest, Recorded
from bytebuddy_provider_hf.testing.virtual_time import virtual_time

TEXTS = ["a cat", "a dog", "一只猫"]
# Its --url-prefix, and the addresses by which it is found there: its own, that of a
# dedicated endpoint, and one that names the route's version.
PLACES = [
    ("", "http://127.0.0.1:7997"),
    ("", ENDPOINT),
    ("/v1", "http://127.0.0.1:7997"),
    ("/v1", "https://h.example/v1"),
    ("/pre", "https://h.example/pre/"),
    ("/pre/v1", "https://h.example/pre"),
    ("/pre", "https://h.example/pre?key=k"),
]
each_place = pytest.mark.parametrize(("prefix", "base"), PLACES)


def urls(stand: Open) -> set[str]:
    return {each.path.partition("?")[0] for each in stand.stand.asked}


@each_place
@virtual_time
async def test_texts_become_vectors(prefix: str, base: str) -> None:
    """By the route that it has, whatever stands before it; usage is told."""
    stand = at(FakeInfinity(prefix=prefix), model=EMBEDDER, base=base)
    found = await stand.model.embed(TEXTS)
    for text, vector in zip(TEXTS, found.vectors, strict=True):
        assert vector == pytest.approx(simulated_vector(text))
    assert (found.model, urls(stand)) == (EMBEDDER, {f"{prefix}/embeddings"})
    assert found.usage is not None
    stand.settled()


@each_place
@virtual_time
async def test_documents_are_scored_in_the_order_sent(prefix: str, base: str) -> None:
    """It ranks them, and says where each stood."""
    stand = at(FakeInfinity(prefix=prefix), model=RERANKER, base=base)
    found = await stand.model.rerank("a cat", TEXTS)
    scores = [simulated_score("a cat", text) for text in TEXTS]
    assert found.scores == pytest.approx(scores)
    assert urls(stand) == {f"{prefix}/rerank"}


@each_place
@pytest.mark.parametrize("inputs", ["a cat", TEXTS])
@virtual_time
async def test_texts_are_classified(
    prefix: str, base: str, inputs: str | list[str]
) -> None:
    """A task of the Hub by a route of its own; a single text goes as a list of one."""
    stand = at(FakeInfinity(prefix=prefix), model=CLASSIFIER, base=base)
    reply = await stand.model.task("text-classification", inputs, {"raw_scores": True})
    assert len(reply.groups) == (1 if isinstance(inputs, str) else len(inputs))
    for best, other in reply.groups:
        assert isinstance(best, Label)
        assert isinstance(other, Label)
        assert best.score >= other.score
    (asked,) = stand.stand.asked
    assert asked.path.partition("?")[0] == f"{prefix}/classify"
    assert (asked.value("raw_scores"), asked.value("model")) == (True, CLASSIFIER)


@virtual_time
async def test_features_are_vectors_of_whole_texts() -> None:
    """The other task that it has; a third is refused before anything is sent."""
    stand = at(FakeInfinity(), model=EMBEDDER)
    reply = await stand.model.task("feature-extraction", TEXTS)
    assert [isinstance(each, Features) for (each,) in reply.groups] == [True] * 3
    before = len(stand.stand.asked)
    with pytest.raises(UnsupportedRole, match="Infinity cannot be asked for fill-mask"):
        await stand.model.task("fill-mask", "a [MASK]")
    with pytest.raises(UnsupportedRole):
        await stand.model.chat("hi")
    assert len(stand.stand.asked) == before


@pytest.mark.parametrize("old", [False, True])
@virtual_time
async def test_a_model_is_not_asked_for_what_it_cannot(old: bool) -> None:
    """The error names what it can, and which other model could.

    An old server lists nothing: its own refusal says what the model can.
    """
    able = {EMBEDDER: ["embed", "image_embed"], RERANKER: ["rerank"]}
    stand = at(FakeInfinity(able, old=old), model=EMBEDDER)
    await stand.model.embed(TEXTS)
    with pytest.raises(UnsupportedRole, match="image_embed") as caught:
        await stand.model.rerank("a cat", TEXTS)
    assert EMBEDDER in caught.value.message
    assert ("/rerank" in stand.stand.paths()) is old
    if not old:
        assert RERANKER in (caught.value.hint or "")
        with pytest.raises(UnsupportedRole, match="cannot classify") as nobody:
            await stand.model.task("text-classification", "a cat")
        assert "Start the server with a model" in (nobody.value.hint or "")


@virtual_time
async def test_one_model_answers_to_any_name_and_several_to_their_own() -> None:
    """The name that is listed is sent; a stranger's is refused with those there are."""
    stand = at(FakeInfinity({EMBEDDER: ["embed"]}), model="bge")
    assert (await stand.model.embed(TEXTS)).model == EMBEDDER
    assert stand.stand.asked[-1].value("model") == EMBEDDER
    with pytest.raises(WrongServedModel, match=RERANKER):
        await at(FakeInfinity(), model="bge").model.embed(TEXTS)


@virtual_time
async def test_vectors_as_base64_are_read_where_somebody_asks_for_them() -> None:
    """Unasked they come as numbers: with binary vectors it cannot write base64."""
    stand = at(FakeInfinity(binary=True), model=EMBEDDER)
    await stand.model.embed(TEXTS)
    assert stand.stand.asked[-1].value("encoding_format") is None
    reply = await stand.model.task(
        "feature-extraction", "a cat", {"encoding_format": "float"}
    )
    packed = await at(FakeInfinity(), model=EMBEDDER).model.task(
        "feature-extraction", "a cat", {"encoding_format": "base64"}
    )
    ((plain,),), ((unpacked,),) = reply.groups, packed.groups
    assert isinstance(plain, Features)
    assert isinstance(unpacked, Features)
    assert unpacked.vectors[0] == pytest.approx(plain.vectors[0])


@virtual_time
async def test_a_full_queue_and_a_wrong_key_are_what_they_are() -> None:
    """429 for one model, 401 in detail."""
    with pytest.raises(ModelOverloaded):
        await at(FakeInfinity(busy=True), model=EMBEDDER).model.embed("x", wait=False)
    with pytest.raises(TokenInvalid):
        await at(FakeInfinity(api_key="another"), model=EMBEDDER).model.embed("x")


@virtual_time
async def test_it_is_asked_once_what_it_is(tmp_path: Path) -> None:
    """Its routes and what its models can do outlive the process."""
    cache = ServerCache(tmp_path / "servers.json")
    for questions in (3, 0):
        engine = Recorded(FakeInfinity())
        runtime = Runtime(connect=MemoryConnect(engine), server_cache=cache)
        async with open_model(
            EMBEDDER,
            api_base="https://h.example",
            runtime=runtime,
            env={},
            state_dir=tmp_path,
        ) as model:
            await model.embed(TEXTS)
            with pytest.raises(UnsupportedRole, match="embed only"):
                await model.rerank("a", TEXTS)
        methods = [request.method for request in engine.requests]
        assert methods == ["GET"] * questions + ["POST"]


def at_the_root(request: FakeRequest) -> FakeRequest:
    """Return the request as a server with /v1 routes would have got it."""
    return FakeRequest(
        request.method,
        f"/v1{request.path}",
        headers=request.headers,
        body=request.body,
    )


@pytest.mark.parametrize("streamed", [False, True])
@virtual_time
async def test_any_server_with_its_routes_at_the_root_is_used_there(
    streamed: bool,
) -> None:
    """Found by its list of models; chats, completions and vectors go to the root."""
    vllm = FakeVllm("org/own")

    async def rooted(request: FakeRequest) -> FakeReply:
        if request.path.startswith("/v1/"):
            return FakeReply(status=404)
        return await vllm(at_the_root(request))

    stand = at(rooted)
    for call in (stand.model.chat("hi"), stand.model.complete("hi")):
        if streamed:
            async with call as events:
                assert [event async for event in events]
        else:
            assert (await call).text
    await stand.model.embed(TEXTS)
    assert stand.stand.paths() == {"/chat/completions", "/completions", "/embeddings"}


@virtual_time
async def test_a_path_with_no_list_of_models_is_asked_as_v1() -> None:
    """As before: nobody there says otherwise."""

    async def nothing(_request: FakeRequest) -> FakeReply:
        return FakeReply(status=404)

    stand = at(nothing, base="https://h.example/gateway")
    with pytest.raises(RouteNotFound):
        await stand.model.chat("hi")
    assert stand.stand.paths() == {"/gateway/v1/chat/completions"}
