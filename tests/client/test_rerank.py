"""``rerank``: one score for each document, in the order they were given."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from client.scoring import ENDPOINT, Open, at, changed
from servers.engines import FakeSglang, FakeVllm
from servers.engines_tei import FakeTei
from servers.fake_tgi import FakeTgi

from bytebuddy_provider_hf.config.values import EmbedOptions
from bytebuddy_provider_hf.errors import (
    InvalidOption,
    MalformedResponse,
    UnsupportedRole,
)
from bytebuddy_provider_hf.testing.answers import json_reply
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import virtual_time

QUERY = "red fish"
DOCUMENTS = ["a cat", "a red fish", "a red dog", "nothing"]
SCORES = (0.0, 1.0, 0.5, 0.0)


def words_in_common(pair: object) -> float:
    assert isinstance(pair, dict)
    asked = set(str(pair["text"]).split())
    return len(asked & set(str(pair["text_pair"]).split())) / len(asked)


async def one_class(request: FakeRequest) -> FakeReply:
    """Answer as hf-inference does for a cross-encoder with one class."""
    pairs = request.value("inputs")
    assert isinstance(pairs, list)
    found = [[{"label": "LABEL_0", "score": words_in_common(p)}] for p in pairs]
    return json_reply(found)


async def two_classes(request: FakeRequest) -> FakeReply:
    """Answer as a model with a class for "no" and one for "yes", best first."""
    pairs = request.value("inputs")
    assert isinstance(pairs, list)
    found = []
    for pair in pairs:
        score = words_in_common(pair)
        labels = [
            {"label": "LABEL_1", "score": score},
            {"label": "LABEL_0", "score": 1 - score},
        ]
        found.append(sorted(labels, key=lambda item: -float(str(item["score"]))))
    return json_reply(found)


async def three_classes(request: FakeRequest) -> FakeReply:
    """Answer as a model that tells entailment from contradiction."""
    labels = [{"label": name, "score": 0.3} for name in ("yes", "neutral", "no")]
    return json_reply([labels for _ in DOCUMENTS])


TEI = FakeTei(kind="reranker")
SERVERS: dict[str, tuple[Callable[[], Open], str]] = {
    "TEI": (lambda: at(TEI), "/rerank"),
    "vLLM": (lambda: at(FakeVllm()), "/v1/rerank"),
    "vLLM by /v1": (lambda: at(FakeVllm(), base=f"{ENDPOINT}/v1"), "/v1/rerank"),
    "router": (
        lambda: at(one_class, base=None, model="org/name"),
        "/hf-inference/models/org/name",
    ),
    "router, two classes": (
        lambda: at(two_classes, base=None, model="org/name"),
        "/hf-inference/models/org/name",
    ),
}


@pytest.mark.parametrize("server", SERVERS)
@virtual_time
async def test_every_server_that_can_scores_in_the_order_given(server: str) -> None:
    """Servers answer best first; a host wants its own order."""
    make, path = SERVERS[server]
    stand = make()
    found = await stand.model.rerank(QUERY, DOCUMENTS)
    assert found.scores == SCORES
    assert found.model
    assert stand.stand.paths() == {path}
    stand.settled()


@virtual_time
async def test_pairs_are_sent_as_the_hub_documents_them() -> None:
    """A list of ``text`` and ``text_pair``, and so few classes that they can rank."""
    stand = at(one_class, base=None, model="org/name")
    await stand.model.rerank("q", ["d"])
    assert stand.stand.asked[0].json == {
        "inputs": [{"text": "q", "text_pair": "d"}],
        "parameters": {"top_k": 3},
    }


@virtual_time
async def test_documents_travel_in_batches_too() -> None:
    """No more than the server takes, the scores in one order."""
    stand = at(FakeTei(kind="reranker", max_batch=7))
    documents = [f"red {n}" if n % 3 else "blue" for n in range(100)]
    found = await stand.model.rerank("red", documents)
    assert found.scores == tuple(1.0 if n % 3 else 0.0 for n in range(100))
    assert max(stand.stand.sizes("texts")) == 7
    assert len(stand.stand.asked) == 15


@virtual_time
async def test_max_batch_size_holds_for_documents() -> None:
    """The entry's limit is for whatever travels in batches."""
    stand = at(FakeVllm(), embed=EmbedOptions(max_batch_size=2))
    await stand.model.rerank(QUERY, DOCUMENTS)
    assert stand.stand.sizes("documents") == [2, 2]


@virtual_time
async def test_what_tei_must_cut_is_cut_and_told() -> None:
    """It is told first not to cut, so that nothing is cut in silence."""
    stand = at(FakeTei(kind="reranker", max_input=3, max_batch=2))
    found = await stand.model.rerank("a", ["a", "b", "a b c d e", "a", "a b c d e"])
    assert len(found.scores) == 5
    assert len(found.notes) == 1
    assert "the server cut what did not fit" in found.notes[0]
    assert {each.value("truncate") for each in stand.stand.asked} == {False, True}
    stand.settled()


@virtual_time
async def test_nothing_is_said_where_nothing_was_cut() -> None:
    """A note that always comes is never read."""
    found = await at(TEI).model.rerank(QUERY, DOCUMENTS)
    assert found.notes == ()


@pytest.mark.parametrize(
    ("query", "documents"),
    [("", ["a"]), (7, ["a"]), ("q", []), ("q", "text"), ("q", [1]), ("q", None)],
)
@virtual_time
async def test_a_query_and_a_list_of_documents_are_needed(
    query: object, documents: object
) -> None:
    """Anything else is refused before it is sent."""
    stand = at(TEI)
    with pytest.raises(InvalidOption):
        await stand.model.rerank(query, documents)  # type: ignore[arg-type]  # what is tested
    assert stand.stand.requests == []


@virtual_time
async def test_a_server_that_cannot_is_refused_with_the_way_out() -> None:
    """TGI and SGLang have no such route, an embedding model no such head."""
    for handler in (FakeTgi("3.2.0").handle, FakeSglang(), FakeTei(kind="embedding")):
        stand = at(handler)
        with pytest.raises(UnsupportedRole, match="scores no documents") as caught:
            await stand.model.rerank(QUERY, DOCUMENTS)
        assert "reranker" in (caught.value.hint or "")
        stand.settled()


@virtual_time
async def test_classes_that_do_not_rank_are_refused_by_name() -> None:
    """Of three classes nobody can say which one means relevant."""
    stand = at(three_classes, base=None, model="org/name")
    with pytest.raises(UnsupportedRole, match="neutral, no, yes"):
        await stand.model.rerank(QUERY, DOCUMENTS)
    stand.settled()


@pytest.mark.parametrize(
    "change",
    [
        lambda answer: answer[:-1],
        lambda answer: [answer[0], *answer[:-1]],
        lambda answer: [{**answer[0], "score": math.nan}, *answer[1:]],
    ],
)
@virtual_time
async def test_a_score_too_few_twice_or_not_finite_is_an_error(
    change: Callable[[list[dict[str, object]]], object],
) -> None:
    """A document must not get another one's score."""

    def rewritten(_request: FakeRequest, answer: object) -> object:
        assert isinstance(answer, list)
        return change(answer)

    stand = at(changed(TEI, rewritten))
    with pytest.raises(MalformedResponse, match="holds no 4 scores"):
        await stand.model.rerank(QUERY, DOCUMENTS)
    stand.settled()
