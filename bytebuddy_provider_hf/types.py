"""The values that travel: messages in, events and replies out."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal, Self, TypeAlias, cast

from attrs import astuple, define, field, frozen

from bytebuddy_provider_hf.errors import Doubt, InvalidOption
from bytebuddy_provider_hf.errors.dict_form import DictForm, TypedDictForm, read
from bytebuddy_provider_hf.money import NO_COST, Cost
from bytebuddy_provider_hf.regular_file import read_regular_file
from bytebuddy_provider_hf.texts import text

RoleName: TypeAlias = Literal["system", "user", "assistant", "tool"]
WaitReason: TypeAlias = Literal[
    "loading", "waking", "starting", "queued", "rate limited", "retrying"
]
# A longer stop text is refused: what may become one is held back and searched again.
LONGEST_STOP: Final = 200
FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter"]
# A larger one is refused by most servers, which read a request into memory.
LARGEST_IMAGE: Final = 20 * 1024**2
# How a picture's file begins, by its media type: what a browser goes by, too
# (https://mimesniff.spec.whatwg.org/#matching-an-image-type-pattern).
_IMAGES: Final[Mapping[str, Callable[[bytes], bool]]] = {
    "png": lambda data: data.startswith(b"\x89PNG\r\n\x1a\n"),
    "jpeg": lambda data: data.startswith(b"\xff\xd8\xff"),
    "gif": lambda data: data.startswith((b"GIF87a", b"GIF89a")),
    "webp": lambda data: data.startswith(b"RIFF") and data[8:14] == b"WEBPVP",
}
_LONGEST_SHOWN: Final = 80
# OpenAI's levels, which vLLM and SGLang have too; the router documents all but max.
ReasoningEffort: TypeAlias = Literal[
    "none", "minimal", "low", "medium", "high", "xhigh", "max"
]


class Role(StrEnum):
    """What a model entry may be used for (the ``roles`` key of the file)."""

    CHAT = "chat"
    AUTOCOMPLETE = "autocomplete"
    EDIT = "edit"
    APPLY = "apply"
    EMBED = "embed"
    RERANK = "rerank"
    SUMMARIZE = "summarize"
    SUBAGENT = "subagent"


DEFAULT_ROLES: Final = (Role.CHAT, Role.EDIT, Role.APPLY)


@frozen
class ToolCall(DictForm):
    """A tool the model wants called; ``arguments`` is JSON text, not yet parsed."""

    id: str
    name: str
    arguments: str


@frozen
class TextPart(TypedDictForm):
    """A piece of text in a message of several parts."""

    text: str


def _shortened(url: str) -> str:
    """Return the ``repr`` of a URL; one that holds a picture is megabytes long."""
    return repr(url if len(url) <= _LONGEST_SHOWN else f"{url[:_LONGEST_SHOWN]}…")


@frozen
class ImagePart(TypedDictForm):
    """An image in a message.

    Args:
        url: An https URL that the server fetches, or a ``data:`` URL.
    """

    url: str = field(repr=_shortened)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """Return the image of a file, which travels in the message itself.

        PNG, JPEG, GIF and WebP are known, by what the file holds and not by its name.

        Args:
            path: A regular file of at most 20 MiB; it is read at once. A pipe or a
                device is refused, not waited for.

        Raises:
            InvalidOption: It cannot be read, is too large, or is no such image.
        """
        try:
            data = read_regular_file(Path(path), LARGEST_IMAGE + 1)
        except (OSError, ValueError, TypeError) as error:
            # A ValueError is of a path with a null character in it.
            why = getattr(error, "strerror", None) or str(error)
            raise InvalidOption(
                text("roles.image_unread", path=str(path), why=why),
                hint=text("roles.image_unread_hint"),
            ) from error
        return cls._of(data, str(path))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return an image of the bytes of its file; the rest is as for ``from_file``.

        Args:
            data: A whole PNG, JPEG, GIF or WebP file of at most 20 MiB.

        Raises:
            InvalidOption: It is too large, or is no such image.
        """
        given: object = data
        if not isinstance(given, bytes | bytearray):
            kind = type(given).__name__
            raise InvalidOption(text("roles.image_no_bytes", kind=kind))
        return cls._of(bytes(given), "from_bytes")

    @classmethod
    def _of(cls, data: bytes, source: str) -> Self:
        if len(data) > LARGEST_IMAGE:
            most = f"{LARGEST_IMAGE // 1024**2} MiB"
            raise InvalidOption(
                text("roles.image_too_large", source=source, most=most),
                hint=text("roles.image_too_large_hint"),
            )
        found = next((kind for kind, is_it in _IMAGES.items() if is_it(data)), None)
        if found is None:
            raise InvalidOption(
                text("roles.image_unknown", source=source),
                hint=text("roles.image_unknown_hint"),
            )
        coded = base64.b64encode(data).decode("ascii")
        return cls(f"data:image/{found};base64,{coded}")


@frozen
class Message(DictForm):
    """One turn of a conversation.

    Args:
        role: Who speaks: system, user, assistant, or tool for what a tool returned.
        content: A text, or parts of text and images.
        tool_calls: What the assistant wanted called.
        tool_call_id: Which of these calls a tool's message answers.
        name: The name of the speaker, where the server reads it.
    """

    role: RoleName
    content: str | tuple[TextPart | ImagePart, ...] = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None


@frozen
class Tool(DictForm):
    """A function the model may ask for; ``as_tool`` makes one of a Python function.

    Args:
        name: The name by which the model calls it.
        description: What it does, for the model.
        parameters: The JSON schema of its arguments.
        strict: Whether the server holds the arguments to the schema; ``None`` does not
            say.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, object] = field(factory=dict)
    strict: bool | None = None


@frozen
class CompletionOptions(DictForm):
    """How to generate. ``None`` means: say nothing, let the server decide.

    Args:
        temperature: Randomness from 0 (the likeliest token) to 2.
        max_tokens: The most tokens to write, 1 or more.
        top_p: Draw among the likeliest tokens that have this share, 0 to 1.
        top_k: Draw among so many of the likeliest tokens; 0 is all.
        min_p: Leave out tokens below this share of the likeliest one's, 0 to 1.
        repetition_penalty: Above 1 makes what was said less likely; 1 is off.
        presence_penalty: Makes a token less likely once it was said, -2 to 2.
        frequency_penalty: The same, each time it was said, -2 to 2.
        stop: Texts that end the answer, of at most 200 characters each.
        n: How many answers, 1 to 128; they are in ``reply.choices``.
        seed: Same seed, same answer, where the server keeps to it.
        context_length: The tokens that the model reads, where the entry does not say.
        reasoning: Whether to reason; ``reasoning_effort`` outranks it.
        reasoning_effort: How much to reason: none, minimal, low, medium, high, xhigh
            or max.
        reasoning_budget_tokens: The most tokens of reasoning that is not off.
        prompt_caching: Whether the server may keep the prompt (llama.cpp).
        stream: Not sent: a call streams when it is entered.
        keep_alive: Not sent: seconds that a model stays loaded, for other providers.
    """

    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: tuple[str, ...] | None = None
    n: int | None = None
    seed: int | None = None
    context_length: int | None = None
    reasoning: bool | None = None
    reasoning_effort: ReasoningEffort | None = None
    reasoning_budget_tokens: int | None = None
    prompt_caching: bool | None = None
    stream: bool | None = None
    keep_alive: int | None = None


@frozen
class Usage(DictForm):
    """Tokens counted by the server; ``None`` is what it did not say.

    ``cached_tokens`` are among the prompt's, ``reasoning_tokens`` among the answer's.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None

    @classmethod
    def total(cls, usages: Sequence[Usage | None]) -> Usage | None:
        """Return the sum; what one of them does not say is not known of it.

        Args:
            usages: Those to add; ``None`` is one that nobody told.
        """
        counted = [astuple(usage) for usage in usages if usage is not None]
        if not counted or len(counted) != len(usages):
            return None
        return cls(
            *(
                None if None in each else sum(each)
                for each in zip(*counted, strict=True)
            )
        )


@frozen
class TokenLogprob(DictForm):
    """A token of the answer and the natural logarithm of its probability.

    ``alternatives`` are the likeliest tokens at its place, as (token, logprob).
    """

    token: str
    logprob: float
    alternatives: tuple[tuple[str, float], ...] = ()


@frozen
class Choice(DictForm):
    """One of several answers to the same question."""

    text: str
    finish_reason: FinishReason | None = None
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    raw_finish_reason: str | None = None


@frozen
class Served(DictForm):
    """How a call was served: by whom, at what price, after how many attempts.

    ``provider`` is the one that the router asked, ``inference_id`` the number by which
    it bills the call. ``reported_nano_usd`` is the cost that the answer itself names,
    in 10⁻⁹ USD; ``None`` is unknown, never nothing. ``compute`` has the server's own
    measurements, by header. ``attempts`` counts the requests sent, ``waited`` is the
    seconds until the last of them left, ``elapsed`` those until its answer was whole.
    An answer made of several requests has each of them in ``parts``. ``cost`` is what
    is known of the price where calls are counted. ``cached`` is the age in seconds of
    an answer that was kept; ``None`` where a server gave it. ``entry`` names the entry
    that answered in place of the one that was asked.
    """

    provider: str | None = None
    inference_id: str | None = None
    reported_nano_usd: int | None = None
    compute: tuple[tuple[str, str], ...] = ()
    attempts: int = 0
    waited: float = 0.0
    elapsed: float = 0.0
    parts: tuple[Served, ...] = ()
    cost: Cost = NO_COST
    cached: float | None = None
    entry: str | None = None


# Of what no server was asked for, or nobody has told yet.
NOT_SERVED: Final = Served()


class ServedAnswer(DictForm):
    """What every kind of answer tells of how it was served."""

    __slots__ = ()

    served: Served

    @property
    def provider(self) -> str | None:
        """Who answered, of the router's providers, where it told."""
        return self.served.provider

    @property
    def cost(self) -> Cost:
        """What is known of its price, where calls are counted."""
        return self.served.cost

    @property
    def cached(self) -> float | None:
        """Its age in seconds where it was kept, ``None`` where a server gave it."""
        return self.served.cached

    @property
    def served_by(self) -> str | None:
        """The entry that answered in place of the one that was asked, if one did."""
        return self.served.entry


@frozen
class Reply(ServedAnswer):
    """A finished answer.

    ``finish_reason`` is ``None`` where the server never said why it ended, or in a word
    that is not known here; ``raw_finish_reason`` is its own word. ``notes`` tells, one
    sentence each, what was changed on the way (an address rewritten, an option dropped)
    and what is unusual in the answer. ``choices`` has every answer, the first included,
    where several came. ``diff`` is the unified diff of an edit, ``doubts`` are the
    reasons to look at it before it is written. Answers that differ only in how they
    were ``served`` are equal.
    """

    text: str
    model: str = ""
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    id: str = ""
    request_id: str | None = None
    notes: tuple[str, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    choices: tuple[Choice, ...] = ()
    diff: str = ""
    doubts: tuple[Doubt, ...] = ()
    raw_finish_reason: str | None = None
    served: Served = field(default=NOT_SERVED, eq=False)


# Events are made once a token: slotted and mutable costs 0.10 µs, frozen 0.24.
@define
class Loading(TypedDictForm):
    """The call waits; ``reason`` says for what.

    ``elapsed`` and ``estimate`` are seconds; ``estimate`` is what is left by the
    server's latest word, or ``None``; ``waiters`` counts the calls that wait here.
    ``entry`` names the fallback that is waited for, if it is one.
    """

    elapsed: float
    estimate: float | None = None
    waiters: int = 1
    reason: WaitReason = "loading"
    entry: str | None = None


@define
class Text(TypedDictForm):
    """A piece of the answer; ``choice`` counts the answers where several come."""

    text: str
    choice: int = 0


@define
class Progress(TypedDictForm):
    """Code that is still judged has come: so many characters and lines so far.

    Of ``edit`` and ``apply``, whose ``Text`` comes whole at the end: what a model
    writes may be a diff, or no code at all.
    """

    characters: int
    lines: int


@define
class Reasoning(TypedDictForm):
    """A piece of the model's reasoning."""

    text: str
    choice: int = 0


@define
class ToolCallDelta(TypedDictForm):
    """A piece of a tool call: what it adds to the call's name and arguments.

    ``id`` comes once, mostly with the first piece, as does ``name``.
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    choice: int = 0


@define
class BudgetAlert(TypedDictForm):
    """So much of a budget is used up; told once a period, whoever else calls.

    ``budget`` names it, ``percent`` is the threshold that was passed. ``used`` and
    ``limit`` are in ``unit``: 10⁻⁹ USD ("dollars"), "tokens" or "calls". ``ends`` is
    when the period does, in seconds of the Unix clock.
    """

    budget: str
    percent: int
    used: int
    limit: int
    unit: Literal["dollars", "tokens", "calls"]
    ends: float


@define
class Done(TypedDictForm):
    """The answer is complete."""

    reply: Reply


Event: TypeAlias = (
    Loading | BudgetAlert | Text | Progress | Reasoning | ToolCallDelta | Done
)


def event_from_dict(data: Mapping[str, object]) -> Event:
    """Return the event that ``event.to_dict()`` wrote: its ``type`` tells which.

    Args:
        data: Such a dict, or ``json.loads`` of it.

    Raises:
        InvalidOption: It is no event, or a part of it does not fit; the place is named.
    """
    return cast("Event", read(data, Event, "Event"))


# What becomes of an edit that is doubtful: an error, or a reply that says so.
DoubtMode: TypeAlias = Literal["raise", "return"]
# What a call does with kept answers, in place of what its entry says.
CacheUse: TypeAlias = Literal["off", "on", "all", "read_only", "write_only"]
# Answers that are JSON: any ("json"), or one that keeps to a JSON schema.
ResponseFormat: TypeAlias = Literal["json"] | Mapping[str, object]
# A tool, OpenAI's mapping of one, or a function with annotations and a docstring.
ToolLike: TypeAlias = Tool | Mapping[str, object] | Callable[..., object]
MessageLike: TypeAlias = Message | Mapping[str, object]
Conversation: TypeAlias = str | Sequence[MessageLike]
