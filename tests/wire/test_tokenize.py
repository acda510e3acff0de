"""A prompt counted by the server's own tokenizer: which route, and what it answers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.address import Target, resolve
from bytebuddy_provider_hf.types import ImagePart, Message, Tool
from bytebuddy_provider_hf.wire.dialects.llamacpp import LlamaCpp
from bytebuddy_provider_hf.wire.dialects.router import Router
from bytebuddy_provider_hf.wire.dialects.sglang import Sglang
from bytebuddy_provider_hf.wire.dialects.tgi import Tgi
from bytebuddy_provider_hf.wire.dialects.vllm import Vllm
from bytebuddy_provider_hf.wire.llamacpp import InfillRequest
from bytebuddy_provider_hf.wire.openai import ChatRequest, CompletionRequest
from bytebuddy_provider_hf.wire.server import Server
from bytebuddy_provider_hf.wire.tokenize import (
    Prompted,
    read_token_count,
    tokenize_request,
)

CHAT = ChatRequest((Message("system", "Be brief."), Message("user", "Hi")))
PROMPT = CompletionRequest("Once")
GAP = InfillRequest("a", "b", files=(("c.py", "d"),))
IMAGE = ChatRequest((Message("user", (ImagePart("https://x/y.png"),)),))
TOOLS = ChatRequest(CHAT.messages, tools=(Tool("f", "", {}),))
NEW = Tgi(version=(3, 2, 0), model="tgi")
OLD = Tgi(version=(2, 1, 0), model="tgi")
VLLM = Vllm(model="served/name")
LLAMA = LlamaCpp(model="x.gguf")
TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi"},
]


def target(base: str = "https://x.endpoints.huggingface.cloud/v1") -> Target:
    return resolve("org/name", base)


@pytest.mark.parametrize(
    ("server", "request_", "path", "body"),
    [
        (NEW, PROMPT, "/tokenize", {"inputs": "Once"}),
        (OLD, PROMPT, "/tokenize", {"inputs": "Once"}),
        (NEW, CHAT, "/chat_tokenize", {"model": "tgi", "messages": TURNS}),
        (VLLM, PROMPT, "/tokenize", {"model": "served/name", "prompt": "Once"}),
        (VLLM, CHAT, "/tokenize", {"model": "served/name", "messages": TURNS}),
        (LLAMA, CHAT, "/tokenize", {"content": "Be brief.\nHi", "add_special": True}),
        (LLAMA, GAP, "/tokenize", {"content": "c.pydab", "add_special": True}),
    ],
)
def test_each_server_is_asked_in_its_words(
    server: Server, request_: Prompted, path: str, body: object
) -> None:
    """Beside the OpenAI routes, under no /v1."""
    call = tokenize_request(request_, target(), server)
    assert call is not None
    assert call.url == f"https://x.endpoints.huggingface.cloud{path}"
    assert json.loads(call.body) == body


@pytest.mark.parametrize(
    ("server", "request_"),
    [
        (OLD, CHAT),
        (NEW, IMAGE),
        (VLLM, TOOLS),
        (LLAMA, TOOLS),
        (Router(), CHAT),
        (Server(), PROMPT),
        (Sglang(), CHAT),
    ],
)
def test_who_cannot_count_is_not_asked(server: Server, request_: Prompted) -> None:
    """A count without images or tools would be too low."""
    assert tokenize_request(request_, target(), server) is None


@pytest.mark.parametrize(
    ("answer", "request_", "count"),
    [
        ([{"id": 1}, {"id": 2}], PROMPT, 2),
        ({"tokenize_response": [{"id": 1}], "templated_text": "x"}, CHAT, 1),
        ({"count": 7, "max_model_len": 9, "tokens": [1, 2]}, CHAT, 7),
        ({"tokens": [1, 2, 3]}, GAP, 3),
        # llama.cpp counted the text alone: each message has its marks.
        ({"tokens": [1, 2, 3]}, CHAT, 19),
        ({"count": True}, CHAT, None),
        ({"count": -1}, CHAT, None),
        ({"error": "no"}, CHAT, None),
        ("7", CHAT, None),
    ],
)
def test_each_answer_is_a_count_or_none(
    answer: object, request_: Prompted, count: int | None
) -> None:
    """TGI lists, vLLM counts, llama.cpp numbers."""
    assert read_token_count(json.dumps(answer).encode(), request_) == count


@given(st.binary(max_size=60))
def test_no_bytes_raise(data: bytes) -> None:
    """Whatever comes is a count or none."""
    count = read_token_count(data, CHAT)
    assert count is None or count >= 0
