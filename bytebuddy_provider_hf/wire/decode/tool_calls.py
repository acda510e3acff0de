"""Tool calls, whole and in pieces."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

import msgspec

from bytebuddy_provider_hf.lenient_json import (
    lenient_integer,
    lenient_map,
    lenient_text,
)
from bytebuddy_provider_hf.types import ToolCall

# What TGI calls a function whose name it does not tell: 1.4.3 to 2.0.0, 2.0.1 to 2.2.
UNNAMED: Final = ("", "tools", "default_function_name")


class FunctionPiece(msgspec.Struct):
    """The function part of a tool call, whole or in pieces."""

    name: str | None = None
    # TGI before 3.2 sends an object here instead of JSON text.
    arguments: str | dict[str, object] | None = None
    # What TGI 1.4 to 2.0.3 calls the arguments.
    parameters: str | dict[str, object] | None = None


class ToolPiece(msgspec.Struct):
    """A tool call, whole or in pieces."""

    index: int | None = None
    id: str | int | None = None
    function: FunctionPiece | None = None


def arguments_text(value: str | dict[str, object] | None) -> str:
    """Return the arguments of a call as JSON text, whatever form they came in."""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return value or ""


def arguments_of(piece: FunctionPiece) -> str:
    """Return the arguments in a piece, under the name of either time."""
    given = piece.parameters if piece.arguments is None else piece.arguments
    return arguments_text(given)


def named_call(call_id: str, name: str, arguments: str) -> ToolCall:
    """Return a tool call; the name is taken out of the arguments where it is there.

    TGI 1.4.5 to 2.3 streams the text that its grammar made, the end mark of the
    model included: ``{"function": {"_name": "f", "x": 1}}</s>``. Before 2.0.1 there
    is no ``_name`` in it.
    """
    if not name and arguments.lstrip()[:1] == "{":
        try:
            value, _ = json.JSONDecoder().raw_decode(arguments.lstrip())
        except (ValueError, RecursionError):
            value = None
        inner = value.get("function") if isinstance(value, dict) else None
        if isinstance(inner, dict) and len(value) == 1:
            found = inner.get("_name")
            rest = {key: inner[key] for key in inner if key != "_name"}
            known = found if isinstance(found, str) else ""
            return ToolCall(call_id, known, arguments_text(rest))
    return ToolCall(call_id, name, arguments)


def lenient_tool(value: Mapping[str, object]) -> ToolPiece:
    """Return what can be used of a tool call."""
    given = value.get("id")
    return ToolPiece(
        index=lenient_integer(value.get("index")),
        id=given if isinstance(given, str | int) else None,
        function=lenient_map(value.get("function"), _pick_function),
    )


def _pick_function(value: Mapping[str, object]) -> FunctionPiece:
    return FunctionPiece(
        name=lenient_text(value.get("name")),
        arguments=_arguments(value.get("arguments")),
        parameters=_arguments(value.get("parameters")),
    )


def _arguments(value: object) -> str | dict[str, object] | None:
    return value if isinstance(value, str | dict) else None
