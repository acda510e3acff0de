"""The rules for embeddings and rerank in their OpenAI-style forms."""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.asking import ask
from servers.llama import TINY_CHAT, TINY_RERANK, running

from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.errors import (
    InvalidOption,
    MalformedResponse,
    ResponseTooLarge,
    StreamFailed,
)
from bytebuddy_provider_hf.outcomes import Embeddings, Scores
from bytebuddy_provider_hf.testing.llama_server import LocalServer
from bytebuddy_provider_hf.types import Usage
from bytebuddy_provider_hf.wire import tei
from bytebuddy_provider_hf.wire.floats import vector_from_base64
from bytebuddy_provider_hf.wire.vectors import (
    build_embeddings,
    build_rerank,
    embeddings_in_steps,
    read_embeddings,
    read_rerank,
)


def packed(*numbers: float) -> str:
    """Return numbers as a server packs them."""
    raw = struct.pack(f"<{len(numbers)}f", *numbers)
    return base64.b64encode(raw).decode()


def items(*vectors: object, indexes: tuple[object, ...] | None = None) -> bytes:
    """Return an embeddings answer."""
    places = indexes or tuple(range(len(vectors)))
    data = [
        {"object": "embedding", "index": place, "embedding": vector}
        for place, vector in zip(places, vectors, strict=True)
    ]
    return json.dumps({"object": "list", "data": data, "model": "m"}).encode()


@pytest.mark.parametrize(
    ("api_base", "url"),
    [
        (None, "https://router.huggingface.co/v1/embeddings"),
        ("http://localhost:1", "http://localhost:1/v1/embeddings"),
        ("http://localhost:1/v1?a=b", "http://localhost:1/v1/embeddings?a=b"),
        (
            "https://router.huggingface.co/deepinfra/v1/openai/chat/completions",
            "https://router.huggingface.co/deepinfra/v1/openai/embeddings",
        ),
    ],
)
def test_the_route_stands_beside_chat(api_base: str | None, url: str) -> None:
    """Under the same base, the query kept; model first in the body."""
    call = build_embeddings(["a"], resolve("x/y", api_base))
    assert call.url == url
    assert call.body == b'{"model":"x/y","input":["a"]}'


@pytest.mark.parametrize(
    ("given", "vectors", "pooling"),
    [
        ([[[1.0, 2.0]]], [(1.0, 2.0)], "server"),
        ([[[[1.0, 2.0]]]], [(1.0, 2.0)], "server"),
        ([[[1.0, 2.0], [3.0, 6.0]]], [(2.0, 4.0)], "mean"),
        ([[[1.0, 2.0]], [[5.0, 6.0]]], [(1.0, 2.0), (5.0, 6.0)], "server"),
        ([[[1, 2]], [[1, 2], [3, 6]]], [(1.0, 2.0), (2.0, 4.0)], "mean"),
    ],
)
def test_vectors_in_one_more_list_are_read(
    given: list[object], vectors: list[tuple[float, ...]], pooling: str
) -> None:
    """One row is the vector; of a row for each token the mean, which is told."""
    found = read_embeddings(items(*given), count=len(given))
    assert (list(found.vectors), found.pooling, found.model) == (vectors, pooling, "m")
    assert bool(found.notes) == (pooling == "mean")


@pytest.mark.parametrize(
    "answer",
    [
        items([[1.0]], indexes=(1,)),
        items([[1.0]], indexes=("0",)),
        items([[1.0]], [[2.0]]),
        items([[1.0], []]),
        items([[1.0], [1.0, 2.0]]),
        items([[1.0], ["a"]]),
        items([]),
        items("!"),
        items(1.0),
    ],
)
def test_what_is_no_vector_does_not_blame_the_address(answer: bytes) -> None:
    """An API answered: another address would not do better. What came is shown."""
    with pytest.raises(MalformedResponse) as caught:
        read_embeddings(answer, count=1)
    assert "api_base" not in str(caught.value)
    assert caught.value.hint
    assert '{"object": "list"' in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"<html>", b"Bad Gateway", b"7", b"{}", b"[]"])
def test_what_is_no_api_blames_the_address(body: bytes) -> None:
    """Nothing of what came has to do with models."""
    for read in (read_embeddings, read_rerank, tei.read_embed, tei.read_rerank):
        with pytest.raises(MalformedResponse, match="api_base"):
            read(body, count=1)


@pytest.mark.parametrize(
    ("read", "body"),
    [
        (read_embeddings, items([None, None])),
        (read_embeddings, items([1.0, None])),
        (read_embeddings, items([[None, 1.0]])),
        (read_embeddings, items([1.0], [None])),
        (tei.read_embed, b"[[null, null]]"),
        (tei.read_embed, b"[[NaN]]"),
    ],
)
def test_numbers_that_are_null_are_named(
    read: Callable[..., object], body: bytes
) -> None:
    """The model computed NaN, which JSON does not have (TEI#644)."""
    with pytest.raises(MalformedResponse, match="null in place of numbers") as caught:
        read(body, count=body.count(b"index") or 1)
    assert "float32" in (caught.value.hint or "")
    assert "api_base" not in str(caught.value)


def test_what_was_not_asked_for_is_not_sent() -> None:
    """The format, the dimensions and extra members only when wanted."""
    call = build_embeddings(
        ["a"], resolve("x/y"), base64=True, dimensions=8, extra={"user": "u"}
    )
    assert json.loads(call.body) == {
        "model": "x/y",
        "input": ["a"],
        "encoding_format": "base64",
        "dimensions": 8,
        "user": "u",
    }
    rerank = build_rerank("q", ("a", "b"), resolve("x/y"), extra={"top_n": 2})
    assert rerank.url.endswith("/v1/rerank")
    assert json.loads(rerank.body) == {
        "model": "x/y",
        "query": "q",
        "documents": ["a", "b"],
        "top_n": 2,
    }


def test_no_texts_are_no_request() -> None:
    """Nor is a text that was meant as a list of one."""
    for texts in ((), "text"):
        with pytest.raises(InvalidOption):
            build_embeddings(texts, resolve("x/y"))
        with pytest.raises(InvalidOption):
            build_rerank("q", texts, resolve("x/y"))


@pytest.mark.parametrize(
    "data",
    [
        items([1.0, 0.5], [2.0, -3.0]),
        items(packed(1.0, 0.5), packed(2.0, -3.0)),
        items([1.0, 0.5], packed(2.0, -3.0)),
        items([2, -3.0], [1, 0.5], indexes=(1, 0)),
        items([1.0, 0.5], [2.0, -3.0], indexes=(None, None)),
        # Refused by the typed decoder: an index that is no int.
        items([2.0, -3], [1, 0.5], indexes=(1.0, 0)),
        items([1.0, 0.5], [2.0, -3.0]).replace(b'"m"', b'"m", "usage": 5'),
    ],
)
def test_vectors_come_back_in_the_order_sent(data: bytes) -> None:
    """Lists or base64, whatever the order of the answer."""
    read = read_embeddings(data, count=2)
    assert read == Embeddings(((1.0, 0.5), (2.0, -3.0)), model="m")


def test_usage_is_read() -> None:
    """Where the server counts."""
    body = json.loads(items([1.0]))
    body["usage"] = {"prompt_tokens": 7, "total_tokens": 7}
    assert read_embeddings(json.dumps(body).encode(), count=1).usage == Usage(
        7, None, 7
    )


@pytest.mark.parametrize(
    ("data", "count"),
    [
        (items([1.0]), 2),
        (items([1.0], [2.0]), 1),
        (items([1.0], [2.0, 3.0]), 2),
        (items([1.0], [2.0], indexes=(0, 0)), 2),
        (items([1.0], [2.0], indexes=(1, 2)), 2),
        (items([1.0], [2.0], indexes=(-1, 0)), 2),
        (items([]), 1),
        (items([math.nan]), 1),
        (items([math.inf]), 1),
        (items([None]), 1),
        (items([True]), 1),
        (items([[1.0], [1.0, 2.0]]), 1),
        (items(packed(math.nan)), 1),
        (items(""), 1),
        (items("AAA="), 1),
        (items("not base64!"), 1),
        (items("AA!AAAA=="), 1),
        (items([1.0], [2.0], indexes=(0, 0)), 1),
        (items("é"), 1),
        (b'{"data":[{"index":0,"embedding":[1e999]}]}', 1),
        (b'{"data":[]}', 0),
        (b"[]", 1),
        (b"<html>", 1),
    ],
)
def test_vectors_that_are_not_whole_are_refused(data: bytes, count: int) -> None:
    """Too few, twice the same place, of unequal length, empty, not finite."""
    with pytest.raises(MalformedResponse):
        read_embeddings(data, count=count)


@pytest.mark.parametrize(
    "data",
    [
        b'{"error":{"message":"too long"}}',
        b'{"object":"error","message":"too long"}',
        b'{"error":"too long","data":[]}',
    ],
)
def test_an_error_with_status_200_is_quoted(data: bytes) -> None:
    """Whatever form it has."""
    with pytest.raises(StreamFailed, match=r"reported an error.*too long"):
        read_embeddings(data, count=1)
    with pytest.raises(StreamFailed, match=r"reported an error.*too long"):
        read_rerank(data, count=1)


def ranked(**more: object) -> list[dict[str, object]]:
    """Return two results, best first, which is not the order sent."""
    return [
        {"index": 1, "relevance_score": 2.5, **more},
        {"index": 0, "relevance_score": -1, **more},
    ]


@pytest.mark.parametrize(
    "said",
    [
        {"results": ranked()},
        {"results": ranked(document={"text": "a", "multi_modal": None})},
        {"results": ranked(document="a")},
        {"data": ranked()},
        {"results": [{"index": 1, "score": 2.5}, {"index": 0.0, "score": -1}]},
        [{"index": 1, "score": 2.5}, {"index": 0, "score": -1.0}],
        [{"index": 1, "score": 2.5, "text": "b"}, {"index": 0, "score": -1.0}],
    ],
    ids=["llama.cpp", "vLLM", "infinity", "data", "score", "TEI", "TEI with texts"],
)
def test_scores_come_back_in_the_order_sent(said: object) -> None:
    """Every shape of a rerank answer."""
    assert read_rerank(json.dumps(said).encode(), count=2) == Scores((-1.0, 2.5))


@pytest.mark.parametrize(
    "said",
    [
        {"results": ranked()[:1]},
        {"results": [*ranked(), *ranked()]},
        {"results": [{"index": 0, "score": 1}, {"index": 0, "score": 2}]},
        {"results": [{"index": 0, "score": 1}, {"index": 2, "score": 2}]},
        {"results": [{"index": 0, "score": 1}, {"index": 1, "score": None}]},
        {"results": [{"index": 0, "score": 1}, {"index": True, "score": 2}]},
        {"results": [{"index": 0, "score": 1}, {"score": 2}]},
        {"results": [1, 2]},
        {"results": None},
        [],
        None,
    ],
)
def test_scores_that_are_not_whole_are_refused(said: object) -> None:
    """One for each document, and a number."""
    with pytest.raises(MalformedResponse):
        read_rerank(json.dumps(said).encode(), count=2)


@given(
    st.binary(max_size=80)
    | st.lists(
        st.fixed_dictionaries(
            {
                "index": st.integers(-1, 3) | st.none() | st.floats(),
                "embedding": st.lists(st.floats() | st.integers(), max_size=3)
                | st.text(max_size=8)
                | st.none(),
                "score": st.floats() | st.none() | st.integers(),
            }
        ),
        max_size=3,
    ).map(lambda data: json.dumps({"data": data, "results": data}).encode()),
    st.integers(0, 3),
)
def test_any_bytes_are_whole_vectors_or_one_error(data: bytes, count: int) -> None:
    """What is returned has the right number, is finite, and of equal length."""
    try:
        read = read_embeddings(data, count=count)
    except MalformedResponse:
        pass
    else:
        assert len(read.vectors) == count
        assert len({len(vector) for vector in read.vectors}) == 1
        assert all(math.isfinite(each) for vector in read.vectors for each in vector)
    try:
        scores = read_rerank(data, count=count).scores
    except MalformedResponse:
        return
    assert len(scores) == count
    assert all(map(math.isfinite, scores))


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_base64_and_lists_say_the_same(numbers: list[float]) -> None:
    """Every 32-bit float survives both ways."""
    plain = read_embeddings(items(numbers), count=1)
    assert read_embeddings(items(packed(*numbers)), count=1) == plain
    assert list(plain.vectors[0]) == numbers


def test_the_order_of_bytes_is_that_of_the_wire(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A machine with the other order reads the same numbers."""
    text = packed(1.0, -0.1, 3.4e38)
    here = vector_from_base64(text)
    monkeypatch.setattr("bytebuddy_provider_hf.wire.floats._ORDER", "<")
    assert vector_from_base64(text) == here


@pytest.fixture(scope="module")
def embedder(xllamacpp: None) -> Iterator[str]:
    """Give a real server that embeds."""
    server = LocalServer(
        TINY_CHAT, threads=1, embedding=True, pooling="mean", alias="tiny-chat"
    )
    with running(server):
        yield server.url


@pytest.fixture(scope="module")
def reranker(xllamacpp: None) -> Iterator[str]:
    """Give a real server that reranks."""
    server = LocalServer(
        TINY_RERANK, threads=1, context=128, embedding=True, pooling="rank"
    )
    with running(server):
        yield server.url


async def embedded(url: str, *texts: str, packed: bool) -> Embeddings:
    """Ask a real server."""
    call = build_embeddings(texts, resolve("tiny-chat", url), base64=packed)
    status, data = await ask(call)
    assert status == 200
    assert (b'"base64"' in data) == packed
    return read_embeddings(data, count=len(texts))


@pytest.mark.asyncio
async def test_llama_embeds_alike_in_both_formats(embedder: str) -> None:
    """Numbers and base64 of a real server are the same vectors, in the order sent."""
    plain = await embedded(embedder, "Hello", "world", packed=False)
    other = await embedded(embedder, "Hello", "world", packed=True)
    turned = await embedded(embedder, "world", "Hello", packed=True)
    assert [len(vector) for vector in plain.vectors] == [128, 128]
    assert plain.usage is not None
    assert plain.usage.prompt_tokens > 0
    for one, two in zip(plain.vectors, other.vectors, strict=True):
        assert one == pytest.approx(two, abs=1e-6)
    assert turned.vectors[1] == pytest.approx(plain.vectors[0], abs=1e-4)
    assert turned.vectors[1] != pytest.approx(plain.vectors[1], abs=1e-2)


@pytest.mark.asyncio
async def test_llama_reranks_in_the_order_sent(reranker: str) -> None:
    """Both forms of a real server's answer, its own and TEI's, say the same."""
    target = resolve("tiny-rerank", reranker)
    texts = ("paris", "it is a bear", "hi")
    status, data = await ask(build_rerank("what is panda", texts, target))
    assert status == 200
    scores = read_rerank(data, count=3).scores
    # Best first is how it answers, and not how it was asked.
    places = [item["index"] for item in json.loads(data)["results"]]
    assert places == sorted(range(3), key=lambda place: -scores[place])
    assert places != [0, 1, 2]
    status, data = await ask(tei.build_rerank("what is panda", texts, target))
    assert status == 200
    assert json.loads(data)[0].keys() == {"index", "score"}
    assert tei.read_rerank(data, count=3).scores == pytest.approx(scores, abs=1e-6)
    assert read_rerank(data, count=3).scores == pytest.approx(scores, abs=1e-6)


def test_large_batches_are_read_in_steps() -> None:
    """A generator yields between items, so that none holds the loop for long."""
    row = [0.125] * 4_096
    body = items(*[row] * 64)
    steps = embeddings_in_steps(body, count=64)
    turns = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found = end.value
            break
        turns += 1
    assert found.vectors == (tuple(row),) * 64
    assert turns >= len(body) // (512 * 1024)


@pytest.mark.parametrize(
    "item",
    [
        b'{"embedding":[' + b"0," * 600_000 + b"0]}",
        b'{"embedding":[[' + b"0," * 600_000 + b"0]]}",
    ],
)
def test_one_vector_is_as_long_as_a_vector(item: bytes) -> None:
    """Of one text there are half a million numbers at most."""
    with pytest.raises(ResponseTooLarge, match="557,056"):
        read_embeddings(b'{"data":[' + item + b"]}", count=1)


def test_more_items_than_texts_are_not_looked_at() -> None:
    """They could be none of ours."""
    with pytest.raises(MalformedResponse):
        read_embeddings(b'{"data":[' + b"{}," * 9_000 + b"{}]}", count=2)
