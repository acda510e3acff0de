"""What leaves of a call: what was asked, and nothing that cannot be asked."""

from __future__ import annotations

import pytest
from client.harness import MODEL, bench

from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import (
    InvalidOption,
)
from bytebuddy_provider_hf.testing.answers import chat_reply
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import (
    CompletionOptions,
    ImagePart,
    Message,
    TextPart,
    Tool,
    ToolCall,
)


@virtual_time
async def test_what_leaves_is_what_was_asked_and_nothing_more() -> None:
    """Model first, messages, the options asked for; nulls and defaults never."""
    stand = bench()
    await stand.model.chat("a")
    body = stand.hub.requests[0].json
    assert body == {"model": MODEL, "messages": [{"role": "user", "content": "a"}]}
    assert stand.hub.requests[0].body.startswith(b'{"model":')
    await stand.model.chat(
        [
            {"role": "system", "content": "s"},
            Message("user", (TextPart("t"), ImagePart("https://x/y.png"))),
            Message("assistant", "", tool_calls=(ToolCall("i", "f", "{}"),)),
            {"role": "tool", "content": "r", "tool_call_id": "i"},
        ],
        options=CompletionOptions(temperature=1, min_p=0.1),
        temperature=0,
        top_k=5,
        stop=["x"],
        tools=[Tool("f", "d", {"type": "object"})],
    )
    body = stand.hub.requests[1].json
    assert isinstance(body, dict)
    assert body["temperature"] == 0
    assert (body["min_p"], body["top_k"], body["stop"]) == (0.1, 5, ["x"])
    assert body["tools"][0]["function"]["name"] == "f"
    assert [m["role"] for m in body["messages"]] == [
        "system",
        "user",
        "assistant",
        "tool",
    ]
    assert body["messages"][1]["content"][1]["image_url"] == {"url": "https://x/y.png"}
    assert body["messages"][2]["tool_calls"][0]["function"]["name"] == "f"


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 2.5},
        {"temperature": -1},
        {"temperature": float("nan")},
        {"temperature": True},
        {"max_tokens": 0},
        {"max_tokens": 1.5},
        {"top_p": 2},
        {"top_k": -1},
        {"repetition_penalty": 0},
        {"stop": [""]},
        {"stop": [1]},
        {"timeout": 0},
        {"timeout": float("inf")},
    ],
)
def test_an_option_outside_its_range_is_refused_at_once(options: dict) -> None:  # type: ignore[type-arg]
    """Before anything is sent, with the range in words."""
    stand = bench()
    with pytest.raises(InvalidOption):
        stand.model.chat("a", **options)


@pytest.mark.parametrize(
    "messages",
    [
        [],
        {},
        b"x",
        5,
        ["x"],
        [{"role": "king"}],
        [{"role": "user", "content": 5}],
        [{"role": "user", "content": [{"type": "x"}]}],
        [{"role": "user", "contents": "typo"}],
        [{"role": "assistant", "tool_calls": {}}],
        [{"role": "assistant", "tool_calls": [{}]}],
        [{"role": "user", "name": 5}],
    ],
)
def test_a_malformed_conversation_is_refused_at_once(messages: object) -> None:
    """Which message and what is wrong with it; nothing is sent."""
    stand = bench()
    with pytest.raises(InvalidOption):
        stand.model.chat(messages)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
@virtual_time
async def test_text_that_is_no_unicode_is_refused(text: str) -> None:
    """A lone surrogate cannot be sent; it is an option error, not a crash."""
    stand = bench()
    with pytest.raises(InvalidOption):
        await stand.model.chat(text)
    stand.settled()


@virtual_time
async def test_an_empty_answer_is_an_answer() -> None:
    """No text and a finish reason: an empty reply, not an error."""
    stand = bench(Behaviour(always=chat_reply("")))
    reply = await stand.model.chat("a")
    assert (reply.text, reply.finish_reason) == ("", "stop")


@virtual_time
async def test_extra_body_properties_are_laid_over_the_body() -> None:
    """ExtraBodyProperties wins over what we would send."""
    options = RequestOptions(extra_body_properties={"seed": 3, "chat_template": "x"})
    stand = bench(request_options=options)
    await stand.model.chat("a", seed=1)
    assert stand.hub.requests[0].value("seed") == 3
    assert stand.hub.requests[0].value("chat_template") == "x"
