"""Lead to Hugging Face's own services, each question with an end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final, TypeVar

from attrs import evolve

from bytebuddy_provider_hf.client.runtime import LoopState
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.doctor.findings import Finding, Level
from bytebuddy_provider_hf.doctor.situation import Situation
from bytebuddy_provider_hf.errors import ByteBuddyError
from bytebuddy_provider_hf.hub.status_page import STATUS
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.transport.credentials import Credential
from bytebuddy_provider_hf.transport.http_client import (
    Destination,
    HttpClient,
    destination_for,
)

# Connecting takes less; a question that takes longer is answered "not known".
_CONNECT_LIMIT: Final = 10.0
# Seconds for one question: a host that takes it may never answer.
_PATIENCE: Final = 20.0

_T = TypeVar("_T")


class Ways:
    """Lead to Hugging Face's services by the proxy of the first entry."""

    def __init__(
        self, situation: Situation, env: Mapping[str, str], state: LoopState
    ) -> None:
        first = next(
            (e for e in situation.entries if e.name in situation.endpoints), None
        )
        options = RequestOptions() if first is None else first.request_options
        # What is for one server, headers and certificates, is not for another.
        self.options = evolve(
            options,
            headers={},
            extra_body_properties={},
            client_certificate=None,
            connect_timeout=_CONNECT_LIMIT,
        )
        self.env = env
        self._state = state

    async def ask(
        self,
        origin: str,
        questions: Callable[[Destination, HttpClient], AsyncIterator[_T]],
        *,
        name: str,
        level: Level,
        credential: Credential | None = None,
    ) -> AsyncIterator[_T | Finding]:
        """Yield what ``questions`` find at an origin, asked with the token if given.

        What keeps them from an answer is a finding of that ``name`` and ``level``: a
        proxy or an authority that cannot be used, or a host that never answers.
        """
        secret = None if credential is None else credential.secret
        try:
            way = destination_for(origin, secret, self.options, env=self.env)
            with self._state.clients.lend(way) as client:
                found = questions(way, client)
                while True:
                    async with asyncio.timeout(_PATIENCE):
                        each = await anext(found, None)
                    if each is None:
                        return
                    yield each
        except TimeoutError:
            host, seconds = origin.partition("://")[2], f"{_PATIENCE:.0f}"
            said = text("doctor.silent", host=host, seconds=seconds)
            steps = (text("doctor.silent_step", page=STATUS),)
            yield Finding(name, level, said, steps)
        except ByteBuddyError as error:
            yield Finding(name, level, error=error)
