"""What is known of the servers behind bare addresses: asked once, shared by all."""

from __future__ import annotations

import asyncio
import logging
import math
from contextlib import suppress
from typing import Final

from attrs import define, evolve, field

from bytebuddy_provider_hf.engine.knowledge import UNTOLD, WINDOW_AGE, ServerTokens
from bytebuddy_provider_hf.engine.route import Route
from bytebuddy_provider_hf.engine.verdicts import Verdicts
from bytebuddy_provider_hf.errors import APIError, ByteBuddyError
from bytebuddy_provider_hf.transport.bounded import BoundedCache
from bytebuddy_provider_hf.transport.channels import Channels
from bytebuddy_provider_hf.transport.port import Channel
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


@define(eq=False)
class _Place:
    """What one address was found to be, until when; the lock is its finder's."""

    lock: asyncio.Lock = field(factory=asyncio.Lock)
    server: Server | None = None
    until: float = math.inf


@define
class _Lessons:
    """What calls learned of a model at an address."""

    made: Amendments = NOTHING
    tokens: ServerTokens = UNTOLD


def _is_asked(place: _Place) -> bool:
    return place.lock.locked()


class Survey:
    """Probe each bare address once; whoever asks meanwhile waits for that answer.

    A verdict that names a window is good for an hour. Of addresses, and of models at
    them, those used last are kept.
    """

    def __init__(
        self, verdicts: Verdicts | None = None, channels: Channels | None = None
    ) -> None:
        self._verdicts = verdicts
        self._channels = channels
        self._places: BoundedCache[str, _Place] = BoundedCache(in_use=_is_asked)
        self._lessons: BoundedCache[str, _Lessons] = BoundedCache()

    def known(self, target: Target, account: str) -> Server | None:
        """Return what is known of a server, or ``None`` where it must be asked."""
        if target.place is Place.ROUTER:
            # Nearly every call goes there; it must not cost them anything.
            if target.chat_url.startswith(_AUTO) or provider_of(target) is None:
                return _ROUTER
            return self._fresh(_mapping_key(target))
        return self._fresh(_key(target, account)) if target.bare else _ASSUMED

    def amendments(self, target: Target, account: str) -> Amendments:
        """Return what earlier calls learned that this server refuses."""
        return self._learned(target, account).made

    def remember(self, target: Target, account: str, made: Amendments) -> None:
        """Keep what holds for every call: refused parameters, no streaming, routes."""
        self._learned(target, account).made = made.kept()

    def tokens(self, target: Target, account: str, server: Server) -> ServerTokens:
        """Return what ``server`` told of its window, and what its counts taught.

        The router chooses a provider for each call: what one of them told does not
        hold for the next.
        """
        if target.auto:
            return UNTOLD
        now = asyncio.get_running_loop().time()
        return self._learned(target, account).tokens.about(server, now)

    def learn(
        self, target: Target, account: str, tokens: ServerTokens, *, keep: bool = False
    ) -> None:
        """Remember what a server told of its tokens; ``keep``: on disk too."""
        if target.auto:
            return
        self._learned(target, account).tokens = tokens
        if keep and self._verdicts is not None and _lasting(target):
            self._verdicts.keep_tokens(target.chat_url, target.model, tokens)

    async def ask(self, route: Route, channel: Channel) -> Server:
        """Return the verdict on an address, probing it if nobody has.

        Raises the ``APIError`` that any call would meet there: a refused token, a
        model that is loading, an endpoint that was paused.
        """
        target = route.target
        if target.place is Place.ROUTER:
            return await self._named(route)
        key = _key(target, route.destination.account)
        place = self._place(key)
        try:
            async with place.lock:
                return self._fresh(key) or await self._found(place, route, channel)
        finally:
            self._places.trim(key)

    async def _found(self, place: _Place, route: Route, channel: Channel) -> Server:
        """Return what an earlier process, or a probe now, found at an address."""
        target = route.target
        found, age = self._kept(target)
        if found is None:
            found = await _probe(route, channel)
            _log.info("%s is %s", target.origin, found.engine.value)
            if self._verdicts is not None and _lasting(target):
                self._verdicts.keep(target.chat_url, found)
        now = asyncio.get_running_loop().time()
        place.server = found
        place.until = math.inf if found.window is None else now + WINDOW_AGE - age
        return found

    async def _named(self, route: Route) -> Server:
        """Return the router with the name that the provider has for the model.

        The Hub is asked once, without a token; where it does not say, the id goes as
        it is written, and the replies tell so.
        """
        target = route.target
        key, provider = _mapping_key(target), provider_of(target)
        if self._channels is None or provider is None:
            return _ROUTER
        place = self._place(key)
        async with place.lock:
            found = self._fresh(key)
            if found is None:
                name = None
                if route.hub is not None:
                    with self._channels.lend(route.hub) as channel:
                        name = await _look_up(target, provider, channel)
                note = (
                    f"{provider}'s own id of {target.model} is not known: sent as is."
                )
                notes = () if name else (note,)
                found = Server(Engine.ROUTER, model=name, notes=notes)
                _log.info("%s calls %s %s", provider, target.model, name or "?")
                # Silence of the Hub's counts for a minute.
                now = asyncio.get_running_loop().time()
                place.server = found
                place.until = math.inf if name else now + _LATER
        self._places.trim(key)
        return found

    def forget(self, target: Target, account: str) -> None:
        """Ask again next time: what was known proved wrong."""
        if place := self._places.get(_key(target, account)):
            place.server = None
        if self._verdicts is not None:
            self._verdicts.forget(target.chat_url)

    def _place(self, key: str) -> _Place:
        place = self._places.get(key)
        if place is None:
            place = _Place()
            self._places.put(key, place)
        return place

    def _fresh(self, key: str) -> Server | None:
        place = self._places.get(key)
        if place is None or place.until <= asyncio.get_running_loop().time():
            return None
        return place.server

    def _learned(self, target: Target, account: str) -> _Lessons:
        """Return what is known of a model, by earlier processes too."""
        key = f"{_key(target, account)} {target.model}"
        lessons = self._lessons.get(key)
        if lessons is None:
            lessons = _Lessons()
            if self._verdicts is not None and _lasting(target) and not target.auto:
                now = asyncio.get_running_loop().time()
                kept = self._verdicts.find_tokens(target.chat_url, target.model)
                if kept is not None:
                    tokens, age = kept
                    lessons.tokens = evolve(tokens, at=now - age)
            self._lessons.put(key, lessons)
        return lessons

    def _kept(self, target: Target) -> tuple[Server | None, float]:
        """Return what an earlier process found out, and how many seconds ago.

        A window is believed for an hour, the rest for a day.
        """
        if self._verdicts is None or not _lasting(target):
            return None, 0.0
        server, age = self._verdicts.find(target.chat_url) or (None, 0.0)
        if server is None or (server.window is not None and age >= WINDOW_AGE):
            return None, 0.0
        _log.info("%s was %s %.0f s ago", target.origin, server.engine.value, age)
        return server, age


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
