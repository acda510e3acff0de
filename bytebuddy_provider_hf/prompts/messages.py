"""Read a conversation in any form that a caller may write it in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast, get_args

from bytebuddy_provider_hf.errors import InvalidOption, UnsupportedRole
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import (
    Conversation,
    ImagePart,
    Message,
    RoleName,
    TextPart,
    ToolCall,
)

_ROLES: Final = frozenset(get_args(RoleName))
_PLAIN: Final = ("role", "content")
_KEYS: Final = frozenset({"role", "content", "tool_calls", "tool_call_id", "name"})


def read_messages(conversation: Conversation | Message) -> tuple[Message, ...]:
    """Return the messages of a conversation; a string is one user turn.

    Args:
        conversation: A text, a ``Message``, or a sequence of them. Mappings have the
            keys of OpenAI's messages, or are those of ``Message.to_dict``.

    Raises:
        InvalidOption: It is none of these; the message is named.
    """
    # Whatever the caller's type checker was told, anything may come.
    given: object = conversation
    if isinstance(given, str):
        return (Message("user", given),)
    if isinstance(given, Message):
        return (given,)
    # Bytes are a sequence too: of numbers. What is no list is rare, and costs more.
    if not isinstance(given, list | tuple) and (
        isinstance(given, bytes) or not isinstance(given, Sequence)
    ):
        message = text("roles.no_conversation")
        raise InvalidOption(message)
    turns = tuple(_message(turn, at) for at, turn in enumerate(given))
    if not turns:
        message = text("roles.no_messages")
        raise InvalidOption(message)
    return turns


def message_text(message: Message) -> str:
    """Return the text of a message, its parts joined by line ends.

    Args:
        message: A message of the conversation.

    Raises:
        UnsupportedRole: It has an image, which no text can stand for.
    """
    if isinstance(message.content, str):
        return message.content
    parts = [part.text for part in message.content if isinstance(part, TextPart)]
    if len(parts) != len(message.content):
        raise UnsupportedRole(
            text("prompts.no_image"), hint=text("prompts.no_image_hint")
        )
    # Engines join parts of text in this way before they apply a template.
    return "\n".join(parts)


def _message(turn: object, at: int) -> Message:
    """Return one message; a mapping has the keys of OpenAI's protocol."""
    if isinstance(turn, Message):
        return turn
    if not isinstance(turn, dict | Mapping):
        raise _bad(at, text("roles.no_mapping"))
    role, content = turn.get("role"), turn.get("content")
    if len(turn) == len(_PLAIN) and role in _ROLES and isinstance(content, str):
        # What nearly every message is.
        return Message(cast("RoleName", role), content)
    # Told, not passed over: a key that is misspelt would change what is asked.
    if unknown := sorted(str(key) for key in turn if key not in _KEYS):
        raise _bad(at, text("roles.unknown_keys", keys=", ".join(unknown[:5])))
    if role not in _ROLES:
        raise _bad(at, text("roles.needs_role", roles=", ".join(sorted(_ROLES))))
    parts: str | tuple[TextPart | ImagePart, ...]
    # An assistant's message that only calls tools has null for its text.
    if content is None or isinstance(content, str):
        parts = content or ""
    elif isinstance(content, list | tuple):
        parts = tuple(_part(part, at) for part in content)
    else:
        raise _bad(at, text("roles.bad_content"))
    calls, call_id, name = map(turn.get, ("tool_calls", "tool_call_id", "name"))
    if not isinstance(calls, list | tuple | None):
        raise _bad(at, text("roles.bad_tool_calls"))
    if not (isinstance(call_id, str | None) and isinstance(name, str | None)):
        raise _bad(at, text("roles.bad_name"))
    return Message(
        role=cast("RoleName", role),
        content=parts,
        tool_calls=tuple(_tool_call(call, at) for call in calls or ()),
        tool_call_id=call_id,
        name=name,
    )


def _part(part: object, at: int) -> TextPart | ImagePart:
    if isinstance(part, TextPart | ImagePart):
        return part
    if isinstance(part, Mapping):
        if isinstance(said := part.get("text"), str):
            return TextPart(said)
        # OpenAI's form, or that of ``ImagePart.to_dict``.
        image = part.get("image_url", part.get("url"))
        url = image.get("url") if isinstance(image, Mapping) else image
        if isinstance(url, str):
            return ImagePart(url)
    raise _bad(at, text("roles.bad_part"))


def _tool_call(call: object, at: int) -> ToolCall:
    if isinstance(call, ToolCall):
        return call
    # OpenAI's form, or that of ``ToolCall.to_dict``.
    function = call.get("function", call) if isinstance(call, Mapping) else None
    if isinstance(call, Mapping) and isinstance(function, Mapping):
        name, arguments = function.get("name"), function.get("arguments", "")
        if isinstance(name, str) and isinstance(arguments, str):
            return ToolCall(str(call.get("id", "")), name, arguments)
    raise _bad(at, text("roles.bad_tool_call"))


def _bad(at: int, problem: str) -> InvalidOption:
    return InvalidOption(
        text("roles.message", number=at + 1, problem=problem),
        hint=text("roles.message_hint"),
    )
