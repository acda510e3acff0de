"""What is known of the servers behind bare addresses: asked once, shared by all."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from attrs import evolve

from bytebuddy_provider_hf.engine.route import Route
from bytebuddy_provider_hf.engine.verdicts import Verdicts
from bytebuddy_provider_hf.errors import APIError
from bytebuddy_provider_hf.transport.port import Channel
from bytebuddy_provider_hf.wire.amend import NOTHING, Amendments
from bytebuddy_provider_hf.wire.call import Call
from bytebuddy_provider_hf.wire.probe import MAX_ANSWER, Probe
from bytebuddy_provider_hf.wire.server import Engine, Server
from bytebuddy_provider_hf.wire.target import Place, Target

_log: Final = logging.getLogger("bytebuddy.huggingface")

# An address with a route in it says itself what it is.
_ASSUMED: Final = Server()
_ROUTER: Final = Server(Engine.ROUTER)


class Survey:
    """Probe each bare address once; whoever asks meanwhile waits for that answer."""

    def __init__(self, verdicts: Verdicts | None = None) -> None:
        self._verdicts = verdicts
        self._servers: dict[str, Server] = {}
        self._asking: dict[str, asyncio.Lock] = {}
        self._made: dict[str, Amendments] = {}

    def known(self, target: Target, account: str) -> Server | None:
        """Return what is known of a server, or ``None`` where it must be asked."""
        if target.place is Place.ROUTER:
            return _ROUTER
        return self._servers.get(_key(target, account)) if target.bare else _ASSUMED

    def amendments(self, target: Target, account: str) -> Amendments:
        """Return what earlier calls learned that this server refuses."""
        if not self._made:
            return NOTHING
        return self._made.get(f"{_key(target, account)} {target.model}", NOTHING)

    def remember(self, target: Target, account: str, made: Amendments) -> None:
        """Keep what holds for every call: refused parameters, no streaming."""
        kept = evolve(made, max_tokens=None, notes=())
        self._made[f"{_key(target, account)} {target.model}"] = kept

    async def ask(self, way: Route, channel: Channel) -> Server:
        """Return the verdict on an address, probing it if nobody has.

        Raises the ``APIError`` that any call would meet there: a refused token, a
        model that is loading, an endpoint that was paused.
        """
        target = way.target
        key = _key(target, way.destination.account)
        async with self._asking.setdefault(key, asyncio.Lock()):
            found = self._servers.get(key)
            if found is None:
                found = self._kept(target)
            if found is None:
                found = await _probe(way, channel)
                _log.info("%s is %s", target.origin, found.engine.value)
                if self._verdicts is not None and _lasting(target):
                    self._verdicts.keep(target.chat_url, found)
            self._servers[key] = found
        return found

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


async def _probe(way: Route, channel: Channel) -> Server:
    credential = way.credential
    found_in = None if credential is None else credential.found_in
    probe = Probe(way.target, found_in=found_in)
    while (call := probe.call) is not None:
        failure = await _answered(probe, call, channel, way)
        if failure is not None:
            raise failure
    return probe.verdict or _ASSUMED


async def _answered(
    probe: Probe, call: Call, channel: Channel, way: Route
) -> APIError | None:
    response = await channel.send(call)
    try:
        body = await response.read(MAX_ANSWER)
    finally:
        response.close()
    # A server may echo the key: it is masked before anything reads the answer.
    scrubbed = way.scrub(body.decode("utf-8", "replace")).encode()
    del body
    return probe.answer(response.status, response.headers, scrubbed)
