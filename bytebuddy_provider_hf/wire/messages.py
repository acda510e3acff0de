"""Messages as OpenAI-style servers take them, and as TGI forgets them.

TGI (router/src/lib.rs): from 3.2 on a message has content or tool calls, and content
wins; from 2.0.4 to 3.1 it has content only; before that, calls have ids of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from bytebuddy_provider_hf.lenient_json import loads
from bytebuddy_provider_hf.types import ImagePart, Message, TextPart, ToolCall
from bytebuddy_provider_hf.wire.body_parts import TGI_ENGINES, is_older, server_name
from bytebuddy_provider_hf.wire.openai_json import arguments_text
from bytebuddy_provider_hf.wire.server import Server


def encode_messages(
    messages: Sequence[Message], server: Server
) -> tuple[list[dict[str, object]], tuple[str, ...]]:
    """Return the messages for a server, and what it would not read of them."""
    if server.engine not in TGI_ENGINES:
        return [_message(message) for message in messages], ()
    notes: dict[str, None] = {}
    bodies = [_for_tgi(message, server, notes) for message in messages]
    return bodies, tuple(notes)


def _for_tgi(
    message: Message, server: Server, notes: dict[str, None]
) -> dict[str, object]:
    body = _message(message)
    if not message.tool_calls:
        return body
    if is_older(server, 3, 2):
        notes[f"{server_name(server)} forgets tool calls: they are sent as text."] = (
            None
        )
        calls = "\n".join(_as_text(call) for call in message.tool_calls)
        said = message.content if isinstance(message.content, str) else ""
        body["content"] = f"{said}\n{calls}" if said else calls
        del body["tool_calls"]
        return body
    if message.content:
        notes[f"{server_name(server)} reads no text beside tool calls."] = None
    del body["content"]
    return body


def _as_text(call: ToolCall) -> str:
    """Return a call in the form that TGI's own prompt for tools asks for."""
    value = loads(call.arguments.encode("utf-8", "replace"))
    given = value if isinstance(value, dict) else {}
    return arguments_text({"name": call.name, "parameters": given})


def _message(message: Message) -> dict[str, object]:
    content: object = message.content
    if not isinstance(message.content, str):
        content = [_part(part) for part in message.content]
    body: dict[str, object] = {"role": message.role, "content": content}
    if message.tool_calls:
        body["tool_calls"] = [_tool_call(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        body["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        body["name"] = message.name
    return body


def _part(part: TextPart | ImagePart) -> dict[str, object]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    return {"type": "image_url", "image_url": {"url": part.url}}


def _tool_call(call: ToolCall) -> dict[str, object]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}
