"""Answers made up, written as each server writes them: whole and streamed are one.

Each dialect says how its server writes an answer in one piece and in events. However
the events are cut on the way, the reply is that of the whole answer.
"""

from __future__ import annotations

import json
import random
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import count, pairwise

import pytest
from attrs import evolve, frozen
from rounds import rounds

from bytebuddy_provider_hf.errors import ResponseError
from bytebuddy_provider_hf.types import (
    Event,
    Reasoning,
    Reply,
    Text,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from bytebuddy_provider_hf.wire.choices import RAW, Expectations
from bytebuddy_provider_hf.wire.infill_reply import InfillStream
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream
from bytebuddy_provider_hf.wire.stream import StreamDecoder
from bytebuddy_provider_hf.wire.tgi_reply import TgiStream

Json = dict[str, object]

ANSWERS = rounds(300, long=5_000)
WORDS = (
    *("a", "word ", "\n", "\n\ndata: x", "[DONE]", "你好", "🤗", "é", " ", "\u2028"),
    *('"quoted"', "\\", "{", "}", "</s>", "\r\n", ": ping", "error", "\x00", "x" * 99),
)
TOOLS = ("get_weather", "get_time", "edit_existing_file")
DONE = b"data: [DONE]\n\n"


@frozen
class Answer:
    """What a model said; ``error`` breaks it off behind what came before."""

    text: str
    reasoning: str
    calls: tuple[ToolCall, ...]
    finish: str
    usage: Usage
    error: Json | None


def answer(draw: random.Random) -> Answer:
    def words(most: int) -> str:
        return "".join(draw.choices(WORDS, k=draw.randrange(most)))

    def call(at: int) -> ToolCall:
        arguments = {word: words(4) for word in draw.sample("abcd", draw.randrange(4))}
        return ToolCall(f"c{at}", draw.choice(TOOLS), json.dumps(arguments))

    # What may become a mark of reasoning is held back until it is known not to.
    text = draw.choice(("t", "t", "<", "<thi", " ", "\n<")) + words(12)
    calls = tuple(map(call, range(draw.choice((0, 0, 1, 2)))))
    prompt, said, cached, thought = (draw.randrange(1, 99) for _ in range(4))
    failed = {"message": "it broke: " + words(2).strip(), "code": 503}
    return Answer(
        text=text if not calls or draw.random() < 0.3 else "",
        reasoning="r" + words(5).strip() if draw.random() < 0.4 else "",
        calls=calls,
        finish="tool_calls" if calls else draw.choice(("stop", "length")),
        usage=Usage(prompt, said, prompt + said, cached, thought),
        error=failed if draw.random() < 0.2 else None,
    )


def pieces(text: str, draw: random.Random) -> Iterator[str]:
    cuts = sorted(draw.randrange(len(text) + 1) for _ in range(draw.randrange(5)))
    for start, end in pairwise([0, *cuts, len(text)]):
        if text[start:end]:
            yield text[start:end]


def event(value: object, end: bytes = b"\n\n") -> bytes:
    return b"data: " + json.dumps(value).encode() + end


class Dialect(ABC):
    """How one server writes answers; what it cannot say is left out of them."""

    def can_say(self, said: Answer) -> Answer:
        return said

    def reader(self) -> StreamDecoder:
        return OpenAIStream(model="m", wanted=Expectations(tools=TOOLS))

    @abstractmethod
    def whole(self, said: Answer) -> Json | list[Json]: ...

    @abstractmethod
    def events(self, said: Answer, draw: random.Random) -> Iterator[bytes]: ...


class OpenAI(Dialect):
    """As OpenAI's own API writes; the servers below differ in a few words each."""

    end = b"\n\n"
    mark = DONE

    def can_say(self, said: Answer) -> Answer:
        return evolve(said, reasoning="")

    def usage(self, usage: Usage) -> Json:
        return {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
            "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        }

    def content(self, text: str) -> object:
        return text or None

    def thought(self, text: str) -> Json:
        return {"reasoning_content": text}

    def finish(self, said: Answer) -> str:
        return said.finish

    def function(self, call: ToolCall) -> Json:
        function = {"name": call.name, "arguments": call.arguments}
        return {"id": call.id, "type": "function", "function": function}

    def message(self, said: Answer) -> Json:
        message: Json = {"role": "assistant", "content": self.content(said.text)}
        if said.reasoning:
            message |= self.thought(said.reasoning)
        if said.calls:
            message["tool_calls"] = [self.function(call) for call in said.calls]
        return message

    def whole(self, said: Answer) -> Json | list[Json]:
        choice: Json = {"index": 0, "message": self.message(said)}
        choice |= {"finish_reason": self.finish(said)}
        if said.error is not None:
            choice |= {"finish_reason": "error", "error": said.error}
        usage = self.usage(said.usage)
        return {"id": "c", "model": "n", "choices": [choice], "usage": usage}

    def chunk(self, delta: Json, finish: str | None = None, **more: object) -> Json:
        choice: Json = {"index": 0, "delta": delta, "finish_reason": finish}
        chunk = {"id": "c", "object": "chat.completion.chunk", "model": "n"}
        return {**chunk, "choices": [choice], **more}

    def call_pieces(self, said: Answer, draw: random.Random) -> Iterator[Json]:
        for at, call in enumerate(said.calls):
            yield {"index": at, **self.function(evolve(call, arguments=""))}
            for piece in pieces(call.arguments, draw):
                yield {"index": at, "function": {"arguments": piece}}

    def deltas(self, said: Answer, draw: random.Random) -> Iterator[Json]:
        yield {"role": "assistant", "content": ""}
        for piece in pieces(said.reasoning, draw):
            yield self.thought(piece)
        for piece in pieces(said.text, draw):
            yield {"content": self.content(piece)}
        for call in self.call_pieces(said, draw):
            yield {"tool_calls": [call]}

    def last(self, said: Answer) -> Iterator[Json]:
        yield self.chunk({}, self.finish(said))
        yield {"id": "c", "choices": [], "usage": self.usage(said.usage)}

    def failure(self, error: Json) -> bytes:
        return event({"error": error})

    def events(self, said: Answer, draw: random.Random) -> Iterator[bytes]:
        for delta in self.deltas(said, draw):
            yield event(self.chunk(delta), self.end)
        if said.error is not None:
            yield self.failure(said.error)
            return
        for chunk in self.last(said):
            yield event(chunk, self.end)
        yield self.mark


class Vllm(OpenAI):
    """From 0.12 on: the member is ``reasoning``, pings between events."""

    def can_say(self, said: Answer) -> Answer:
        return said

    def thought(self, text: str) -> Json:
        return {"reasoning": text}

    def events(self, said: Answer, draw: random.Random) -> Iterator[bytes]:
        for each in super().events(said, draw):
            yield from (b": ping\n\n", each) if draw.random() < 0.2 else (each,)


class LlamaCpp(Vllm):
    """The error has a field of its own in old builds."""

    def thought(self, text: str) -> Json:
        return {"reasoning_content": text}

    def failure(self, error: Json) -> bytes:
        return b"error: " + json.dumps(error).encode() + b"\n\n"


class Sglang(Vllm):
    """Each call's name is sent again with each piece of its arguments."""

    def call_pieces(self, said: Answer, draw: random.Random) -> Iterator[Json]:
        for at, call in enumerate(said.calls):
            for piece in ("", *pieces(call.arguments, draw)):
                yield {"index": at, **self.function(evolve(call, arguments=piece))}


class Tgi(OpenAI):
    """TGI 3: its own word for a stop; the error says 422 whatever happened."""

    def can_say(self, said: Answer) -> Answer:
        counted = evolve(said.usage, cached_tokens=None, reasoning_tokens=None)
        return evolve(said, reasoning="", usage=counted)

    def finish(self, said: Answer) -> str:
        return "stop_sequence" if said.finish == "stop" else said.finish


class Transformers(OpenAI):
    """transformers serve: no mark, the connection just ends."""

    mark = b""


class Together(OpenAI):
    """The text stands twice, the counts with the finish reason."""

    def chunk(self, delta: Json, finish: str | None = None, **more: object) -> Json:
        chunk = super().chunk({"tool_calls": None, **delta}, finish, **more)
        choices = chunk["choices"]
        assert isinstance(choices, list)
        choices[0]["text"] = delta.get("content") or ""
        return chunk

    def usage(self, usage: Usage) -> Json:
        counted = super().usage(evolve(usage, cached_tokens=None))
        return {**counted, "cached_tokens": usage.cached_tokens}

    def last(self, said: Answer) -> Iterator[Json]:
        usage = self.usage(said.usage)
        yield self.chunk({}, self.finish(said), usage=usage)
        # What came later and says nothing, or only a part of it.
        yield {"choices": [], "usage": dict.fromkeys(usage, 0)}
        yield {
            "choices": [],
            "usage": {"completion_tokens": usage["completion_tokens"]},
        }


class Groq(OpenAI):
    """The counts and the error are in a member of its own."""

    def last(self, said: Answer) -> Iterator[Json]:
        usage = {"id": "r", "usage": self.usage(said.usage)}
        yield self.chunk({}, self.finish(said), x_groq=usage)

    def failure(self, error: Json) -> bytes:
        return event({**self.chunk({}), "x_groq": {"error": error}})


class OpenRouter(Vllm):
    """The provider's own word beside the reason; the error in the choice."""

    def last(self, said: Answer) -> Iterator[Json]:
        chunk = self.chunk({}, self.finish(said))
        chunk["usage"] = self.usage(said.usage)
        yield chunk

    def failure(self, error: Json) -> bytes:
        chunk = self.chunk({}, "error")
        choices = chunk["choices"]
        assert isinstance(choices, list)
        choices[0]["error"] = error
        return event(chunk)


class Mistral(OpenAI):
    """Content in parts; the call is whole in one delta."""

    def content(self, text: str) -> object:
        return [{"type": "text", "text": text}] if text else ""

    def call_pieces(self, said: Answer, draw: random.Random) -> Iterator[Json]:
        del draw
        for at, call in enumerate(said.calls):
            yield {"index": at, **self.function(call)}


class Ollama(OpenAI):
    """Every call has the index 0, and ids that are new."""

    def call_pieces(self, said: Answer, draw: random.Random) -> Iterator[Json]:
        del draw
        for call in said.calls:
            yield {"index": 0, **self.function(call)}


class LmStudio(OpenAI):
    """A new id in each piece of a call."""

    def call_pieces(self, said: Answer, draw: random.Random) -> Iterator[Json]:
        ids = count()
        for at, call in enumerate(said.calls):
            yield {"index": at, **self.function(evolve(call, arguments=""))}
            for piece in pieces(call.arguments, draw):
                function: Json = {"name": None, "arguments": piece}
                yield {"index": at, "id": f"new{next(ids)}", "function": function}


class NoIds(OpenAI):
    """Calls without ids and index, each whole; names in pieces where alone."""

    def can_say(self, said: Answer) -> Answer:
        calls = tuple(evolve(call, id="") for call in said.calls)
        return evolve(said, reasoning="", calls=calls)

    def call_pieces(self, said: Answer, draw: random.Random) -> Iterator[Json]:
        for call in said.calls:
            *first, last = pieces(call.name, draw)
            for piece in first if call is said.calls[0] else ():
                yield {"function": {"name": piece}}
            name = last if call is said.calls[0] else call.name
            yield {"function": {"name": name, "arguments": call.arguments}}


class Baseten(Vllm):
    """One line feed between two events."""

    end = b"\n"
    mark = b"data: [DONE]\n"

    def failure(self, error: Json) -> bytes:
        return json.dumps({"error": error}).encode() + b"\n"


class HalfCharacters(Vllm):
    """Escapes cut in the middle of a character, as a proxy in JavaScript does."""

    def deltas(self, said: Answer, draw: random.Random) -> Iterator[Json]:
        def halves(text: str) -> Iterator[str]:
            # One surrogate each, which json.dumps writes as an escape.
            data = text.encode("utf-16-le")
            for at in range(0, len(data), 2):
                yield data[at : at + 2].decode("utf-16-le", "surrogatepass")

        for unit in halves(said.reasoning):
            yield self.thought(unit)
        for unit in halves(said.text):
            yield {"content": unit}
        for call in self.call_pieces(said, draw):
            yield {"tool_calls": [call]}


class ThinkMarks(OpenAI):
    """The reasoning stands in the text, between its marks."""

    def can_say(self, said: Answer) -> Answer:
        # White space between the mark and the text belongs to neither.
        text = said.text.lstrip() if said.reasoning else said.text
        return evolve(said, text=text, reasoning=said.reasoning if text else "")

    def marked(self, said: Answer) -> Answer:
        if not said.reasoning:
            return said
        text = f"<think>\n{said.reasoning}\n</think>\n\n{said.text}"
        return evolve(said, reasoning="", text=text)

    def message(self, said: Answer) -> Json:
        return super().message(self.marked(said))

    def deltas(self, said: Answer, draw: random.Random) -> Iterator[Json]:
        return super().deltas(self.marked(said), draw)


class TgiNative(Dialect):
    """``/generate`` and ``/generate_stream``."""

    def can_say(self, said: Answer) -> Answer:
        finish = said.finish if said.finish != "tool_calls" else "stop"
        counted = evolve(said.usage, cached_tokens=None, reasoning_tokens=None)
        text = said.text or "t"
        plain = evolve(said, reasoning="", calls=(), text=text, usage=counted)
        return evolve(plain, finish=finish)

    def reader(self) -> StreamDecoder:
        return TgiStream(model="n", wanted=RAW)

    def details(self, said: Answer) -> Json:
        return {
            "finish_reason": "eos_token" if said.finish == "stop" else said.finish,
            "generated_tokens": said.usage.completion_tokens,
            "input_length": said.usage.prompt_tokens,
        }

    def whole(self, said: Answer) -> Json | list[Json]:
        found: Json = {"generated_text": said.text, "details": self.details(said)}
        if said.error is not None:
            found |= {"error": said.error}
        return [found]

    def events(self, said: Answer, draw: random.Random) -> Iterator[bytes]:
        for piece in pieces(said.text, draw):
            token = {"id": 1, "text": piece, "special": False}
            yield event({"token": token, "generated_text": None, "details": None})
        if said.error is not None:
            yield event({"error": said.error, "error_type": "generation"})
            return
        token = {"id": 2, "text": "</s>", "special": True}
        done = {"generated_text": said.text, "details": self.details(said)}
        yield event({"token": token, **done})


class Infill(Dialect):
    """llama.cpp's own protocol."""

    def can_say(self, said: Answer) -> Answer:
        plain = TgiNative().can_say(said)
        return evolve(plain, usage=evolve(plain.usage, cached_tokens=7))

    def reader(self) -> StreamDecoder:
        return InfillStream(model="n")

    def last(self, said: Answer) -> Json:
        return {
            "stop": True,
            "stop_type": "eos" if said.finish == "stop" else "limit",
            "tokens_evaluated": said.usage.prompt_tokens,
            "tokens_predicted": said.usage.completion_tokens,
            "timings": {"cache_n": said.usage.cached_tokens},
        }

    def whole(self, said: Answer) -> Json | list[Json]:
        found: Json = {"content": said.text, **self.last(said)}
        return found if said.error is None else {**found, "error": said.error}

    def events(self, said: Answer, draw: random.Random) -> Iterator[bytes]:
        for piece in pieces(said.text, draw):
            yield event({"content": piece, "stop": False})
        if said.error is not None:
            yield event({"error": said.error})
            return
        yield event({"content": "", **self.last(said)})


def read(decoder: StreamDecoder, chunks: list[bytes]) -> tuple[list[Event], Reply]:
    events: list[Event] = []
    for chunk in chunks:
        events += decoder.feed(chunk)
        if decoder.done:
            break
    else:
        events += decoder.close()
    return events, decoder.reply()


def cut(stream: bytes, draw: random.Random) -> list[bytes]:
    """Cut it into a few pieces, or into many of a few bytes."""
    if draw.random() < 0.2:
        size = draw.randrange(1, 8)
        return [stream[at : at + size] for at in range(0, len(stream), size)]
    cuts = sorted(draw.randrange(len(stream) + 1) for _ in range(draw.randrange(6)))
    return [stream[a:b] for a, b in pairwise([0, *cuts, len(stream)])]


DIALECTS = [
    *(OpenAI, Vllm, LlamaCpp, Sglang, Tgi, Transformers, Together, Groq, OpenRouter),
    *(Mistral, Ollama, LmStudio, NoIds, Baseten, HalfCharacters, ThinkMarks),
    *(TgiNative, Infill),
]


@pytest.mark.parametrize("kind", DIALECTS, ids=lambda kind: kind.__name__)
def test_whole_and_streamed_answers_are_equal(kind: type[Dialect]) -> None:
    """Also what came before an error, and the error; the events add up to the reply."""
    dialect, draw = kind(), random.Random(kind.__name__)
    errors = 0
    for _ in range(ANSWERS):
        said = dialect.can_say(answer(draw))
        body = json.dumps(dialect.whole(said)).encode()
        chunks = cut(b"".join(dialect.events(said, draw)), draw)
        if said.error is not None:
            errors += 1
            with pytest.raises(ResponseError) as whole:
                dialect.reader().whole(body)
            decoder = dialect.reader()
            with pytest.raises(ResponseError) as streamed:
                read(decoder, chunks)
            assert type(whole.value) is type(streamed.value)
            assert whole.value.partial == streamed.value.partial == said.text
            assert whole.value.message == streamed.value.message
            continue
        reply = dialect.reader().whole(body)
        events, again = read(dialect.reader(), chunks)
        assert again == reply
        assert reply.notes == ()
        assert (reply.text, reply.reasoning) == (said.text, said.reasoning)
        assert (reply.finish_reason, reply.usage) == (said.finish, said.usage)
        assert reply.tool_calls == said.calls
        added: dict[type[Event], str] = {Text: "", Reasoning: ""}
        names: dict[int, str] = {}
        for each in events:
            if isinstance(each, Text | Reasoning):
                added[type(each)] += each.text
            elif isinstance(each, ToolCallDelta):
                names[each.index] = names.get(each.index, "") + (each.name or "")
        assert (added[Text], added[Reasoning]) == (reply.text, reply.reasoning)
        assert [*names.values()] == [call.name for call in reply.tool_calls]
    assert errors > ANSWERS / 10
