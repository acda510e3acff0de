"""Parts of a request's body: messages, tools and JSON schemas in OpenAI's form."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from attrs import field, frozen

from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Message, ResponseFormat, TextPart, Tool

# The names that OpenAI allows for a schema.
_NOT_NAME: Final = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_NAME: Final = 64

_T = TypeVar("_T", str, str | tuple[str, str])


@frozen
class BodyPart:
    """Members of a body; ``notes`` tells what the server does not take."""

    body: Mapping[str, object] = field(factory=dict)
    notes: tuple[str, ...] = ()


# What most parts add; shared, as each of five made anew costs 1 µs.
EMPTY_PART: Final = BodyPart()


def text_list(texts: Sequence[_T]) -> list[_T]:
    """Return texts as a list; raises ``InvalidOption`` for one text, or none."""
    # A text is a sequence of texts too: its letters would be sent one by one.
    if isinstance(texts, str) or not texts:
        raise InvalidOption(text("wire.no_list"))
    return list(texts)


def encode_message(message: Message) -> dict[str, object]:
    """Return a message as OpenAI's chats have it."""
    content: object = message.content
    if not isinstance(message.content, str):
        content = [
            {"type": "text", "text": part.text}
            if isinstance(part, TextPart)
            else {"type": "image_url", "image_url": {"url": part.url}}
            for part in message.content
        ]
    body: dict[str, object] = {"role": message.role, "content": content}
    if message.tool_calls:
        body["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    # Nulls are not sent: some servers refuse them.
    if message.tool_call_id is not None:
        body["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        body["name"] = message.name
    return body


def encode_tool(tool: Tool) -> dict[str, object]:
    """Return a tool as OpenAI's chats have it."""
    function: dict[str, object] = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
    }
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


@frozen
class JsonForm:
    """What an answer is held to: a JSON ``schema``, or any JSON object without one."""

    name: str = ""
    schema: Mapping[str, object] | None = None
    strict: bool = True

    @classmethod
    def read(cls, wanted: ResponseFormat) -> JsonForm:
        """Return the form of "json", of a schema, or of OpenAI's ``response_format``.

        Raises ``InvalidOption`` for what is none of them.
        """
        if wanted == "json":
            return cls()
        given: object = wanted
        if not isinstance(given, Mapping) or not given:
            raise InvalidOption(
                text("wire.response_format", wanted=f"{wanted!r}"),
                hint=text("wire.response_format_hint"),
            )
        if given.get("type") == "json_object":
            return cls()
        # Anything else with a type is a JSON schema itself.
        title: object = given.get("title")
        schema: object = given
        strict = True
        inner = given.get("json_schema")
        if given.get("type") == "json_schema" and isinstance(inner, Mapping):
            title, schema = inner.get("name"), inner.get("schema")
            # OpenAI's default is off; who gives a schema wants it kept.
            strict = inner.get("strict") is not False
        if not isinstance(schema, Mapping):
            raise InvalidOption(
                text("wire.no_schema"),
                hint=text("wire.response_format_form"),
            )
        name = _NOT_NAME.sub("_", title if isinstance(title, str) else "").strip("_")
        return cls(name[:_LONGEST_NAME] or "answer", schema, strict)

    @property
    def openai(self) -> dict[str, object]:
        """The form as OpenAI's ``response_format``."""
        if self.schema is None:
            return {"type": "json_object"}
        inner = {"name": self.name, "schema": dict(self.schema), "strict": self.strict}
        return {"type": "json_schema", "json_schema": inner}
