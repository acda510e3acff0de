"""What one call knows of its prompt's tokens, and what it teaches later calls."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

from attrs import evolve

from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.client.context_length import guess_prompt
from bytebuddy_provider_hf.client.knowledge import (
    Knowledge,
    ServerTokens,
    TokenCounts,
    server_identity,
    smallest,
)
from bytebuddy_provider_hf.client.plan import AnyReply, Plan
from bytebuddy_provider_hf.client.server_info import ServerDetector
from bytebuddy_provider_hf.errors import ByteBuddyError, ContextTooLong
from bytebuddy_provider_hf.prompts.family import Family
from bytebuddy_provider_hf.transport.http_client import HttpClient
from bytebuddy_provider_hf.types import Reply
from bytebuddy_provider_hf.wire.adapt import Adaptations
from bytebuddy_provider_hf.wire.http_request import HttpRequest
from bytebuddy_provider_hf.wire.server import Server
from bytebuddy_provider_hf.wire.tokenize import (
    MAX_COUNT,
    Prompted,
    read_token_count,
    tokenize_request,
)

# Counting must not take longer than the refusal that it spares.
_LONGEST: Final = 5.0
_OK: Final = 200


class PromptTokens:
    """Know what a server told of its tokens; learn from its refusals and counts."""

    def __init__(self, detector: ServerDetector, target: Target, account: str) -> None:
        self._detector = detector
        self._target = target
        self._account = account
        self._asked = False
        # What the server's tokenizer said of this prompt.
        self._counted: int | None = None

    def server_tokens(self, server: Server) -> ServerTokens:
        """Return what is known of a server now, by all calls so far."""
        return self._detector.tokens(self._target, self._account, server)

    def knowledge(
        self,
        server: Server,
        adaptations: Adaptations,
        *,
        window: int | None,
        family: Family | None,
    ) -> Knowledge:
        """Return what is known of ``server`` now, by this call and by others.

        ``window`` is the configured one, ``family`` what the Hub told.
        """
        tokens = self.server_tokens(server)
        told = tokens.apply_to(adaptations.without_routes(server))
        counted, prompt_tokens = None, self._counted
        if adaptations.window is not None and adaptations.prompt_tokens is not None:
            # The history is cut: the prompt becomes another one.
            counted = TokenCounts(adaptations.prompt_tokens, adaptations.window)
            prompt_tokens = None
        # What the server counted in a refusal needs no estimate.
        exact = adaptations.max_tokens is not None
        return Knowledge(
            told,
            family=family,
            no_template=adaptations.no_template,
            token_counts=counted,
            window=None if exact else smallest(window, told.context_length),
            estimate=tokens.estimate,
            prompt_tokens=prompt_tokens,
        )

    def on_refusal(
        self, failure: ContextTooLong, sent: Plan[Any], server: Server
    ) -> None:
        """Remember the window that a refusal told, and the prompt that it counted."""
        guess = sent.guess
        if guess is None and sent.request is not None:
            guess = guess_prompt(sent.request)
        tokens = self.server_tokens(server)
        now = asyncio.get_running_loop().time()
        learned = tokens.after_refusal(failure, guess, server, now)
        if learned is not tokens:
            self._learn(learned, keep=True)

    def on_reply(self, reply: AnyReply, sent: Plan[Any], server: Server) -> None:
        """Correct the estimate of prompts by what a server counted of one."""
        if isinstance(reply, Reply) and reply.usage is not None:
            self._correct(sent.guess, reply.usage.prompt_tokens, server)

    async def count(self, plan: Plan[Any], server: Server, client: HttpClient) -> bool:
        """Have the server's tokenizer count a prompt, once; tell whether it did.

        It never fails a call: a server that does not count is left to refuse.
        """
        tokens = self.server_tokens(server)
        if self._asked or plan.request is None or not tokens.tokenizes:
            return False
        self._asked = True
        call = tokenize_request(plan.request, self._target, server)
        if call is None:
            return False
        self._counted = await _count(call, plan.request, client)
        if self._counted is None:
            now = asyncio.get_running_loop().time()
            self._learn(tokens.without_tokenizer(server, now))
            return False
        self._correct(plan.guess, self._counted, server)
        return True

    def _correct(self, guess: int | None, count: int, server: Server) -> None:
        if guess is None or count < 1:
            return
        tokens = self.server_tokens(server)
        estimate = tokens.estimate.corrected(guess, count)
        told = tokens.identity or server_identity(server)
        self._learn(evolve(tokens, estimate=estimate, identity=told))

    def _learn(self, tokens: ServerTokens, *, keep: bool = False) -> None:
        self._detector.learn(self._target, self._account, tokens, keep=keep)


async def _count(
    call: HttpRequest, request: Prompted, client: HttpClient
) -> int | None:
    with suppress(ByteBuddyError, TimeoutError):
        async with asyncio.timeout(_LONGEST):
            response = await client.send(call)
            try:
                body = await response.read(MAX_COUNT)
            finally:
                response.close()
            if response.status == _OK:
                return read_token_count(body, request)
    return None
