"""How a family writes a conversation, as data."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from attrs import frozen

# What stands before and after the text of a turn.
Wrap: TypeAlias = tuple[str, str]


class SystemPlace(StrEnum):
    """Where a system message goes."""

    TURN = "its own turn"
    FIRST = "the first user turn"
    LAST = "the last user turn"
    NOWHERE = "nowhere"


class ToolStyle(StrEnum):
    """How definitions, calls and results of tools are written."""

    HERMES = "<tools> and <tool_call> tags"
    LLAMA = "JSON, results by ipython"
    MISTRAL = "[AVAILABLE_TOOLS] and [TOOL_CALLS]"
    GRANITE = "available_tools and <|tool_call|>"


@frozen
class ChatFormat:
    """One chat template.

    ``user``, ``assistant``, ``system`` and ``tool`` wrap the text of a turn. The prompt
    ends with ``generation_prompt``, after which the model answers; an answer that was
    begun follows ``continue_prompt`` instead, which is what ``assistant`` starts with
    unless said. ``system_in_user`` wraps a system message that goes into a user's turn.
    ``system_head`` leads every system turn and calls for one. With ``tools`` the family
    was trained on tools: ``definitions``, ``calls`` and ``tool`` wrap what is offered,
    what the model asked for and what came of it, where that is no part of another turn.
    ``stops`` end a turn, ``specials`` act as tokens or marks inside a prompt; ``bos``
    is left to the server's tokenizer. ``source`` says where the strings stand.
    """

    name: str
    user: Wrap
    assistant: Wrap
    generation_prompt: str
    system: Wrap = ("", "")
    tool: Wrap | None = None
    continue_prompt: str | None = None
    system_place: SystemPlace = SystemPlace.TURN
    system_in_user: Wrap = ("", "\n\n")
    default_system: str = ""
    system_head: str = ""
    strict_alternation: bool = False
    strip: bool = False
    tools: ToolStyle | None = None
    definitions: Wrap | None = None
    calls: Wrap | None = None
    bos: str = ""
    stops: tuple[str, ...] = ()
    specials: tuple[str, ...] = ()
    source: str = ""

    @property
    def prefill(self) -> str:
        """What stands before an answer that was begun and is to go on."""
        return (
            self.assistant[0] if self.continue_prompt is None else self.continue_prompt
        )
