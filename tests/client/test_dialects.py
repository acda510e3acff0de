"""Whatever speaks behind the address, a call is put in its words and read back."""

from __future__ import annotations

from pathlib import Path

import pytest
from servers.fake_tgi import FakeTgi

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.errors import UnsupportedRole
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeRequest, Handler
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import CompletionOptions, Done, Message, Text, Tool

GENERATIONS = ["1.3.0", "1.4.0", "1.4.5", "2.1.0", "2.2.0", "2.3.0", "3.0.1", "3.2.0"]


def at(handler: Handler, model: str = "org/name") -> HuggingFaceModel:
    return open_model(
        model,
        api_key="hf_x",
        api_base="https://x.endpoints.huggingface.cloud",
        runtime=Runtime(connect=MemoryConnect(handler)),
        env={},
        state_dir=Path("/nonexistent/.bytebuddy"),
    )


def words(request: FakeRequest) -> str:
    return "one two three four five six"


@pytest.mark.parametrize("version", GENERATIONS)
@virtual_time
async def test_every_generation_of_tgi_continues_a_text(version: str) -> None:
    """By its native route, streamed and whole, with every option it takes."""
    tgi = FakeTgi(version, answer=words)
    model = at(tgi.handle)
    reply = await model.complete("p", top_k=5, repetition_penalty=1.1, max_tokens=50)
    async with model.complete("p", top_k=5, max_tokens=50) as events:
        seen = [event async for event in events]
    assert isinstance(seen[-1], Done)
    assert reply.text == seen[-1].reply.text == "one two three four five six"
    asked = tgi.requests[-1]
    assert asked.path == "/generate_stream"
    assert asked.json["parameters"]["top_k"] == 5  # type: ignore[index]  # a mapping


@pytest.mark.parametrize("version", GENERATIONS[1:])
@virtual_time
async def test_every_generation_that_chats_chats(version: str) -> None:
    """Whatever its event stream looks like."""
    tgi = FakeTgi(version, answer=words)
    model = at(tgi.handle)
    reply = await model.chat("hi", max_tokens=50)
    async with model.chat("hi", max_tokens=50) as events:
        seen = [event async for event in events]
    text = "".join(event.text for event in seen if isinstance(event, Text))
    assert reply.text == text == "one two three four five six"
    assert tgi.requests[-1].value("model") == "tgi"


@virtual_time
async def test_a_tgi_from_before_chat_says_so_of_a_model_nobody_knows() -> None:
    """It is named, with what it can do instead; no conversation is sent in vain."""
    tgi = FakeTgi("1.3.0")
    with pytest.raises(UnsupportedRole, match=r"has no chat route.*family: llama3"):
        await at(tgi.handle).chat("hi")
    assert not [request for request in tgi.requests if request.method == "POST"]


@pytest.mark.parametrize("streamed", [False, True])
@virtual_time
async def test_a_tgi_from_before_chat_gets_the_familys_template(streamed: bool) -> None:
    """Written here, without a second BOS, and ended by the family's stops."""
    tgi = FakeTgi("1.3.0", answer=lambda _: "Hello </s> more")
    model = at(tgi.handle, "meta-llama/Llama-2-7b-chat-hf")
    asked = [Message("system", "Be brief."), Message("user", "Hi")]
    if streamed:
        async with model.chat(asked, max_tokens=50) as events:
            seen = [event async for event in events]
        assert isinstance(seen[-1], Done)
        reply = seen[-1].reply
        text = "".join(event.text for event in seen if isinstance(event, Text))
        assert reply.text == text
    else:
        reply = await model.chat(asked, max_tokens=50)
    assert reply.text == "Hello "
    sent = tgi.requests[-1].json
    assert isinstance(sent, dict)
    expected = "[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST]"
    assert sent["inputs"] == expected
    assert "template of llama-2 was written here" in " ".join(reply.notes)


@virtual_time
async def test_tools_are_refused_where_nobody_would_read_the_calls() -> None:
    """A rendered prompt gets text back; a call in it would look like an answer."""
    model = at(FakeTgi("1.3.0").handle, "meta-llama/Llama-3.1-8B-Instruct")
    with pytest.raises(UnsupportedRole, match="nobody would read its tool calls"):
        await model.chat("hi", tools=[Tool("f")])


@virtual_time
async def test_what_a_route_would_ignore_is_not_sent_and_told() -> None:
    """TGI's chat makes a repetition penalty of p + 2 of a presence penalty."""
    tgi = FakeTgi("3.2.0", answer=words)
    options = CompletionOptions(presence_penalty=0.5, top_k=7, top_p=1.0)
    reply = await at(tgi.handle).chat("hi", options=options, max_tokens=50)
    sent = tgi.requests[-1].json
    assert isinstance(sent, dict)
    assert not {"presence_penalty", "top_k", "top_p"} & set(sent)
    told = " ".join(reply.notes)
    assert "presence_penalty" in told
    assert "top_k" in told


@pytest.mark.parametrize("streamed", [False, True])
@virtual_time
async def test_stops_beyond_four_are_cut_here(streamed: bool) -> None:
    """Four are sent, all are obeyed, also where one is split over two chunks."""
    tgi = FakeTgi("3.2.0", answer=words)
    model = at(tgi.handle)
    stops = ["aa", "bb", "cc", "dd", "ee four", "zz"]
    if streamed:
        async with model.chat("hi", stop=stops, max_tokens=50) as events:
            seen = [event async for event in events]
        text = "".join(event.text for event in seen if isinstance(event, Text))
        assert isinstance(seen[-1], Done)
        reply = seen[-1].reply
        assert reply.text == text
    else:
        reply = await model.chat("hi", stop=stops, max_tokens=50)
    assert reply.text == "one two thr"
    assert tgi.requests[-1].value("stop") == stops[:4]
    assert any("stop" in note for note in reply.notes)
