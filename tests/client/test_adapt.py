"""A refusal that names its cure is cured once, in the open."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from client.harness import Bench, bench
from servers.fake_tgi import FakeTgi

from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    ContextTooLong,
    ParameterRefused,
    ServerError,
    StreamFailed,
    StreamingNotSupported,
)
from bytebuddy_provider_hf.testing.answers import chat_reply, event_stream
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.failures import list_error, string_error
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import CompletionOptions, Done, Event, Text
from bytebuddy_provider_hf.wire.adapt import (
    MAX_ADAPTATIONS,
    NO_ADAPTATIONS,
    Adaptations,
    adapt,
)

UNUSED = (
    "The following `model_kwargs` are not used by the model: ['top_k'] (note: typos "
    "in the generate arguments will also show up in this list)"
)
NO_STREAM = list_error(
    400, ["Error in `stream`: `stream` is not supported for this model"]
)


async def collect(stand: Bench, **options: object) -> list[Event]:
    async with stand.model.chat("a", **options) as events:  # type: ignore[arg-type]  # tests pass what they mean
        return [event async for event in events]


@pytest.mark.parametrize("streamed", [False, True])
@virtual_time
async def test_max_tokens_is_lowered_to_what_fits(streamed: bool) -> None:
    """TGI says its numbers, streamed inside a 200: asked again with the rest.

    It does not say them at an address with a route in it, which nobody asks what it is.
    """
    tgi = FakeTgi("3.2.0", answer=lambda _request: "fits")
    model = open_model(
        "org/name",
        api_key="hf_x",
        api_base="https://x.endpoints.huggingface.cloud/v1",
        runtime=Runtime(connect=MemoryConnect(tgi.handle)),
        env={},
        state_dir=Path("/nonexistent/.bytebuddy"),
    )
    if streamed:
        async with model.complete("p", max_tokens=1_000_000) as events:
            seen = [event async for event in events]
        assert isinstance(seen[-1], Done)
        reply = seen[-1].reply
    else:
        reply = await model.complete("p", max_tokens=1_000_000)
    assert reply.text == "fits"
    assert any("max_tokens was lowered" in note for note in reply.notes)
    generations = [request for request in tgi.requests if request.method == "POST"]
    assert len(generations) == 2


@virtual_time
async def test_a_refused_parameter_is_left_out_and_remembered() -> None:
    """One refusal, one more request; the next call knows already."""
    asked: list[bool] = []

    async def picky(request: FakeRequest) -> FakeReply:
        given = "top_k" in json.loads(request.body)
        asked.append(given)
        return string_error(400, UNUSED) if given else chat_reply("fine")

    stand = bench(Behaviour(always=picky), base="http://127.0.0.1:1/v1")
    reply = await stand.model.chat("a", top_k=5)
    assert reply.text == "fine"
    assert any("top_k" in note for note in reply.notes)
    await stand.model.chat("a", top_k=5)
    assert asked == [True, False, False]
    stand.settled()


@virtual_time
async def test_a_model_that_cannot_stream_answers_in_one_piece() -> None:
    """A streamed question becomes a whole one, with a note."""

    async def whole_only(request: FakeRequest) -> FakeReply:
        return NO_STREAM if request.value("stream") else chat_reply("all at once")

    stand = bench(Behaviour(always=whole_only), base="http://127.0.0.1:1/v1")
    seen = await collect(stand)
    assert seen[0] == Text("all at once")
    assert isinstance(seen[-1], Done)
    assert any("cannot stream" in note for note in seen[-1].reply.notes)
    assert len(stand.hub.records) == 2
    stand.settled()


@virtual_time
async def test_a_server_that_refuses_everything_is_asked_a_few_times_only() -> None:
    """Adaptations are bounded, whatever the server says."""
    stand = bench(
        Behaviour(always=string_error(400, UNUSED)), base="http://127.0.0.1:1/v1"
    )
    with pytest.raises(ByteBuddyError):
        await stand.model.chat("a", top_k=5)
    assert len(stand.hub.records) <= 1 + MAX_ADAPTATIONS
    stand.settled()


@virtual_time
async def test_an_error_inside_a_stream_is_what_it_stands_for() -> None:
    """Before any text: its own class. After some: the stream's, with it as cause."""
    failed = {"error": "Request failed during generation", "error_type": "generation"}
    stand = bench(Behaviour(always=event_stream([failed])))
    with pytest.raises(ByteBuddyError) as caught:
        await collect(stand)
    assert caught.value.status == 424
    text = {"choices": [{"index": 0, "delta": {"content": "so far"}}]}
    stand = bench(Behaviour(always=event_stream([text, failed])))
    with pytest.raises(StreamFailed) as broken:
        await collect(stand)
    assert broken.value.partial == "so far"
    assert isinstance(broken.value.__cause__, ByteBuddyError)
    stand.settled()


ASKED = CompletionOptions(max_tokens=1_000, top_k=5)


def too_long(limit: int | None, given: int | None) -> ContextTooLong:
    error = ContextTooLong("x")
    error.limit, error.given = limit, given
    return error


@pytest.mark.parametrize(
    ("limit", "given", "room"),
    [
        (4_096, 4_000, 96),
        (4_096, 4_096, None),
        (4_096, 5_000, None),
        (None, 10, None),
        (4_096, None, None),
        (4_096, 10, None),
    ],
)
def test_room_is_what_the_prompt_leaves(
    limit: int | None, given: int | None, room: int | None
) -> None:
    """Lowered only where the numbers are known, something is left, and it helps."""
    adaptations = adapt(too_long(limit, given), NO_ADAPTATIONS, ASKED)
    assert (adaptations.max_tokens if adaptations else None) == room


def test_nothing_is_adapted_twice_or_for_other_failures() -> None:
    """Each cure once; what names no cure is left to fail."""
    adaptations = adapt(too_long(4_096, 4_000), NO_ADAPTATIONS, ASKED)
    assert adaptations
    assert adapt(too_long(4_096, 4_000), adaptations, ASKED) is None
    assert adapt(ServerError("x"), NO_ADAPTATIONS, ASKED) is None
    refused = ParameterRefused("x")
    refused.parameters = ("top_p", "nonsense")
    assert adapt(refused, NO_ADAPTATIONS, ASKED) is None
    whole = Adaptations(no_streaming=True)
    assert adapt(StreamingNotSupported("x"), whole, ASKED) is None
    assert Adaptations(dropped=frozenset({"top_k"})).apply_to(ASKED).top_k is None
