"""How TGI writes a tool call: four ways, by version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from bytebuddy_provider_hf.testing.behaviour import words

EOS: Final = "</s>"

_LISTED: Final = (3, 2)
_NAMED: Final = (2, 4)
_MARKED: Final = (2, 2)


def tool_call(
    version: tuple[int, ...], name: str, arguments: Mapping[str, object]
) -> dict[str, object]:
    """Return a whole call: arguments as text and a textual id from 3.2 on."""
    textual = version >= _LISTED
    function = {
        "description": None,
        "name": name,
        "arguments": json.dumps(arguments) if textual else dict(arguments),
    }
    return {"id": "0" if textual else 0, "type": "function", "function": function}


def tool_choices(
    version: tuple[int, ...], name: str, arguments: Mapping[str, object]
) -> list[dict[str, object]]:
    """Return the streamed pieces of a call; from 2.2 on the end reason is never set.

    Before 2.4 the pieces are what the grammar made, the end mark included, and there
    is no name; before 3.2 a piece is no list and its index counts.
    """
    grammar = version < _NAMED
    listed = version >= _LISTED
    made = json.dumps({"function": {"_name": name, **arguments}}) + EOS
    choices: list[dict[str, object]] = []
    for at, piece in enumerate(words(made if grammar else json.dumps(arguments))):
        call: dict[str, object] = {
            "index": 0 if listed else at,
            "id": "0" if listed else "",
            "type": "function",
            "function": {"name": None if at or grammar else name, "arguments": piece},
        }
        calls: object = [call] if listed else call
        delta = {"role": "assistant", "tool_calls": calls}
        choices.append(
            {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
        )
    if version < _MARKED:
        # Without an end mark, the reason is the only end.
        choices[-1]["finish_reason"] = "eos_token"
    return choices
