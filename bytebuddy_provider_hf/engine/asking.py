"""A question in the words of the server that will read it."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, evolve

from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.types import CompletionOptions, Reply
from bytebuddy_provider_hf.wire import openai, tgi
from bytebuddy_provider_hf.wire.call import Call
from bytebuddy_provider_hf.wire.decoder import StreamDecoder
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream, read_reply
from bytebuddy_provider_hf.wire.options import Legal, legal
from bytebuddy_provider_hf.wire.server import Server
from bytebuddy_provider_hf.wire.stops import CuttingStream, cut
from bytebuddy_provider_hf.wire.target import Target
from bytebuddy_provider_hf.wire.tgi_reply import TgiStream, read_generated

Scrub = Callable[[str], str]


@define
class Asked:
    """One call and how its answer is read.

    ``notes`` tells what was changed to please the server, one sentence each.
    """

    call: Call
    decoder: Callable[[str | None, Scrub], StreamDecoder]
    read: Callable[[bytes], Reply]
    notes: tuple[str, ...] = ()


@define
class Question:
    """What is asked, in nobody's words yet; ``ask`` puts it in a server's."""

    options: CompletionOptions
    ask: Callable[[Server, CompletionOptions, bool], Asked]


def chat(request: openai.ChatRequest, target: Target) -> Question:
    """Return how to put a conversation to a server.

    Raises ``InvalidOption``, when asked, for a server that cannot chat.
    """

    def ask(server: Server, options: CompletionOptions, stream: bool) -> Asked:  # noqa: FBT001 - the type in Question
        if "chat" not in server.routes:
            raise _cannot(server, "chat", "Use complete(), which continues a text")
        allowed = _allowed(options, server, "chat")
        name = server.name_for(target.model)
        call = openai.build_chat(
            request, target, options=allowed.body, model=name, stream=stream
        )
        return _openai(call, allowed, name)

    return Question(request.options, ask)


def completion(request: openai.CompletionRequest, target: Target) -> Question:
    """Return how to have a server continue a text: TGI in its own words."""

    def ask(server: Server, options: CompletionOptions, stream: bool) -> Asked:  # noqa: FBT001 - the type in Question
        if "generate" in server.routes:
            changed = evolve(request, options=options)
            return _generate(changed, target, server, stream=stream)
        if "completions" not in server.routes:
            raise _cannot(server, "continue a text", "Ask another server")
        allowed = _allowed(options, server, "completions")
        name = server.name_for(target.model)
        call = openai.build_completion(
            request, target, options=allowed.body, model=name, stream=stream
        )
        return _openai(call, allowed, name)

    return Question(request.options, ask)


def _generate(
    request: openai.CompletionRequest, target: Target, server: Server, *, stream: bool
) -> Asked:
    """Ask TGI by its native route: it takes every option and marks its end."""
    allowed = _allowed(request.options, server, "generate")
    call = tgi.build_generate(request, target, stream=stream, server=server)
    model, prompt = target.model, request.prompt

    def decoder(request_id: str | None, scrub: Scrub) -> StreamDecoder:
        inner = TgiStream(
            model=model, request_id=request_id, prompt=prompt, scrub=scrub
        )
        return CuttingStream(inner, allowed.cuts) if allowed.cuts else inner

    def read(body: bytes) -> Reply:
        return cut(read_generated(body, model=model, prompt=prompt), allowed.cuts)

    return Asked(call, decoder, read, allowed.notes)


def _openai(call: Call, allowed: Legal, model: str) -> Asked:
    def decoder(request_id: str | None, scrub: Scrub) -> StreamDecoder:
        inner = OpenAIStream(model=model, request_id=request_id, scrub=scrub)
        return CuttingStream(inner, allowed.cuts) if allowed.cuts else inner

    def read(body: bytes) -> Reply:
        reply = read_reply(body, model=model)
        return cut(reply, allowed.cuts) if allowed.cuts else reply

    return Asked(call, decoder, read, allowed.notes)


# The answer for an entry's own options, asked for at every call of a script: the
# options object is the same one as long as a call adds none of its own.
_last: dict[tuple[int, str], tuple[CompletionOptions, Server, Legal]] = {}
_MOST_KEPT = 256


def _allowed(options: CompletionOptions, server: Server, route: str) -> Legal:
    key = (id(options), route)
    kept = _last.get(key)
    if kept is not None and kept[0] is options and kept[1] is server:
        return kept[2]
    found = legal(options, server, route, base={})
    if len(_last) >= _MOST_KEPT:
        _last.clear()
    _last[key] = options, server, found
    return found


def _cannot(server: Server, what: str, instead: str) -> InvalidOption:
    version = "" if not server.version else f" {'.'.join(map(str, server.version))}"
    return InvalidOption(f"{server.engine}{version} cannot {what}.", hint=f"{instead}.")


def noted(reply: Reply, notes: tuple[str, ...]) -> Reply:
    """Return ``reply`` with what was changed on the way."""
    return evolve(reply, notes=(*reply.notes, *notes)) if notes else reply
