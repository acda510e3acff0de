"""Read what a caller asks: messages, and options laid over the entry's defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast, get_args

from attrs import evolve

from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.sampling import BY_NAME, Option, Range
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import (
    LONGEST_STOP,
    CompletionOptions,
    Conversation,
    ImagePart,
    Message,
    ReasoningEffort,
    RoleName,
    TextPart,
    ToolCall,
)

_EFFORTS: Final = get_args(ReasoningEffort)
# A year of seconds is 3e7: what is longer is no time to wait.
_TIMEOUT: Final = Option("timeout", "timeout", "number", Range(0, 1e9, above=True))
# Each decides the other one: an entry's word does not outlast the call's.
_WHETHER: Final = ("reasoning", "reasoning_effort")
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


def merge_options(
    defaults: CompletionOptions,
    options: CompletionOptions | None,
    asked: Mapping[str, object],
) -> CompletionOptions:
    """Return ``asked`` over ``options`` over ``defaults``; ``None`` means not asked.

    A call that says whether to reason says so alone: what the defaults have of
    ``reasoning`` and ``reasoning_effort`` does not count then. Raises
    ``InvalidOption`` for a value outside its range.
    """
    chosen = dict(asked)
    if options is not None:
        for name in BY_NAME:
            if chosen.get(name) is None:
                chosen[name] = getattr(options, name)
    # Checked right below, name by name.
    changes: dict[str, Any] = {k: v for k, v in chosen.items() if v is not None}
    for name, value in changes.items():
        check_option(name, value)
    if "stop" in changes:
        stop = changes["stop"]
        changes["stop"] = (stop,) if isinstance(stop, str) else tuple(stop)
    if any(name in changes for name in _WHETHER):
        changes = dict.fromkeys(_WHETHER) | changes
    return evolve(defaults, **changes) if changes else defaults


def check_option(name: str, value: object) -> None:
    """Raise ``InvalidOption`` unless ``value`` is in the range of option ``name``."""
    option = _TIMEOUT if name == _TIMEOUT.name else BY_NAME[name]
    shown = repr(value) if isinstance(value, int | float) else type(value).__name__
    match option.kind:
        case "flag":
            if not isinstance(value, bool):
                raise InvalidOption(text("roles.flag_wrong", name=name, shown=shown))
        case "effort":
            if value not in _EFFORTS:
                raise InvalidOption(
                    text(
                        "roles.effort_wrong",
                        name=name,
                        names=", ".join(_EFFORTS),
                        value=f"{value!r:.60}",
                    )
                )
        case "texts":
            stops = (value,) if isinstance(value, str) else value
            if not isinstance(stops, Sequence) or not all(
                isinstance(stop, str) and stop for stop in stops
            ):
                message = text("roles.stop_wrong")
                raise InvalidOption(message)
            longest = max(map(len, stops), default=0)
            # What may become a stop text is held back, and searched with each piece.
            if longest > LONGEST_STOP:
                raise InvalidOption(
                    text(
                        "roles.stop_too_long", most=LONGEST_STOP, given=f"{longest:,}"
                    ),
                    hint=text("roles.stop_too_long_hint"),
                )
        case "number" | "whole":
            whole = option.kind == "whole"
            # A bool is an int to Python, and no number to anybody else.
            if (
                not isinstance(value, int if whole else int | float)
                or isinstance(value, bool)
                or not option.allowed.contains(value)
            ):
                low, high = option.allowed.low, option.allowed.high
                expected = text("roles.whole_number" if whole else "roles.number")
                if not math.isinf(low):
                    expected = text(
                        "roles.number_above"
                        if option.allowed.above
                        else "roles.number_from",
                        number=expected,
                        low=f"{low:g}",
                    )
                if not math.isinf(high):
                    expected = text(
                        "roles.number_to", number=expected, high=f"{high:g}"
                    )
                raise InvalidOption(
                    text(
                        "roles.number_wrong", name=name, expected=expected, shown=shown
                    )
                )


def _message(turn: object, at: int) -> Message:
    """Return one message; a mapping has the keys of OpenAI's protocol."""
    if isinstance(turn, Message):
        return turn
    if not isinstance(turn, Mapping):
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
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, Mapping) else image
        if isinstance(url, str):
            return ImagePart(url)
    raise _bad(at, text("roles.bad_part"))


def _tool_call(call: object, at: int) -> ToolCall:
    if isinstance(call, ToolCall):
        return call
    if isinstance(call, Mapping) and isinstance(call.get("function"), Mapping):
        function = call["function"]
        name, arguments = function.get("name"), function.get("arguments", "")
        if isinstance(name, str) and isinstance(arguments, str):
            return ToolCall(str(call.get("id", "")), name, arguments)
    raise _bad(at, text("roles.bad_tool_call"))


def _bad(at: int, problem: str) -> InvalidOption:
    return InvalidOption(
        text("roles.message", number=at + 1, problem=problem),
        hint=text("roles.message_hint"),
    )
