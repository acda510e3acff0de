"""Every other engine, called through the engine room: a test for each wire quirk."""

from __future__ import annotations

import json

import pytest
from client.engines import WAYS, Asking, Way, at, counting
from servers.engines import FakeSglang, FakeVllm

from bytebuddy_provider_hf.errors import (
    APIError,
    BadRequest,
    ContextTooLong,
    ModelOverloaded,
    ParameterRefused,
    PipelineFailed,
    ServerError,
    StreamFailed,
    StreamInterrupted,
    TokenInvalid,
    WrongServedModel,
)
from bytebuddy_provider_hf.testing.answers import MODEL, event_stream, json_reply
from bytebuddy_provider_hf.testing.failures import flat_error, object_error
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest, Handler
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import CompletionOptions, Done, FinishReason, Tool

SIX = "one two three four five six"
OPTIONS = CompletionOptions(max_tokens=50)
TOOL = Tool("get_weather", "Tell the weather.", {"type": "object", "properties": {}})

each_way = pytest.mark.parametrize("way", WAYS)
whole_and_streamed = pytest.mark.parametrize("streamed", [False, True])


@pytest.mark.parametrize("engine", [FakeVllm, FakeSglang])
@each_way
@whole_and_streamed
@virtual_time
async def test_vllm_and_sglang_answer_by_the_name_they_list(
    engine: type[FakeVllm | FakeSglang], way: Way, streamed: bool
) -> None:
    """Whatever the entry calls the model; usage comes with a stream too."""
    stand = at(engine(model="repo/own", answer=counting))
    reply = await Asking(way, streamed, options=OPTIONS)(stand.model)
    assert (reply.text, reply.finish_reason) == (SIX, "stop")
    assert stand.sent["model"] == "repo/own"
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (2, 6)


@pytest.mark.parametrize("engine", [FakeVllm, FakeSglang])
@each_way
@whole_and_streamed
@virtual_time
async def test_vllm_and_sglang_tell_a_cut_answer(
    engine: type[FakeVllm | FakeSglang], way: Way, streamed: bool
) -> None:
    """The reason is ``length``."""
    stand = at(engine(answer=counting))
    asking = Asking(way, streamed, options=CompletionOptions(max_tokens=2))
    reply = await asking(stand.model)
    assert (reply.text, reply.finish_reason) == ("one two", "length")


@each_way
@virtual_time
async def test_vllm_takes_options_that_are_not_openais(way: Way) -> None:
    """top_k, min_p and repetition_penalty leave as they are."""
    stand = at(FakeVllm())
    options = CompletionOptions(top_k=5, min_p=0.1, repetition_penalty=1.2)
    reply = await Asking(way, options=options)(stand.model)
    assert not reply.notes
    sent = {name: stand.sent[name] for name in ("top_k", "min_p", "repetition_penalty")}
    assert sent == {"top_k": 5, "min_p": 0.1, "repetition_penalty": 1.2}


@virtual_time
async def test_the_window_that_vllm_lists_is_known() -> None:
    """``max_model_len`` of its list of models."""
    stand = at(FakeVllm(window=777))
    await Asking(options=OPTIONS)(stand.model)
    detector, endpoint = stand.model._lease.state().detector, stand.model._endpoint
    found = detector.record(endpoint.target, endpoint.destination.account).server
    assert found is not None
    assert found.context_length == 777


@pytest.mark.parametrize("flat", [False, True])
@each_way
@whole_and_streamed
@virtual_time
async def test_vllms_refusal_of_a_prompt_has_its_numbers(
    flat: bool, way: Way, streamed: bool
) -> None:
    """In an object, or flat before mid-2025."""
    stand = at(FakeVllm(window=20, flat=flat))
    with pytest.raises(ContextTooLong) as caught:
        await Asking(way, streamed, options=OPTIONS)(stand.model, "word " * 30)
    assert (caught.value.limit, caught.value.given) == (20, 31)


@pytest.mark.parametrize("flat", [False, True])
@virtual_time
async def test_an_error_inside_vllms_stream_keeps_the_text_so_far(flat: bool) -> None:
    """With the key ``error``, or without any; no good end follows."""
    stand = at(FakeVllm(fails_with="EngineCore died", flat=flat))
    with pytest.raises(StreamFailed) as caught:
        await Asking("chat", streamed=True, options=OPTIONS)(stand.model)
    assert caught.value.partial == "Hel"
    assert isinstance(caught.value.__cause__, ServerError)


@pytest.mark.parametrize("engine", [FakeVllm, FakeSglang])
@virtual_time
async def test_a_wrong_key_at_vllm_and_sglang(
    engine: type[FakeVllm | FakeSglang],
) -> None:
    """401 with a text as the error, at the first question."""
    stand = at(engine(api_key="another"))
    with pytest.raises(TokenInvalid):
        await Asking()(stand.model)


@virtual_time
async def test_a_name_that_vllm_stopped_serving_is_asked_for_again() -> None:
    """Its 404 makes us read the list once more, and the new name is used."""
    serving = ["repo/old", "repo/old", "repo/new"]

    async def moving(request: FakeRequest) -> FakeReply:
        name = serving.pop(0) if len(serving) > 1 else serving[0]
        return await FakeVllm(model=name, answer=counting)(request)

    stand = at(moving)
    await Asking(options=OPTIONS)(stand.model)
    reply = await Asking(options=OPTIONS)(stand.model)
    assert (reply.text, stand.sent["model"]) == (SIX, "repo/new")


@virtual_time
async def test_another_name_at_a_route_that_was_written_out_is_an_error() -> None:
    """There the name is the user's: the hint tells where the right one stands."""
    stand = at(FakeVllm(), base="https://x.endpoints.huggingface.cloud/v1")
    with pytest.raises(WrongServedModel, match="does not exist") as caught:
        await Asking()(stand.model)
    assert "/v1/models" in (caught.value.hint or "")


@virtual_time
async def test_an_option_out_of_vllms_range_never_leaves() -> None:
    """It would cost the whole call."""
    stand = at(FakeVllm(answer=counting))
    options = CompletionOptions(top_p=0.0, max_tokens=50)
    reply = await Asking(options=options)(stand.model)
    assert reply.text == SIX
    assert "top_p" in " ".join(reply.notes)


def scripted(reply: FakeReply, owner: str = "vllm") -> Handler:
    """Return an engine that always says the same."""

    async def handle(request: FakeRequest) -> FakeReply:
        if request.method == "GET":
            return json_reply({"data": [{"id": MODEL, "owned_by": owner}]})
        return reply

    return handle


def piece(delta: dict[str, object], finish: str | None = None) -> dict[str, object]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"object": "chat.completion.chunk", "choices": [choice]}


def call_piece(function: dict[str, object], **more: object) -> dict[str, object]:
    return piece({"tool_calls": [{"index": 0, "function": function, **more}]})


@virtual_time
async def test_vllms_first_piece_of_a_call_has_no_arguments() -> None:
    """And with a named tool_choice its reason is "stop"."""
    events = [
        call_piece({"name": "get_weather"}, id="chatcmpl-tool-1", type="function"),
        call_piece({"arguments": '{"city": '}),
        call_piece({"arguments": '"Paris"}'}),
        piece({"content": ""}, "stop"),
    ]
    stand = at(scripted(event_stream(events)))
    reply = await Asking(streamed=True, tools=(TOOL,))(stand.model)
    call = reply.tool_calls[0]
    assert (call.id, call.name) == ("chatcmpl-tool-1", "get_weather")
    assert json.loads(call.arguments) == {"city": "Paris"}


@pytest.mark.parametrize("member", ["reasoning", "reasoning_content"])
@whole_and_streamed
@virtual_time
async def test_vllms_reasoning_has_a_new_name(member: str, streamed: bool) -> None:
    """``reasoning`` since 2025, ``reasoning_content`` before; none of it is text."""
    vllm = FakeVllm(
        answer=counting, reasoning="They want numbers.", reasoning_member=member
    )
    reply = await Asking(streamed=streamed, options=OPTIONS)(at(vllm).model)
    assert (reply.text, reply.reasoning) == (SIX, "They want numbers.")


@pytest.mark.parametrize("choice", ["get_weather", "required"])
@whole_and_streamed
@virtual_time
async def test_a_call_that_was_demanded_of_vllm_is_a_call(
    choice: str, streamed: bool
) -> None:
    """Whatever its finish reason says: "stop" where the tool was named."""
    model = at(FakeVllm()).model
    call = model.chat("Paris?", tools=(TOOL,), tool_choice=choice, options=OPTIONS)
    if streamed:
        async with call as events:
            last = [event async for event in events][-1]
        assert isinstance(last, Done)
        reply = last.reply
    else:
        reply = await call
    assert [call.name for call in reply.tool_calls] == ["get_weather"]
    assert (reply.text, reply.finish_reason) == ("", "tool_calls")


@whole_and_streamed
@virtual_time
async def test_vllms_reasoning_is_reasoning(streamed: bool) -> None:
    """In the member ``reasoning``, before a content that may be null."""
    message = {"role": "assistant", "content": "Hi", "reasoning": "They greet."}
    whole = json_reply({"choices": [{"message": message, "finish_reason": "stop"}]})
    events = [piece({"reasoning": "They greet."}), piece({"content": "Hi"}, "stop")]
    reply = event_stream(events) if streamed else whole
    answer = await Asking(streamed=streamed)(at(scripted(reply)).model)
    assert (answer.text, answer.reasoning) == ("Hi", "They greet.")


@pytest.mark.parametrize(
    ("finish", "reason"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "content_filter")],
)
@virtual_time
async def test_two_events_in_one_piece_and_none_split_are_the_same(
    finish: str, reason: FinishReason
) -> None:
    """A chunk is not an event: llama.cpp joins its first two, proxies cut anywhere."""
    events = [piece({"content": "a"}), piece({"content": "b 你好"}, finish)]
    stream = event_stream(events)
    joined = FakeReply(headers=stream.headers, body=[b"".join(stream.body)])
    for reply in (stream, joined, joined.split(1), joined.split(7)):
        answer = await Asking(streamed=True)(at(scripted(reply)).model)
        assert (answer.text, answer.finish_reason) == ("ab 你好", reason)


@virtual_time
async def test_sglangs_numbers_are_read_off_its_flat_errors() -> None:
    """Its own two sentences for a prompt that is too long."""
    said = (
        "Requested token count exceeds the model's maximum context length of 4096 "
        "tokens. You requested a total of 5000 tokens: 4500 tokens from the input "
        "messages and 500 tokens for the completion."
    )
    stand = at(scripted(flat_error(400, said), owner="sglang"))
    with pytest.raises(ContextTooLong) as caught:
        await Asking()(stand.model)
    assert (caught.value.limit, caught.value.given) == (4096, 4500)
    stand = at(FakeSglang(answer=counting))
    with pytest.raises(BadRequest):
        await Asking("complete")(stand.model, "")


@virtual_time
async def test_llamacpps_error_inside_a_stream_has_no_end_after_it() -> None:
    """No [DONE], no reason: an error event and the end of the body."""
    error = {
        "code": 500,
        "message": "The model produced output that does not match",
        "type": "server_error",
    }
    broken = event_stream([piece({"content": "so"}), {"error": error}], done=False)
    stand = at(scripted(broken, owner="llamacpp"))
    with pytest.raises(StreamFailed) as caught:
        await Asking(streamed=True)(stand.model)
    assert caught.value.partial == "so"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (object_error(400, "'x' is not supported", param="x"), ParameterRefused),
        (object_error(429, "Model is overloaded"), ModelOverloaded),
        (object_error(500, "unknown error"), PipelineFailed),
        (json_reply({"detail": "no"}, status=418), BadRequest),
    ],
)
@whole_and_streamed
@virtual_time
async def test_a_refusal_is_the_same_streamed_or_not(
    reply: FakeReply, kind: type[APIError], streamed: bool
) -> None:
    """With a status, before any text."""
    stand = at(scripted(reply))
    with pytest.raises(kind):
        await Asking(streamed=streamed)(stand.model)


@pytest.mark.parametrize("reason", ["abort", "error"])
@each_way
@whole_and_streamed
@virtual_time
async def test_an_answer_that_vllm_broke_off_is_told(
    way: Way, streamed: bool, reason: str
) -> None:
    """Two of its five reasons name a fault: the text is kept beside the error."""
    stand = at(FakeVllm(answer=counting, finish=reason))
    with pytest.raises(StreamInterrupted, match=reason) as failed:
        await Asking(way, streamed)(stand.model)
    assert failed.value.partial == SIX


@each_way
@whole_and_streamed
@virtual_time
async def test_vllms_repetition_is_kept_and_told(way: Way, streamed: bool) -> None:
    """The answer may be whole or not: nobody knows."""
    stand = at(FakeVllm(answer=counting, finish="repetition"))
    reply = await Asking(way, streamed)(stand.model)
    assert (reply.text, reply.finish_reason) == (SIX, None)
    assert reply.raw_finish_reason == "repetition"
    assert "may not be whole" in " ".join(reply.notes)


@whole_and_streamed
@virtual_time
async def test_vllms_newer_refusal_is_cured(streamed: bool) -> None:
    """Its count stops one word beyond the limit: an estimate decides, and it fits."""
    stand = at(FakeVllm(answer=counting, window=100, renderer=True))
    options = CompletionOptions(max_tokens=99)
    reply = await Asking("chat", streamed, options=options)(stand.model)
    assert reply.text == SIX
    assert stand.sent["max_tokens"] < 99
    assert "99" in " ".join(reply.notes)


@virtual_time
async def test_several_greedy_answers_are_one_at_vllm() -> None:
    """A note says which two options clash, and the next call is not changed."""
    stand = at(FakeVllm(answer=counting))
    reply = await stand.model.chat("count", n=2, temperature=0)
    assert reply.text == SIX
    assert "greedy" in " ".join(reply.notes)
    await stand.model.chat("count", n=2, temperature=1)
    assert stand.sent["n"] == 2
