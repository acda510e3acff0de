"""The provider page's models at every kind of server, asked for every role."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

from attrs import frozen
from servers.engines import FakeVllm, generation_reply
from servers.fake_tgi import FakeTgi
from servers.tgi_checks import Limits

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.errors import ByteBuddyError
from bytebuddy_provider_hf.testing.answers import json_reply
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import (
    FakeReply,
    FakeRequest,
    Handler,
    Recorded,
)
from bytebuddy_provider_hf.types import Reply

MODELS: Final = (
    "meta-llama/Llama-2-70b-chat-hf",
    "mistralai/Mixtral-8x7B-Instruct-v0.1",
    "microsoft/DialoGPT-large",
    "bigcode/starcoder",
    "Salesforce/codegen-16B-multi",
    "microsoft/CodeGPT-small-py",
    "bigscience/bloom",
    "EleutherAI/gpt-neox-20b",
    "facebook/opt-30b",
    "google/flan-t5-xxl",
    "bert-base-multilingual-cased",
)
ROLES: Final = ("chat", "fill", "edit", "apply")
ROUTES: Final = ("tgi", "vllm", "llama.cpp", "router")

CODE: Final = "def add(a, b):\n    return a\n"
FIXED: Final = "def add(a, b):\n    return a + b\n"
# What no rule can place: the line is there twice.
TWICE: Final = "x = 1\ny = 2\nx = 1\n"
WANTED: Final = "x = 1\ny = 2\nx = 3\n"
ANSWERS: Final = {
    "chat": "Hello there",
    "fill": "return a + b",
    "edit": FIXED,
    "apply": WANTED,
}
ENDPOINT: Final = "https://x.endpoints.huggingface.cloud"


@frozen
class Met:
    """What left for a server, and what came back: a text, or a refusal's words."""

    path: str = ""
    asked: str = ""
    stops: tuple[str, ...] = ()
    text: str = ""
    refused: str = ""


async def meet(model_id: str, role: str, route: str) -> Met:
    """Ask one model for one role at one kind of server."""
    handler = Recorded(_server(route, model_id, _answer(role)))
    runtime = Runtime(connect=MemoryConnect(handler), jitter=random.Random(1).random)
    async with open_model(
        model_id,
        api_key="hf_x",
        api_base=None if route == "router" else ENDPOINT,
        runtime=runtime,
        env={},
        state_dir=Path("/nonexistent/.bytebuddy"),
    ) as model:
        try:
            reply = await _call(model, role)
        except ByteBuddyError as error:
            return Met(refused=f"{type(error).__name__}: {error}")
    sent = [r for r in handler.requests if r.method == "POST"][-1]
    return Met(sent.path, _asked(sent), _stops(sent), reply.text)


def _answer(role: str) -> Callable[[FakeRequest], str]:
    """Answer as a model does: code in a fence where it was asked by instruction."""

    def answer(request: FakeRequest) -> str:
        text = ANSWERS[role]
        if role in ("edit", "apply") and "<commit_before>" not in _asked(request):
            return f"Here it is:\n\n```python\n{text}```\n"
        return text

    return answer


async def _call(model: HuggingFaceModel, role: str) -> Reply:
    if role == "chat":
        question = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
        ]
        return await model.chat(question, max_tokens=99)
    if role == "fill":
        return await model.fill("def add(a, b):\n    ", "\n\nprint(add(1, 2))\n")
    if role == "edit":
        return await model.edit(CODE, "return the sum", path="add.py")
    return await model.apply(TWICE, "x = 3", path="x.py")


def _server(route: str, model_id: str, answer: Callable[[FakeRequest], str]) -> Handler:
    if route == "tgi":
        wide = Limits(input_tokens=8_000, total_tokens=8_192)
        return FakeTgi("2.0.4", answer=answer, model=model_id, limits=wide).handle
    if route == "vllm":
        return FakeVllm(model_id, answer=answer)
    return _llama(answer) if route == "llama.cpp" else _router(answer)


def _llama(answer: Callable[[FakeRequest], str]) -> Handler:
    async def handle(request: FakeRequest) -> FakeReply:
        if request.path == "/v1/models":
            card = {"id": "m.gguf", "owned_by": "llamacpp", "meta": {"n_ctx": 8_192}}
            return json_reply({"object": "list", "data": [card]})
        if request.path == "/infill":
            ended = {"content": answer(request), "stop": True, "stop_type": "eos"}
            return json_reply(ended)
        return generation_reply(request, answer, "m.gguf")

    return handle


def _router(answer: Callable[[FakeRequest], str]) -> Handler:
    async def handle(request: FakeRequest) -> FakeReply:
        return generation_reply(request, answer, "m")

    return handle


def _asked(request: FakeRequest) -> str:
    """Return the prompt, or what the user said last."""
    body = request.json
    assert isinstance(body, dict)
    for key in ("inputs", "prompt"):
        if key in body:
            return str(body[key])
    if "input_prefix" in body:
        kept = {key: body[key] for key in ("input_prefix", "input_suffix")}
        return json.dumps(kept, ensure_ascii=False)
    return "\n".join(f"[{m['role']}] {m['content']}" for m in body["messages"])


def _stops(request: FakeRequest) -> tuple[str, ...]:
    body = request.json
    assert isinstance(body, dict)
    given = body.get("parameters", body).get("stop")
    return tuple(given or ())
