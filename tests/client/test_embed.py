"""``embed``: one vector for each text, whatever server gives them."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from client.scoring import ENDPOINT, Open, at, changed, prefixed
from servers.engines import FakeSglang, FakeVllm, embeddings_reply
from servers.engines_hf import FakeCommunity, FakeHfServe, FakeToolkit
from servers.engines_tei import FakeTei
from servers.fake_tgi import FakeTgi

from bytebuddy_provider_hf.config.values import EmbedOptions, RequestOptions
from bytebuddy_provider_hf.errors import (
    ContextTooLong,
    InvalidOption,
    MalformedResponse,
    UnsupportedRole,
)
from bytebuddy_provider_hf.prompts.families import load_families
from bytebuddy_provider_hf.testing.answers import simulated_vector
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.texts import render

TEXTS = ["one", "two", "three"]
FEATURES = FakeCommunity(task="feature-extraction")
ROUTER = "https://router.huggingface.co"


async def openai_style(request: FakeRequest) -> FakeReply:
    """Answer as a provider of the router does at its own route."""
    return embeddings_reply(request, "theirs")


SERVERS: dict[str, tuple[Callable[[], Open], str]] = {
    "TEI": (lambda: at(FakeTei()), "/embed"),
    "TEI before 1.9": (lambda: at(FakeTei(version=(1, 8, 0))), "/embed"),
    "vLLM": (lambda: at(FakeVllm()), "/v1/embeddings"),
    "hf-serve": (lambda: at(FakeHfServe()), "/v1/embeddings"),
    "TEI by /v1": (lambda: at(FakeTei(), base=f"{ENDPOINT}/v1"), "/v1/embeddings"),
    "toolkit": (lambda: at(FakeToolkit(task="feature-extraction")), "/"),
    "router": (
        lambda: at(FEATURES, base=None, model="org/name"),
        "/hf-inference/models/org/name/pipeline/feature-extraction",
    ),
    "router, its old address": (
        lambda: at(
            FEATURES,
            base="https://api-inference.huggingface.co/models/org/name",
            model="org/name",
        ),
        "/hf-inference/models/org/name/pipeline/feature-extraction",
    ),
    "a provider": (
        lambda: at(openai_style, base=f"{ROUTER}/together/v1", model="their-name"),
        "/together/v1/embeddings",
    ),
}


@pytest.mark.parametrize("server", SERVERS)
@virtual_time
async def test_every_server_that_can_gives_the_vectors_in_order(server: str) -> None:
    """Each by its own route, and nothing else is asked for."""
    make, path = SERVERS[server]
    stand = make()
    found = await stand.model.embed(TEXTS)
    assert stand.stand.paths() == {path}
    assert found.vectors == tuple(tuple(simulated_vector(text)) for text in TEXTS)
    stand.settled()


@virtual_time
async def test_vectors_need_no_table_of_families() -> None:
    """It takes ten milliseconds to read, which only a call that writes needs."""
    before = load_families.cache_info()
    await at(FakeTei()).model.embed("one")
    assert load_families.cache_info() == before


@virtual_time
async def test_one_text_is_one_vector() -> None:
    """A string is no list of letters."""
    stand = at(FakeTei())
    found = await stand.model.embed("one")
    assert found.vectors == (tuple(simulated_vector("one")),)
    assert found.model == stand.model.model
    assert found.usage is None  # TEI's own route counts nothing


@virtual_time
async def test_vllm_and_llama_cpp_are_asked_for_base64() -> None:
    """It is a third of the bytes; a server that nobody knows gets no such wish."""
    vllm, unknown = at(FakeVllm()), at(FakeHfServe())
    await vllm.model.embed(TEXTS)
    await unknown.model.embed(TEXTS)
    assert vllm.stand.asked[0].value("encoding_format") == "base64"
    assert unknown.stand.asked[0].value("encoding_format") is None


@virtual_time
async def test_the_mean_of_token_vectors_is_named() -> None:
    """Of a text of two tokens, each number is the mean of the two."""
    found = await at(FakeToolkit(task="feature-extraction")).model.embed("a b")
    both = zip(simulated_vector("a"), simulated_vector("b"), strict=True)
    assert found.pooling == "mean"
    assert all(
        math.isclose(got, sum(pair) / 2)
        for got, pair in zip(found.vectors[0], both, strict=True)
    )


@pytest.mark.parametrize(("query", "sent"), [(False, "passage: a"), (True, "query: a")])
@virtual_time
async def test_the_prefix_is_put_before_the_text(query: bool, sent: str) -> None:
    """``embeddingPrefixes`` has one for chunks and one for queries."""
    stand = at(FakeTei(), embed=prefixed("passage: ", "query: "))
    await stand.model.embed("a", query=query)
    assert stand.stand.asked[0].value("inputs") == [sent]


@virtual_time
async def test_dimensions_are_asked_for_where_the_route_has_them() -> None:
    """TEI, OpenAI's and hf-inference's take the same name, at the top."""
    for stand in (at(FakeTei()), at(FakeVllm()), SERVERS["router"][0]()):
        await stand.model.embed("a", dimensions=8)
        assert stand.stand.asked[0].value("dimensions") == 8


@virtual_time
async def test_a_server_that_ignores_dimensions_is_an_error() -> None:
    """Vectors of another length than asked for would fit no index."""
    with pytest.raises(UnsupportedRole, match="vectors of 8 dimensions"):
        await at(FakeVllm()).model.embed("a", dimensions=4)


@pytest.mark.parametrize("texts", [[], b"abc", 7, ["a", 7], None, [b"a"]])
@virtual_time
async def test_what_is_no_list_of_texts_is_refused_unsent(texts: object) -> None:
    """An empty list too: there is nothing to wait for."""
    stand = at(FakeTei())
    with pytest.raises(InvalidOption):
        await stand.model.embed(texts)  # type: ignore[arg-type]  # what is tested
    assert stand.stand.requests == []


@pytest.mark.parametrize("dimensions", [0, -1, True, 1.5, "8"])
@virtual_time
async def test_dimensions_is_a_whole_number_from_1(dimensions: object) -> None:
    """Anything else is refused before it is sent."""
    with pytest.raises(InvalidOption):
        await at(FakeTei()).model.embed("a", dimensions=dimensions)  # type: ignore[arg-type]  # what is tested


@virtual_time
async def test_a_text_too_long_for_the_model_is_an_error_that_says_where() -> None:
    """TEI would cut it silently: it is told not to, and the batch is named."""
    tei = FakeTei(max_input=5, max_batch=2)
    stand = at(tei)
    with pytest.raises(ContextTooLong) as caught:
        await stand.model.embed(["a", "b", "c d e f g h", "e", "f"])
    assert caught.value.limit == 5
    assert caught.value.__notes__ == ["It concerns texts 3 to 4 of 5."]
    stand.settled()


@virtual_time
async def test_the_caller_may_let_the_server_cut() -> None:
    """``extraBodyProperties`` has the last word in the body."""
    options = RequestOptions(extra_body_properties={"truncate": True})
    stand = at(FakeTei(max_input=2), requests=options)
    assert len((await stand.model.embed("a b c d")).vectors) == 1


@virtual_time
async def test_texts_above_max_chunk_size_are_sent_whole_and_told() -> None:
    """Cutting a file into chunks is the host's part; nothing is cut in silence."""
    stand = at(FakeTei(), embed=EmbedOptions(max_chunk_size=128))
    found = await stand.model.embed(["a" * 513, "b" * 512])
    sent = stand.stand.asked[0].value("inputs")
    assert isinstance(sent, list)
    assert [len(text) for text in sent] == [513, 512]
    (note,) = found.notes
    assert note.startswith("1 text seems longer than embed_options.max_chunk_size")
    assert render(note, "zh").startswith("有 1 个文本似乎超过了")


@pytest.mark.parametrize("texts", [["a"], ["a"] * 200])
@virtual_time
async def test_a_server_that_writes_text_is_refused_with_the_way_out(
    texts: list[str],
) -> None:
    """TGI is known for it; SGLang without the route says so itself."""
    for handler in (FakeTgi("3.2.0").handle, FakeSglang()):
        stand = at(handler)
        with pytest.raises(UnsupportedRole, match="gives no vectors here") as caught:
            await stand.model.embed(texts)
        assert "text-embeddings-inference" in (caught.value.hint or "")
        stand.settled()


@virtual_time
async def test_nothing_is_sent_in_vain_to_a_server_known_to_write_text() -> None:
    """Its ``/info`` told what it is."""
    stand = at(FakeTgi("3.2.0").handle)
    with pytest.raises(UnsupportedRole, match="it writes text") as caught:
        await stand.model.embed("a")
    assert stand.stand.asked == []
    # The refusal can be said in Chinese, by a row for what the role does not get.
    assert render(caught.value.message, "zh") == (
        "Text-generation-inference 3.2.0 在此不提供向量：它只生成文本。"
    )


@virtual_time
async def test_a_reranker_says_that_it_gives_no_vectors() -> None:
    """TEI calls it an error of its backend; it is the wrong model."""
    with pytest.raises(UnsupportedRole, match="not an embedding model"):
        await at(FakeTei(kind="reranker")).model.embed("a")


def without_last(_request: FakeRequest, answer: object) -> object:
    assert isinstance(answer, list)
    return answer[:-1]


def not_finite(_request: FakeRequest, answer: object) -> object:
    assert isinstance(answer, list)
    return [[math.nan, *answer[0][1:]], *answer[1:]]


def shorter(request: FakeRequest, answer: object) -> object:
    assert isinstance(answer, list)
    inputs = request.value("inputs")
    assert isinstance(inputs, list)
    return [vector[:4] for vector in answer] if "t40" in inputs else answer


@pytest.mark.parametrize("change", [without_last, not_finite, shorter])
@virtual_time
async def test_a_wrong_batch_is_an_error(
    change: Callable[[FakeRequest, object], object],
) -> None:
    """A vector too few, one that is not finite, one batch of another length."""

    def once(request: FakeRequest, answer: object) -> object:
        inputs = request.value("inputs")
        wrong = isinstance(inputs, list) and "t40" in inputs
        return change(request, answer) if wrong else answer

    stand = at(changed(FakeTei(), once))
    with pytest.raises(MalformedResponse):
        await stand.model.embed([f"t{n}" for n in range(100)])
    stand.settled()
