"""Several answers, and the probabilities of their tokens, in each server's words.

OpenAI's two forms: chats take ``logprobs`` and ``top_logprobs``, completions a number
in ``logprobs``. TGI (router/src/lib.rs) gives one answer whatever ``n`` says.
"""

from __future__ import annotations

from typing import Final

from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.wire.members import (
    NOTHING,
    TGI_ENGINES,
    Members,
    named,
    older,
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


def several_members(n: int | None, server: Server, route: str) -> Members:
    """Return what asks for ``n`` answers. Raises ``InvalidOption`` for a wrong one."""
    if n is None:
        return NOTHING
    if isinstance(n, bool) or not 1 <= n <= MOST_ANSWERS:
        raise InvalidOption(
            f"n cannot be {n}.", hint=f"It counts answers: 1 to {MOST_ANSWERS}."
        )
    if n == 1:
        return NOTHING
    if route in _ONE_BY_ROUTE or server.engine in _ONE_ANSWER:
        told = f"n is not sent: {named(server)} gives one answer."
        return Members(notes=(Note(told, "n"),))
    return Members({"n": n})


def logprob_members(logprobs: int | None, server: Server, route: str) -> Members:
    """Return what asks for the tokens with ``logprobs`` alternatives for each.

    Raises ``InvalidOption`` for a wrong number.
    """
    if logprobs is None:
        return NOTHING
    if not 0 <= logprobs <= MOST_ALTERNATIVES:
        raise InvalidOption(
            f"logprobs cannot be {logprobs}.",
            hint=f"It counts alternatives for a token: 0 to {MOST_ALTERNATIVES}.",
        )
    tgi = route == "generate" or server.engine in TGI_ENGINES
    if (
        server.engine in _NO_LOGPROBS
        or (tgi and route == "completions")
        or (tgi and route == "chat" and older(server, 1, 4, 1))
    ):
        told = f"logprobs is not sent: {named(server)} does not tell them here."
        return Members(notes=(Note(told, "logprobs"),))
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
        return Members({"top_n_tokens": most} if most else {}, notes)
    if route == "completions":
        return Members({"logprobs": most}, notes)
    tops = {"top_logprobs": most} if most else {}
    return Members({"logprobs": True, **tops}, notes)
