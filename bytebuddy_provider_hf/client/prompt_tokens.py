"""Count a call's prompt where that helps, and teach later calls what servers count."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

from attrs import evolve

from bytebuddy_provider_hf.client.context_length import guess_prompt
from bytebuddy_provider_hf.client.knowledge import server_identity
from bytebuddy_provider_hf.client.plan import AnyReply, Plan
from bytebuddy_provider_hf.client.server_info import ServerRecord
from bytebuddy_provider_hf.errors import ByteBuddyError, ContextTooLong
from bytebuddy_provider_hf.transport.http_client import HttpClient
from bytebuddy_provider_hf.types import Reply
from bytebuddy_provider_hf.wire.server import Server
from bytebuddy_provider_hf.wire.tokenize import (
    COUNT_BOUND,
    MAX_COUNT,
    read_token_count,
    tokenize_request,
)

# Counting must not take longer than the refusal that it spares.
_LONGEST: Final = 5.0
_OK: Final = 200


class PromptTokens:
    """Count the prompt of one call; learn from a server's refusals and counts.

    ``counted`` is what the server's tokenizer said of this prompt.
    """

    def __init__(self, record: ServerRecord) -> None:
        self._record = record
        self._asked = False
        self.counted: int | None = None

    def on_refusal(
        self, failure: ContextTooLong, sent: Plan[Any], server: Server
    ) -> None:
        """Remember the window that a refusal told, and the prompt that it counted."""
        guess = sent.guess
        if guess is None and sent.request is not None:
            guess = guess_prompt(sent.request)
        tokens = self._record.tokens(server)
        now = asyncio.get_running_loop().time()
        learned = tokens.after_refusal(failure, guess, server, now)
        if learned is not tokens:
            self._record.learn(learned, keep=True)

    def estimate(self, sent: Plan[Any], server: Server) -> int | None:
        """Return about how many tokens a prompt has, ``None`` where it is no prompt."""
        if sent.request is None:
            return None
        return self._record.tokens(server).estimate.tokens(guess_prompt(sent.request))

    def on_reply(self, reply: AnyReply, guess: int, server: Server) -> None:
        """Correct the estimate of prompts by what a server counted of one."""
        usage = reply.usage if isinstance(reply, Reply) else None
        if usage is not None and usage.prompt_tokens is not None:
            self._correct(guess, usage.prompt_tokens, server)

    async def count(self, plan: Plan[Any], server: Server, client: HttpClient) -> bool:
        """Have the server's tokenizer count a prompt, once; tell whether it did.

        It never fails a call: a server that does not count is left to refuse.
        """
        tokens = self._record.tokens(server)
        # Once a call: its prompt stays the same, whatever is changed around it.
        if self._asked or plan.request is None or not tokens.tokenizes:
            return False
        self._asked = True
        call = tokenize_request(plan.request, self._record.target, server)
        if call is None:
            return False
        # Any failure says the same: this server does not count.
        with suppress(ByteBuddyError, TimeoutError):
            async with asyncio.timeout(_LONGEST):
                response = await client.send(call)
                try:
                    body = await response.read(MAX_COUNT, COUNT_BOUND)
                finally:
                    response.close()
                if response.status == _OK:
                    self.counted = read_token_count(body, plan.request)
        if self.counted is None:
            now = asyncio.get_running_loop().time()
            self._record.learn(tokens.without_tokenizer(server, now))
            return False
        if plan.guess is not None:
            self._correct(plan.guess, self.counted, server)
        return True

    def _correct(self, guess: int, count: int, server: Server) -> None:
        # A server that counts nothing says 0, which would teach that text is free.
        if count < 1:
            return
        tokens = self._record.tokens(server)
        estimate = tokens.estimate.corrected(guess, count)
        told = tokens.identity or server_identity(server)
        self._record.learn(evolve(tokens, estimate=estimate, identity=told))
