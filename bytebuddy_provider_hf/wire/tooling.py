"""Tools and the choice among them, in the words of each server.

TGI: router/src/lib.rs and infer/tool_grammar.rs of v1.4.3 to v3.3.7. It takes the name
of a tool as a bare text in every version, the object of OpenAI's not in 2.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.types import Tool
from bytebuddy_provider_hf.wire.body_parts import (
    EMPTY_PART,
    TGI_ENGINES,
    BodyPart,
    is_older,
    server_name,
    unsupported_by,
)
from bytebuddy_provider_hf.wire.server import Engine, Server

_WORDS: Final = ("auto", "none", "required")
_NAME_IT: Final = "Name the tool to call in tool_choice."


def tools_param(
    tools: Sequence[Tool],
    choice: str | None,
    server: Server,
    *,
    parallel: bool | None = None,
) -> BodyPart:
    """Return what offers ``tools`` to a server.

    ``choice`` is auto, none, required or the name of a tool; ``parallel`` allows
    several calls at once. Raises ``InvalidOption`` for a choice that there is not,
    ``UnsupportedRole`` for a server that cannot take tools.
    """
    _check(tools, choice)
    if not tools:
        return EMPTY_PART
    if server.engine in TGI_ENGINES:
        return _tgi(tools, choice, server, parallel=parallel)
    if server.engine is Engine.TRANSFORMERS:
        return _transformers(tools, choice, server)
    if server.engine is Engine.LLAMA_CPP and choice not in (None, *_WORDS):
        # It reads a text only, and takes anything else for "auto".
        tools, choice = [_called(tools, choice)], "required"
    body: dict[str, object] = {"tools": [_tool(tool) for tool in tools]}
    if choice is not None:
        body["tool_choice"] = choice if choice in _WORDS else _named(choice)
    if parallel is not None:
        body["parallel_tool_calls"] = parallel
    return BodyPart(body)


def only_tool(tools: Sequence[Tool], choice: str | None) -> str:
    """Return the name of the tool that any call must be to; empty where several may."""
    if choice is not None and choice not in _WORDS:
        return choice
    return tools[0].name if len(tools) == 1 else ""


def _check(tools: Sequence[Tool], choice: str | None) -> None:
    names = [tool.name for tool in tools]
    if choice is None or choice in names or (choice in _WORDS and tools):
        return
    if choice in _WORDS:
        if choice != "none":
            raise InvalidOption(
                f"tool_choice {choice!r} is given without tools.",
                hint="Pass the tools that the model may call.",
            )
        return
    raise InvalidOption(
        f"No tool is called {choice!r}.",
        hint=f"tool_choice is auto, none, required or one of: {', '.join(names)}.",
    )


def _tgi(
    tools: Sequence[Tool],
    choice: str | None,
    server: Server,
    *,
    parallel: bool | None,
) -> BodyPart:
    if is_older(server, 1, 4, 3):
        raise unsupported_by(server, "call tools", "It can from version 1.4.3 on.")
    if choice == "none":
        # Before 2.2 the word would be looked for among the tools.
        return EMPTY_PART
    notes: list[str] = []
    if parallel:
        notes.append(f"{server_name(server)} calls one tool at a time.")
    sent = _tgi_choice(tools, choice, server, notes)
    body: dict[str, object] = {"tools": [_tool(tool) for tool in tools]}
    if sent is not None:
        body["tool_choice"] = sent
    return BodyPart(body, tuple(notes))


def _tgi_choice(
    tools: Sequence[Tool], choice: str | None, server: Server, notes: list[str]
) -> str | None:
    """Return what stands for the choice in TGI's words."""
    if choice not in (None, *_WORDS):
        return choice
    if choice != "required" and is_older(server, 2, 4):
        notes.append(
            f"{server_name(server)} always calls a tool when it is given some."
        )
    if not is_older(server, 2, 4, 1):
        return choice
    if len(tools) == 1 and (choice == "required" or is_older(server, 2, 2)):
        return tools[0].name
    if is_older(server, 2, 0, 1):
        raise unsupported_by(server, "tell which of several tools it called", _NAME_IT)
    if is_older(server, 2, 2) and not is_older(server, 2, 1):
        raise unsupported_by(server, "choose among several tools", _NAME_IT)
    if choice == "required" and not is_older(server, 2, 4):
        notes.append(f"{server_name(server)} does not know tool_choice 'required'.")
    # Without the word, tools are left out before 2.1.
    return "auto"


def _transformers(
    tools: Sequence[Tool], choice: str | None, server: Server
) -> BodyPart:
    if choice == "none":
        return EMPTY_PART
    if choice not in (None, "auto"):
        hint = "Leave tool_choice out, and ask for the call in the message."
        raise unsupported_by(server, "be told which tool to call", hint)
    return BodyPart({"tools": [_tool(tool) for tool in tools]})


def _called(tools: Sequence[Tool], name: str | None) -> Tool:
    return next(tool for tool in tools if tool.name == name)


def _named(name: str) -> dict[str, object]:
    return {"type": "function", "function": {"name": name}}


def _tool(tool: Tool) -> dict[str, object]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
    }
    return {"type": "function", "function": function}
