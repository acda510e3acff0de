"""Read what OpenAI-style servers say, chunks and whole answers, into values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from bytebuddy_provider_hf.errors import ResponseTooLarge
from bytebuddy_provider_hf.money import nano_usd
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import TokenLogprob, ToolCall, Usage
from bytebuddy_provider_hf.wire.typed_json import UNDECODED, struct_decoder

# Tool calls, or parts of a content, in one message: no answer comes near this, and each
# costs some µs beyond its decoding.
MOST_PIECES: Final = 1_024
_COUNT: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_MOST_TOKENS: Final = 2**53
# Of words that a server may make up so much is kept.
_LONGEST_REASON: Final = 64
# What TGI calls a function whose name it does not tell: 1.4.3 to 2.0.0, 2.0.1 to 2.2.
UNNAMED: Final = ("", "tools", "default_function_name")


class FunctionPiece(msgspec.Struct):
    """The function part of a tool call, whole or in pieces."""

    name: str | None = None
    # TGI before 3.2 sends an object here instead of JSON text.
    arguments: str | dict[str, object] | None = None
    # What TGI 1.4 to 2.0.3 calls the arguments.
    parameters: str | dict[str, object] | None = None

    @staticmethod
    def normalized(value: Mapping[str, object]) -> Mapping[str, object]:
        """Return the members with arguments in a list as JSON text."""
        given = value.get("arguments")
        if not isinstance(given, list):
            return value
        # PHP writes an object without members so.
        return {**value, "arguments": json.dumps(given) if given else "{}"}


class CustomPiece(msgspec.Struct):
    """A call whose input is a text."""

    name: str | None = None
    input: str | None = None


class ToolPiece(msgspec.Struct):
    """A tool call, whole or in pieces."""

    index: int | None = None
    # TGI before 3.2 sends a number.
    id: str | int | None = None
    function: FunctionPiece | None = None
    # OpenAI's call with a text in place of JSON.
    custom: CustomPiece | None = None

    @staticmethod
    def normalized(value: Mapping[str, object]) -> Mapping[str, object]:
        """Return the members with an index that came as text as a number."""
        return {**value, "index": _number(value.get("index"))}


def too_many_pieces() -> ResponseTooLarge:
    """Return the error of a message with a list that no answer has."""
    return ResponseTooLarge(text("wire.too_many_parts", most=f"{MOST_PIECES:,}"))


def arguments_text(value: str | dict[str, object] | None) -> str:
    """Return the arguments of a call as JSON text, whatever form they came in."""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return value or ""


def arguments_of(piece: FunctionPiece) -> str:
    """Return the arguments in a piece, under the name of either time."""
    given = piece.parameters if piece.arguments is None else piece.arguments
    return arguments_text(given)


def function_of(piece: ToolPiece) -> FunctionPiece:
    """Return the function of a piece; OpenAI's custom tools have a text as input."""
    custom = piece.custom
    if piece.function is None and custom is not None:
        return FunctionPiece(custom.name, custom.input)
    return piece.function or FunctionPiece()


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
        only = isinstance(value, dict) and len(value) == 1
        inner = value.get("function") if only and isinstance(value, dict) else None
        if isinstance(inner, dict):
            found = inner.get("_name")
            rest = {key: inner[key] for key in inner if key != "_name"}
            known = found if isinstance(found, str) else ""
            return ToolCall(call_id, known, arguments_text(rest))
    return ToolCall(call_id, name, arguments)


class Alternative(msgspec.Struct, gc=False):
    """A token that might have stood there."""

    token: str | None = None
    logprob: float | None = None


class TokenItem(msgspec.Struct, gc=False):
    """A token of a chat's answer."""

    token: str | None = None
    logprob: float | None = None
    top_logprobs: list[Alternative] | None = None


class Logprobs(msgspec.Struct):
    """``content`` in chats; the three lists in completions, one place for a token."""

    content: list[TokenItem] | None = None
    # OpenAI's old form, which vLLM and SGLang have kept for completions.
    tokens: list[str | None] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float | None] | None] | None = None


_decode_logprobs: Final = msgspec.json.Decoder(Logprobs).decode
_lenient_logprobs: Final = struct_decoder(Logprobs, most_fitted=8_192)


def logprobs(data: msgspec.Raw) -> Iterator[TokenLogprob]:
    """Return the tokens with their probabilities; one without a number is left out.

    They are part of an answer whose cost was judged. Raises ``ResponseTooLarge`` for
    more of them than can be read by hand, where the decoder refuses some.
    """
    try:
        found = _decode_logprobs(data)
    except UNDECODED:
        found = _lenient_logprobs(bytes(data)) or Logprobs()
    for item in found.content or ():
        if item.token is not None and item.logprob is not None:
            others = tuple(
                (each.token, each.logprob)
                for each in item.top_logprobs or ()
                if each.token is not None and each.logprob is not None
            )
            yield TokenLogprob(item.token, item.logprob, others)
    told = found.token_logprobs or []
    for place, (token, value) in enumerate(zip(found.tokens or (), told, strict=False)):
        tops = found.top_logprobs or []
        others_here = tops[place] if place < len(tops) else None
        if token is not None and value is not None:
            named = (others_here or {}).items()
            others = tuple((name, each) for name, each in named if each is not None)
            yield TokenLogprob(token, value, others)


class ReasoningDetail(msgspec.Struct):
    """One piece of ``reasoning_details``: text, or a summary of it."""

    text: str | None = None
    summary: str | None = None


class Content(msgspec.Struct):
    """What a message or a delta says; the reasoning goes by one of four names.

    ``kinds`` are those of its parts that hold no words.
    """

    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_text: str | None = None
    reasoning_details: list[ReasoningDetail] | None = None
    tool_calls: list[ToolPiece] | None = None
    # OpenAI's before it called functions tools.
    function_call: FunctionPiece | None = None
    kinds: list[str] | None = None

    @staticmethod
    def normalized(value: Mapping[str, object]) -> Mapping[str, object]:
        """Return the members with content in parts, and a lone call, as others do."""
        calls, parts = value.get("tool_calls"), value.get("content")
        thoughts = value.get("reasoning")
        for listed in (calls, parts, thoughts, value.get("reasoning_details")):
            if isinstance(listed, list) and len(listed) > MOST_PIECES:
                raise too_many_pieces()
        if isinstance(thoughts, dict | list):
            told = thoughts if isinstance(thoughts, list) else [thoughts]
            joined = "".join(
                t if isinstance(t, str) else "".join(_texts([t])) for t in told
            )
            value = {**value, "reasoning": joined}
        if isinstance(calls, dict):
            # TGI before 3.2 streams one call, not in a list; its index counts tokens.
            value = {**value, "tool_calls": [{**calls, "index": None}]}
        if isinstance(parts, int | float) and not isinstance(parts, bool):
            # Some proxies take a text of digits for a number.
            return {**value, "content": json.dumps(parts)}
        if isinstance(parts, dict):
            parts = [parts]
        if isinstance(parts, list):
            # As multi-modal servers send it; Mistral's reasoning is among the parts.
            said: list[str] = []
            refused: list[str] = []
            thought: list[str] = []
            kinds: list[str] = []
            for part in parts:
                _read_part(part, said, refused, thought, kinds)
            value = {
                **value,
                "content": "".join(said),
                "refusal": value.get("refusal") or "".join(refused) or None,
                "reasoning": value.get("reasoning") or "".join(thought) or None,
                "kinds": kinds or None,
            }
        return value


class PromptDetails(msgspec.Struct):
    """Where vLLM, llama.cpp and others count cached tokens."""

    cached_tokens: int | None = None


class CompletionDetails(msgspec.Struct):
    """Where OpenAI and others count the tokens of reasoning."""

    reasoning_tokens: int | None = None


class UsageBlock(msgspec.Struct):
    """Token counts as OpenAI-style servers send them, under either of their names."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    # Anthropic's names, and those of OpenAI's responses.
    input_tokens: int | None = None
    output_tokens: int | None = None
    # Together's, DeepSeek's and Anthropic's.
    cached_tokens: int | None = None
    prompt_cache_hit_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    reasoning_tokens: int | None = None

    @staticmethod
    def normalized(value: Mapping[str, object]) -> Mapping[str, object]:
        """Return the members with counts that came as text as numbers."""
        return {name: _number(count) for name, count in value.items()}


class ChoiceData(msgspec.Struct):
    """One choice; chat uses ``delta`` or ``message``, completions use ``text``."""

    index: int = 0
    delta: Content | None = None
    message: Content | None = None
    text: str | None = None
    finish_reason: str | None = None
    # OpenRouter's: the word of the provider behind it.
    native_finish_reason: str | None = None
    # Left as it came until it is asked for; what nobody asked for is never decoded.
    logprobs: msgspec.Raw = msgspec.Raw()
    # Moonshot counts here.
    usage: UsageBlock | None = None
    error: object = None

    @staticmethod
    def normalized(value: Mapping[str, object]) -> Mapping[str, object]:
        """Return the members in other forms as others send them.

        A message may be a text, an index too, and a reason anything; ``false`` is none.
        """
        value = {**value, "index": _number(value.get("index"))}
        for name in ("delta", "message"):
            if isinstance(value.get(name), str):
                value[name] = {"content": value[name]}
        reason = value.get("finish_reason")
        if not reason:
            value["finish_reason"] = reason if isinstance(reason, str) else None
        elif not isinstance(reason, str):
            value["finish_reason"] = json.dumps(reason)[:_LONGEST_REASON]
        return value


class GroqPart(msgspec.Struct):
    """What Groq adds to a chunk."""

    error: object = None
    usage: UsageBlock | None = None


class RouterData(msgspec.Struct):
    """Whom the router asked: the first chunk of a stream of its own models.

    https://github.com/huggingface/chat-ui, ``openAIChatToTextGenerationStream.ts``.
    """

    provider: str | None = None
    model: str | None = None


class Completion(msgspec.Struct):
    """A whole answer or one chunk of a stream, of chat or of completions.

    ``kind`` is ``object`` on the wire; ``fingerprint`` begins with TGI's version where
    TGI answers.
    """

    choices: list[ChoiceData] | None = None
    usage: UsageBlock | None = None
    model: str | None = None
    id: str | None = None
    kind: str | None = msgspec.field(default=None, name="object")
    fingerprint: str | None = msgspec.field(default=None, name="system_fingerprint")
    error: object = None
    x_groq: GroqPart | None = None
    # MiniMax's: an object with a code, 0 where all is well.
    base_resp: dict[str, object] | None = None
    router: RouterData | None = msgspec.field(default=None, name="x-router-metadata")


completion: Final = struct_decoder(Completion)


def _number(value: object) -> object:
    """Return a count that came as text as a number, and anything else as it is."""
    found = isinstance(value, str) and _COUNT.fullmatch(value)
    return int(value) if found and isinstance(value, str) else value


def usage(block: UsageBlock | None, known: Usage | None = None) -> Usage | None:
    """Return the token counts, the total added up where it is missing.

    What was ``known`` before stays where a later block says nothing, or zero; a block
    without a count is none.
    """
    if block is None:
        return known
    prompt = block.prompt_tokens or block.input_tokens
    answer = block.completion_tokens or block.output_tokens
    # No text has so many tokens: such a block is not what it says.
    if not all(
        0 <= (n or 0) < _MOST_TOKENS for n in (prompt, answer, block.total_tokens)
    ):
        return known
    if not (prompt or answer or block.total_tokens):
        return known
    inner, outer = block.prompt_tokens_details, block.completion_tokens_details
    cached = block.cached_tokens
    if cached is None:
        cached = block.prompt_cache_hit_tokens
    if cached is None:
        cached = block.cache_read_input_tokens
    if inner is not None:
        cached = inner.cached_tokens or cached or inner.cached_tokens
    thought = block.reasoning_tokens
    if outer is not None:
        thought = outer.reasoning_tokens or thought or outer.reasoning_tokens
    # A zero counts where nothing better is known: an answer may have no token.
    prompt = block.prompt_tokens if prompt is None else prompt
    answer = block.completion_tokens if answer is None else answer
    total = block.total_tokens
    if known is not None:
        prompt = prompt or known.prompt_tokens
        answer = answer or known.completion_tokens
        total = total or known.total_tokens
        cached = cached or known.cached_tokens
        thought = thought or known.reasoning_tokens
    if prompt is not None and answer is not None:
        total = max(total or 0, prompt + answer)
    return Usage(prompt, answer, total, cached, thought)


class _Cost(msgspec.Struct):
    estimated_cost: msgspec.Raw


class _Costed(msgspec.Struct):
    usage: _Cost


_costed: Final = msgspec.json.Decoder(_Costed).decode
# Only deepinfra tells it: whoever asks for it looks for this first.
COST: Final = b'"estimated_cost"'


def reported_cost(data: bytes) -> int | None:
    """Return what an answer says that it cost, in 10⁻⁹ USD; ``None`` where it does not.

    ``usage.estimated_cost`` is deepinfra's, in USD. It is taken from the JSON as it is
    written, for no float holds a tenth.
    """
    if COST not in data:
        return None
    try:
        written = bytes(_costed(data).usage.estimated_cost)
    except UNDECODED:
        return None
    # What is no number there is text in quotes, or null: no amount either.
    return nano_usd(written.decode("ascii", "replace"))


def reasoning_text(said: Content) -> str:
    """Return the reasoning in a message or delta, by whichever name it goes.

    ``reasoning_content`` is DeepSeek's name, which llama.cpp, SGLang and
    transformers took over; ``reasoning`` vLLM's from 0.12 on, Together's and
    OpenRouter's, which sends ``reasoning_details`` with the same text beside it.
    """
    found = said.reasoning_content or said.reasoning or said.reasoning_text
    if found or not said.reasoning_details:
        return found or ""
    return "".join(each.text or each.summary or "" for each in said.reasoning_details)


def _read_part(
    part: object,
    said: list[str],
    refused: list[str],
    thought: list[str],
    kinds: list[str],
) -> None:
    """Add the words of one part of a content to where they belong."""
    if isinstance(part, str):
        said.append(part)
        return
    if not isinstance(part, dict):
        kinds.append(type(part).__name__)
        return
    kind = part.get("type")
    # Parts of the type thinking hold a text, or parts of their own.
    inner = part.get("thinking") or part.get("reasoning")
    if inner is not None:
        thought += [inner] if isinstance(inner, str) else _texts(inner)
    elif isinstance(part.get("refusal"), str):
        refused.append(str(part["refusal"]))
    elif told := list(_texts([part])):
        (thought if kind == "reasoning" else said).extend(told)
    elif part.get("text") is None:
        kinds.append(kind if isinstance(kind, str) else "?")


def _texts(parts: object) -> Iterator[str]:
    for part in parts if isinstance(parts, list) else ():
        said = part.get("text") if isinstance(part, dict) else None
        # OpenAI's assistants write {"text": {"value": "…"}}.
        if isinstance(said, dict):
            said = said.get("value")
        if isinstance(said, str):
            yield said
