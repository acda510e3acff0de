"""Servers: what a probe found out of one, and how an OpenAI-style one is asked.

What holds for most servers stands here. Each kind that differs is a subclass in a file
of ``wire/dialects``, which overrides what it takes, names and does differently; nothing
outside that folder asks which kind a server is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import ClassVar, Final, TypeAlias

from attrs import evolve, frozen

from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.errors import InvalidOption, UnsupportedRole
from bytebuddy_provider_hf.sampling import BY_NAME
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Message, ResponseFormat, Tool
from bytebuddy_provider_hf.wire.body_parts import (
    EMPTY_PART,
    BodyPart,
    JsonForm,
    encode_message,
    encode_tool,
)
from bytebuddy_provider_hf.wire.http_request import json_body, root_url
from bytebuddy_provider_hf.wire.notes import Note
from bytebuddy_provider_hf.wire.route_options import (
    MOST_ALTERNATIVES,
    NAMES,
    RouteOptions,
)

# OpenAI's documented limit, and the default of TGI's --max-stop-sequences.
MAX_STOPS: Final = 4
# The words of ``tool_choice`` that are no tool's name.
TOOL_WORDS: Final = ("auto", "none", "required")

# Where nearly every server has its OpenAI routes, below its own root.
OPENAI_BASE: Final = "/v1"

# Members that nobody asked for: one may be refused, the other demanded.
ENCODING: Final = "encoding_format"
TOP_N: Final = "top_n"

_LARGEST_COUNT: Final = 2**31
_VERSION: Final = re.compile(
    r"v?([0-9]{1,6})\.([0-9]{1,6})(?:\.([0-9]{1,6}))?", re.ASCII
)

# A path beside the OpenAI routes, and the body that is sent there.
TokenizeRequest: TypeAlias = tuple[str, Mapping[str, object]]


class ScoringApi(Enum):
    """TEI's own routes, the task API, or what OpenAI-style servers have."""

    TEI = auto()
    TASKS = auto()
    OPENAI = auto()


@frozen
class Server:
    """An OpenAI-style server, and what a probe found out; ``None``: it did not say.

    ``model`` is the name of its (first) model, ``model_names`` all names that it lists.
    ``loaded_model`` is the id of the model it loaded, where that is no name to ask it
    by (TGI), ``revision`` the commit of its weights. ``context_length`` counts tokens
    of prompt and answer together, ``max_input`` those of the prompt. ``routes`` are
    names out of chat, completions, generate, tasks, embeddings, embed, rerank,
    classify, infill; ``openai_base`` is the path before those of OpenAI's.
    ``abilities`` are what each model can do, by its name, where the list tells.
    ``notes`` are what every answer's reader should know. Of the members that nobody
    asked for, ``left_out`` are those that it refused, ``demanded`` those that it must
    have.
    """

    # Its name in sentences, and in the file that keeps what probes found.
    name: ClassVar[str] = "an OpenAI-style server"
    # Whether /v1/models says ``owned_by`` one of these, in lower case.
    owners: ClassVar[frozenset[str]] = frozenset()
    usual_routes: ClassVar[frozenset[str]] = frozenset({"chat", "completions"})

    # Off is an effort of "none" in OpenAI's protocol, which has no word for on:
    # https://platform.openai.com/docs/api-reference/chat/create; the router's page
    # docs/inference-providers/tasks/chat-completion.md of huggingface/hub-docs has it.
    chat: ClassVar[RouteOptions] = RouteOptions(
        names={
            **NAMES,
            "reasoning": "reasoning_effort",
            "reasoning_effort": "reasoning_effort",
        }
    )
    completions: ClassVar[RouteOptions] = chat.for_prompt()

    # Takes no name but one that it lists (404 otherwise).
    needs_listed_name: ClassVar[bool] = False
    # A bare 404 is about the model, which no other route finds either.
    bare_404_is_model: ClassVar[bool] = False
    scoring_api: ClassVar[ScoringApi] = ScoringApi.OPENAI
    # Whether it may give vectors and scores, and whether it may have a task API.
    may_score: ClassVar[bool] = True
    may_serve_tasks: ClassVar[bool] = True
    # Lists of numbers are right everywhere; base64 only where the server says so.
    embeds_base64: ClassVar[bool] = False
    # What it takes at once where it does not tell.
    usual_batch: ClassVar[int | None] = None

    version: tuple[int, ...] | None = None
    model: str | None = None
    model_names: tuple[str, ...] = ()
    loaded_model: str | None = None
    revision: str | None = None
    context_length: int | None = None
    max_input: int | None = None
    max_stops: int | None = None
    max_batch: int | None = None
    routes: frozenset[str] = frozenset({"chat", "completions"})
    openai_base: str = OPENAI_BASE
    abilities: tuple[tuple[str, tuple[str, ...]], ...] = ()
    notes: tuple[str, ...] = ()
    left_out: frozenset[str] = frozenset()
    demanded: frozenset[str] = frozenset()

    @classmethod
    def from_info(cls, found: Mapping[str, object]) -> Server | None:
        """Return the server that an answer of ``/info`` tells, if it is this kind."""
        del found
        return None

    @classmethod
    def abilities_listed(cls, model: Mapping[str, object]) -> tuple[str, ...]:
        """Return what an entry of its list says that the model can do; none: unknown.

        In the words embed, rerank and classify, and others that no role needs.
        """
        del model
        return ()

    @classmethod
    def said_name(cls, *, first: bool = False) -> str:
        """Return its name as a sentence says it, ``first`` at its beginning."""
        if cls.name == Server.name:
            return text("wire.openai_server_first" if first else "wire.openai_server")
        # Names such as vLLM and llama.cpp keep their small letter.
        capital = first and cls.name.startswith(("t", "i"))
        return cls.name[0].upper() + cls.name[1:] if capital else cls.name

    @property
    def label(self) -> str:
        """Its name and version."""
        return self._with_version(self.said_name())

    @property
    def title(self) -> str:
        """Its name and version, to begin a sentence with."""
        return self._with_version(self.said_name(first=True))

    def _with_version(self, name: str) -> str:
        if not self.version:
            return name
        number = ".".join(map(str, self.version))
        return text("wire.name_version", name=name, number=number)

    @property
    def most_stops(self) -> int:
        """How many stop texts it takes."""
        return MAX_STOPS if self.max_stops is None else max(0, self.max_stops)

    def name_for(self, asked: str) -> str:
        """Return the name to ask for, given the one in the configuration.

        A server with several models is asked for the one configured, unless it serves
        one model under the names that it lists.
        """
        if self.model is None or asked in self.model_names:
            return asked
        several = len(self.model_names) > 1 and not self.needs_listed_name
        return asked if several else self.model

    def at(self, target: Target) -> Target:
        """Return the target with the OpenAI routes where this server has them."""
        base = self.openai_base
        if base == OPENAI_BASE:
            return target
        return evolve(
            target,
            chat_url=root_url(target, f"{base}/chat/completions"),
            completions_url=root_url(target, f"{base}/completions"),
        )

    def require_ability(self, ability: str, asked: str) -> None:
        """Raise ``UnsupportedRole`` where it lists the model for other work only."""
        listed, name = dict(self.abilities), self.name_for(asked)
        known = listed.get(name)
        if not known or ability in known:
            return
        others = [each for each, abilities in listed.items() if ability in abilities]
        raise UnsupportedRole(
            text(
                "wire.other_abilities",
                title=self.title,
                model=name,
                known=", ".join(known),
                ability=ability,
            ),
            hint=text("wire.ask_able_model", models=", ".join(others))
            if others
            else text("wire.start_able_model", ability=ability),
        )

    def unsupported(self, what: str, hint: str) -> UnsupportedRole:
        """Return the refusal of what it would silently leave out, or refuse."""
        return UnsupportedRole(
            text("wire.cannot", label=self.label, what=what), hint=hint
        )

    def options_for(self, route: str) -> RouteOptions:
        """Return what one of ``routes`` takes."""
        return self.chat if route == "chat" else self.completions

    def messages(
        self, messages: Sequence[Message]
    ) -> tuple[list[dict[str, object]], tuple[str, ...]]:
        """Return the messages as it takes them, and what it would not read of them."""
        return [encode_message(message) for message in messages], ()

    def tools(
        self, tools: Sequence[Tool], choice: str | None, *, parallel: bool | None
    ) -> BodyPart:
        """Return what offers ``tools``.

        ``choice`` is auto, none, required or the name of one of them; ``parallel``
        allows several calls at once. Raises ``UnsupportedRole`` for what this server
        cannot do.
        """
        body: dict[str, object] = {"tools": [encode_tool(tool) for tool in tools]}
        if choice in TOOL_WORDS:
            body["tool_choice"] = choice
        elif choice is not None:
            body["tool_choice"] = {"type": "function", "function": {"name": choice}}
        if parallel is not None:
            body["parallel_tool_calls"] = parallel
        return BodyPart(body)

    def json_form(self, form: JsonForm, route: str, *, tools: bool) -> BodyPart:
        """Return what holds an answer to JSON.

        Raises ``UnsupportedRole`` where it would be left out.
        """
        del tools
        schema = dict(form.schema or {"type": "object"})
        match self.options_for(route).json:
            case "openai":
                return BodyPart({"response_format": form.openai})
            case "schema":
                return BodyPart({"json_schema": schema})
            case "schema text":
                return BodyPart({"json_schema": json_body(schema).decode()})
        hint = text("wire.hold_to_json_hint")
        raise self.unsupported(text("wire.hold_to_json"), hint)

    def several(self, n: int | None, route: str) -> BodyPart:
        """Return what asks for ``n`` answers. Raises ``InvalidOption``."""
        if n is None:
            return EMPTY_PART
        allowed = BY_NAME["n"].allowed
        if isinstance(n, bool) or not allowed.contains(n):
            raise InvalidOption(
                text("wire.n_wrong", n=n),
                hint=text("wire.n_hint", low=allowed.low, high=allowed.high),
            )
        if n == 1:
            return EMPTY_PART
        if not self.options_for(route).several:
            told = text("wire.n_not_sent", label=self.label)
            return BodyPart(notes=(Note(told, "n"),))
        return BodyPart({"n": n})

    def logprobs(self, logprobs: int | None, route: str) -> BodyPart:
        """Return what asks for the tokens with so many alternatives for each.

        Chats take ``logprobs`` and ``top_logprobs``, completions a number in
        ``logprobs``. Raises ``InvalidOption`` for a wrong number.
        """
        if logprobs is None:
            return EMPTY_PART
        if not 0 <= logprobs <= MOST_ALTERNATIVES:
            raise InvalidOption(
                text("wire.logprobs_wrong", logprobs=logprobs),
                hint=text("wire.logprobs_hint", most=MOST_ALTERNATIVES),
            )
        taken = self.options_for(route)
        if taken.logprobs is None:
            told = text("wire.logprobs_not_sent", label=self.label)
            return BodyPart(notes=(Note(told, "logprobs"),))
        most = min(max(logprobs, taken.least_alternatives), taken.most_alternatives)
        notes: tuple[str, ...] = ()
        if most < logprobs:
            told = text("wire.logprobs_lowered", most=most, name=self.said_name())
            notes = (Note(told, "logprobs"),)
        if taken.logprobs == "completions":
            return BodyPart({"logprobs": most}, notes)
        if taken.logprobs == "details":
            # The tokens come with the details, which are always asked for.
            return BodyPart({"top_n_tokens": most} if most else {}, notes)
        return BodyPart(
            {"logprobs": True, **({"top_logprobs": most} if most else {})}, notes
        )

    def answer_form(
        self,
        route: str,
        *,
        n: int | None,
        logprobs: int | None,
        wanted: ResponseFormat | None,
        tools: bool = False,
    ) -> BodyPart:
        """Return what asks for ``n`` answers, their tokens, and JSON.

        Raises ``InvalidOption`` for what is wrong anywhere, ``UnsupportedRole`` for
        what this server cannot do.
        """
        parts = [self.several(n, route), self.logprobs(logprobs, route)]
        if wanted is not None:
            parts.append(self.json_form(JsonForm.read(wanted), route, tools=tools))
        body: dict[str, object] = {}
        notes: list[str] = []
        for part in parts:
            body.update(part.body)
            notes += part.notes
        return BodyPart(body, tuple(notes))

    def count_text(self, text: str, model: str) -> TokenizeRequest | None:
        """Return what has the tokens of a text counted, if there is a route for it."""
        del text, model
        return None

    def count_chat(
        self, messages: Sequence[Message], model: str
    ) -> TokenizeRequest | None:
        """Return the same for a conversation of text alone."""
        del messages, model
        return None


def positive_int(value: object) -> int | None:
    """Return a count that a server told, ``None`` for what is none."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 < value < _LARGEST_COUNT else None


def read_version(value: object) -> tuple[int, ...] | None:
    """Return the three numbers of a version that a server told, ``None`` without."""
    match = _VERSION.match(value) if isinstance(value, str) else None
    return None if match is None else tuple(int(n or 0) for n in match.groups())
