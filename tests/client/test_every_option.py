"""No option is dropped in silence: every field, at every server, by every route."""

from __future__ import annotations

from typing import Final

import pytest
from attrs import fields_dict
from servers.engines import FakeSglang, FakeVllm

from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.client.knowledge import Knowledge
from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.plan import (
    Plan,
    plan_chat,
    plan_completion,
    plan_infill,
)
from bytebuddy_provider_hf.client.request import merge_options
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import Handler, Recorded
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import CompletionOptions, Message
from bytebuddy_provider_hf.wire.dialects.hf_inference import HfInference
from bytebuddy_provider_hf.wire.dialects.llamacpp import LlamaCpp
from bytebuddy_provider_hf.wire.dialects.router import Router
from bytebuddy_provider_hf.wire.dialects.sglang import Sglang
from bytebuddy_provider_hf.wire.dialects.tgi import Tgi
from bytebuddy_provider_hf.wire.dialects.toolkit import Toolkit
from bytebuddy_provider_hf.wire.dialects.transformers import Transformers
from bytebuddy_provider_hf.wire.dialects.vllm import Vllm
from bytebuddy_provider_hf.wire.llamacpp import InfillRequest
from bytebuddy_provider_hf.wire.openai import ChatRequest, CompletionRequest
from bytebuddy_provider_hf.wire.server import Server

# None of them neutral, none out of any server's range.
VALUES: Final[dict[str, object]] = {
    "temperature": 0.5,
    "max_tokens": 9,
    "top_p": 0.5,
    "top_k": 3,
    "min_p": 0.1,
    "repetition_penalty": 1.2,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "stop": ("x",),
    "n": 2,
    "seed": 7,
    "reasoning": True,
    "reasoning_effort": "high",
    "reasoning_budget_tokens": 5,
    "prompt_caching": True,
    "stream": True,
    "keep_alive": 60,
}
TARGET: Final = resolve("org/name", "http://127.0.0.1:8080")
ROUTES: Final[dict[str, frozenset[str]]] = {
    "chat": frozenset({"chat"}),
    "completions": frozenset({"completions"}),
    "generate": frozenset({"generate"}),
    "tasks": frozenset({"tasks"}),
    "infill": frozenset({"infill"}),
}
OPENAI_ONLY: Final = (
    Router,
    HfInference,
    Tgi,
    Vllm,
    Sglang,
    LlamaCpp,
    Toolkit,
    Transformers,
    Server,
)
WAYS: Final = [
    *[(kind, route) for kind in OPENAI_ONLY for route in ("chat", "completions")],
    (Tgi, "generate"),
    (Toolkit, "tasks"),
    (HfInference, "tasks"),
    (LlamaCpp, "infill"),
]


def asked(kind: type[Server], route: str, options: CompletionOptions) -> Plan:
    knowledge = Knowledge(kind(routes=ROUTES[route]))
    if route == "chat":
        request = ChatRequest((Message("user", "hi"),), options)
        return plan_chat(request, TARGET, knowledge, stream=False)
    if route == "infill":
        return plan_infill(
            InfillRequest("a", "b", options=options), TARGET, knowledge, stream=False
        )
    prompt = CompletionRequest("text", options)
    return plan_completion(prompt, TARGET, knowledge, stream=False)


@pytest.mark.parametrize(("kind", "route"), WAYS)
@pytest.mark.parametrize("name", VALUES)
def test_an_option_is_in_the_body_or_in_a_note(
    name: str, kind: type[Server], route: str
) -> None:
    """Whoever sets one finds it on the wire, or hears by its name that it is not."""
    given = CompletionOptions(**{name: VALUES[name]})  # type: ignore[arg-type]  # a field's name
    usual = asked(kind, route, CompletionOptions())
    found = asked(kind, route, given)
    named = [note for note in found.notes if name in note]
    assert found.http_request.body != usual.http_request.body or named
    assert len(named) <= 1


def test_every_field_is_walked() -> None:
    """A new option gets a value here; the window is told of below."""
    assert {*VALUES, "context_length"} == set(fields_dict(CompletionOptions))


def at(handler: Handler, **options: object) -> HuggingFaceModel:
    return open_model(
        "org/name",
        api_base="http://127.0.0.1:8080",
        runtime=Runtime(connect=MemoryConnect(handler)),
        env={},
        options=CompletionOptions(**options),  # type: ignore[arg-type]  # tests pass what they mean
    )


TWICE: Final = "a = 1\nb = 2\na = 1\n"
FILE: Final = "a = 3\nb = 2\na = 1\n"
WORDS: Final = [
    turn
    for _ in range(20)
    for turn in (Message("user", "one two three four"), Message("assistant", "five"))
]


@virtual_time
async def test_a_call_s_own_window_counts() -> None:
    """A chat leaves out what would not fit; where nothing is left out it is told."""
    vllm = Recorded(FakeVllm("org/name", answer=lambda _: FILE))
    window = CompletionOptions(context_length=120, max_tokens=20)
    async with at(vllm) as model:
        await model.chat([*WORDS, Message("user", "last")])
        reply = await model.chat([*WORDS, Message("user", "last")], options=window)
        bodies = [r.body for r in vllm.requests if r.method == "POST"]
        assert len(bodies[1]) < len(bodies[0]) / 2
        assert reply.notes
        for call in (
            model.complete("text", options=window),
            model.edit("a = 1\n", "two", options=window),
            model.apply(TWICE, "a = 3", options=window),
        ):
            found = [n for n in (await call).notes if n.startswith("context_length")]
            assert len(found) == 1


@virtual_time
async def test_an_effort_is_a_keyword_of_every_call_that_generates() -> None:
    """It is sent in a chat, and told of where a text is continued."""
    vllm = Recorded(FakeVllm("org/name", answer=lambda _: FILE))
    async with at(vllm) as model:
        chats = (
            model.chat("hi", reasoning_effort="low"),
            model.edit("a = 1\n", "two", reasoning_effort="low"),
            model.apply(TWICE, "a = 3", reasoning_effort="low"),
            model.fill("a = ", reasoning_effort="low"),
        )
        for call in chats:
            await call
            assert b'"reasoning_effort":"low"' in vllm.requests[-1].body
        reply = await model.complete("text", reasoning_effort="low")
    assert b"reasoning_effort" not in vllm.requests[-1].body
    (note,) = reply.notes
    assert note.startswith("reasoning_effort is not sent")


@virtual_time
async def test_what_a_server_refuses_is_left_out_by_its_name() -> None:
    """A budget without a reasoning parser, an effort of another year; and told."""
    vllm = FakeVllm("org/name", reasoning_config=False, efforts=("low", "high"))
    async with at(vllm) as model:
        options = CompletionOptions(reasoning_budget_tokens=9)
        reply = await model.chat("hi", options=options)
        told = "Left out, because the server refuses it: reasoning_budget_tokens."
        assert told in reply.notes
        reply = await model.chat("hi", reasoning_effort="minimal")
        told = "Left out, because the server refuses it: reasoning_effort."
        assert told in reply.notes
    async with at(FakeSglang("org/name"), reasoning=False) as model:
        assert (await model.chat("hi", reasoning_effort="low")).notes == ()


@pytest.mark.parametrize(
    ("defaults", "call", "becomes"),
    [
        ({"reasoning": False}, {"reasoning_effort": "high"}, (None, "high")),
        ({"reasoning_effort": "high"}, {"reasoning": False}, (False, None)),
        ({"reasoning": False}, {"temperature": 1}, (False, None)),
        (
            {"reasoning": False, "reasoning_effort": "low"},
            {"reasoning": True, "reasoning_effort": "max"},
            (True, "max"),
        ),
    ],
)
def test_a_call_decides_alone_whether_to_reason(
    defaults: dict[str, object], call: dict[str, object], becomes: object
) -> None:
    """What the entry says of one must not overrule what the call says of the other."""
    entry = CompletionOptions(**defaults)  # type: ignore[arg-type]  # names of fields
    found = merge_options(entry, CompletionOptions(**call), {})  # type: ignore[arg-type]  # as above
    assert (found.reasoning, found.reasoning_effort) == becomes


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("reasoning_effort", "silly", "none, minimal, low, medium, high, xhigh, max"),
        ("reasoning_effort", 3, "one of none"),
        ("reasoning", "yes", "True or False"),
        ("reasoning_budget_tokens", -1, "from 0"),
        ("reasoning_budget_tokens", 1.5, "a whole number"),
        ("prompt_caching", 1, "True or False"),
        ("keep_alive", "5m", "a whole number"),
        ("context_length", 0, "from 1"),
    ],
)
def test_a_wrong_value_is_refused_at_the_door(
    name: str, value: object, said: str
) -> None:
    """The option is named, with what it takes."""
    with pytest.raises(InvalidOption, match=name) as caught:
        merge_options(CompletionOptions(), None, {name: value})
    assert said in str(caught.value)


def test_a_stop_that_is_too_long_is_refused_with_a_way_out() -> None:
    """However it is handed over; 200 characters are taken."""
    for long in ("x" * 201, ["ok", "x" * 201]):
        with pytest.raises(InvalidOption, match="200 characters, not 201") as caught:
            merge_options(CompletionOptions(), None, {"stop": long})
        assert "shorter" in str(caught.value)
    merged = merge_options(CompletionOptions(), None, {"stop": "x" * 200})
    assert merged.stop == ("x" * 200,)
