"""embed and rerank over real llama.cpp servers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.llama import TINY_CHAT, TINY_RERANK, running

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.errors import ContextTooLong, UnsupportedRole
from bytebuddy_provider_hf.testing.llama_server import LocalServer


@pytest.fixture(scope="module")
def embedder(xllamacpp: None) -> Iterator[str]:
    server = LocalServer(
        TINY_CHAT, threads=1, parallel=4, embedding=True, pooling="mean"
    )
    with running(server):
        yield server.url


@pytest.fixture(scope="module")
def reranker(xllamacpp: None) -> Iterator[str]:
    server = LocalServer(TINY_RERANK, threads=1, embedding=True, pooling="rank")
    with running(server):
        yield server.url


def at(base: str) -> HuggingFaceModel:
    return open_model(
        "any", api_base=base, runtime=Runtime(), env={}, state_dir=Path("/nonexistent")
    )


def length(vector: tuple[float, ...]) -> float:
    return math.hypot(*vector)


@pytest.mark.asyncio
@pytest.mark.parametrize("suffix", ["", "/v1"])
async def test_llama_cpp_embeds(embedder: str, suffix: str) -> None:
    """200 texts in batches; each vector is that of its own text."""
    texts = [f"text {n % 10}" for n in range(200)]
    async with at(embedder + suffix) as model:
        many = await model.embed(texts)
        one = await model.embed("text 7")
    assert {len(vector) for vector in many.vectors} == {128}
    assert all(abs(length(vector) - 1) < 1e-3 for vector in many.vectors)
    for at_place, vector in enumerate(many.vectors):
        apart = [a - b for a, b in zip(vector, one.vectors[0], strict=True)]
        assert (length(tuple(apart)) < 1e-3) == (at_place % 10 == 7)
    assert many.usage is not None
    assert many.usage.prompt_tokens >= 200


@pytest.mark.asyncio
async def test_llama_cpp_reranks(reranker: str) -> None:
    """Scores are in the order of the documents, also when that is turned round."""
    documents = ["a b", "c", "d e f", "a b"]
    async with at(reranker) as model:
        found = await model.rerank("a", documents)
        turned = await model.rerank("a", documents[::-1])
    assert found.scores == pytest.approx(turned.scores[::-1], abs=1e-4)
    assert len(set(found.scores)) > 1
    assert found.scores[0] == pytest.approx(found.scores[3], abs=1e-4)


@pytest.mark.asyncio
async def test_a_llama_cpp_that_chats_says_how_to_start_it(llama: str) -> None:
    """Its own words are kept: it names the option."""
    async with at(llama) as model:
        with pytest.raises(UnsupportedRole, match="--embeddings"):
            await model.embed("a")
        with pytest.raises(UnsupportedRole, match="--reranking"):
            await model.rerank("a", ["b"])
        with pytest.raises(UnsupportedRole, match="no task API"):
            await model.task("text-generation", "a")


@pytest.mark.asyncio
async def test_a_text_longer_than_llama_cpp_takes_is_not_asked_again(
    embedder: str,
) -> None:
    """It says so with a 500, which no retry can mend."""
    async with at(embedder) as model:
        with pytest.raises(ContextTooLong) as caught:
            await model.embed(["short", "a b " * 3_000])
    assert caught.value.limit is not None
    assert caught.value.given is not None
    assert caught.value.given > caught.value.limit
