"""One call, from request to events.

Permit and response are given back before any sleep. Nothing is sent again after the
first event reached the caller. Where a failure leaves, it leaves outside the ``except``
block, so that no foreign error hangs in its context.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final

from attrs import evolve

from bytebuddy_provider_hf.engine.asking import Asked, R, no_stream, noted, told
from bytebuddy_provider_hf.engine.filtering import FilteredStream
from bytebuddy_provider_hf.engine.passage import Errand, Passage
from bytebuddy_provider_hf.engine.route import Route
from bytebuddy_provider_hf.engine.runtime import LoopState
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    Closed,
    ConnectionLost,
    IdleTimeout,
    MalformedResponse,
    NoDataTimeout,
    ResponseError,
    StreamInterrupted,
)
from bytebuddy_provider_hf.transport.port import Response
from bytebuddy_provider_hf.transport.watch import StreamWatch
from bytebuddy_provider_hf.types import Done, Event, Loading, Reply
from bytebuddy_provider_hf.wire.events import events_of
from bytebuddy_provider_hf.wire.message import MAX_BODY, error_message
from bytebuddy_provider_hf.wire.server import Server

# After the end mark: long enough for the last bytes of the framing, so that the
# connection can be used again; too short to notice.
_DRAIN: Final = 0.1

_log = logging.getLogger(__name__)


async def whole(errand: Errand[R], state: LoopState) -> R:
    """Return the answer in one piece; waiting is told to ``errand.on_event``."""
    with Passage(errand, state) as passage:
        while True:
            while not passage.enter():
                _tell(errand, passage.waiting())
                await passage.wait(told=errand.on_event is not None)
            try:
                reply = await _fetch(errand, passage)
            except ByteBuddyError as error:
                failure = error
            else:
                passage.succeeded(reply)
                return reply
            await passage.again(failure)


async def server(errand: Errand[R], state: LoopState) -> Server:
    """Return what ``errand`` would be sent to; its question is not asked.

    An address that nobody knows yet is waited for and asked as by a call.
    """
    route = errand.route
    known = state.survey.known(route.target, route.destination.account)
    if known is not None:
        return known
    with Passage(errand, state) as passage:
        while True:
            while not passage.enter():
                _tell(errand, passage.waiting())
                await passage.wait(told=errand.on_event is not None)
            try:
                return await passage.server()
            except ByteBuddyError as error:
                failure = error
            await passage.again(failure)


async def events(errand: Errand, state: LoopState) -> AsyncGenerator[Event, None]:
    """Yield the events of a streamed answer, waiting included."""
    reading = errand.reading
    with reading, Passage(errand, state) as passage:
        while True:
            while not passage.enter():
                if (waiting := passage.waiting()) is not None:
                    yield waiting
                reading.here()
                await passage.wait()
            delivered = False
            try:
                reader = await _open(errand, state, passage)
                try:
                    while (batch := await reader.batch()) is not None:
                        for event in batch:
                            delivered = True
                            yield event
                        reading.here()
                    reply = await reader.reply()
                finally:
                    reader.close()
            except ByteBuddyError as error:
                failure = error
            else:
                passage.succeeded(reply)
                yield Done(noted(reply, errand.notes))
                return
            if delivered:
                raise passage.explained(failure)
            await passage.again(passage.meant(failure))


async def _fetch(errand: Errand[R], passage: Passage[R]) -> R:
    response, asked = await passage.send(stream=False)
    try:
        reply = _reply(await passage.read(response), errand, asked)
    finally:
        response.close()
    return noted(_identified(reply, response, errand), errand.notes)


async def _open(
    errand: Errand, state: LoopState, passage: Passage
) -> _StreamReader | _WholeReader:
    response, asked = await passage.send(stream=True)
    kind = response.headers.get("content-type", "").lower()
    # A page instead of a stream: apiBase is not the address of an API.
    if "json" in kind or "html" in kind:
        return _WholeReader(response, errand, asked, passage)
    return _StreamReader(response, errand, asked, state)


class _WholeReader:
    """Read a whole answer where a stream was asked for: some servers cannot stream."""

    def __init__(
        self, response: Response, errand: Errand, asked: Asked, passage: Passage
    ) -> None:
        self._response = response
        self._errand = errand
        self._asked = asked
        self._passage = passage
        self._reply: Reply | None = None

    async def batch(self) -> list[Event] | None:
        """Return what a stream would have told, then ``None``."""
        if self._reply is not None:
            return None
        body = await self._passage.read(self._response)
        reply = _reply(body, self._errand, self._asked)
        self._reply = _identified(reply, self._response, self._errand)
        return list(events_of(reply))

    async def reply(self) -> Reply:
        """Return the reply."""
        return self._reply or Reply("")

    def close(self) -> None:
        """Close the answer."""
        self._response.close()


class _StreamReader:
    """Read a stream into batches of events, under a watch."""

    def __init__(
        self, response: Response, errand: Errand, asked: Asked, state: LoopState
    ) -> None:
        route = errand.route
        self._asked = asked
        self._response = response
        self._state = state
        self._chunks = aiter(response.chunks())
        self._decoder = asked.decoder(_request_id(response, route), route.scrub)
        self._watch = StreamWatch(
            loop=state.loop,
            idle=route.idle_timeout,
            no_data=route.no_data_timeout,
            abort=response.abort,
        )
        self._ended = False

    async def batch(self) -> list[Event] | None:
        """Return the next events, or ``None`` when the stream ended well."""
        decoder, watch = self._decoder, self._watch
        while not (self._ended or decoder.done):
            chunk = await self._chunk()
            before = decoder.events
            try:
                if chunk is None:
                    self._ended = True
                    return decoder.close()[0]
                batch = decoder.feed(chunk)
            except ResponseError as error:
                failure = error
            else:
                watch.read(events=decoder.events != before)
                if batch:
                    return batch
                continue
            # A server may echo the key: its bytes stay out of the traceback.
            del chunk
            raise failure.with_traceback(None)
        return None

    async def reply(self) -> Reply:
        """Return the finished reply, the connection made ready for the next call."""
        self._watch.stop()
        decoder = self._decoder
        early = isinstance(decoder, FilteredStream) and decoder.early
        if not (self._ended or early):
            await self._drain()
        return told(self._decoder.reply(), self._asked)

    def close(self) -> None:
        """Stop watching and close the answer."""
        self._watch.stop()
        self._response.close()

    async def _chunk(self) -> bytes | None:
        failure: IdleTimeout | NoDataTimeout | ResponseError
        self._watch.reading()
        try:
            return await anext(self._chunks)
        except StopAsyncIteration:
            return None
        except (IdleTimeout, NoDataTimeout, ResponseError) as error:
            failure = error
        except ConnectionLost:
            failure = StreamInterrupted(
                "The connection broke before the answer was complete."
            )
        except Closed:
            failure = StreamInterrupted(
                "The model was closed before the answer was complete."
            )
        failure.partial = self._decoder.partial
        raise failure

    async def _drain(self) -> None:
        until = self._state.loop.time() + _DRAIN
        with suppress(ByteBuddyError), self._state.deadlines.bound(until):
            await self._response.read(MAX_BODY)


def _reply(body: bytes, errand: Errand[R], asked: Asked[R]) -> R:
    try:
        return told(asked.read(body), asked)
    except MalformedResponse as error:
        if asked.decoder is no_stream:
            message, hint = errand.route.scrub(error.message), error.hint
        else:
            said = errand.route.scrub(error_message(body)) or "an empty body"
            message = f"The server answered without a reply: {said}."
            hint = "Check that apiBase is the address of an OpenAI-style API."
    # A server may echo the key: its bytes stay out of the traceback.
    del body
    raise MalformedResponse(message, hint=hint)


def _identified(reply: R, response: Response, errand: Errand[R]) -> R:
    request_id = _request_id(response, errand.route)
    if request_id and isinstance(reply, Reply):
        return evolve(reply, request_id=request_id)
    return reply


def _request_id(response: Response, route: Route) -> str | None:
    request_id = response.headers.get("x-request-id")
    return None if request_id is None else route.scrub(request_id)


def _tell(errand: Errand[R], waiting: Loading | None) -> None:
    if errand.on_event is None or waiting is None:
        return
    try:
        errand.on_event(waiting)
    except Exception:  # noqa: BLE001 - a host's callback: its fault must not end the call
        _log.exception("on_event raised; the call goes on")
