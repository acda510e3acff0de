"""A conversation as the raw prompt of a model, by its family's template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import evolve, frozen

from bytebuddy_provider_hf.errors import InvalidOption, UnsupportedRole
from bytebuddy_provider_hf.prompts import chat_tools
from bytebuddy_provider_hf.prompts.chat_format import (
    ChatFormat,
    SystemPlace,
    ToolStyle,
    Wrap,
)
from bytebuddy_provider_hf.prompts.family import Family, ModelKind
from bytebuddy_provider_hf.prompts.more_chat_formats import TRANSCRIPT
from bytebuddy_provider_hf.prompts.rendered import Rendered
from bytebuddy_provider_hf.prompts.special_tokens import escape
from bytebuddy_provider_hf.types import Message, TextPart, Tool

_CHOOSE: Final = "or choose a model that was trained to chat."
_REFUSALS: Final = {
    ModelKind.MASK: (
        "fills in one masked word; it cannot write an answer",
        f'Ask it with task("fill-mask", …), {_CHOOSE}',
    ),
    ModelKind.EMBEDDING: (
        "turns text into vectors; it cannot write an answer",
        f'Give its entry `roles: ["embed"]`, {_CHOOSE}',
    ),
}
_OWN_TEMPLATE: Final = (
    "Ask a server that applies the model's own template (an address that answers "
    "/v1/chat/completions), or leave the {what} out."
)


@frozen
class _Turn:
    """A turn about to be written: who speaks, what, and between which marks."""

    role: str
    text: str
    wrap: Wrap


def special_tokens_of(family: Family) -> tuple[str, ...]:
    """Return every text that acts as a token or mark in a chat prompt of ``family``.

    What :func:`render_chat` breaks, ``specials.restored`` mends in the answer.
    """
    own = (family.chat or TRANSCRIPT).specials
    fim = family.fim.specials if family.fim else ()
    edit = family.edit.specials if family.edit else ()
    return tuple(dict.fromkeys((*own, *fim, *edit)))


def render_chat(
    family: Family, messages: Sequence[Message], *, tools: Sequence[Tool] = ()
) -> Rendered:
    """Render ``messages`` as the family's official template does, without its BOS.

    A system message goes into a user's turn where the family has no system role, and
    neighbours of one role are joined where roles must alternate. A base model gets a
    plain transcript. A last message of the assistant is left open for the model to go
    on with. Tokens of the family inside a text are broken so that they cannot act, and
    ``notes`` names them.

    Raises ``UnsupportedRole`` for a model that cannot write, for images, and for tools
    where the family's template has none; ``InvalidOption`` for no messages.
    """
    if family.kind in _REFUSALS:
        reason, hint = _REFUSALS[family.kind]
        raise UnsupportedRole(
            f"a model of the family {family.name} {reason}", hint=hint
        )
    if not messages:
        raise InvalidOption("a conversation needs a message", hint="Give at least one.")
    form = family.chat or TRANSCRIPT
    if family.kind is ModelKind.SEQ2SEQ:
        form = _instruction(form, messages)
    return _ChatRenderer(family, form, tools).rendered(messages)


def _instruction(form: ChatFormat, messages: Sequence[Message]) -> ChatFormat:
    """Return a format of no words at all where there is one question."""
    if sum(message.role != "system" for message in messages) > 1:
        return form
    return evolve(
        form, name="instruction", user=("", ""), generation_prompt="", stops=()
    )


class _ChatRenderer:
    """One conversation being written in one format."""

    def __init__(self, family: Family, form: ChatFormat, tools: Sequence[Tool]) -> None:
        self._family = family
        self._form = form
        self._tools = tools
        self._specials = special_tokens_of(family)
        self._found: dict[str, None] = {}
        self._notes: list[str] = []

    def rendered(self, messages: Sequence[Message]) -> Rendered:
        self._check_tools(messages)
        if self._form.name == TRANSCRIPT.name:
            self._notes.append(
                f"{self._family.name} models have no chat template: "
                "the conversation was written as a plain transcript."
            )
        system, rest = self._system_and_rest(messages)
        ending, rest = self._ending(rest)
        turns = self._merged(self._turns(rest))
        prompt = "".join(
            turn.wrap[0] + turn.text + turn.wrap[1]
            for turn in self._with_system(system, turns)
        )
        return Rendered(prompt + ending, self._form.stops, self._told())

    def _told(self) -> tuple[str, ...]:
        if not self._found:
            return tuple(self._notes)
        names = ", ".join(repr(token) for token in self._found)
        broken = (
            f"The text held {names}, which the model reads as its own marks: an "
            "invisible character was put in, so that they cannot act."
        )
        return (*self._notes, broken)

    def _harmless(self, text: str) -> str:
        clean, found = escape(text, self._specials)
        self._found.update(dict.fromkeys(found))
        return clean

    def _check_tools(self, messages: Sequence[Message]) -> None:
        used = any(m.role == "tool" or m.tool_calls for m in messages)
        if (used or self._tools) and self._form.tools is None:
            raise UnsupportedRole(
                f"no way to write tools for the family {self._family.name} is known",
                hint=_OWN_TEMPLATE.format(what="tools"),
            )

    def _text(self, message: Message) -> str:
        if isinstance(message.content, str):
            return message.content
        parts = [p.text for p in message.content if isinstance(p, TextPart)]
        if len(parts) != len(message.content):
            raise UnsupportedRole(
                "a raw prompt cannot carry an image",
                hint=_OWN_TEMPLATE.format(what="image"),
            )
        return "\n".join(parts)

    def _system_and_rest(
        self, messages: Sequence[Message]
    ) -> tuple[str | None, list[Message]]:
        """Return the text of the leading system messages, and the other messages."""
        first = next(
            (i for i, m in enumerate(messages) if m.role != "system"), len(messages)
        )
        said = [self._harmless(self._text(m)) for m in messages[:first]]
        system = "\n\n".join(said) if said else None
        if self._form.strip and system is not None:
            system = system.strip()
        return system, list(messages[first:])

    def _ending(self, messages: list[Message]) -> tuple[str, list[Message]]:
        """Return what the prompt ends with, and the messages that come before it."""
        begun = len(messages)
        while begun and messages[begun - 1].role == "assistant":
            if messages[begun - 1].tool_calls:
                break
            begun -= 1
        texts = [self._harmless(self._text(m)) for m in messages[begun:]]
        text = "\n\n".join(filter(None, texts))
        if text:
            return self._form.prefill + text, messages[:begun]
        return self._form.generation_prompt, messages[:begun]

    def _turns(self, messages: list[Message]) -> list[_Turn]:
        style = self._form.tools
        if style is ToolStyle.LLAMA:
            apart = chat_tools.one_call_a_turn(messages)
            if len(apart) != len(messages):
                self._notes.append(
                    "Llama 3.1's template takes one tool call a turn: "
                    "parallel calls were written one after the other."
                )
            messages = apart
        turns: list[_Turn] = []
        for message in messages:
            turns += self._written(message, style)
        return turns

    def _written(self, message: Message, style: ToolStyle | None) -> list[_Turn]:
        text = self._text(message)
        if style is not None and message.role == "tool":
            told = chat_tools.result(style, text, message.tool_call_id, self._harmless)
            return [_Turn("tool", told, self._form.tool or self._form.user)]
        clean = self._harmless(text)
        if self._form.strip:
            clean = clean.strip()
        if style is None or not message.tool_calls:
            return [self._plain(message.role, clean)]
        asked = chat_tools.calls(style, message.tool_calls, self._harmless)
        if style is ToolStyle.HERMES:
            joined = "\n".join(filter(None, (clean, asked)))
            return [_Turn("assistant", joined, self._form.assistant)]
        calling = _Turn("call", asked, self._form.calls or self._form.assistant)
        return [self._plain("assistant", clean), calling] if clean else [calling]

    def _plain(self, role: str, text: str) -> _Turn:
        form = self._form
        if role == "assistant":
            return _Turn(role, text, form.assistant)
        keeps = form.system_place is SystemPlace.TURN and not form.strict_alternation
        if role == "system" and keeps:
            return _Turn(role, text, form.system)
        return _Turn("user", text, form.user)

    def _merged(self, turns: list[_Turn]) -> list[_Turn]:
        """Join neighbours that the format wants in one turn."""
        joins = {"tool": "\n"} if self._form.tools is ToolStyle.HERMES else {}
        if self._form.strict_alternation:
            joins |= {"user": "\n\n", "assistant": "\n\n"}
        merged: list[_Turn] = []
        for turn in turns:
            if merged and turn.role in joins and merged[-1].role == turn.role:
                text = joins[turn.role].join((merged[-1].text, turn.text))
                merged[-1] = evolve(merged[-1], text=text)
            else:
                merged.append(turn)
        return merged

    def _with_system(self, system: str | None, turns: list[_Turn]) -> list[_Turn]:
        form = self._form
        if system is None:
            system = form.default_system or None
        elif not system and not form.default_system:
            system = None
        turns = self._ensure_user_first(turns, system)
        if form.system_place is SystemPlace.TURN:
            return self._insert_tools(self._system_turn(system) + turns)
        if system is not None and form.system_place is SystemPlace.NOWHERE:
            self._notes.append(
                f"{self._family.name} models know no system message: it was left out."
            )
        elif system is not None:
            folded = form.system_in_user[0] + system + form.system_in_user[1]
            turns = _prepend(turns, folded, last=form.system_place is SystemPlace.LAST)
        return self._insert_tools(turns)

    def _ensure_user_first(self, turns: list[_Turn], system: str | None) -> list[_Turn]:
        """Put an empty question where the template wants one and there is none."""
        form = self._form
        wanted = form.strict_alternation and form.user[0]
        if not wanted or (turns and turns[0].role == "user"):
            return turns
        if form.system_place is SystemPlace.TURN and system and not turns:
            return turns
        return [_Turn("user", "", form.user), *turns]

    def _system_turn(self, system: str | None) -> list[_Turn]:
        form = self._form
        texts = [] if system is None else [system]
        if self._tools and form.tools is ToolStyle.HERMES:
            texts.append(
                chat_tools.definitions(form.tools, self._tools, self._harmless)
            )
        text = form.system_head + "\n\n".join(filter(None, texts))
        if self._tools and form.tools is ToolStyle.LLAMA:
            text = chat_tools.LLAMA_ENVIRONMENT + text
        if not text and not texts:
            return []
        return [_Turn("system", text, form.system)]

    def _insert_tools(self, turns: list[_Turn]) -> list[_Turn]:
        """Put the tools where the format has them outside the system's turn."""
        form = self._form
        if not self._tools or form.tools in {None, ToolStyle.HERMES}:
            return turns
        style = form.tools or ToolStyle.HERMES
        offer = chat_tools.definitions(style, self._tools, self._harmless)
        if style is ToolStyle.LLAMA:
            return _prepend(turns, offer, last=False)
        block = _Turn("tools", offer, form.definitions or ("", ""))
        users = [i for i, turn in enumerate(turns) if turn.role == "user"]
        place = users[-1] if users and style is ToolStyle.MISTRAL else 0
        return [*turns[:place], block, *turns[place:]]


def _prepend(turns: list[_Turn], text: str, *, last: bool) -> list[_Turn]:
    """Return the turns with ``text`` before what the first or last user says."""
    users = [i for i, turn in enumerate(turns) if turn.role == "user"]
    if not users:
        return turns
    place = users[-1 if last else 0]
    led = evolve(turns[place], text=text + turns[place].text)
    return [*turns[:place], led, *turns[place + 1 :]]
