"""The rules for TEI's own routes, and against the simulated TEI of both ages."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.asking import ask
from servers.engines_tei import FakeTei

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.failures.classify import classify
from bytebuddy_provider_hf.outcomes import Embeddings, Label, Labels, Scores
from bytebuddy_provider_hf.testing.answers import simulated_vector
from bytebuddy_provider_hf.testing.serve import serve
from bytebuddy_provider_hf.wire import tei, vectors
from bytebuddy_provider_hf.wire.dialects.tei import Tei

HOST = "https://x.eu.aws.endpoints.huggingface.cloud"
TARGET = resolve("BAAI/bge-small-en-v1.5", HOST)


def test_embed_sends_what_was_asked() -> None:
    """Defaults are the server's own: what was not asked for is not sent."""
    call = tei.build_embed(["a", "b"], TARGET)
    assert call.url == f"{HOST}/embed"
    assert json.loads(call.body) == {"inputs": ["a", "b"]}
    call = tei.build_embed(
        ["a"],
        TARGET,
        truncate=True,
        dimensions=8,
        extra={"normalize": False},
    )
    assert json.loads(call.body) == {
        "inputs": ["a"],
        "truncate": True,
        "dimensions": 8,
        "normalize": False,
    }


def test_rerank_sends_texts() -> None:
    """Under TEI's own name for them, at TEI's own route, also when apiBase ends /v1."""
    call = tei.build_rerank("q", ["a"], resolve("x/y", f"{HOST}/v1"), truncate=True)
    assert call.url == f"{HOST}/rerank"
    assert json.loads(call.body) == {"query": "q", "texts": ["a"], "truncate": True}


def test_predict_sends_each_text_in_a_list_of_its_own() -> None:
    """A flat list of two would be one input, a pair."""
    call = tei.build_predict(["a", ("b", "c")], TARGET)
    assert json.loads(call.body) == {"inputs": [["a"], ["b", "c"]]}


def test_no_texts_are_no_request() -> None:
    """Nor is a text that was meant as a list of one."""
    for texts in ((), "text"):
        with pytest.raises(errors.InvalidOption):
            tei.build_embed(texts, TARGET)
        with pytest.raises(errors.InvalidOption):
            tei.build_rerank("q", texts, TARGET)
        with pytest.raises(errors.InvalidOption):
            tei.build_predict(texts, TARGET)


def test_answers_are_read() -> None:
    """Vectors in the order sent; scores put back into it; labels, nested or not."""
    assert tei.read_embed(b"[[1,2.5],[3,4]]", count=2) == Embeddings(
        ((1.0, 2.5), (3.0, 4.0))
    )
    said = b'[{"index":1,"score":0.9},{"index":0,"score":0.1}]'
    assert tei.read_rerank(said, count=2) == Scores((0.1, 0.9))
    flat = b'[{"score":0.9,"label":"a"},{"score":0.1,"label":"b"}]'
    one = (Label("a", 0.9), Label("b", 0.1))
    assert tei.read_predict(flat, count=1) == Labels((one,))
    assert tei.read_predict(b"[" + flat + b"]", count=1) == Labels((one,))
    assert tei.read_predict(b"[" + flat + b"," + flat + b"]", count=2) == Labels(
        (one, one)
    )


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"[[1,2]]",
        b"[[1,2],[3]]",
        b"[[1,2],[]]",
        b"[[1,2],[3,null]]",
        b"[[1,NaN],[3,4]]",
        b"[[1,1e999],[3,4]]",
        b"[1,2]",
        b'{"embeddings":[[1],[2]]}',
        b"",
        b"\xff",
    ],
)
def test_vectors_that_are_not_whole_are_refused(data: bytes) -> None:
    """As many as texts, finite, equally long."""
    with pytest.raises(errors.MalformedResponse):
        tei.read_embed(data, count=2)


@pytest.mark.parametrize(
    "data",
    [
        b'[{"score":0.9,"label":"a"}]',
        b'[[{"score":0.9,"label":"a"}]]',
        b'[[{"score":0.9,"label":"a"}],[]]',
        b'[[{"score":0.9,"label":"a"}],[{"label":"a"}]]',
        b'[[{"score":0.9,"label":"a"}],[{"score":0.9}]]',
        b"{}",
    ],
)
def test_labels_that_are_not_whole_are_refused(data: bytes) -> None:
    """Some for each text, each with a score."""
    with pytest.raises(errors.MalformedResponse):
        tei.read_predict(data, count=2)


numbers = st.floats() | st.integers() | st.none() | st.booleans()


@given(
    st.binary(max_size=60)
    | st.recursive(
        numbers,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.fixed_dictionaries(
                {"index": numbers, "score": numbers, "label": st.text(max_size=2)}
            )
        ),
    ).map(lambda value: json.dumps(value).encode()),
    st.integers(0, 3),
)
def test_any_bytes_are_whole_or_one_error(data: bytes, count: int) -> None:
    """Total: nothing but MalformedResponse is raised."""
    for read in (tei.read_embed, tei.read_rerank, tei.read_predict):
        try:
            found = read(data, count=count)
        except errors.MalformedResponse:
            continue
        if isinstance(found, Embeddings):
            assert len(found.vectors) == count
            assert len({len(vector) for vector in found.vectors}) == 1
            assert all(math.isfinite(each) for one in found.vectors for each in one)
        elif isinstance(found, Scores):
            assert len(found.scores) == count
        else:
            assert len(found.groups) == count


@pytest.mark.asyncio
async def test_a_tei_is_asked_and_read() -> None:
    """Embeddings by both routes and in base64 are the same vectors."""
    texts = [f"text {number}" for number in range(5)]
    wanted = Embeddings(tuple(tuple(simulated_vector(text)) for text in texts))
    async with serve(FakeTei()) as url:
        target = resolve("x/y", url)
        status, data = await ask(tei.build_embed(texts, target))
        assert (status, tei.read_embed(data, count=5)) == (200, wanted)
        for packed in (False, True):
            call = vectors.build_embeddings(texts, target, base64=packed)
            _status, data = await ask(call)
            read = vectors.read_embeddings(data, count=5)
            assert read.vectors == wanted.vectors


@pytest.mark.asyncio
async def test_a_reranker_and_a_classifier_are_asked_and_read() -> None:
    """Each at its own route; the wrong one is a 424 that says what it is not."""
    async with serve(FakeTei(kind="reranker")) as url:
        target = resolve("x/y", url)
        texts = ["a cat", "a panda bear", "what is a panda"]
        _status, data = await ask(tei.build_rerank("what is a panda", texts, target))
        assert tei.read_rerank(data, count=3).scores == (0.25, 0.5, 1.0)
        status, data = await ask(tei.build_embed(texts, target))
        assert status == 424
        failure = classify(status, {}, data, target)
        assert failure.status == 424
        assert "not an embedding model" in str(failure)
    async with serve(FakeTei(kind="classifier")) as url:
        target = resolve("x/y", url)
        for count in (1, 3):
            _status, data = await ask(tei.build_predict(texts[:count], target))
            groups = tei.read_predict(data, count=count).groups
            assert [{label.label for label in one} for one in groups] == [
                {"YES", "NO"}
            ] * count


@pytest.mark.asyncio
@pytest.mark.parametrize(("version", "status"), [((1, 8, 3), 413), ((1, 9, 0), 422)])
@pytest.mark.parametrize("route", ["/embed", "/v1/embeddings"])
async def test_too_large_a_batch_is_refused_in_both_forms(
    version: tuple[int, int, int], status: int, route: str
) -> None:
    """413 up to 1.8, 422 from 1.9; native with error_type, OpenAI's without error."""
    texts = ["a"] * (Tei.usual_batch + 1)
    async with serve(FakeTei(version=version)) as url:
        target = resolve("x/y", url)
        native = route == "/embed"
        build = tei.build_embed if native else vectors.build_embeddings
        answered, data = await ask(build(texts, target))
        said = json.loads(data)
        assert said.get("error_type" if native else "type") == "Validation"
        assert ("error" in said) == native
        failure = classify(answered, {}, data, target)
        assert answered == failure.status == status
        assert "batch size 33 > maximum allowed batch size 32" in str(failure)
        allowed, _data = await ask(build(texts[1:], target))
        assert allowed == 200


@pytest.mark.asyncio
async def test_a_tei_refuses_in_its_own_words() -> None:
    """Too long without truncation, overloaded, empty, and a wrong key."""
    long = "word " * 20
    async with serve(FakeTei(max_input=10, auto_truncate=False)) as url:
        target = resolve("x/y", url)
        status, data = await ask(tei.build_embed([long], target))
        assert status == 422
        assert b"`inputs` must have less than 10 tokens. Given: 2" in data
        cut, _data = await ask(tei.build_embed([long], target, truncate=True))
        assert cut == 200
    async with serve(FakeTei(busy=True)) as url:
        target = resolve("x/y", url)
        status, data = await ask(tei.build_embed(["a"], target))
        assert (status, json.loads(data)["error_type"]) == (429, "Overloaded")
        assert isinstance(classify(status, {}, data, target), errors.RateLimited)
    async with serve(FakeTei(api_key="hf_test_key")) as url:
        call = tei.build_embed(["a"], resolve("x/y", url))
        assert await ask(call) == (401, b"")
        assert (await ask(call, key="hf_test_key"))[0] == 200
