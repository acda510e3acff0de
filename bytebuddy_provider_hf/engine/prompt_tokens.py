"""What one call knows of its prompt's tokens, and what it teaches later calls."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

from attrs import evolve

from bytebuddy_provider_hf.engine.answer_room import guess_prompt
from bytebuddy_provider_hf.engine.asking import Answered, Asked
from bytebuddy_provider_hf.engine.knowledge import (
    Counted,
    Knowledge,
    ServerTokens,
    identity,
    smallest,
)
from bytebuddy_provider_hf.engine.survey import Survey
from bytebuddy_provider_hf.errors import ByteBuddyError, ContextTooLong
from bytebuddy_provider_hf.prompts.family import Family
from bytebuddy_provider_hf.transport.port import Channel
from bytebuddy_provider_hf.types import Reply
from bytebuddy_provider_hf.wire.amend import Amendments
from bytebuddy_provider_hf.wire.call import Call
from bytebuddy_provider_hf.wire.server import Server
from bytebuddy_provider_hf.wire.target import Target
from bytebuddy_provider_hf.wire.tokenize import (
    MAX_COUNT,
    Prompted,
    read_token_count,
    tokenize_call,
)

# Counting must not take longer than the refusal that it spares.
_LONGEST: Final = 5.0
_OK: Final = 200


class PromptTokens:
    """Know what a server told of its tokens; learn from its refusals and counts."""

    def __init__(self, survey: Survey, target: Target, account: str) -> None:
        self._survey = survey
        self._target = target
        self._account = account
        self._asked = False
        # What the server's tokenizer said of this prompt.
        self._counted: int | None = None

    def told(self, server: Server) -> ServerTokens:
        """Return what is known of a server now, by all calls so far."""
        return self._survey.tokens(self._target, self._account, server)

    def known(
        self,
        server: Server,
        made: Amendments,
        *,
        window: int | None,
        family: Family | None,
    ) -> Knowledge:
        """Return what is known of ``server`` now, by this call and by others.

        ``window`` is the configured one, ``family`` what the Hub told.
        """
        tokens = self.told(server)
        told = tokens.applied(made.narrowed(server))
        counted, prompt_tokens = None, self._counted
        if made.window is not None and made.prompt_tokens is not None:
            # The history is cut: the prompt becomes another one.
            counted = Counted(made.prompt_tokens, made.window)
            prompt_tokens = None
        # What the server counted in a refusal needs no estimate.
        exact = made.max_tokens is not None
        return Knowledge(
            told,
            family=family,
            untemplated=made.untemplated,
            counted=counted,
            window=None if exact else smallest(window, told.window),
            estimate=tokens.estimate,
            prompt_tokens=prompt_tokens,
        )

    def refused(
        self, failure: ContextTooLong, sent: Asked[Any], server: Server
    ) -> None:
        """Remember the window that a refusal told, and the prompt that it counted."""
        guess = sent.guess
        if guess is None and sent.request is not None:
            guess = guess_prompt(sent.request)
        tokens = self.told(server)
        now = asyncio.get_running_loop().time()
        learned = tokens.refused(failure, guess, server, now)
        if learned is not tokens:
            self._learn(learned, keep=True)

    def replied(self, reply: Answered, sent: Asked[Any], server: Server) -> None:
        """Correct the estimate of prompts by what a server counted of one."""
        if isinstance(reply, Reply) and reply.usage is not None:
            self._correct(sent.guess, reply.usage.prompt_tokens, server)

    async def count(self, asked: Asked[Any], server: Server, channel: Channel) -> bool:
        """Have the server's tokenizer count a prompt, once; tell whether it did.

        It never fails a call: a server that does not count is left to refuse.
        """
        tokens = self.told(server)
        if self._asked or asked.request is None or not tokens.tokenizes:
            return False
        self._asked = True
        call = tokenize_call(asked.request, self._target, server)
        if call is None:
            return False
        self._counted = await _count(call, asked.request, channel)
        if self._counted is None:
            now = asyncio.get_running_loop().time()
            self._learn(tokens.without_tokenizer(server, now))
            return False
        self._correct(asked.guess, self._counted, server)
        return True

    def _correct(self, guess: int | None, count: int, server: Server) -> None:
        if guess is None or count < 1:
            return
        tokens = self.told(server)
        estimate = tokens.estimate.corrected(guess, count)
        told = tokens.identity or identity(server)
        self._learn(evolve(tokens, estimate=estimate, identity=told))

    def _learn(self, tokens: ServerTokens, *, keep: bool = False) -> None:
        self._survey.learn(self._target, self._account, tokens, keep=keep)


async def _count(call: Call, request: Prompted, channel: Channel) -> int | None:
    with suppress(ByteBuddyError, TimeoutError):
        async with asyncio.timeout(_LONGEST):
            response = await channel.send(call)
            try:
                body = await response.read(MAX_COUNT)
            finally:
                response.close()
            if response.status == _OK:
                return read_token_count(body, request)
    return None
