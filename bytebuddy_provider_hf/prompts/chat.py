"""Arrange a conversation for a family: as messages, or as the raw prompt."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from bytebuddy_provider_hf import texts
from bytebuddy_provider_hf.errors import InvalidOption, UnsupportedRole
from bytebuddy_provider_hf.prompts import chat_tools
from bytebuddy_provider_hf.prompts.families import load_families
from bytebuddy_provider_hf.prompts.family import (
    ChatFormat,
    Family,
    ModelKind,
    Rendered,
    SystemPlace,
    ToolStyle,
    Wrap,
)
from bytebuddy_provider_hf.prompts.messages import message_text
from bytebuddy_provider_hf.prompts.special_tokens import Escaper
from bytebuddy_provider_hf.types import ImagePart, Message, TextPart


@frozen
class _Turn:
    """A turn about to be written: who speaks, what, and between which marks."""

    role: str
    text: str
    wrap: Wrap


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
    turns = list(messages)
    notes: tuple[str, ...] = ()
    system = [m for m in messages if m.role == "system"]
    # Llama 2's template puts it into the first turn itself, between marks of its own.
    leads = form.system_place is SystemPlace.FIRST and not form.system_in_user[0]
    if system and (leads or form.system_place is SystemPlace.NOWHERE):
        turns = [m for m in messages if m.role != "system"]
        if leads:
            if not any(m.role == "user" for m in turns):
                turns.insert(0, Message("user"))
            first = next(i for i, m in enumerate(turns) if m.role == "user")
            turns[first] = _join([*system, turns[first]], form.system_in_user[1])
        else:
            notes = (texts.text("prompts.no_system", name=family.said_name),)
    if not form.strict_alternation:
        return tuple(turns), notes
    merged: list[Message] = []
    for message in turns:
        same = merged and merged[-1].role == message.role
        # A call and its result belong together: nothing is joined over them.
        called = same and (merged[-1].tool_calls or message.tool_calls)
        if same and not called and message.role in ("user", "assistant"):
            merged[-1] = _join([merged[-1], message], "\n\n")
        else:
            merged.append(message)
    return tuple(merged), notes


def _join(messages: Sequence[Message], between: str) -> Message:
    """Return the last message with the content of all."""
    if all(isinstance(m.content, str) for m in messages):
        said = [m.content for m in messages if isinstance(m.content, str)]
        return evolve(messages[-1], content=between.join(filter(None, said)))
    parts: list[TextPart | ImagePart] = []
    for message in messages:
        content = message.content
        parts += [TextPart(content)] if isinstance(content, str) else content
    return evolve(messages[-1], content=tuple(parts))


def special_tokens_of(family: Family) -> tuple[str, ...]:
    """Return every text that acts as a token or mark in a chat prompt of ``family``.

    What :func:`render_chat` escapes of them, ``special_tokens.unescape`` restores in
    the answer.
    """
    own = _format_of(family).specials
    fim = family.fim.specials if family.fim else ()
    edit = family.edit.specials if family.edit else ()
    return tuple(dict.fromkeys((*own, *fim, *edit)))


def render_chat(family: Family, messages: Sequence[Message]) -> Rendered:
    """Render ``messages`` as the family's official template does, without its BOS.

    A system message goes into a user's turn where the family has no system role, and
    neighbours of one role are joined where roles must alternate. A base model gets a
    plain transcript. A last message of the assistant is left open for the model to go
    on with. Tokens of the family inside a text are escaped so that they cannot act, and
    ``notes`` names them.

    Raises ``UnsupportedRole`` for a model that cannot write, for images, and for calls
    of tools where the family's template has none; ``InvalidOption`` for no messages.
    """
    form, notes = _usable_format(family, messages)
    escaper = Escaper(special_tokens_of(family))
    system, rest, ending = _split(messages, form, escaper)
    if form.tools is ToolStyle.LLAMA:
        apart = chat_tools.one_call_a_turn(rest)
        if len(apart) != len(rest):
            notes.append(texts.text("prompts.one_call_a_turn"))
        rest = apart
    # Qwen's template writes parallel results into one turn of the user.
    joins = {"tool": "\n"} if form.tools is ToolStyle.HERMES else {}
    if form.strict_alternation:
        joins |= {"user": "\n\n", "assistant": "\n\n"}
    turns: list[_Turn] = []
    for turn in (turn for m in rest for turn in _turns_of(m, form, escaper)):
        if turns and turn.role in joins and turns[-1].role == turn.role:
            text = joins[turn.role].join((turns[-1].text, turn.text))
            turns[-1] = evolve(turns[-1], text=text)
        else:
            turns.append(turn)
    if system is not None and form.system_place is SystemPlace.NOWHERE:
        notes.append(texts.text("prompts.no_system", name=family.said_name))
    turns = _with_system(turns, system, form)
    if escaper.found:
        names = ", ".join(repr(token) for token in escaper.found)
        notes.append(texts.text("prompts.marks_broken", names=names))
    prompt = "".join(turn.wrap[0] + turn.text + turn.wrap[1] for turn in turns)
    return Rendered(prompt + ending, form.stops, tuple(notes))


def _usable_format(
    family: Family, messages: Sequence[Message]
) -> tuple[ChatFormat, list[str]]:
    """Return the format that writes these messages, with notes, or refuse them."""
    if family.kind is ModelKind.MASK:
        raise UnsupportedRole(
            texts.text("prompts.fills_masks", family=family.said_name),
            hint=texts.text("prompts.fills_masks_hint"),
        )
    if family.kind is ModelKind.EMBEDDING:
        raise UnsupportedRole(
            texts.text("prompts.makes_vectors", family=family.said_name),
            hint=texts.text("prompts.makes_vectors_hint"),
        )
    if not messages:
        raise InvalidOption(
            texts.text("prompts.no_message"), hint=texts.text("prompts.no_message_hint")
        )
    form = _format_of(family)
    if form.tools is None and any(m.role == "tool" or m.tool_calls for m in messages):
        raise UnsupportedRole(
            texts.text("prompts.no_tools", family=family.said_name),
            hint=texts.text("prompts.no_tools_hint"),
        )
    said = sum(message.role != "system" for message in messages)
    if family.kind is ModelKind.SEQ2SEQ and said <= 1:
        # FLAN-T5 learned instructions without a mark; only several turns need names.
        bare = evolve(form, user=("", ""), generation_prompt="", stops=())
        return bare, []
    if family.chat is not None:
        return form, []
    return form, [texts.text("prompts.transcript", name=family.said_name)]


def _format_of(family: Family) -> ChatFormat:
    # A base model continues a transcript best; none was trained on a template.
    return family.chat or load_families().chat_formats["transcript"]


def _split(
    messages: Sequence[Message], form: ChatFormat, escaper: Escaper
) -> tuple[str | None, Sequence[Message], str]:
    """Return the system message, the messages after it, and the end of the prompt.

    The first is ``None`` where neither the messages nor the format have one; an empty
    message silences the format's default, as in the templates themselves. Last texts of
    the assistant are no messages then: they stand at the end, to be continued.
    """
    roles = [m.role for m in messages]
    count = next((i for i, role in enumerate(roles) if role != "system"), len(roles))
    system: str | None = form.default_system or None
    if count:
        # The templates know one system message, at the beginning.
        said = "\n\n".join(escaper.escape(message_text(m)) for m in messages[:count])
        said = said.strip() if form.strip else said
        system = said if said or form.default_system else None
    begun = len(messages)
    # A call is complete; only a text can be continued.
    while begun > count and roles[begun - 1] == "assistant":
        if messages[begun - 1].tool_calls:
            break
        begun -= 1
    open_texts = [escaper.escape(message_text(m)) for m in messages[begun:]]
    text = "\n\n".join(filter(None, open_texts))
    ending = form.continue_prompt + text if text else form.generation_prompt
    return system, messages[count:begun], ending


def _turns_of(message: Message, form: ChatFormat, escaper: Escaper) -> list[_Turn]:
    """Return the turns that write a message; calls may need one of their own."""
    text = message_text(message)
    style = form.tools
    if style is not None and message.role == "tool":
        result = chat_tools.result(style, text, message.tool_call_id, escaper.escape)
        return [_Turn("tool", result, form.tool or form.user)]
    text = escaper.escape(text)
    if form.strip:
        text = text.strip()
    if message.role == "assistant":
        said = _Turn("assistant", text, form.assistant)
        if style is None or not message.tool_calls:
            return [said]
        calls = chat_tools.calls(style, message.tool_calls, escaper.escape)
        if style is ToolStyle.HERMES:
            both = "\n".join(filter(None, (text, calls)))
            return [_Turn("assistant", both, form.assistant)]
        calling = _Turn("call", calls, form.calls or form.assistant)
        return [said, calling] if text else [calling]
    # A later system message has a turn of its own only where the roles are free.
    keeps = form.system_place is SystemPlace.TURN and not form.strict_alternation
    if message.role == "system" and keeps:
        return [_Turn("system", text, form.system)]
    return [_Turn("user", text, form.user)]


def _with_system(
    turns: list[_Turn], system: str | None, form: ChatFormat
) -> list[_Turn]:
    """Return the turns with the system message where the format has its place."""
    own_turn = form.system_place is SystemPlace.TURN
    user_first = bool(turns) and turns[0].role == "user"
    alone = own_turn and bool(system) and not turns
    if form.strict_alternation and form.user[0] and not user_first and not alone:
        # The templates raise where a user does not begin: the question stays empty.
        turns = [_Turn("user", "", form.user), *turns]
    if own_turn:
        text = form.system_head + (system or "")
        if text or system is not None:
            turns = [_Turn("system", text, form.system), *turns]
    elif system is not None and form.system_place is not SystemPlace.NOWHERE:
        places = [i for i, turn in enumerate(turns) if turn.role == "user"]
        if places:
            at = places[-1 if form.system_place is SystemPlace.LAST else 0]
            opening, closing = form.system_in_user
            text = opening + system + closing + turns[at].text
            turns = [*turns[:at], evolve(turns[at], text=text), *turns[at + 1 :]]
    return turns
