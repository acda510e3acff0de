"""What a server refuses is taken back where nobody asked for it, over real sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from attrs import define, field
from servers.raw import STREAM_HEAD, Client, raw_server

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import (
    APIError,
    ByteBuddyError,
    ContextTooLong,
    IdleTimeout,
    OutputRejected,
    ParameterRefused,
    QuotaExhausted,
)
from bytebuddy_provider_hf.types import Done, Message, Reply

pytestmark = pytest.mark.asyncio

Body = dict[str, object]
Answer = tuple[int, object]
STREAM = (
    b'data: {"choices":[{"index":0,"delta":{"content":"fine"}}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b"data: [DONE]\n\n"
)
WHOLE: Body = {
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "fine"},
            "finish_reason": "stop",
        }
    ]
}


@define
class Bodies:
    """A model at a server, and the bodies of the requests that came, oldest first."""

    model: HuggingFaceModel
    seen: list[Body] = field(factory=list)


@asynccontextmanager
async def server(
    refuse: Callable[[Body], Answer | None], **options: object
) -> AsyncIterator[Bodies]:
    """Answer with what ``refuse`` says of a request, else well."""
    seen: list[Body] = []

    async def answer(client: Client) -> None:
        head = await client.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r")[0])
        seen.append(json.loads(await client.reader.readexactly(length)))
        refusal = refuse(seen[-1])
        status, said = refusal or (200, WHOLE)
        kind, body = "application/json", json.dumps(said).encode()
        if refusal is None and seen[-1].get("stream"):
            kind, body = "text/event-stream", STREAM
        await client.say(
            f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\nconnection: close\r\n"
            f"content-length: {len(body)}\r\n\r\n".encode()
            + body
        )

    async with (
        raw_server(answer) as found,
        open_model(
            "m",
            api_base=f"{found.url}/v1",
            env={},
            request_options=RequestOptions(**options),  # type: ignore[arg-type]  # tests pass what they mean
        ) as model,
    ):
        yield Bodies(model, seen)


async def streamed(model: HuggingFaceModel, **options: object) -> Reply:
    async with model.chat("a", **options) as events:  # type: ignore[arg-type]  # tests pass what they mean
        seen = [event async for event in events]
    assert isinstance(seen[-1], Done)
    return seen[-1].reply


def said(message: str, **more: object) -> Body:
    return {"error": {"message": message, **more}}


STREAM_OPTIONS = [
    (400, said("Extra inputs are not permitted, field: 'stream_options'")),
    (400, said("Unrecognized request argument supplied: stream_options")),
    (
        422,
        {
            "object": "error",
            "message": {
                "detail": [
                    {
                        "type": "extra_forbidden",
                        "loc": ["body", "stream_options", "include_usage"],
                        "msg": "Extra inputs are not permitted",
                    }
                ]
            },
        },
    ),
    (400, said("Unsupported parameter", param="stream_options")),
]


@pytest.mark.parametrize("refusal", STREAM_OPTIONS)
async def test_a_stream_is_asked_for_without_its_usage(refusal: Answer) -> None:
    """The tokens are then not counted, which is told once; the next call knows."""

    def refuse(body: Body) -> Answer | None:
        return refusal if "stream_options" in body else None

    async with server(refuse) as at:
        reply = await streamed(at.model)
        assert (reply.text, reply.usage) == ("fine", None)
        assert any("stream_options" in note for note in reply.notes)
        again = await streamed(at.model)
        assert again.notes == ()
    assert ["stream_options" in body for body in at.seen] == [True, False, False]
    first, second, _ = at.seen
    assert {**second, "stream_options": first["stream_options"]} == first


async def test_what_the_caller_wrote_is_not_taken_back() -> None:
    """A refused member of the entry's own extra ones is the caller's to change."""

    def refuse(body: Body) -> Answer | None:
        return STREAM_OPTIONS[0] if "stream_options" in body else None

    given = {"stream_options": {"include_usage": False}}
    async with server(refuse, extra_body_properties=given) as at:
        with pytest.raises(ParameterRefused) as caught:
            await streamed(at.model)
    assert "Leave out or change stream_options" in str(caught.value)


@pytest.mark.parametrize(
    "wording", ["payload validation: missing required top_n number field"]
)
async def test_a_rerank_says_how_many_where_it_must(wording: str) -> None:
    """The request has the number of documents the second time, and every later one."""
    scores = [{"index": i, "relevance_score": 0.5} for i in range(2)]

    def answer(body: Body) -> Answer:
        if "top_n" in body:
            return 200, {"results": scores}
        return 400, {"status": 400, "error": "BAD REQUEST", "message": wording}

    async with server(answer) as at:
        for _ in range(2):
            found = await at.model.rerank("q", ["a", "b"])
            assert found.scores == (0.5, 0.5)
    assert [body.get("top_n") for body in at.seen] == [None, 2, 2]


async def test_options_that_clash_are_told_apart_from_those_refused() -> None:
    """At vLLM, which gives one greedy answer, n is left out of that call alone."""

    def refuse(body: Body) -> Answer | None:
        if body.get("n", 1) != 1 and body.get("temperature") == 0:
            return 400, said("n must be 1 when using greedy sampling, got 2.")
        return None

    async with server(refuse) as at:
        reply = await at.model.chat("a", n=2, temperature=0)
        told = [note for note in reply.notes if "greedy sampling" in note]
        assert len(told) == 1
        assert told[0].endswith(": n.")
        await at.model.chat("a", n=2, temperature=1)
    assert [body.get("n") for body in at.seen] == [2, None, 2]


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        (
            "Unsupported parameter: 'thinking_budget'",
            "The request has no thinking_budget",
        ),
        ("top_k must not be set", "The request has no top_k"),
    ],
)
async def test_nobody_is_told_to_change_what_was_never_sent(
    message: str, hint: str
) -> None:
    """The server's own settings are at fault."""
    async with server(lambda _body: (400, said(message))) as at:
        with pytest.raises(ParameterRefused) as caught:
            await at.model.chat("a", temperature=0.5)
    assert hint in str(caught.value)
    assert "Leave out" not in str(caught.value)


PASSED = (
    "You passed {given} input tokens and requested {asked} output tokens. However, "
    "the model's context length is only 4096 tokens, resulting in a maximum input "
    "length of {most} tokens. Please reduce the length of the input prompt."
)


async def test_an_answer_is_shortened_by_the_count_of_the_server() -> None:
    """By vLLM's own count of the prompt, to the token."""

    def refuse(body: Body) -> Answer | None:
        asked = int(str(body["max_tokens"]))
        if asked <= 4096 - 3000:
            return None
        return 400, said(PASSED.format(given=3000, asked=asked, most=4096 - asked))

    async with server(refuse) as at:
        assert (await at.model.chat("a", max_tokens=2000)).text == "fine"
    assert [body["max_tokens"] for body in at.seen] == [2000, 1096]


async def test_where_the_count_stopped_the_history_is_cut_by_an_estimate() -> None:
    """Of vLLM, which counts no further than one token too many."""
    long = [
        Message("user" if i % 2 == 0 else "assistant", "word " * 400) for i in range(41)
    ]

    def refuse(body: Body) -> Answer | None:
        tokens = len(json.dumps(body["messages"])) // 5
        asked = int(str(body["max_tokens"]))
        if tokens + asked <= 4096:
            return None
        most = 4096 - asked
        return 400, said(PASSED.format(given=most + 1, asked=asked, most=most))

    async with server(refuse) as at:
        reply = await at.model.chat(long, max_tokens=500)
    assert reply.text == "fine"
    assert len(at.seen) <= 3
    kept = at.seen[-1]["messages"]
    assert isinstance(kept, list)
    assert 1 < len(kept) < len(long)
    assert any("left out" in note for note in reply.notes)


@pytest.mark.parametrize(
    "message",
    [
        "max_tokens=5000cannot be greater than max_model_len=max_total_tokens=4096.",
        PASSED.replace("tokens and", "characters and", 1).format(
            given=90_000, asked=5_000, most=0
        ),
        "Your request exceeded model token limit: 4096 (requested: 5090)",
        "Reduce the length of the prompt. Current length is 5090 while limit is 4096",
    ],
)
async def test_an_answer_is_shortened_where_the_prompt_was_not_counted(
    message: str,
) -> None:
    """By the sum that the server told, or by what is estimated here."""

    def refuse(body: Body) -> Answer | None:
        fits = int(str(body["max_tokens"])) <= 4096 - 40
        return None if fits else (400, said(message))

    async with server(refuse) as at:
        assert (await at.model.chat("a" * 90, max_tokens=5000)).text == "fine"
    assert len(at.seen) == 2


async def test_without_numbers_a_full_window_is_an_error() -> None:
    """Nothing is guessed where nothing was said."""
    async with server(lambda _body: (400, said("Prompt exceeds max length"))) as at:
        with pytest.raises(ContextTooLong):
            await at.model.chat("a", max_tokens=5)
    assert len(at.seen) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, said("Insufficient balance. Please recharge.", code="1113")),
        (429, said("You exceeded your current quota.", code="insufficient_quota")),
        (403, {"code": 403, "reason": "NOT_ENOUGH_BALANCE", "message": "no"}),
        (412, {"code": 1, "msg": "account balance is insufficient"}),
    ],
)
async def test_who_has_no_money_is_told_once(status: int, body: Body) -> None:
    """Asking again costs nothing but time."""
    async with server(lambda _body: (status, body)) as at:
        with pytest.raises(QuotaExhausted) as caught:
            await at.model.chat("a")
    assert len(at.seen) == 1
    assert "huggingface" not in str(caught.value)


async def test_what_the_model_wrote_is_an_attribute_and_no_message() -> None:
    """Groq sends it with the refusal: as much as shows what is wrong with it."""
    wrote = "<function=x>" + "y" * 10_000
    body = said(
        "Failed to call a function. Please adjust your prompt.",
        code="tool_use_failed",
        failed_generation=wrote,
    )
    async with server(lambda _body: (400, body)) as at:
        with pytest.raises(OutputRejected) as caught:
            await at.model.chat("a")
    generated = caught.value.generated or ""
    assert wrote.startswith(generated)
    assert 1_000 < len(generated) <= 2_000
    assert "yyy" not in str(caught.value)


@pytest.mark.parametrize("status", [499, 520, 524, 529, 530])
async def test_a_status_of_whoever_stands_between_passes(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second request is answered."""
    for name in ("_TRANSIENT_BASE", "_THROTTLED_BASE"):
        monkeypatch.setattr(f"bytebuddy_provider_hf.scheduling.retry.{name}", 0.001)
    answers: list[Answer | None] = [(status, ""), None]
    async with server(lambda _body: answers.pop(0)) as at:
        assert (await at.model.chat("a")).text == "fine"
    assert len(at.seen) == 2


async def test_a_refusal_that_names_no_parameter_is_no_change_of_one() -> None:
    """Only names that were recognised are left out."""
    async with server(lambda _body: (400, said("no such thing"))) as at:
        with pytest.raises(APIError):
            await streamed(at.model, top_k=5)
    assert len(at.seen) == 1


EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"fine"}}]}\n\n'
ERROR = b'data: {"error":{"message":"x","type":"y"}}\n\n'


@pytest.mark.parametrize(
    "tail",
    [
        b"",
        ERROR,
        b"data: {broken\n\n",
        b"data: data: x\n\n",
        b"data: <html>\n\n",
        b'data: {"error":{"message":"out of memory","code":500}}\n\n',
        b'event: error\ndata: {"detail":"gone"}\n\n',
    ],
)
@pytest.mark.parametrize("begun", [True, False])
async def test_however_a_stream_ends_its_error_says_what_to_do(
    tail: bytes, *, begun: bool
) -> None:
    """Where text came before, api_base is not to blame."""
    body = EVENT + tail if begun else tail

    async def answer(client: Client) -> None:
        await client.request()
        await client.say(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body
        )

    once = RequestOptions(max_attempts=1)
    async with (
        raw_server(answer) as found,
        open_model(
            "m", api_base=f"{found.url}/v1", env={}, request_options=once
        ) as model,
    ):
        with pytest.raises(ByteBuddyError) as caught:
            await streamed(model)
    assert caught.value.hint
    assert not begun or "api_base is the address" not in caught.value.hint


async def test_a_silent_stream_says_what_to_do() -> None:
    """With what sets how long a silence may be."""

    async def answer(client: Client) -> None:
        await client.request()
        await client.say(STREAM_HEAD.encode() + b"\r\n", EVENT)
        await client.until_gone()

    quick = RequestOptions(idle_timeout=0.05)
    async with (
        raw_server(answer) as found,
        open_model(
            "m", api_base=f"{found.url}/v1", env={}, request_options=quick
        ) as model,
    ):
        with pytest.raises(IdleTimeout, match="idle_timeout") as caught:
            await streamed(model)
    assert caught.value.partial == "fine"
