"""What is known of the servers behind bare addresses: asked once, shared by all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from bytebuddy_provider_hf.engine.route import Route
from bytebuddy_provider_hf.engine.verdicts import Verdicts
from bytebuddy_provider_hf.errors import APIError, ByteBuddyError
from bytebuddy_provider_hf.transport.port import Channel, Destination
from bytebuddy_provider_hf.wire.amend import NOTHING, Amendments
from bytebuddy_provider_hf.wire.call import Call
from bytebuddy_provider_hf.wire.mapping import MAX_ANSWER as MAX_MAPPING
from bytebuddy_provider_hf.wire.mapping import (
    mapping_call,
    provider_id,
    provider_of,
    renamed_call,
)
from bytebuddy_provider_hf.wire.probe import MAX_ANSWER, Probe
from bytebuddy_provider_hf.wire.server import Engine, Server
from bytebuddy_provider_hf.wire.target import ROUTER, Place, Target

_log: Final = logging.getLogger(__name__)

# An address with a route in it says itself what it is.
_ASSUMED: Final = Server()
_ROUTER: Final = Server(Engine.ROUTER)
_AUTO: Final = f"{ROUTER}/v1/"

# The Hub is asked so long for a provider's name of a model, and follows a renaming.
_LOOK_UP: Final = 5.0
_MOST_MOVES: Final = 2
_LATER: Final = 60.0


class Survey:
    """Probe each bare address once; whoever asks meanwhile waits for that answer."""

    def __init__(
        self,
        verdicts: Verdicts | None = None,
        connect: Callable[[Destination], Channel] | None = None,
    ) -> None:
        self._verdicts = verdicts
        self._connect = connect
        self._servers: dict[str, Server] = {}
        self._asking: dict[str, asyncio.Lock] = {}
        self._made: dict[str, Amendments] = {}
        # When the Hub, which did not say, is asked again.
        self._again: dict[str, float] = {}

    def known(self, target: Target, account: str) -> Server | None:
        """Return what is known of a server, or ``None`` where it must be asked."""
        if target.place is Place.ROUTER:
            # Nearly every call goes there; it must not cost them anything.
            if target.chat_url.startswith(_AUTO) or provider_of(target) is None:
                return _ROUTER
            return self._mapped(_mapping_key(target))
        return self._servers.get(_key(target, account)) if target.bare else _ASSUMED

    def amendments(self, target: Target, account: str) -> Amendments:
        """Return what earlier calls learned that this server refuses."""
        if not self._made:
            return NOTHING
        return self._made.get(f"{_key(target, account)} {target.model}", NOTHING)

    def remember(self, target: Target, account: str, made: Amendments) -> None:
        """Keep what holds for every call: refused parameters, no streaming, routes."""
        self._made[f"{_key(target, account)} {target.model}"] = made.kept()

    async def ask(self, route: Route, channel: Channel) -> Server:
        """Return the verdict on an address, probing it if nobody has.

        Raises the ``APIError`` that any call would meet there: a refused token, a
        model that is loading, an endpoint that was paused.
        """
        target = route.target
        if target.place is Place.ROUTER:
            return await self._named(route)
        key = _key(target, route.destination.account)
        async with self._asking.setdefault(key, asyncio.Lock()):
            found = self._servers.get(key)
            if found is None:
                found = self._kept(target)
            if found is None:
                found = await _probe(route, channel)
                _log.info("%s is %s", target.origin, found.engine.value)
                if self._verdicts is not None and _lasting(target):
                    self._verdicts.keep(target.chat_url, found)
            self._servers[key] = found
        return found

    async def _named(self, route: Route) -> Server:
        """Return the router with the name that the provider has for the model.

        The Hub is asked once, without a token; where it does not say, the id goes as
        it is written, and the replies tell so.
        """
        target = route.target
        key, provider = _mapping_key(target), provider_of(target)
        if self._connect is None or provider is None:
            return _ROUTER
        async with self._asking.setdefault(key, asyncio.Lock()):
            found = self._mapped(key)
            if found is None:
                name = None
                if route.hub is not None:
                    channel = self._connect(route.hub)
                    name = await _look_up(target, provider, channel)
                note = (
                    f"{provider}'s own id of {target.model} is not known: sent as is."
                )
                notes = () if name else (note,)
                found = Server(Engine.ROUTER, model=name, notes=notes)
                _log.info("%s calls %s %s", provider, target.model, name or "?")
                self._servers[key] = found
                if name is None:
                    self._again[key] = asyncio.get_running_loop().time() + _LATER
        return found

    def _mapped(self, key: str) -> Server | None:
        """Return what the Hub said of a provider's id; silence counts for a minute."""
        again = self._again.get(key)
        if again is not None and asyncio.get_running_loop().time() >= again:
            del self._again[key]
            self._servers.pop(key, None)
        return self._servers.get(key)

    def forget(self, target: Target, account: str) -> None:
        """Ask again next time: what was known proved wrong."""
        self._servers.pop(_key(target, account), None)
        if self._verdicts is not None:
            self._verdicts.forget(target.chat_url)

    def _kept(self, target: Target) -> Server | None:
        """Return what an earlier process found out, not more than a day ago."""
        if self._verdicts is None or not _lasting(target):
            return None
        kept = self._verdicts.find(target.chat_url)
        if kept is None:
            return None
        server, age = kept
        _log.info("%s was %s %.0f s ago", target.origin, server.engine.value, age)
        return server


def _lasting(target: Target) -> bool:
    """Whether an address means the same tomorrow: a local port does not."""
    return target.place is not Place.LOOPBACK


def _key(target: Target, account: str) -> str:
    return f"{account} {target.chat_url}"


def _mapping_key(target: Target) -> str:
    return f"{target.chat_url} {target.model}"


async def _look_up(target: Target, provider: str, channel: Channel) -> str | None:
    call: Call | None = mapping_call(target)
    with suppress(ByteBuddyError, TimeoutError):
        async with asyncio.timeout(_LOOK_UP):
            for _ in range(_MOST_MOVES):
                if call is None:
                    break
                response = await channel.send(call)
                try:
                    body = await response.read(MAX_MAPPING)
                finally:
                    response.close()
                if response.status == 200:  # noqa: PLR2004 - HTTP's OK
                    return provider_id(body, provider)
                call = renamed_call(response.headers.get("location", ""))
    return None


async def _probe(route: Route, channel: Channel) -> Server:
    credential = route.credential
    found_in = None if credential is None else credential.found_in
    probe = Probe(route.target, found_in=found_in)
    while (call := probe.call) is not None:
        failure = await _answered(probe, call, channel, route)
        if failure is not None:
            raise failure
    return probe.verdict or _ASSUMED


async def _answered(
    probe: Probe, call: Call, channel: Channel, route: Route
) -> APIError | None:
    response = await channel.send(call)
    try:
        body = await response.read(MAX_ANSWER)
    finally:
        response.close()
    # A server may echo the key: it is masked before anything reads the answer.
    scrubbed = route.scrub(body.decode("utf-8", "replace")).encode()
    del body
    return probe.answer(response.status, route.scrubbed(response.headers), scrubbed)
