"""Asking FakeTgi as one of its generations is asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from servers.fake_tgi import GENERATIONS, FakeTgi

from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import run

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
TEXT = "One two three."
OLDEST, *LATER = GENERATIONS
WITH_COMPLETIONS = [version for version in LATER if version != "1.4.0"]


def server(version: str, **more: Any) -> FakeTgi:  # noqa: ANN401 - fields of any type
    return FakeTgi(version, answer=lambda _request: TEXT, **more)


def ask(
    tgi: FakeTgi,
    path: str,
    body: object = None,
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
) -> FakeReply:
    data = b"" if body is None else json.dumps(body).encode()
    request = FakeRequest(method, path, headers=headers or {}, body=data)
    return run(tgi.handle(request))


def chat(**more: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": "Hi"}], **more}


def prompt(**more: object) -> dict[str, object]:
    return {"prompt": "Hi", **more}


def native(**parameters: object) -> dict[str, object]:
    return {"inputs": "Hi", "parameters": parameters}


def parsed(reply: FakeReply) -> Any:  # noqa: ANN401 - a JSON document
    return json.loads(reply.content)


def events(reply: FakeReply) -> list[Any]:
    lines = reply.content.decode().split("\n\n")[:-1]
    texts = [line.removeprefix("data:").strip() for line in lines]
    return [text if text == "[DONE]" else json.loads(text) for text in texts]


def streamed(version: str, path: str = CHAT, **more: object) -> list[Any]:
    body = chat(stream=True, **more) if path == CHAT else prompt(stream=True, **more)
    return events(ask(server(version), path, body))
