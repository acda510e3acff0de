"""Several answers, and the probabilities of their tokens, in each server's words.

OpenAI's two forms: chats take ``logprobs`` and ``top_logprobs``, completions a number
in ``logprobs``. TGI (router/src/lib.rs) gives one answer whatever ``n`` says.
"""

from __future__ import annotations

from typing import Final

from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.wire.body_parts import (
    EMPTY_PART,
    TGI_ENGINES,
    BodyPart,
    is_older,
    server_name,
)
from bytebuddy_provider_hf.wire.notes import Note
from bytebuddy_provider_hf.wire.server import Engine, Server

# OpenAI's limits; the second is also what vLLM allows unless told otherwise.
MOST_ANSWERS: Final = 128
MOST_ALTERNATIVES: Final = 20
# The default of TGI's --max-top-n-tokens.
_TGI_ALTERNATIVES: Final = 5
_ONE_ANSWER: Final = TGI_ENGINES | {Engine.TRANSFORMERS, Engine.TOOLKIT}
_ONE_BY_ROUTE: Final = frozenset({"generate", "tasks", "infill"})
_NO_LOGPROBS: Final = frozenset({Engine.TRANSFORMERS, Engine.TOOLKIT})


def n_param(n: int | None, server: Server, route: str) -> BodyPart:
    """Return what asks for ``n`` answers. Raises ``InvalidOption`` for a wrong one."""
    if n is None:
        return EMPTY_PART
    if isinstance(n, bool) or not 1 <= n <= MOST_ANSWERS:
        raise InvalidOption(
            f"n cannot be {n}.", hint=f"It counts answers: 1 to {MOST_ANSWERS}."
        )
    if n == 1:
        return EMPTY_PART
    if route in _ONE_BY_ROUTE or server.engine in _ONE_ANSWER:
        told = f"n is not sent: {server_name(server)} gives one answer."
        return BodyPart(notes=(Note(told, "n"),))
    return BodyPart({"n": n})


def logprobs_param(logprobs: int | None, server: Server, route: str) -> BodyPart:
    """Return what asks for the tokens with ``logprobs`` alternatives for each.

    Raises ``InvalidOption`` for a wrong number.
    """
    if logprobs is None:
        return EMPTY_PART
    if not 0 <= logprobs <= MOST_ALTERNATIVES:
        raise InvalidOption(
            f"logprobs cannot be {logprobs}.",
            hint=f"It counts alternatives for a token: 0 to {MOST_ALTERNATIVES}.",
        )
    tgi = route == "generate" or server.engine in TGI_ENGINES
    if (
        server.engine in _NO_LOGPROBS
        or (tgi and route == "completions")
        or (tgi and route == "chat" and is_older(server, 1, 4, 1))
    ):
        told = f"logprobs is not sent: {server_name(server)} does not tell them here."
        return BodyPart(notes=(Note(told, "logprobs"),))
    most = min(logprobs, _TGI_ALTERNATIVES) if tgi else logprobs
    if server.engine is Engine.LLAMA_CPP:
        # Asked for none it tells no tokens at all, not asked for any 20 for each.
        most = max(1, most)
    notes: tuple[str, ...] = ()
    if most < logprobs:
        told = f"logprobs is sent as {most}, the most {server.engine} tells."
        notes = (Note(told, "logprobs"),)
    if route == "generate":
        # The tokens come with the details, which are always asked for.
        return BodyPart({"top_n_tokens": most} if most else {}, notes)
    if route == "completions":
        return BodyPart({"logprobs": most}, notes)
    tops = {"top_logprobs": most} if most else {}
    return BodyPart({"logprobs": True, **tops}, notes)
