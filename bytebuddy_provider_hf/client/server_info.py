"""What is known of the servers behind bare addresses: asked once, shared by all."""

from __future__ import annotations

import asyncio
import logging
import math
from contextlib import suppress
from typing import Final

from attrs import define, evolve, field

from bytebuddy_provider_hf.address import ROUTER, HostKind, Target
from bytebuddy_provider_hf.client.endpoint import Endpoint
from bytebuddy_provider_hf.client.knowledge import (
    NOTHING_TOLD,
    WINDOW_AGE,
    ServerTokens,
)
from bytebuddy_provider_hf.client.server_cache import ServerCache
from bytebuddy_provider_hf.errors import APIError, ByteBuddyError
from bytebuddy_provider_hf.hub.provider_ids import MAX_ANSWER as MAX_MAPPING
from bytebuddy_provider_hf.hub.provider_ids import (
    mapping_request,
    provider_id,
    provider_of,
    renamed_request,
)
from bytebuddy_provider_hf.transport.bounded import BoundedCache
from bytebuddy_provider_hf.transport.http_client import HttpClient, HttpClients
from bytebuddy_provider_hf.wire.adapt import NO_ADAPTATIONS, Adaptations
from bytebuddy_provider_hf.wire.http_request import HttpRequest
from bytebuddy_provider_hf.wire.probe import MAX_ANSWER, Probe
from bytebuddy_provider_hf.wire.server import Engine, Server

_log: Final = logging.getLogger(__name__)

# An address with a route in it says itself what it is.
_ASSUMED: Final = Server()
_ROUTER: Final = Server(Engine.ROUTER)
_AUTO: Final = f"{ROUTER}/v1/"

# The Hub is asked so long for a provider's name of a model, and follows a renaming.
_LOOKUP_SECONDS: Final = 5.0
_MOST_MOVES: Final = 2
_RETRY_LOOKUP_AFTER: Final = 60.0


@define(eq=False)
class _Entry:
    """What one address was found to be, until when; the lock is its finder's."""

    lock: asyncio.Lock = field(factory=asyncio.Lock)
    server: Server | None = None
    until: float = math.inf


@define
class _Learned:
    """What calls learned of a model at an address."""

    adaptations: Adaptations = NO_ADAPTATIONS
    tokens: ServerTokens = NOTHING_TOLD


def _is_in_use(entry: _Entry) -> bool:
    return entry.lock.locked()


class ServerDetector:
    """Probe each bare address once; whoever asks meanwhile waits for that answer.

    A server that names its window is good for an hour. Of addresses, and of models at
    them, those used last are kept.
    """

    def __init__(
        self,
        server_cache: ServerCache | None = None,
        clients: HttpClients | None = None,
    ) -> None:
        self._server_cache = server_cache
        self._clients = clients
        self._entries: BoundedCache[str, _Entry] = BoundedCache(in_use=_is_in_use)
        self._learned_facts: BoundedCache[str, _Learned] = BoundedCache()

    def known(self, target: Target, account: str) -> Server | None:
        """Return what is known of a server, or ``None`` where it must be asked."""
        if target.host_kind is HostKind.ROUTER:
            # Nearly every call goes there; it must not cost them anything.
            if target.chat_url.startswith(_AUTO) or provider_of(target) is None:
                return _ROUTER
            return self._fresh(_mapping_key(target))
        return (
            self._fresh(_key(target, account)) if target.needs_detection else _ASSUMED
        )

    def adaptations(self, target: Target, account: str) -> Adaptations:
        """Return what earlier calls learned that this server refuses."""
        return self._learned(target, account).adaptations

    def remember(self, target: Target, account: str, adaptations: Adaptations) -> None:
        """Keep what holds for every call: refused parameters, no streaming, routes."""
        self._learned(target, account).adaptations = adaptations.persistent()

    def tokens(self, target: Target, account: str, server: Server) -> ServerTokens:
        """Return what ``server`` told of its window, and what its counts taught.

        The router chooses a provider for each call: what one of them told does not
        hold for the next.
        """
        if target.router_picks_provider:
            return NOTHING_TOLD
        now = asyncio.get_running_loop().time()
        return self._learned(target, account).tokens.still_valid_for(server, now)

    def learn(
        self, target: Target, account: str, tokens: ServerTokens, *, keep: bool = False
    ) -> None:
        """Remember what a server told of its tokens; ``keep``: on disk too."""
        if target.router_picks_provider:
            return
        self._learned(target, account).tokens = tokens
        if keep and self._server_cache is not None and _lasting(target):
            self._server_cache.put_tokens(target.chat_url, target.model, tokens)

    async def detect(self, endpoint: Endpoint, client: HttpClient) -> Server:
        """Return what stands at an address, probing it if nobody has.

        Raises the ``APIError`` that any call would meet there: a refused token, a
        model that is loading, an endpoint that was paused.
        """
        target = endpoint.target
        if target.host_kind is HostKind.ROUTER:
            return await self._router_server(endpoint)
        key = _key(target, endpoint.destination.account)
        entry = self._entry(key)
        try:
            async with entry.lock:
                return self._fresh(key) or await self._find(entry, endpoint, client)
        finally:
            self._entries.trim(key)

    async def _find(
        self, entry: _Entry, endpoint: Endpoint, client: HttpClient
    ) -> Server:
        """Return what an earlier process, or a probe now, found at an address."""
        target = endpoint.target
        found, age = self._kept(target)
        if found is None:
            found = await _probe(endpoint, client)
            _log.info("%s is %s", target.origin, found.engine.value)
            if self._server_cache is not None and _lasting(target):
                self._server_cache.put(target.chat_url, found)
        now = asyncio.get_running_loop().time()
        entry.server = found
        entry.until = (
            math.inf if found.context_length is None else now + WINDOW_AGE - age
        )
        return found

    async def _router_server(self, endpoint: Endpoint) -> Server:
        """Return the router with the name that the provider has for the model.

        The Hub is asked once, without a token; where it does not say, the id goes as
        it is written, and the replies tell so.
        """
        target = endpoint.target
        key, provider = _mapping_key(target), provider_of(target)
        if self._clients is None or provider is None:
            return _ROUTER
        entry = self._entry(key)
        async with entry.lock:
            found = self._fresh(key)
            if found is None:
                name = None
                if endpoint.hub is not None:
                    with self._clients.lend(endpoint.hub) as channel:
                        name = await _look_up(target, provider, channel)
                note = (
                    f"{provider}'s own id of {target.model} is not known: sent as is."
                )
                notes = () if name else (note,)
                found = Server(Engine.ROUTER, model=name, notes=notes)
                _log.info("%s calls %s %s", provider, target.model, name or "?")
                # Silence of the Hub's counts for a minute.
                now = asyncio.get_running_loop().time()
                entry.server = found
                entry.until = math.inf if name else now + _RETRY_LOOKUP_AFTER
        self._entries.trim(key)
        return found

    def forget(self, target: Target, account: str) -> None:
        """Ask again next time: what was known proved wrong."""
        if place := self._entries.get(_key(target, account)):
            place.server = None
        if self._server_cache is not None:
            self._server_cache.delete(target.chat_url)

    def _entry(self, key: str) -> _Entry:
        entry = self._entries.get(key)
        if entry is None:
            entry = _Entry()
            self._entries.put(key, entry)
        return entry

    def _fresh(self, key: str) -> Server | None:
        place = self._entries.get(key)
        if place is None or place.until <= asyncio.get_running_loop().time():
            return None
        return place.server

    def _learned(self, target: Target, account: str) -> _Learned:
        """Return what is known of a model, by earlier processes too."""
        key = f"{_key(target, account)} {target.model}"
        lessons = self._learned_facts.get(key)
        if lessons is None:
            lessons = _Learned()
            if (
                self._server_cache is not None
                and _lasting(target)
                and not target.router_picks_provider
            ):
                now = asyncio.get_running_loop().time()
                kept = self._server_cache.get_tokens(target.chat_url, target.model)
                if kept is not None:
                    tokens, age = kept
                    lessons.tokens = evolve(tokens, at=now - age)
            self._learned_facts.put(key, lessons)
        return lessons

    def _kept(self, target: Target) -> tuple[Server | None, float]:
        """Return what an earlier process found out, and how many seconds ago.

        A window is believed for an hour, the rest for a day.
        """
        if self._server_cache is None or not _lasting(target):
            return None, 0.0
        server, age = self._server_cache.get(target.chat_url) or (None, 0.0)
        if server is None or (server.context_length is not None and age >= WINDOW_AGE):
            return None, 0.0
        _log.info("%s was %s %.0f s ago", target.origin, server.engine.value, age)
        return server, age


def _lasting(target: Target) -> bool:
    """Whether an address means the same tomorrow: a local port does not."""
    return target.host_kind is not HostKind.LOOPBACK


def _key(target: Target, account: str) -> str:
    return f"{account} {target.chat_url}"


def _mapping_key(target: Target) -> str:
    return f"{target.chat_url} {target.model}"


async def _look_up(target: Target, provider: str, client: HttpClient) -> str | None:
    call: HttpRequest | None = mapping_request(target)
    with suppress(ByteBuddyError, TimeoutError):
        async with asyncio.timeout(_LOOKUP_SECONDS):
            for _ in range(_MOST_MOVES):
                if call is None:
                    break
                response = await client.send(call)
                try:
                    body = await response.read(MAX_MAPPING)
                finally:
                    response.close()
                if response.status == 200:  # noqa: PLR2004 - HTTP's OK
                    return provider_id(body, provider)
                call = renamed_request(response.headers.get("location", ""))
    return None


async def _probe(endpoint: Endpoint, client: HttpClient) -> Server:
    credential = endpoint.credential
    token_source = None if credential is None else credential.source
    probe = Probe(endpoint.target, token_source=token_source)
    while (call := probe.call) is not None:
        failure = await _answered(probe, call, client, endpoint)
        if failure is not None:
            raise failure
    return probe.server or _ASSUMED


async def _answered(
    probe: Probe, call: HttpRequest, client: HttpClient, endpoint: Endpoint
) -> APIError | None:
    response = await client.send(call)
    try:
        body = await response.read(MAX_ANSWER)
    finally:
        response.close()
    # A server may echo the key: it is masked before anything reads the answer.
    scrubbed = endpoint.scrub(body.decode("utf-8", "replace")).encode()
    del body
    return probe.answer(response.status, endpoint.scrubbed(response.headers), scrubbed)
