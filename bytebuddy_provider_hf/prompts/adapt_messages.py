"""A conversation arranged so that a server's own template takes it."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from bytebuddy_provider_hf.prompts.chat_format import ChatFormat, SystemPlace
from bytebuddy_provider_hf.prompts.family import Family
from bytebuddy_provider_hf.types import ImagePart, Message, TextPart


def adapt_messages(
    family: Family, messages: Sequence[Message]
) -> tuple[tuple[Message, ...], tuple[str, ...]]:
    """Return the messages as the family's template wants them, and what was changed.

    Templates of families without a system role raise on one (Mixtral's, Gemma's), and
    those whose roles must alternate on two turns of one role. There the system message
    goes in front of the first user turn, and neighbours become one turn.
    """
    form = family.chat
    if form is None:
        return tuple(messages), ()
    turns, notes = _without_system(family.name, form, list(messages))
    if form.strict_alternation:
        turns = _alternating(turns)
    return tuple(turns), notes


def _without_system(
    name: str, form: ChatFormat, messages: list[Message]
) -> tuple[list[Message], tuple[str, ...]]:
    said = [m for m in messages if m.role == "system"]
    # Llama 2's template folds it by itself, into marks of its own.
    folds = form.system_place is SystemPlace.FIRST and not form.system_in_user[0]
    if not said or not (folds or form.system_place is SystemPlace.NOWHERE):
        return messages, ()
    rest = [m for m in messages if m.role != "system"]
    first = next((i for i, m in enumerate(rest) if m.role == "user"), None)
    if not folds:
        return rest, (f"{name} models know no system message: it was left out.",)
    if first is None:
        rest.insert(0, Message("user"))
        first = 0
    rest[first] = _joined(
        [*(evolve(m, role="user") for m in said), rest[first]], form.system_in_user[1]
    )
    return rest, ()


def _alternating(messages: list[Message]) -> list[Message]:
    turns: list[Message] = []
    for message in messages:
        if turns and _joins(turns[-1], message):
            turns[-1] = _joined([turns[-1], message], "\n\n")
        else:
            turns.append(message)
    return turns


def _joins(before: Message, after: Message) -> bool:
    """Whether two turns may become one: of one role, and no part of a tool's call."""
    plain = before.role in ("user", "assistant") and before.role == after.role
    return plain and not (before.tool_calls or after.tool_calls)


def _joined(messages: Sequence[Message], between: str) -> Message:
    if all(isinstance(m.content, str) for m in messages):
        texts = [m.content for m in messages if isinstance(m.content, str)]
        return evolve(messages[-1], content=between.join(filter(None, texts)))
    parts: list[TextPart | ImagePart] = []
    for message in messages:
        content = message.content
        parts += [TextPart(content)] if isinstance(content, str) else content
    return evolve(messages[-1], content=tuple(parts))
