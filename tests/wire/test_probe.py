"""What a bare base URL is: every path through the questions."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.address import Target, resolve
from bytebuddy_provider_hf.wire.dialects.infinity import Infinity
from bytebuddy_provider_hf.wire.dialects.llamacpp import LlamaCpp
from bytebuddy_provider_hf.wire.dialects.sglang import Sglang
from bytebuddy_provider_hf.wire.dialects.tei import Tei
from bytebuddy_provider_hf.wire.dialects.tgi import Tgi
from bytebuddy_provider_hf.wire.dialects.toolkit import Toolkit
from bytebuddy_provider_hf.wire.dialects.vllm import Vllm
from bytebuddy_provider_hf.wire.probe import Probe
from bytebuddy_provider_hf.wire.server import Server

ENDPOINT = resolve("a/b", "https://x.endpoints.huggingface.cloud")
Answers = dict[str, tuple[int, object]]


def probe(
    answers: Answers, target: Target = ENDPOINT
) -> tuple[Server | errors.APIError, list[str]]:
    """Answer a probe's questions, 404 where nothing is said."""
    asking = Probe(target)
    asked = []
    while (call := asking.call) is not None:
        assert call.method == "GET"
        path = call.url.removeprefix(target.origin)
        asked.append(path)
        status, body = answers.get(path, (404, "Not Found"))
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        failure = asking.answer(status, {}, raw)
        if failure is not None:
            return failure, asked
    assert asking.server
    return asking.server, asked


def models(**first: object) -> tuple[int, object]:
    return 200, {"object": "list", "data": [{"id": "served/name", **first}]}


TGI_INFO = {
    "model_id": "/repository",
    "max_input_tokens": 4000,
    "max_total_tokens": 4096,
    "max_stop_sequences": 4,
    "router": "text-generation-router",
    "version": "3.0.1",
}


@pytest.mark.parametrize(
    ("answers", "engine", "model", "window", "questions"),
    [
        (
            {"/v1/models": models(owned_by="vllm", max_model_len=8192)},
            Vllm,
            "served/name",
            8192,
            1,
        ),
        (
            {"/v1/models": models(owned_by="llamacpp", meta={"n_ctx": 512})},
            LlamaCpp,
            "served/name",
            512,
            1,
        ),
        (
            {"/v1/models": models(owned_by="sglang")},
            Sglang,
            "served/name",
            None,
            1,
        ),
        (
            {"/v1/models": models(owned_by="served/name"), "/info": (200, TGI_INFO)},
            Tgi,
            "tgi",
            4096,
            2,
        ),
        ({"/info": (200, TGI_INFO)}, Tgi, "tgi", 4096, 2),
        (
            {"/info": (200, {"model_id": "m", "model_type": {"embedding": {}}})},
            Tei,
            "m",
            None,
            2,
        ),
        ({"/v1/models": models(owned_by="me")}, Server, "served/name", None, 2),
        ({"/models": models(owned_by="infinity")}, Infinity, "served/name", None, 3),
        ({"/v1/models": models(owned_by="infinity")}, Infinity, "served/name", None, 1),
        (
            {"/v1/models": (200, b"<html>"), "/models": models(owned_by="vllm")},
            Vllm,
            "served/name",
            None,
            3,
        ),
        ({"/models": models(owned_by="me")}, Server, "served/name", None, 3),
        ({"/models": (200, {"data": []})}, Server, None, None, 3),
        ({"/health": (200, {})}, Toolkit, None, None, 4),
        ({}, Toolkit, None, None, 4),
        ({"/v1/models": (200, b"<html>")}, Toolkit, None, None, 4),
        ({"/v1/models": (200, {"data": []})}, Server, None, None, 2),
    ],
)
def test_a_server_is_known_by_what_it_says(
    answers: Answers,
    engine: type[Server],
    model: str | None,
    window: int | None,
    questions: int,
) -> None:
    """Its name in the list of models, its limits in /info, and no question too many."""
    server, asked = probe(answers)
    assert isinstance(server, Server)
    assert (type(server), server.model, server.context_length) == (
        engine,
        model,
        window,
    )
    assert len(asked) == questions


@pytest.mark.parametrize(
    ("version", "routes"),
    [
        ("0.9.4", {"generate"}),
        ("1.3.4", {"generate"}),
        ("1.4.0", {"generate", "chat"}),
        ("1.4.5", {"generate", "chat", "completions"}),
        ("3.3.7-dev0", {"generate", "chat", "completions"}),
        ("", {"generate", "chat", "completions"}),
    ],
)
def test_an_old_tgi_has_fewer_routes(version: str, routes: set[str]) -> None:
    """Chat came with 1.4.0, completions with 1.4.5."""
    server, _ = probe({"/info": (200, TGI_INFO | {"version": version})})
    assert isinstance(server, Server)
    assert server.routes == routes


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"error": "401 Unauthorized"}, errors.AuthenticationFailed),
        (503, {"error": "503 Service Unavailable"}, errors.ModelLoading),
        (502, b"<html>", errors.ModelLoading),
        (400, {"error": "Bad Request: The endpoint is paused"}, errors.EndpointPaused),
        (429, {"error": "slow down"}, errors.RateLimited),
        (500, {"error": "x"}, errors.ServerError),
    ],
)
def test_what_ends_any_call_ends_the_probing(
    status: int, body: object, kind: type[errors.APIError]
) -> None:
    """A bad token, a sleeping and a paused endpoint are told at the first question."""
    failure, asked = probe({"/v1/models": (status, body)})
    assert isinstance(failure, kind)
    assert asked == ["/v1/models"]


def test_a_server_that_fails_to_list_its_models_is_asked_on() -> None:
    """Transformers serve, where no model was ever downloaded."""
    broken = {"/v1/models": (500, b"Internal Server Error"), "/health": (200, {})}
    server, asked = probe(broken)
    assert isinstance(server, Server)
    assert "chat" in server.routes
    assert asked == ["/v1/models", "/info", "/models", "/health"]


@given(st.lists(st.tuples(st.integers(100, 599), st.binary(max_size=60)), max_size=5))
def test_any_answers_end_in_a_kept_server_or_an_error(
    answers: list[tuple[int, bytes]],
) -> None:
    """At most four questions, whatever comes back."""
    asking = Probe(ENDPOINT)
    for status, body in [*answers, *[(404, b"")] * 4]:
        if asking.call is None or asking.answer(status, {}, body) is not None:
            return
    assert asking.server is not None


def test_the_routes_are_where_the_list_of_models_was_found() -> None:
    """At the root or below /v1, whatever path and query the address has."""
    for base, root in (("", ""), ("/pre?key=k", "/pre")):
        target = resolve("a/b", f"https://h.example{base}")
        query = f"?{base.partition('?')[2]}" if base else ""
        for openai_base in ("", "/v1"):
            answers = {f"{root}{openai_base}/models{query}": models(owned_by="vllm")}
            server, _ = probe(answers, target)
            assert isinstance(server, Vllm)
            chat = f"https://h.example{root}{openai_base}/chat/completions{query}"
            assert server.at(target).chat_url == chat
            assert server.at(server.at(target)) == server.at(target)


@pytest.mark.parametrize("status", [401, 403, 404, 405, 429, 500, 200])
def test_below_a_path_only_lists_are_asked_for(status: int) -> None:
    """Who has none there, or shows it to nobody, is asked as /v1 would be."""
    target = resolve("a/b", "https://h.example/gateway")
    lists = ["/gateway/v1/models", "/gateway/models"]
    server, asked = probe(dict.fromkeys(lists, (status, {"error": "no"})), target)
    assert (server, asked) == (Server(), lists)


@pytest.mark.parametrize(
    "base", ["/v1", "/v1/", "/x/v1", "/v1/chat/completions", "/x/v1/completions"]
)
def test_an_address_that_names_a_route_is_not_asked(base: str) -> None:
    """It says itself what it is."""
    assert not resolve("a/b", f"https://h.example{base}").needs_detection


def test_what_each_model_can_do_is_read_of_infinitys_list() -> None:
    """Of no other list: there the same member means other things."""
    card = {"id": "a", "owned_by": "infinity", "capabilities": ["rerank", "embed", 1]}
    for owner, abilities in (("infinity", (("a", ("embed", "rerank")),)), ("me", ())):
        listed = {"data": [card | {"owned_by": owner}, {"id": "b"}, {"id": 1}, 1]}
        server, _ = probe({"/models": (200, listed)})
        assert isinstance(server, Server)
        assert (server.abilities, server.model_names) == (abilities, ("a", "b"))
