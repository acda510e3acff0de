"""What a caller may write for a conversation, as messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast, get_args

from bytebuddy_provider_hf.errors import InvalidOption
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


def conversation(messages: Conversation) -> tuple[Message, ...]:
    """Return the messages of a conversation; a string is one user turn.

    Mappings have the keys of OpenAI's messages. Raises ``InvalidOption``.
    """
    if isinstance(messages, str):
        return (Message("user", messages),)
    if isinstance(messages, Message | Mapping | bytes) or not isinstance(
        messages, Sequence
    ):
        message = text("roles.no_conversation")
        raise InvalidOption(message)
    turns = tuple(_message(turn, at) for at, turn in enumerate(messages))
    if not turns:
        message = text("roles.no_messages")
        raise InvalidOption(message)
    return turns


def _message(turn: object, at: int) -> Message:
    if isinstance(turn, Message):
        return turn
    if not isinstance(turn, Mapping):
        raise _bad(at, text("roles.no_mapping"))
    role, content = turn.get("role"), turn.get("content")
    if len(turn) == len(_PLAIN) and role in _ROLES and isinstance(content, str):
        # What nearly every message is.
        return Message(cast("RoleName", role), content)
    if unknown := sorted(str(key) for key in turn if key not in _KEYS):
        raise _bad(at, text("roles.unknown_keys", keys=", ".join(unknown[:5])))
    if role not in _ROLES:
        raise _bad(at, text("roles.needs_role", roles=", ".join(sorted(_ROLES))))
    return Message(
        role=role,  # type: ignore[arg-type]  # just checked against RoleName
        content=_content(content, at),
        tool_calls=tuple(_tool_call(call, at) for call in _list(turn, at)),
        tool_call_id=_text_or_none(turn.get("tool_call_id"), at),
        name=_text_or_none(turn.get("name"), at),
    )


def _content(value: object, at: int) -> str | tuple[TextPart | ImagePart, ...]:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return tuple(_part(part, at) for part in value)
    raise _bad(at, text("roles.bad_content"))


def _part(part: object, at: int) -> TextPart | ImagePart:
    if isinstance(part, TextPart | ImagePart):
        return part
    if isinstance(part, Mapping):
        if isinstance(said := part.get("text"), str):
            return TextPart(said)
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, Mapping) else image
        if isinstance(url, str):
            return ImagePart(url)
    raise _bad(at, text("roles.bad_part"))


def _list(turn: Mapping[str, object], at: int) -> Sequence[object]:
    calls = turn.get("tool_calls")
    if calls is None:
        return ()
    if isinstance(calls, list | tuple):
        return calls
    raise _bad(at, text("roles.bad_tool_calls"))


def _tool_call(call: object, at: int) -> ToolCall:
    if isinstance(call, ToolCall):
        return call
    if isinstance(call, Mapping) and isinstance(call.get("function"), Mapping):
        function = call["function"]
        name, arguments = function.get("name"), function.get("arguments", "")
        if isinstance(name, str) and isinstance(arguments, str):
            return ToolCall(str(call.get("id", "")), name, arguments)
    raise _bad(at, text("roles.bad_tool_call"))


def _text_or_none(value: object, at: int) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise _bad(at, text("roles.bad_name"))


def _bad(at: int, problem: str) -> InvalidOption:
    return InvalidOption(
        text("roles.message", number=at + 1, problem=problem),
        hint=text("roles.message_hint"),
    )
