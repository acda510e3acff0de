"""Answers held to JSON, in the words of each server and route.

TGI: ``GrammarType`` of router/src/lib.rs, v1.4.1 to v3.3.7: ``type`` and ``value``,
never OpenAI's form; a schema must have ``properties`` (validation.rs).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.types import ResponseFormat
from bytebuddy_provider_hf.wire.body_parts import (
    EMPTY_PART,
    TGI_ENGINES,
    BodyPart,
    is_older,
    unsupported_by,
)
from bytebuddy_provider_hf.wire.encode import json_body
from bytebuddy_provider_hf.wire.server import Engine, Server

_ANY: Final[Mapping[str, object]] = {"type": "object"}
_NOT_NAME: Final = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_NAME: Final = 64
_HOLD: Final = "hold an answer to JSON here"
_ASK: Final = "Ask for JSON in the message, and check what comes."
_MEMBER: Final[Mapping[Engine, str]] = {
    Engine.VLLM: "response_format",
    Engine.LLAMA_CPP: "json_schema",
    Engine.SGLANG: "json_schema",
}


def response_format_param(
    wanted: ResponseFormat | None, server: Server, route: str, *, tools: bool = False
) -> BodyPart:
    """Return what holds an answer to JSON: any, or what a JSON schema allows.

    A mapping is the schema, or OpenAI's ``response_format`` with it. Raises
    ``InvalidOption`` for what is neither, ``UnsupportedRole`` for a server that would
    leave it out.
    """
    if wanted is None:
        return EMPTY_PART
    name, schema, strict = _schema(wanted)
    if route == "generate" or server.engine in TGI_ENGINES:
        return _tgi(schema, server, route, tools=tools)
    if route == "chat":
        if server.engine in (Engine.TRANSFORMERS, Engine.TOOLKIT):
            raise unsupported_by(server, _HOLD, _ASK)
        return BodyPart({"response_format": _openai(name, schema, strict=strict)})
    member = _MEMBER.get(server.engine)
    if member is None:
        raise unsupported_by(server, _HOLD, _ASK)
    if member == "response_format":
        return BodyPart({member: _openai(name, schema, strict=strict)})
    value: object = dict(schema or _ANY)
    if server.engine is Engine.SGLANG:
        value = json_body(schema or _ANY).decode()
    return BodyPart({member: value})


def _schema(
    wanted: ResponseFormat,
) -> tuple[str, Mapping[str, object] | None, bool]:
    """Return the name, the schema if there is one, and whether it is strict."""
    if wanted == "json":
        return "", None, True
    given: object = wanted
    if not isinstance(given, Mapping) or not given:
        raise InvalidOption(
            f"response_format cannot be {wanted!r}.",
            hint='Pass "json", or a JSON schema as a mapping.',
        )
    if given.get("type") == "json_object":
        return "", None, True
    inner = given.get("json_schema")
    if given.get("type") != "json_schema" or not isinstance(inner, Mapping):
        return _name(given.get("title")), given, True
    schema = inner.get("schema")
    if not isinstance(schema, Mapping):
        raise InvalidOption(
            "response_format has a json_schema without a schema.",
            hint='Write {"type": "json_schema", "json_schema": {"name", "schema"}}.',
        )
    return _name(inner.get("name")), schema, inner.get("strict") is not False


def _name(title: object) -> str:
    """Return a name as OpenAI allows them."""
    found = _NOT_NAME.sub("_", title if isinstance(title, str) else "")
    return found.strip("_")[:_LONGEST_NAME] or "answer"


def _openai(
    name: str, schema: Mapping[str, object] | None, *, strict: bool
) -> dict[str, object]:
    if schema is None:
        return {"type": "json_object"}
    inner = {"name": name, "schema": dict(schema), "strict": strict}
    return {"type": "json_schema", "json_schema": inner}


def _tgi(
    schema: Mapping[str, object] | None, server: Server, route: str, *, tools: bool
) -> BodyPart:
    since = {"generate": (1, 4, 1), "chat": (2, 1)}.get(route)
    if since is None:
        raise unsupported_by(server, _HOLD, _ASK)
    if is_older(server, *since):
        number = ".".join(map(str, since))
        raise unsupported_by(server, _HOLD, f"It can from version {number} on.")
    if schema is None:
        hint = "Pass a JSON schema: it knows no other way."
        raise unsupported_by(server, "be held to just any JSON", hint)
    if not isinstance(schema.get("properties"), Mapping):
        raise InvalidOption(
            f"{server.engine} takes no JSON schema without properties.",
            hint="Wrap the value in an object with one property.",
        )
    if tools:
        hint = "Ask with tools first, then without them for the JSON."
        raise unsupported_by(server, "take tools and response_format together", hint)
    member = "grammar" if route == "generate" else "response_format"
    return BodyPart({member: {"type": "json", "value": dict(schema)}})
