"""text-generation-inference: what each version takes, forgets and refuses.

router/src/lib.rs, validation.rs, server.rs and infer/tool_grammar.rs of v1.4.0 to
v3.3.7 of https://github.com/huggingface/text-generation-inference, which have no word
about reasoning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from attrs import evolve

from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.lenient_json import lenient_text, loads
from bytebuddy_provider_hf.sampling import Range
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Message, Tool
from bytebuddy_provider_hf.wire.body_parts import (
    EMPTY_PART,
    BodyPart,
    JsonForm,
    encode_message,
    encode_tool,
)
from bytebuddy_provider_hf.wire.openai_json import arguments_text
from bytebuddy_provider_hf.wire.route_options import (
    POSITIVE,
    RANGES,
    RouteOptions,
    names,
)
from bytebuddy_provider_hf.wire.server import (
    TOOL_WORDS,
    Server,
    TokenizeRequest,
    positive_int,
    read_version,
)

Version = tuple[int, ...]

# The first version that does it.
_CHAT: Final[Version] = (1, 4)
_LOGPROBS_IN_CHAT: Final[Version] = (1, 4, 1)
# Before, both penalties of OpenAI's were made a repetition penalty of p + 2.
_FREQUENCY_PENALTY: Final[Version] = (1, 4, 1)
_GRAMMAR: Final[Mapping[str, Version]] = {"generate": (1, 4, 1), "chat": (2, 1)}
_TOOLS: Final[Version] = (1, 4, 3)
_STOP_IN_CHAT: Final[Version] = (1, 4, 4)
_COMPLETIONS: Final[Version] = (1, 4, 5)
_NAMES_ITS_CALLS: Final[Version] = (2, 0, 1)
_ZERO_TEMPERATURE: Final[Version] = (2, 0, 4)
# From 2.1 until 2.2 "auto" meant the first tool.
_AUTO_LOST: Final[Version] = (2, 1)
_AUTO: Final[Version] = (2, 2)
_CHAT_TOKENIZE: Final[Version] = (2, 3)
# May answer with text although it was given tools.
_TOOLS_OR_TEXT: Final[Version] = (2, 4)
# Reads "required", and OpenAI's object with a tool's name.
_REQUIRED: Final[Version] = (2, 4, 1)
# A message has content or tool calls, and content wins; before, content only.
_CALLS_IN_HISTORY: Final[Version] = (3, 2)


_RANGES: Final = {
    **RANGES,
    "temperature": POSITIVE,
    "top_p": Range(0, 1, above=True, below=True),
    "seed": Range(0, 2**63 - 1),
}
# A server that samples once it sees one of these would sample at a temperature of 0.
_SAMPLING: Final = ("top_p", "top_k")


class Tgi(Server):
    """It tells its limits of tokens in ``/info``; one answer whatever ``n`` says."""

    name = "text-generation-inference"
    usual_routes = frozenset({"chat", "completions", "generate"})
    may_score = False
    may_serve_tasks = False

    chat = RouteOptions(
        names=names(
            "temperature", "max_tokens", "top_p", "frequency_penalty", "seed", "stop"
        ),
        ranges=_RANGES,
        own_defaults=frozenset(),
        greedy_drops=_SAMPLING,
        reasons={
            "presence_penalty": partial(
                text, "wire.made_repetition_penalty", letter="p"
            )
        },
        several=False,
        # The default of --max-top-n-tokens.
        most_alternatives=5,
    )
    completions = evolve(
        chat,
        names={**chat.names, "repetition_penalty": "repetition_penalty"},
        reasons={},
        logprobs=None,
    ).for_prompt()
    generate = RouteOptions(
        names=names(
            "temperature",
            "top_p",
            "top_k",
            "repetition_penalty",
            "frequency_penalty",
            "seed",
            "stop",
            max_tokens="max_new_tokens",
        ),
        ranges=_RANGES,
        own_defaults=frozenset(),
        sends_zero=False,
        greedy_drops=_SAMPLING,
        in_parameters=True,
        several=False,
        logprobs="details",
        most_alternatives=5,
    ).for_prompt()

    @classmethod
    def from_info(cls, found: Mapping[str, object]) -> Server | None:
        """Return the server, if ``/info`` names its router or a sum of tokens."""
        router = str(found.get("router"))
        if "max_total_tokens" not in found and "text-generation" not in router:
            return None
        version = read_version(found.get("version"))
        routes = cls.usual_routes
        if version is not None and version < _COMPLETIONS:
            routes = frozenset(
                {"generate", "chat"} if version >= _CHAT else {"generate"}
            )
        return cls(
            version=version,
            # Any other name is taken for an adapter's.
            model="tgi",
            loaded_model=lenient_text(found.get("model_id")) or None,
            revision=lenient_text(found.get("model_sha")) or None,
            context_length=positive_int(found.get("max_total_tokens")),
            max_input=positive_int(found.get("max_input_tokens"))
            or positive_int(found.get("max_input_length")),
            max_stops=positive_int(found.get("max_stop_sequences")),
            max_batch=positive_int(found.get("max_client_batch_size")),
            routes=routes,
        )

    def options_for(self, route: str) -> RouteOptions:
        """Return what one of ``routes`` takes in this version."""
        if route == "generate":
            return self.generate
        found = super().options_for(route)
        if self._before(_ZERO_TEMPERATURE):
            found = evolve(found, sends_zero=False, least_temperature=0.01)
        if self._before(_STOP_IN_CHAT):
            found = found.without("stop", partial(text, "wire.version_ignores"))
        if self._before(_FREQUENCY_PENALTY):
            found = found.without(
                "frequency_penalty",
                partial(text, "wire.made_repetition_penalty", letter="f"),
            )
            reasons = {
                k: v for k, v in found.reasons.items() if k != "presence_penalty"
            }
            found = evolve(found, reasons=reasons)
        if self._before(_LOGPROBS_IN_CHAT):
            found = evolve(found, logprobs=None)
        return found

    def messages(
        self, messages: Sequence[Message]
    ) -> tuple[list[dict[str, object]], tuple[str, ...]]:
        """Return the messages with calls of tools as this version reads them."""
        bodies = []
        notes: dict[str, None] = {}
        for message in messages:
            body = encode_message(message)
            bodies.append(body)
            if not message.tool_calls:
                continue
            if self._before(_CALLS_IN_HISTORY):
                notes[text("wire.tool_calls_as_text", label=self.label)] = None
                said = message.content if isinstance(message.content, str) else ""
                texts = [said] if said else []
                for call in message.tool_calls:
                    # The form that TGI's own prompt for tools asks for.
                    given = loads(call.arguments.encode("utf-8", "replace"))
                    if not isinstance(given, dict):
                        given = {}
                    texts.append(
                        arguments_text({"name": call.name, "parameters": given})
                    )
                body["content"] = "\n".join(texts)
                del body["tool_calls"]
            else:
                if message.content:
                    notes[text("wire.no_text_beside_calls", label=self.label)] = None
                del body["content"]
        return bodies, tuple(notes)

    def tools(
        self, tools: Sequence[Tool], choice: str | None, *, parallel: bool | None
    ) -> BodyPart:
        """Return what offers ``tools``, one of which is called at a time."""
        if self._before(_TOOLS):
            raise self.unsupported(
                text("wire.call_tools"),
                text("wire.since_version", number=_shown(_TOOLS)),
            )
        if choice == "none":
            # Before 2.2 the word would be looked for among the tools.
            return EMPTY_PART
        notes = [text("wire.one_tool_at_a_time", label=self.label)] if parallel else []
        sent, told = self._tool_choice(tools, choice)
        body: dict[str, object] = {"tools": [encode_tool(tool) for tool in tools]}
        if sent is not None:
            body["tool_choice"] = sent
        return BodyPart(body, (*notes, *told))

    def _tool_choice(
        self, tools: Sequence[Tool], choice: str | None
    ) -> tuple[str | None, tuple[str, ...]]:
        """Return what stands for a choice here, and what of it is not kept."""
        if choice not in (None, *TOOL_WORDS):
            # The bare name is read in every version, OpenAI's object not in 2.4.
            return choice, ()
        notes: list[str] = []
        if choice != "required" and self._before(_TOOLS_OR_TEXT):
            notes.append(text("wire.always_calls_a_tool", label=self.label))
        if not self._before(_REQUIRED):
            return choice, tuple(notes)
        if len(tools) == 1 and (choice == "required" or self._before(_AUTO)):
            return tools[0].name, tuple(notes)
        if self._before(_NAMES_ITS_CALLS):
            what = text("wire.tell_which_tool")
            raise self.unsupported(what, text("wire.name_the_tool"))
        if self._before(_AUTO) and not self._before(_AUTO_LOST):
            raise self.unsupported(
                text("wire.choose_tools"), text("wire.name_the_tool")
            )
        if choice == "required" and not self._before(_TOOLS_OR_TEXT):
            notes.append(text("wire.required_unknown", label=self.label))
        # Without the word, tools are left out before 2.1.
        return "auto", tuple(notes)

    def json_form(self, form: JsonForm, route: str, *, tools: bool) -> BodyPart:
        """Return what holds an answer to JSON: ``type`` and ``value``.

        ``GrammarType`` of router/src/lib.rs, never OpenAI's form; a schema must have
        ``properties`` (validation.rs).
        """
        since = _GRAMMAR.get(route)
        if since is None:
            return super().json_form(form, route, tools=tools)
        if self._before(since):
            raise self.unsupported(
                text("wire.hold_to_json"),
                text("wire.since_version", number=_shown(since)),
            )
        if form.schema is None:
            hint = text("wire.hold_to_any_json_hint")
            raise self.unsupported(text("wire.hold_to_any_json"), hint)
        if not isinstance(form.schema.get("properties"), Mapping):
            raise InvalidOption(
                text("wire.schema_without_properties", name=self.said_name()),
                hint=text("wire.schema_without_properties_hint"),
            )
        if tools:
            hint = text("wire.tools_and_format_hint")
            raise self.unsupported(text("wire.tools_and_format"), hint)
        member = "grammar" if route == "generate" else "response_format"
        return BodyPart({member: {"type": "json", "value": dict(form.schema)}})

    def count_text(self, text: str, model: str) -> TokenizeRequest | None:
        """Return what has a text counted."""
        del model
        return "/tokenize", {"inputs": text}

    def count_chat(
        self, messages: Sequence[Message], model: str
    ) -> TokenizeRequest | None:
        """Return what has a conversation counted, its template applied."""
        if self.version is None or self._before(_CHAT_TOKENIZE):
            return None
        body = {"model": model, "messages": self.messages(messages)[0]}
        return "/chat_tokenize", body

    def _before(self, version: Version) -> bool:
        """Whether it is known to be older; what tells no version is taken for new."""
        return self.version is not None and self.version < version


def _shown(version: Version) -> str:
    return ".".join(map(str, version))
