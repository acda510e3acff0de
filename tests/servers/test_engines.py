"""The simulated engines answer as the real ones were seen to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from reading import read_reply
from servers.asking import ask
from servers.engines import FakeSglang, FakeVllm
from servers.engines_hf import FakeCommunity, FakeHfServe, FakeToolkit, FakeTransformers
from servers.engines_infinity import FakeInfinity
from servers.engines_tei import FakeTei

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.outcomes import Features, GeneratedText
from bytebuddy_provider_hf.testing.behaviour import Behaviour, echo
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.script import (
    FakeReply,
    FakeRequest,
    Handler,
    Recorded,
)
from bytebuddy_provider_hf.types import CompletionOptions, Message, Reply, Usage
from bytebuddy_provider_hf.wire import vectors
from bytebuddy_provider_hf.wire.http_request import HttpRequest
from bytebuddy_provider_hf.wire.openai import ChatRequest, build_chat
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream
from bytebuddy_provider_hf.wire.tasks import build_task
from bytebuddy_provider_hf.wire.tasks_reply import read_task

MODEL = "org/served"
pytestmark = pytest.mark.asyncio


async def heard(
    handler: Handler,
    path: str,
    body: object = None,
    *,
    raw: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> FakeReply:
    """Ask without a socket: POST with a body, GET without."""
    sent = (
        raw if raw is not None else b"" if body is None else json.dumps(body).encode()
    )
    method = "POST" if sent else "GET"
    return await handler(
        FakeRequest(method, path, headers=dict(headers or {}), body=sent)
    )


def said(reply: FakeReply) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return the body of an answer, parsed."""
    return json.loads(reply.content)


def chat(**more: object) -> dict[str, object]:
    """Return a question."""
    return {
        "model": MODEL,
        "messages": [{"role": "user", "content": "one two"}],
        **more,
    }


def streamed(reply: FakeReply) -> Reply:
    """Read a stream to its end."""
    stream = OpenAIStream(model="m")
    stream.feed(reply.content)
    stream.close()
    return stream.reply()


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[str]:
    """Give the URL of a FakeHub all of whose models are ``handler``."""
    hub = FakeHub(default=Behaviour(always=handler))
    async with hub.serve() as url:
        yield url


async def test_an_engine_can_stand_behind_a_hub() -> None:
    """As the handler of a behaviour; what it was asked is kept."""
    recorded = Recorded(FakeVllm(MODEL, answer=echo))
    async with served(recorded) as url:
        request = ChatRequest(
            (Message("user", "one two"),), CompletionOptions(max_tokens=9)
        )
        call = build_chat(request, resolve(MODEL, url), stream=False)
        status, data = await ask(call)
    assert status == 200
    assert read_reply(data, model="m").text == "one two"
    assert [request.value("max_tokens") for request in recorded.requests] == [9]


async def test_vllm_streams_with_an_end_mark_and_usage_when_asked() -> None:
    """[DONE] always; the usage in a chunk of its own."""
    vllm = FakeVllm(MODEL, answer=echo)
    reply = await heard(vllm, "/v1/chat/completions", chat(stream=True))
    assert reply.content.endswith(b"data: [DONE]\n\n")
    assert streamed(reply).usage is None
    options = {"include_usage": True}
    reply = await heard(
        vllm, "/v1/chat/completions", chat(stream=True, stream_options=options)
    )
    assert streamed(reply).usage == Usage(2, 2, 4)
    cut = await heard(vllm, "/v1/chat/completions", chat(stream=True, max_tokens=1))
    assert streamed(cut) == Reply(
        "one",
        MODEL,
        finish_reason="length",
        raw_finish_reason="length",
        id="chatcmpl-simulated",
    )


async def test_vllm_wants_its_own_name() -> None:
    """404 for another; /v1/models tells the name and the window."""
    vllm = FakeVllm(MODEL)
    reply = await heard(vllm, "/v1/chat/completions", chat(model="tgi"))
    assert (reply.status, said(reply)["error"]) == (
        404,
        {
            "message": "The model `tgi` does not exist.",
            "type": "NotFoundError",
            "param": None,
            "code": 404,
        },
    )
    card = said(await heard(vllm, "/v1/models"))["data"][0]
    assert (card["id"], card["owned_by"], card["max_model_len"]) == (
        MODEL,
        "vllm",
        4_096,
    )


async def test_vllm_has_an_old_form_of_errors() -> None:
    """Flat, with object "error"; in a stream too."""
    old = FakeVllm(MODEL, flat=True, fails_with="no more")
    reply = await heard(old, "/v1/chat/completions", chat(model="x"))
    assert said(reply)["object"] == "error"
    reply = await heard(old, "/v1/chat/completions", chat(stream=True))
    with pytest.raises(errors.StreamFailed, match="no more"):
        streamed(reply)
    new = FakeVllm(MODEL, fails_with="no more")
    reply = await heard(new, "/v1/chat/completions", chat(stream=True))
    assert b'data: {"error": {' in reply.content
    with pytest.raises(errors.StreamFailed, match="no more"):
        streamed(reply)


async def test_vllm_refuses_in_three_forms() -> None:
    """401 as a string, 404 in detail, 400 as an object."""
    keyed = FakeVllm(MODEL, api_key="hf_test_key")
    reply = await heard(keyed, "/v1/chat/completions", chat())
    assert (reply.status, said(reply)) == (401, {"error": "Unauthorized"})
    allowed = {"authorization": "Bearer hf_test_key"}
    reply = await heard(keyed, "/v1/chat/completions", chat(), headers=allowed)
    assert reply.status == 200
    reply = await heard(FakeVllm(MODEL), "/nowhere", chat())
    assert (reply.status, said(reply)) == (404, {"detail": "Not Found"})
    for name, value in [("temperature", -1), ("top_p", 0), ("top_p", 1.1)]:
        reply = await heard(
            FakeVllm(MODEL), "/v1/chat/completions", chat(**{name: value})
        )
        assert (reply.status, name in said(reply)["error"]["message"]) == (400, True)
    small = FakeVllm(MODEL, window=10)
    reply = await heard(small, "/v1/chat/completions", chat(max_tokens=9))
    assert "maximum context length is 10 tokens" in said(reply)["error"]["message"]
    reply = await heard(small, "/v1/chat/completions", chat(max_tokens=8))
    assert reply.status == 200


async def test_vllm_has_a_newer_refusal_and_other_ends() -> None:
    """Numbers that stop one beyond the limit; greedy is one answer; five reasons."""
    small = FakeVllm(MODEL, window=10, renderer=True)
    reply = await heard(small, "/v1/chat/completions", chat(max_tokens=9))
    error = said(reply)["error"]
    assert (reply.status, error["param"]) == (400, "input_tokens")
    assert error["message"].startswith("You passed 2 input tokens and requested 9 out")
    assert "length of 1 tokens" in error["message"]
    vllm = FakeVllm(MODEL)
    reply = await heard(vllm, "/v1/chat/completions", chat(n=2, temperature=0))
    assert "n must be 1 when using greedy sampling" in said(reply)["error"]["message"]
    for reason in ("abort", "error", "repetition"):
        ended = FakeVllm(MODEL, finish=reason)
        reply = await heard(ended, "/v1/chat/completions", chat())
        assert said(reply)["choices"][0]["finish_reason"] == reason
        reply = await heard(ended, "/v1/chat/completions", chat(stream=True))
        assert f'"finish_reason": "{reason}"'.encode() in reply.content


async def test_vllm_embeds_and_reranks() -> None:
    """Best first, with the document in an object."""
    vllm, target = FakeVllm(MODEL), resolve(MODEL, "http://localhost:1")
    texts = ["a cat", "a panda", "what is a panda"]
    call = vectors.build_rerank("what is a panda", texts, target)
    reply = await heard(vllm, "/v1/rerank", raw=call.body)
    places = [item["index"] for item in said(reply)["results"]]
    assert places == [2, 1, 0]
    assert said(reply)["results"][0]["document"]["text"] == texts[2]
    scores = vectors.read_rerank(reply.content, count=3).scores
    assert scores == (0.25, 0.5, 1.0)
    call = vectors.build_embeddings(texts, target, base64=True)
    reply = await heard(vllm, "/v1/embeddings", raw=call.body)
    assert len(vectors.read_embeddings(reply.content, count=3).vectors) == 3


async def test_sglang_has_flat_errors_and_another_generate() -> None:
    """Its /generate wants text, not inputs."""
    sglang = FakeSglang(MODEL, answer=echo)
    reply = await heard(sglang, "/generate", {"inputs": "a", "parameters": {}})
    assert (reply.status, said(reply)["object"]) == (400, "error")
    assert (await heard(sglang, "/generate", {"text": "a"})).status == 200
    reply = await heard(sglang, "/v1/chat/completions", chat(messages=[]))
    assert (reply.status, said(reply)["object"]) == (400, "error")
    reply = await heard(sglang, "/v1/chat/completions", chat(stream=True, model="any"))
    assert streamed(reply).text == "one two"
    card = said(await heard(sglang, "/v1/models"))["data"][0]
    assert card["owned_by"] == "sglang"
    assert (await heard(sglang, "/get_model_info")).status == 200


async def test_transformers_streams_without_an_end_mark() -> None:
    """The finish reason and the usage come in one last chunk, and nothing after."""
    serve = FakeTransformers(MODEL, answer=echo)
    reply = await heard(serve, "/v1/chat/completions", chat(stream=True))
    assert b"[DONE]" not in reply.content
    assert reply.content.count(b"finish_reason") == 1
    assert reply.headers["x-request-id"]
    read = streamed(reply)
    assert (read.text, read.finish_reason, read.model) == (
        "one two",
        "stop",
        f"{MODEL}@main",
    )
    assert read.usage == Usage(2, 2, 4)


@pytest.mark.parametrize("message", ["no more", 'no "more"'])
async def test_transformers_writes_errors_by_hand(message: str) -> None:
    """A quote in one breaks its JSON; it is an error all the same."""
    serve = FakeTransformers(MODEL, fails_with=message)
    reply = await heard(serve, "/v1/chat/completions", chat(stream=True))
    with pytest.raises(errors.StreamFailed, match="more"):
        streamed(reply)


async def test_transformers_refuses_in_detail() -> None:
    """400 for another model, 422 for a field it does not know, 500 in plain text."""
    serve = FakeTransformers(MODEL)
    rows = [
        (chat(model="x"), 400, f'{{"detail": "Server is pinned to {MODEL}"}}'),
        (chat(top_k=5), 422, "top_k"),
        ({"model": MODEL}, 500, "Internal Server Error"),
    ]
    for body, status, text in rows:
        reply = await heard(serve, "/v1/chat/completions", body)
        assert (reply.status, text in reply.content.decode()) == (status, True)
    assert (await heard(serve, "/v1/models")).status == 500
    assert (await heard(serve, "/v1/completions", chat())).status == 404


async def test_the_toolkit_answers_everything_wrong_with_400() -> None:
    """As a string; a wrong path is plain text; a stream is not known."""
    toolkit = FakeToolkit(answer=echo)
    reply = await heard(toolkit, "/", {"foo": 1})
    assert (reply.status, said(reply)["error"][:39]) == (
        400,
        "Body needs to provide a inputs key, rec",
    )
    failing = FakeToolkit(fails_with="'NoneType' object has no attribute 'x'")
    assert (await heard(failing, "/", {"inputs": "a"})).status == 400
    reply = await heard(toolkit, "/", {"inputs": "a"}, headers={"accept": "text/html"})
    assert reply.status == 400
    reply = await heard(toolkit, "/v1/chat/completions", chat())
    assert (reply.status, reply.content) == (404, b"Not Found")
    assert (await heard(toolkit, "/predict")).status == 405
    assert (await heard(toolkit, "/health")).status == 200
    reply = await heard(toolkit, "/", {"inputs": "a", "stream": True})
    assert said(reply) == [{"generated_text": "aa"}]


async def test_the_toolkit_is_asked_with_the_task_api() -> None:
    """Text, labels not nested, features for each token; an unknown parameter named."""

    async def asked(task: str, **parameters: object) -> FakeReply:
        call = build_task(
            task, "one two", parameters, resolve(MODEL, "http://localhost:1")
        )
        assert call.url == "http://localhost:1/"
        return await heard(FakeToolkit(task, answer=echo), "/", raw=call.body)

    reply = await asked("text-generation")
    assert read_task("text-generation", reply.content).first == GeneratedText("one two")
    reply = await asked("text-classification")
    assert len(read_task("text-classification", reply.content).groups[0]) == 2
    reply = await asked("feature-extraction")
    features = read_task("feature-extraction", reply.content).first
    assert isinstance(features, Features)
    assert (features.pooled, len(features.vectors)) == (False, 2)
    reply = await asked("text-generation", stop=["a"], watermark=True)
    assert "['stop', 'watermark']" in said(reply)["error"]


async def test_transformers_garbles_and_refuses_more() -> None:
    """500 in plain text for a call that is no JSON; fields of OpenAI's, in detail."""
    serve = FakeTransformers(MODEL, calls="{", strict=True)
    tools = [{"type": "function", "function": {"name": "f"}}]
    reply = await heard(serve, "/v1/chat/completions", chat(tools=tools))
    assert (reply.status, reply.content) == (500, b"Internal Server Error")
    reply = await heard(serve, "/v1/chat/completions", chat(n=1, tool_choice="auto"))
    assert reply.status == 422
    assert said(reply)["detail"].startswith("Unsupported fields in the request: {")


async def test_infinity_lists_what_each_model_can_do() -> None:
    """At the root; 405 to a task at /, a list where one text would do, 400 else."""
    infinity = FakeInfinity({"a": ["embed"], "b": ["rerank", "classify"]})
    cards = said(await heard(infinity, "/models"))["data"]
    assert [card["capabilities"] for card in cards] == [
        ["embed"],
        ["rerank", "classify"],
    ]
    assert {card["owned_by"] for card in cards} == {"infinity"}
    rows: list[tuple[str, object, int]] = [
        ("/", {"inputs": "x"}, 405),
        ("/v1/models", None, 404),
        ("/embeddings", {"model": "a", "input": "x"}, 200),
        ("/embeddings", {"model": "b", "input": "x"}, 400),
        ("/classify", {"model": "b", "input": "x"}, 422),
        ("/classify", {"model": "b", "input": ["x"]}, 200),
        ("/rerank", {"model": "c", "query": "q", "documents": ["x"]}, 400),
    ]
    for path, body, status in rows:
        assert (await heard(infinity, path, body)).status == status, path
    prefixed = FakeInfinity(prefix="/v1")
    assert (await heard(prefixed, "/v1/models")).status == 200
    assert (await heard(prefixed, "/models")).status == 404


async def test_hf_serve_speaks_both_and_fails_like_fastapi() -> None:
    """The task API at /, chat and embeddings at /v1, errors in detail."""
    serve = FakeHfServe("feature-extraction", MODEL)
    reply = await heard(serve, "/", {"inputs": ["a", "b"]})
    assert len(read_task("feature-extraction", reply.content, count=2).groups) == 2
    reply = await heard(serve, "/v1/embeddings", {"input": ["a"]})
    assert reply.status == 200
    reply = await heard(serve, "/v1/chat/completions", chat(stream=True))
    assert streamed(reply).finish_reason == "stop"
    reply = await heard(serve, "/", {"foo": 1})
    assert (reply.status, said(reply)["detail"][0]["loc"]) == (422, ["body", "inputs"])
    reply = await heard(serve, "/", {"inputs": "a", "parameters": {"stop": ["a"]}})
    assert (reply.status, "stop" in said(reply)["detail"]) == (400, True)
    assert said(await heard(serve, "/v1/models"))["data"][0]["id"] == MODEL


async def test_community_pipelines_give_lists_warnings_and_times() -> None:
    """The bodies that the real program was captured with."""
    community = FakeCommunity(answer=lambda _request: "...")
    reply = await heard(community, "/models/gpt2", {"inputs": "Hi"})
    assert said(reply) == [{"generated_text": "Hi..."}]
    assert reply.headers["x-compute-type"] == "cpu"
    assert reply.headers["x-compute-characters"] == "2"
    body = {"inputs": "Hi", "parameters": {"temperature": -3}}
    reply = await heard(community, "/", body)
    assert (reply.status, said(reply)) == (
        400,
        {
            "error": [
                (
                    "Input should be greater than or equal to 0: received "
                    "`temperature` in `parameters`"
                )
            ]
        },
    )
    reply = await heard(community, "/", {"foo": 1})
    assert said(reply)["error"] == [
        "Input should be a valid string: received `{'foo': 1}` in `parameters`"
    ]
    reply = await heard(community, "/", {"inputs": "boom"})
    assert (reply.status, said(reply)) == (
        500,
        {
            "error": "unknown error",
            "warnings": ["There was an inference error: boom", "boom"],
        },
    )
    reply = await heard(community, "/", raw=b"{bad")
    assert (reply.status, said(reply)) == (200, [{"generated_text": "{bad..."}])
    reply = await heard(community, "/", {"inputs": "a", "stream": True})
    assert "`stream` is not supported" in said(reply)["error"][0]
    body = {"inputs": "a", "parameters": {"stop": ["a"]}}
    reply = await heard(community, "/", body)
    assert "['stop']" in said(reply)["error"]
    assert "model_kwargs" in said(reply)["warnings"][0]


async def test_tei_tells_what_it_is() -> None:
    """The members of /info that a probe reads."""
    info = said(await heard(FakeTei(kind="reranker", version=(1, 8, 3)), "/info"))
    assert info["version"] == "1.8.3"
    assert list(info["model_type"]) == ["reranker"]
    assert info["max_client_batch_size"] == 32
    assert (await heard(FakeTei(), "/health")).status == 200
    assert HttpRequest(url="http://x/info", method="GET").body == b""
