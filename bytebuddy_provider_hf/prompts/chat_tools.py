"""Tools inside a prompt: what is offered, what was asked for, what came of it.

The wordings are those of the templates named at each format: the models were trained
on them to the letter.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from bytebuddy_provider_hf.prompts.chat_format import ToolStyle
from bytebuddy_provider_hf.types import Message, Tool, ToolCall

Escape: TypeAlias = Callable[[str], str]

LLAMA_ENVIRONMENT: Final = "Environment: ipython\n"

_HERMES_HEAD: Final = (
    "# Tools\n\n"
    "You may call one or more functions to assist with the user query.\n\n"
    "You are provided with function signatures within <tools></tools> XML tags:\n"
    "<tools>"
)
_HERMES_TAIL: Final = (
    "\n</tools>\n\n"
    "For each function call, return a json object with function name and arguments "
    "within <tool_call></tool_call> XML tags:\n"
    '<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n'
    "</tool_call>"
)
_LLAMA_HEAD: Final = (
    "Given the following functions, please respond with a JSON for a function call "
    "with its proper arguments that best answers the given prompt.\n\n"
    'Respond in the format {"name": function name, "parameters": dictionary of '
    "argument name and its value}.Do not use variables.\n\n"
)
# Mistral's templates refuse an id of any other form.
_MISTRAL_ID: Final = re.compile(r"[A-Za-z0-9]{9}")
_MISTRAL_ID_LENGTH: Final = 9


def definitions(style: ToolStyle, tools: Sequence[Tool], harmless: Escape) -> str:
    """Return what offers ``tools`` to a model, without the format's wrapping."""
    indent = 4 if style in {ToolStyle.LLAMA, ToolStyle.GRANITE} else None
    written = [harmless(_json(_described(tool), indent=indent)) for tool in tools]
    match style:
        case ToolStyle.HERMES:
            return _HERMES_HEAD + "".join(f"\n{t}" for t in written) + _HERMES_TAIL
        case ToolStyle.LLAMA:
            return _LLAMA_HEAD + "".join(f"{text}\n\n" for text in written)
        case ToolStyle.MISTRAL:
            return f"[{', '.join(written)}]"
        case ToolStyle.GRANITE:
            return "\n\n".join(written)


def calls(style: ToolStyle, asked: Sequence[ToolCall], harmless: Escape) -> str:
    """Return what a model wrote to have tools called."""
    match style:
        case ToolStyle.HERMES:
            written = (_named(call, "arguments", harmless) for call in asked)
            return "\n".join(f"<tool_call>\n{one}\n</tool_call>" for one in written)
        case ToolStyle.LLAMA:
            return "".join(_named(call, "parameters", harmless) for call in asked)
        case ToolStyle.MISTRAL:
            written = (
                _named(call, "arguments", harmless, f', "id": "{mistral_id(call.id)}"')
                for call in asked
            )
            return f"[{', '.join(written)}]"
        case ToolStyle.GRANITE:
            written = (_named(call, "arguments", harmless) for call in asked)
            return f"[{', '.join(written)}]"


def result(style: ToolStyle, text: str, call_id: str | None, harmless: Escape) -> str:
    """Return what a tool answered, as the model is told of it."""
    match style:
        case ToolStyle.HERMES:
            return f"<tool_response>\n{harmless(text)}\n</tool_response>"
        case ToolStyle.LLAMA:
            return harmless(_json(text))
        case ToolStyle.MISTRAL:
            content = harmless(_as_json(text) or _json(text))
            return f'{{"content": {content}, "call_id": "{mistral_id(call_id)}"}}'
        case ToolStyle.GRANITE:
            return harmless(text)


def one_call_a_turn(messages: Sequence[Message]) -> list[Message]:
    """Return the messages with parallel calls one after the other, each answered.

    Llama 3.1's template takes one call in a turn.
    """
    apart: list[Message] = []
    index = 0
    while index < len(messages):
        message = messages[index]
        index += 1
        if len(message.tool_calls) <= 1:
            apart.append(message)
            continue
        answers: list[Message] = []
        while index < len(messages) and messages[index].role == "tool":
            answers.append(messages[index])
            index += 1
        apart += _interleaved(message, answers)
    return apart


def mistral_id(call_id: str | None) -> str:
    """Return an id of nine letters and digits, the same for the same id."""
    known = call_id or ""
    if _MISTRAL_ID.fullmatch(known):
        return known
    digest = hashlib.blake2s(known.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:_MISTRAL_ID_LENGTH]


def _interleaved(asking: Message, answers: list[Message]) -> list[Message]:
    by_id: dict[str | None, list[Message]] = {}
    for answer in answers:
        by_id.setdefault(answer.tool_call_id, []).append(answer)
    turns: list[Message] = []
    for place, call in enumerate(asking.tool_calls):
        content = asking.content if place == 0 else ""
        turns.append(Message("assistant", content, tool_calls=(call,)))
        turns += by_id.pop(call.id, [])
    return turns + [answer for rest in by_id.values() for answer in rest]


def _described(tool: Tool) -> dict[str, object]:
    function: dict[str, object] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = dict(tool.parameters)
    return {"type": "function", "function": function}


def _named(call: ToolCall, key: str, harmless: Escape, more: str = "") -> str:
    arguments = _as_json(call.arguments) or call.arguments or "{}"
    name = harmless(_json(call.name))
    return f'{{"name": {name}, "{key}": {harmless(arguments)}{more}}}'


def _as_json(text: str) -> str | None:
    """Return JSON in the spelling of the templates, ``None`` for other text."""
    try:
        return _json(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _json(value: object, *, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_plain)


def _plain(value: object) -> object:
    """Return a read-only mapping of a schema as one that JSON knows."""
    if hasattr(value, "items"):
        return dict(value.items())
    return str(value)
