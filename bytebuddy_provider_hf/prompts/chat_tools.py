"""Write calls and results of tools into a prompt, as the models were trained on them.

The wordings are, to the letter, those of the templates named at each format. Offering
tools is left to servers that apply the model's own template and read its calls.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from bytebuddy_provider_hf.errors import ResponseTooLarge
from bytebuddy_provider_hf.json_cost import check_json_cost
from bytebuddy_provider_hf.prompts.family import ToolStyle
from bytebuddy_provider_hf.types import Message, ToolCall

Escape: TypeAlias = Callable[[str], str]

# Mistral's templates refuse an id of any other form.
_MISTRAL_ID: Final = re.compile(r"[A-Za-z0-9]{9}")
_MISTRAL_ID_LENGTH: Final = 9


def calls(style: ToolStyle, asked: Sequence[ToolCall], escape: Escape) -> str:
    """Return what a model wrote to have tools called."""
    match style:
        case ToolStyle.HERMES:
            written = (_call(call, "arguments", escape) for call in asked)
            return "\n".join(f"<tool_call>\n{one}\n</tool_call>" for one in written)
        case ToolStyle.LLAMA:
            return "".join(_call(call, "parameters", escape) for call in asked)
        case ToolStyle.MISTRAL:
            written = (
                _call(call, "arguments", escape, f', "id": "{mistral_id(call.id)}"')
                for call in asked
            )
            return f"[{', '.join(written)}]"
        case ToolStyle.GRANITE:
            written = (_call(call, "arguments", escape) for call in asked)
            return f"[{', '.join(written)}]"


def result(style: ToolStyle, text: str, call_id: str | None, escape: Escape) -> str:
    """Return what a tool answered, as the model is told of it."""
    match style:
        case ToolStyle.HERMES:
            return f"<tool_response>\n{escape(text)}\n</tool_response>"
        case ToolStyle.LLAMA:
            return escape(_json(text))
        case ToolStyle.MISTRAL:
            content = escape(_as_json(text) or _json(text))
            return f'{{"content": {content}, "call_id": "{mistral_id(call_id)}"}}'
        case ToolStyle.GRANITE:
            return escape(text)


def one_call_a_turn(messages: Sequence[Message]) -> list[Message]:
    """Return the messages with parallel calls one after the other, each answered.

    Llama 3.1's template takes one call in a turn.
    """
    apart: list[Message] = []
    index = 0
    while index < len(messages):
        asking = messages[index]
        index += 1
        if len(asking.tool_calls) <= 1:
            apart.append(asking)
            continue
        answers: dict[str | None, list[Message]] = {}
        while index < len(messages) and messages[index].role == "tool":
            answer = messages[index]
            answers.setdefault(answer.tool_call_id, []).append(answer)
            index += 1
        for place, call in enumerate(asking.tool_calls):
            # What the model said beside its calls stands before the first.
            content = asking.content if place == 0 else ""
            apart.append(Message("assistant", content, tool_calls=(call,)))
            apart += answers.pop(call.id, [])
        # A result whose call is not there is history all the same.
        apart += [answer for rest in answers.values() for answer in rest]
    return apart


def mistral_id(call_id: str | None) -> str:
    """Return an id of nine letters and digits, the same for the same id."""
    known = call_id or ""
    if _MISTRAL_ID.fullmatch(known):
        return known
    digest = hashlib.blake2s(known.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:_MISTRAL_ID_LENGTH]


def _call(call: ToolCall, key: str, escape: Escape, more: str = "") -> str:
    # Arguments that were cut short are no JSON; they are shown as they came.
    arguments = _as_json(call.arguments) or call.arguments or "{}"
    name = escape(_json(call.name))
    return f'{{"name": {name}, "{key}": {escape(arguments)}{more}}}'


def _as_json(text: str) -> str | None:
    """Return JSON in the spelling of the templates, ``None`` for other text."""
    try:
        # A model's own words, which may be as long as its answer was.
        check_json_cost(text.encode("utf-8", "replace"))
        return _json(json.loads(text))
    except (ValueError, RecursionError, ResponseTooLarge):
        return None


def _json(value: object) -> str:
    # As tojson of transformers, which leaves letters of all scripts as they are.
    return json.dumps(value, ensure_ascii=False)
