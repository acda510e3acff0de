"""A route that does not serve the model is left for one that does, in the open."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from attrs import define

from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.client.knowledge import Knowledge
from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.plan import (
    Plan,
    Planner,
    plan_chat,
    plan_completion,
)
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.errors import (
    APIError,
    ByteBuddyError,
    ContextTooLong,
    RouteNotFound,
    RouteNotSupported,
    TemplateMissing,
)
from bytebuddy_provider_hf.testing.answers import (
    chat_reply,
    completion_reply,
    json_reply,
)
from bytebuddy_provider_hf.testing.failures import (
    not_found,
    object_error,
    string_error,
)
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest, Handler
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import CompletionOptions, Message
from bytebuddy_provider_hf.wire.adapt import (
    MAX_ADAPTATIONS,
    NO_ADAPTATIONS,
    Adaptations,
    adapt,
)
from bytebuddy_provider_hf.wire.dialects.router import Router
from bytebuddy_provider_hf.wire.dialects.vllm import Vllm
from bytebuddy_provider_hf.wire.openai import ChatRequest, CompletionRequest
from bytebuddy_provider_hf.wire.server import Server

CHAT = "/v1/chat/completions"
PROMPT = "/v1/completions"
CONVERSATIONAL = string_error(
    400,
    "Model o/n is not supported for task text-generation and provider groq. "
    "Supported task: conversational",
)
NO_TEMPLATE = string_error(
    422, "Template error: template not found", error_type="template_error"
)
NOTHING_ASKED = CompletionOptions()


class Served:
    """A server that refuses some paths; what it was asked is kept."""

    def __init__(self, refused: dict[str, FakeReply]) -> None:
        self.refused = refused
        self.paths: list[str] = []

    async def __call__(self, request: FakeRequest) -> FakeReply:
        if request.method == "GET":
            card = {"id": "org/name", "owned_by": "vllm", "max_model_len": 4096}
            return json_reply({"data": [card]})
        self.paths.append(request.path)
        if request.path in self.refused:
            return self.refused[request.path]
        whole = chat_reply if request.path == CHAT else completion_reply
        return whole("fine")


def at(handler: Handler, model: str = "org/name") -> HuggingFaceModel:
    return open_model(
        model,
        api_key="hf_x",
        api_base="https://x.endpoints.huggingface.cloud",
        runtime=Runtime(connect=MemoryConnect(handler)),
        env={},
        state_dir=Path("/nonexistent/.bytebuddy"),
    )


class Tgi(Served):
    """A server that looks like TGI, with its own route and OpenAI's."""

    async def __call__(self, request: FakeRequest) -> FakeReply:
        if request.path == "/info":
            return json_reply({"version": "3.2.0", "max_total_tokens": 4096})
        if request.method == "GET":
            return not_found()
        if request.path in self.refused or request.path != "/generate":
            return await super().__call__(request)
        self.paths.append(request.path)
        return json_reply({"generated_text": "fine"})


@virtual_time
async def test_a_prompt_refused_at_one_route_goes_by_another(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Once, with a note and a line in the log; the next call knows already."""
    served = Tgi({"/generate": CONVERSATIONAL})
    model = at(served)
    with caplog.at_level(logging.INFO, "bytebuddy_provider_hf"):
        reply = await model.complete("p")
    assert reply.text == "fine"
    assert "not served by the route generate" in " ".join(reply.notes)
    assert "not served by the route generate" in caplog.text
    await model.complete("p")
    assert served.paths == ["/generate", PROMPT, PROMPT]


@virtual_time
async def test_where_no_route_is_left_the_first_refusal_is_raised() -> None:
    """With its own hint, after as many requests as there are routes."""
    served = Tgi({"/generate": CONVERSATIONAL, PROMPT: not_found()})
    model = at(served)
    with pytest.raises(RouteNotSupported, match="conversational"):
        await model.complete("p")
    assert served.paths == ["/generate", PROMPT]


@pytest.mark.parametrize("refusal", [CONVERSATIONAL, NO_TEMPLATE, not_found()])
@virtual_time
async def test_a_question_that_has_one_route_is_asked_once(refusal: FakeReply) -> None:
    """Nothing else could answer it: its failure is the server's, each time anew."""
    served = Served({PROMPT: refusal})
    model = at(served)
    for _ in range(2):
        with pytest.raises(APIError) as caught:
            await model.complete("p")
        assert caught.value.hint
    assert served.paths == [PROMPT, PROMPT]


@define
class EitherRoute(Planner):
    """Ask what a chat answers, or a prompt where none does."""

    role = "chat"

    target: Target

    def plan(
        self, knowledge: Knowledge, options: CompletionOptions, *, stream: bool
    ) -> Plan:
        if "chat" in knowledge.server.routes and not knowledge.no_template:
            chat = ChatRequest((Message("user", "hi"),), options=options)
            return plan_chat(chat, self.target, knowledge, stream=stream)
        prompt = CompletionRequest("hi", options=options)
        return plan_completion(prompt, self.target, knowledge, stream=stream)


def ways(model: HuggingFaceModel) -> Planner:
    return EitherRoute(NOTHING_ASKED, model._endpoint.target)


@pytest.mark.parametrize(
    "refusal",
    [
        NO_TEMPLATE,
        object_error(400, "This is not a chat model and thus not supported"),
        object_error(501, "This server does not support chat", code=501),
        not_found(),
    ],
)
@virtual_time
async def test_a_chat_refused_by_the_route_becomes_a_prompt(refusal: FakeReply) -> None:
    """For a question that can be put both ways; remembered as the others are."""
    served = Served({CHAT: refusal})
    model = at(served)
    reply = await model._call(ways(model), None, wait=True, on_event=None)
    assert (reply.text, len(reply.notes)) == ("fine", 1)
    await model._call(ways(model), None, wait=True, on_event=None)
    assert served.paths == [CHAT, PROMPT, PROMPT]


VLLM = Vllm(routes=frozenset({"chat", "completions"}))
ROUTER = Router()


@pytest.mark.parametrize(
    ("failure", "server", "left"),
    [
        (RouteNotSupported("x"), VLLM, {"chat"}),
        (RouteNotFound("x"), VLLM, {"chat"}),
        (RouteNotSupported("x"), ROUTER, {"chat"}),
        (RouteNotFound("x"), ROUTER, None),
        (RouteNotSupported("x"), Server(routes=frozenset({"chat"})), None),
        (RouteNotSupported("x"), None, None),
    ],
)
def test_a_route_is_left_where_another_may_serve(
    failure: ByteBuddyError, server: Server | None, left: set[str] | None
) -> None:
    """At the router a bare 404 means that nobody serves the model at all."""
    adaptations = adapt(
        failure, NO_ADAPTATIONS, NOTHING_ASKED, route="chat", server=server
    )
    assert (set(adaptations.excluded_routes) if adaptations else None) == left


def test_a_route_is_left_once_and_all_in_all_a_few_times() -> None:
    """Adaptations are bounded, whatever the server says."""
    failure = RouteNotSupported("x")
    adaptations = Adaptations(excluded_routes=frozenset({"chat"}))
    assert adapt(failure, adaptations, NOTHING_ASKED, route="chat", server=VLLM) is None
    many = Adaptations(notes=("n",) * MAX_ADAPTATIONS)
    assert adapt(failure, many, NOTHING_ASKED, route="chat", server=VLLM) is None
    missing = TemplateMissing("x")
    once = adapt(missing, NO_ADAPTATIONS, NOTHING_ASKED)
    assert once
    assert once.no_template
    assert adapt(missing, once, NOTHING_ASKED) is None


def test_the_servers_count_of_a_prompt_is_kept_for_this_call_only() -> None:
    """Where the prompt alone is too long: its tokens and the window, once."""
    failure = ContextTooLong("x")
    failure.limit, failure.given = 4_096, 5_000
    adaptations = adapt(failure, NO_ADAPTATIONS, NOTHING_ASKED)
    assert adaptations
    assert (adaptations.window, adaptations.prompt_tokens) == (4_096, 5_000)
    assert adapt(failure, adaptations, NOTHING_ASKED) is None
    assert adaptations.persistent() == NO_ADAPTATIONS


def test_a_parameter_left_out_is_told_at_every_call_that_gave_it() -> None:
    """Also where it was refused earlier, and only to those who gave it."""
    adaptations = Adaptations(dropped=frozenset({"top_k"}))
    assert "top_k" in " ".join(adaptations.notes_for(CompletionOptions(top_k=5)))
    assert adaptations.notes_for(NOTHING_ASKED) == ()


@virtual_time
async def test_what_is_not_sent_is_warned_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Every reply has the note; the log has one line for each option of a target."""
    model = at(Tgi({}), "org/warned")
    for value in (0.3, 0.4):
        options = CompletionOptions(presence_penalty=value, min_p=0.1)
        reply = await model.chat("hi", options=options)
        assert len(reply.notes) == 2
    warned = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert sorted(line.split()[1] for line in warned) == ["min_p", "presence_penalty"]
