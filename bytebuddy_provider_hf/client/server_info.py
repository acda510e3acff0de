"""Know the server of each model: found out once, taught by answers, shared by calls."""

from __future__ import annotations

import asyncio
import logging
import math
from http import HTTPStatus
from typing import Final

from attrs import define, evolve, field

from bytebuddy_provider_hf.address import HostKind, Target
from bytebuddy_provider_hf.client.endpoint import Endpoint
from bytebuddy_provider_hf.client.knowledge import (
    NOTHING_TOLD,
    WINDOW_AGE,
    Knowledge,
    ServerTokens,
    TokenCounts,
    smallest,
)
from bytebuddy_provider_hf.client.providers import Policy, policy_of
from bytebuddy_provider_hf.client.response_errors import (
    read_error_body,
    tell_token_place,
)
from bytebuddy_provider_hf.client.server_cache import ServerCache
from bytebuddy_provider_hf.hub.models_api import HubCatalogue, provider_of
from bytebuddy_provider_hf.prompts.family import Family
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.transport.bounded import BoundedCache
from bytebuddy_provider_hf.transport.http_client import HttpClient, HttpClients
from bytebuddy_provider_hf.wire.adapt import NO_ADAPTATIONS, Adaptations
from bytebuddy_provider_hf.wire.dialects.router import Router
from bytebuddy_provider_hf.wire.probe import Probe
from bytebuddy_provider_hf.wire.server import Server

_log: Final = logging.getLogger(__name__)

# An address with a route in it says itself what it is.
_ASSUMED: Final = Server()
_ROUTER: Final = Router()

# The Hub is asked so long for a provider's name of a model; its silence counts for a
# minute.
_LOOKUP_SECONDS: Final = 5.0
_RETRY_LOOKUP_AFTER: Final = 60.0


@define(eq=False)
class Address:
    """Hold what one address was found to be, until when; the lock is its finder's."""

    server: Server | None = None
    until: float = math.inf
    lock: asyncio.Lock = field(factory=asyncio.Lock)


@define(eq=False)
class ServerRecord:
    """Hold what is known of a model at an address, for all calls that go there.

    Models of one server share its ``address``. ``adaptations`` are what calls had to
    change for it. ``store`` keeps what it tells for the next process, where that may
    hold; ``provider`` is the one of the router's that the address names, ``policy`` how
    the router picks one where nobody does.
    """

    target: Target
    address: Address
    loop: asyncio.AbstractEventLoop
    store: ServerCache | None = None
    provider: str | None = None
    policy: Policy | None = None
    adaptations: Adaptations = NO_ADAPTATIONS
    _tokens: ServerTokens = NOTHING_TOLD
    _basis: tuple[object, ...] | None = None
    _knowledge: Knowledge | None = None

    @property
    def server(self) -> Server | None:
        """Return what stands there, or ``None`` where it must be asked."""
        address = self.address
        if address.until <= self.loop.time():
            return None
        return address.server

    def remember(self, adaptations: Adaptations) -> None:
        """Keep what holds for every call: refused parameters, no streaming, routes."""
        self.adaptations = adaptations.persistent()

    def tokens(self, server: Server) -> ServerTokens:
        """Return what ``server`` told of its window, and what its counts taught."""
        if self._tokens is NOTHING_TOLD:
            return NOTHING_TOLD
        return self._tokens.still_valid_for(server, self.loop.time())

    def learn(self, tokens: ServerTokens, *, keep: bool = False) -> None:
        """Remember what a server told of its tokens; ``keep``: on disk too.

        The router chooses a provider for each call: what one of them told does not
        hold for the next.
        """
        if self.target.router_picks_provider:
            return
        self._tokens = tokens
        if keep and self.store is not None:
            self.store.put_tokens(self.target.chat_url, self.target.model, tokens)

    def knowledge(
        self,
        server: Server,
        adaptations: Adaptations,
        *,
        window: int | None,
        family: Family | None,
        prompt_tokens: int | None = None,
    ) -> Knowledge:
        """Return what is known of ``server``; the same object while nothing changed.

        ``adaptations`` are those of the call, ``window`` is the configured one,
        ``family`` what the Hub told, ``prompt_tokens`` what the server's tokenizer said
        of this prompt.
        """
        tokens = self.tokens(server)
        basis = (server, adaptations, tokens, window, family, prompt_tokens)
        # Comparing tuples of the same objects costs next to nothing.
        if self._knowledge is not None and basis == self._basis:
            return self._knowledge
        counted = None
        if adaptations.window is not None and adaptations.prompt_tokens is not None:
            # The history is cut: the prompt becomes another one.
            counted = TokenCounts(adaptations.prompt_tokens, adaptations.window)
            prompt_tokens = None
        told = tokens.apply_to(adaptations.known_of(server))
        # What the server counted in a refusal needs no estimate.
        exact = adaptations.max_tokens is not None
        self._basis = basis
        self._knowledge = Knowledge(
            told,
            family=family,
            no_template=adaptations.no_template,
            token_counts=counted,
            window=None if exact else smallest(window, told.context_length),
            estimate=tokens.estimate,
            prompt_tokens=prompt_tokens,
        )
        return self._knowledge


class ServerDetector:
    """Probe each bare address once; whoever asks meanwhile waits for that answer.

    A server that names its window is good for an hour. Of addresses, and of models at
    them, those used last are kept.
    """

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        hub: HubCatalogue,
        clients: HttpClients,
        store: ServerCache | None = None,
    ) -> None:
        self._loop = loop
        self._hub = hub
        self._clients = clients
        self._store = store
        self._addresses: BoundedCache[str, Address] = BoundedCache()
        self._records: BoundedCache[tuple[str, str, str, bool], ServerRecord] = (
            BoundedCache()
        )

    def record(self, target: Target, account: str) -> ServerRecord:
        """Return what is known of a model there, by earlier processes too."""
        key = (account, target.chat_url, target.model, target.needs_detection)
        record = self._records.get(key)
        if record is not None:
            return record
        provider = provider_of(target)
        if provider is not None:
            # Each model has a name of its own there, whoever asks.
            address = self._address(f"{target.chat_url} {target.model}")
        elif target.needs_detection:
            address = self._address(f"{account} {target.chat_url}")
        else:
            routed = target.host_kind is HostKind.ROUTER
            address = Address(_ROUTER if routed else _ASSUMED)
        # A local port is another server's tomorrow, and the router chooses a provider
        # for each call.
        passing = target.host_kind is HostKind.LOOPBACK or target.router_picks_provider
        store = None if passing else self._store
        policy = policy_of(target)
        record = ServerRecord(target, address, self._loop, store, provider, policy)
        if store is not None:
            kept = store.get_tokens(target.chat_url, target.model)
            if kept is not None:
                tokens, age = kept
                record.learn(evolve(tokens, at=self._loop.time() - age))
        self._records.put(key, record)
        return record

    async def detect(
        self, record: ServerRecord, endpoint: Endpoint, client: HttpClient
    ) -> Server:
        """Return what stands at an address, probing it if nobody has.

        Raises the ``APIError`` that any call would meet there: a refused token, a
        model that is loading, an endpoint that was paused.
        """
        async with record.address.lock:
            known = record.server
            if known is not None:
                return known
            if record.provider is not None:
                return await self._ask_hub(record, record.provider, endpoint)
            return await self._find(record, endpoint, client)

    def forget(self, record: ServerRecord) -> None:
        """Ask again next time: what was known proved wrong."""
        record.address.server = None
        if record.store is not None:
            record.store.delete(record.target.chat_url)

    def _address(self, key: str) -> Address:
        address = self._addresses.get(key)
        if address is None:
            address = Address()
            self._addresses.put(key, address)
        return address

    async def _find(
        self, record: ServerRecord, endpoint: Endpoint, client: HttpClient
    ) -> Server:
        """Return what an earlier process, or a probe now, found at an address."""
        target, store, address = record.target, record.store, record.address
        kept = None if store is None else store.get(target.chat_url)
        found, age = kept or (None, 0.0)
        if found is not None and (found.context_length is None or age < WINDOW_AGE):
            # A window is believed for an hour, the rest for a day.
            _log.info("%s was %s %.0f s ago", target.origin, found.name, age)
        else:
            found, age = await probe(endpoint, client), 0.0
            _log.info("%s is %s", target.origin, found.name)
            if store is not None:
                store.put(target.chat_url, found)
        until = self._loop.time() + WINDOW_AGE - age
        address.server = found
        address.until = math.inf if found.context_length is None else until
        return found

    async def _ask_hub(
        self, record: ServerRecord, provider: str, endpoint: Endpoint
    ) -> Server:
        """Return the router with the name that the provider has for the model.

        The Hub is asked without a token; where it does not say, the id goes as it is
        written, and the replies tell so.
        """
        model, facts, name = record.target.model, None, None
        if endpoint.hub is not None:
            with self._clients.lend(endpoint.hub) as client:
                facts = await self._hub.facts(model, client, limit=_LOOKUP_SECONDS)
        if facts is not None:
            name = facts.provider_ids.get(provider)
            if name is None:
                self._hub.forget(model)  # the provider may begin to serve it
        _log.info("%s calls %s %s", provider, model, name or "?")
        note = text("calls.own_id_of_is_not_known_sent", provider=provider, model=model)
        found = Router(model=name, notes=() if name else (note,))
        until = self._loop.time() + _RETRY_LOOKUP_AFTER
        record.address.server = found
        record.address.until = math.inf if name else until
        return found


async def probe(endpoint: Endpoint, client: HttpClient) -> Server:
    """Ask an address what it is, one question after the other."""
    credential = endpoint.credential
    token_source = None if credential is None else credential.source
    probe = Probe(endpoint.target, token_source=token_source)
    while (call := probe.call) is not None:
        response = await client.send(call)
        try:
            # Of an error, or a page that is no answer, the start is enough.
            body = await (
                response.read(probe.most)
                if response.status == HTTPStatus.OK
                else read_error_body(response)
            )
        finally:
            response.close()
        # A server may echo the key: it is masked before anything reads the answer. Of
        # a list of models no name is torn apart because a key begins like it.
        said = endpoint.scrub(body.decode("utf-8", "replace"), parts=False)
        body = said.encode()
        headers = endpoint.scrubbed(response.headers)
        failure = probe.answer(response.status, headers, body)
        if failure is not None:
            del body, said
            tell_token_place(failure, endpoint)
            raise endpoint.scrubbed_error(failure)
    return probe.server or _ASSUMED
