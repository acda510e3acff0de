"""Scripted replies: what a carrier is told to do, and the shapes of errors."""

from __future__ import annotations

import json
import math

import pytest

from bytebuddy_provider_hf.testing import failures
from bytebuddy_provider_hf.testing.answers import (
    chat_reply,
    chat_stream,
    completion_stream,
)
from bytebuddy_provider_hf.testing.script import (
    Cut,
    FakeReply,
    FakeRequest,
    Send,
    Stall,
    Wait,
    request_to,
    steps,
)
from bytebuddy_provider_hf.types import ToolCall, Usage


def test_pieces_go_out_one_by_one_with_gaps_between() -> None:
    """A gap stands between two pieces, not before the first or after the last."""
    reply = FakeReply(body=[b"ab", b"c"], gap=2)
    assert list(steps(reply)) == [Send(b"ab"), Wait(2), Send(b"c")]


@pytest.mark.parametrize("cut", range(7))
def test_a_cut_falls_at_its_very_byte(cut: int) -> None:
    """As many bytes are sent as asked for, whatever the pieces are."""
    *sent, last = steps(FakeReply(body=[b"ab", b"cde", b"f"]).cut_after(cut))
    assert last == Cut()
    assert Send(b"") not in sent
    data = b"".join(step.data for step in sent if isinstance(step, Send))
    assert data == b"abcdef"[:cut]


def test_a_stall_stays_silent_after_its_bytes() -> None:
    """A stalled reply sends its first bytes and then nothing, without an end."""
    assert list(steps(FakeReply(body=b"abc").stall_after(1))) == [Send(b"a"), Stall()]


def test_splitting_keeps_the_bytes() -> None:
    """Splitting changes the pieces, not the body."""
    reply = chat_stream(["Ça", " va"])
    split = reply.split(1)
    assert split.content == reply.content
    assert {len(piece) for piece in split.body} == {1}


def test_a_request_is_what_a_server_sees() -> None:
    """Path and query are taken apart, header names are lower case."""
    request = request_to(
        "http://h:1/a%20b?x=1&y=", method="GET", headers={"X-A": "1"}, body=b'{"m": 2}'
    )
    assert (request.path, request.query) == ("/a%20b", {"x": "1", "y": ""})
    assert request.headers == {"x-a": "1"}
    assert request.value("m") == 2
    assert FakeRequest("GET", "/", body=b"no json").json is None


def test_a_credential_is_not_shown() -> None:
    """The repr of a request shows no header."""
    request = FakeRequest("GET", "/", headers={"authorization": "Bearer hf_canary"})
    assert "canary" not in repr(request)


def _events(reply: FakeReply) -> list[str]:
    blocks = reply.content.decode().split("\n\n")
    assert blocks.pop() == ""
    return [block.removeprefix("data: ") for block in blocks]


def test_a_chat_stream_is_what_the_protocol_says() -> None:
    """Role first, text pieces, finish reason, usage without choices, end mark."""
    reply = chat_stream(["a", "b"], usage=Usage(1, 2, 3), finish_reason="length")
    *events, mark = _events(reply)
    first, *texts, finish, usage = [json.loads(event) for event in events]
    assert mark == "[DONE]"
    assert first["choices"][0]["delta"]["role"] == "assistant"
    assert [t["choices"][0]["delta"]["content"] for t in texts] == ["a", "b"]
    assert finish["choices"][0]["finish_reason"] == "length"
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] == 3


def test_a_stream_can_lack_its_ends() -> None:
    """Without reason and mark the stream just stops."""
    events = _events(chat_stream(["a"], finish_reason=None, done=False))
    assert len(events) == 2
    assert json.loads(events[-1])["choices"][0]["finish_reason"] is None


def test_a_completion_stream_carries_text() -> None:
    """The pieces stand in ``text``."""
    events = _events(completion_stream(["x", "y"]))
    texts = [json.loads(event)["choices"][0]["text"] for event in events[:-1]]
    assert texts == ["x", "y", ""]


def test_a_tool_call_is_carried() -> None:
    """Whole and streamed replies can call a tool."""
    call = ToolCall("c1", "f", '{"a": 1}')
    whole = json.loads(chat_reply("", tool_calls=[call]).content)
    function = whole["choices"][0]["message"]["tool_calls"][0]["function"]
    assert function == {"name": "f", "arguments": '{"a": 1}'}
    streamed = chat_stream([], tool_calls=[call]).content
    assert b'"tool_calls": [{"index": 0, "id": "c1"' in streamed


def test_every_shape_of_error_differs() -> None:
    """Each shape of error has a body of its own, with the status asked for."""
    shapes = failures.every_shape(418, "teapot")
    assert len({reply.content for reply in shapes.values()}) == len(shapes) == 11
    assert {reply.status for reply in shapes.values()} == {418}
    said = [name for name, reply in shapes.items() if b"teapot" in reply.content]
    assert sorted({*shapes} - {*said}) == ["empty"]


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("constant", 20.0, 20.0),
        ("countdown", 9.0, 5.0),
        ("null", None, None),
        ("text", "20 seconds", "20 seconds"),
        ("negative", -1.0, -1.0),
        ("bool", True, True),
    ],
)
def test_estimates(name: str, first: object, second: object) -> None:
    """A loading server estimates by its policy."""
    for left, expected in ((9.0, first), (5.0, second)):
        reply = failures.loading(left, estimate=failures.ESTIMATES[name])
        written = json.loads(reply.content)["estimated_time"]
        assert written == expected
        assert type(written) is type(expected)


def test_an_estimate_may_be_missing_or_no_number() -> None:
    """The missing one has no key; NaN is written as Python's JSON writes it."""
    missing = failures.loading(estimate=failures.ESTIMATES["missing"])
    assert "estimated_time" not in json.loads(missing.content)
    nan = failures.loading(estimate=failures.ESTIMATES["nan"])
    assert math.isnan(json.loads(nan.content)["estimated_time"])


def test_hints_of_a_rate_limit_are_optional() -> None:
    """429 comes with either hint, both, or none."""
    assert set(failures.rate_limited().headers) == {"content-type"}
    hinted = failures.rate_limited(retry_after=3, reset=7).headers
    assert hinted["retry-after"] == "3"
    assert hinted["ratelimit"].endswith("t=7")
