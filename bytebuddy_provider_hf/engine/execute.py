"""One call, from request to events.

Permit and response are given back before any sleep. Nothing is sent again after the
first event reached the caller. Where a failure leaves, it leaves outside the ``except``
block, so that no foreign error hangs in its context.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Final

from attrs import evolve, frozen

from bytebuddy_provider_hf.contract.protocols import OnEvent
from bytebuddy_provider_hf.engine.route import Route
from bytebuddy_provider_hf.engine.runtime import LoopState
from bytebuddy_provider_hf.errors import (
    APIError,
    ByteBuddyError,
    ConnectionLost,
    DeadlineExceeded,
    IdleTimeout,
    MalformedResponse,
    ModelLoading,
    RateLimited,
    ResponseError,
    ServerOverloaded,
    StreamInterrupted,
)
from bytebuddy_provider_hf.transport.lane import Lane, Ticket
from bytebuddy_provider_hf.transport.port import Response
from bytebuddy_provider_hf.transport.watch import StreamWatch
from bytebuddy_provider_hf.types import Done, Event, Reply, Text
from bytebuddy_provider_hf.wire.call import Call
from bytebuddy_provider_hf.wire.failure import classify
from bytebuddy_provider_hf.wire.message import MAX_BODY, error_message
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream, read_reply

MAX_REPLY: Final = 64 * 1024 * 1024
_OK: Final = 200
# After the end mark: long enough for the last bytes of the framing, so that the
# connection can be used again; too short to notice.
_DRAIN: Final = 0.1
# A status without its body still tells most; nobody waits longer for the words.
_ERROR_BODY: Final = 5.0

_log = logging.getLogger("bytebuddy.huggingface")


@frozen
class Errand:
    """What is to be asked: ``build`` returns the call, streamed or whole."""

    route: Route
    build: Callable[[bool], Call]
    timeout: float
    notes: tuple[str, ...] = ()
    on_event: OnEvent | None = None


async def whole(errand: Errand, state: LoopState) -> Reply:
    """Return the reply in one piece; waiting is told to ``errand.on_event``."""
    lane, ticket = _queue_up(errand, state)
    cancelled = True
    try:
        while True:
            while not lane.enter(ticket):
                _tell(errand.on_event, lane, ticket)
                await lane.wait(ticket)
            failure = None
            response = await _send(errand, state, ticket, stream=False)
            try:
                if response.status == _OK:
                    reply = _reply(await _read(response, errand, ticket), errand)
                    lane.ready(ticket)
                    return _identified(reply, response)
                failure = await _failure(response, errand)
            finally:
                response.close()
            _requeue_or_raise(failure, lane, ticket)
    except Exception:
        cancelled = False
        raise
    finally:
        lane.leave(ticket, cancelled=cancelled)


async def events(errand: Errand, state: LoopState) -> AsyncGenerator[Event, None]:
    """Yield the events of a streamed answer, waiting included."""
    lane, ticket = _queue_up(errand, state)
    cancelled = True
    try:
        while True:
            while not lane.enter(ticket):
                if (loading := lane.loading(ticket)) is not None:
                    yield loading
                await lane.wait(ticket)
            failure = None
            response = await _send(errand, state, ticket, stream=True)
            try:
                if response.status == _OK:
                    lane.ready(ticket)
                    if not _is_stream(response):
                        for event in await _whole_events(response, errand, ticket):
                            yield event
                        return
                    reader = _Reader(response, errand, state)
                    try:
                        while (batch := await reader.batch()) is not None:
                            for event in batch:
                                yield event
                    finally:
                        reader.stop()
                    yield Done(_noted(await reader.reply(), errand))
                    return
                failure = await _failure(response, errand)
            finally:
                response.close()
            _requeue_or_raise(failure, lane, ticket)
    except Exception:
        cancelled = False
        raise
    finally:
        lane.leave(ticket, cancelled=cancelled)


class _Reader:
    """Read a stream into batches of events, under a watch."""

    def __init__(self, response: Response, errand: Errand, state: LoopState) -> None:
        route = errand.route
        self._response = response
        self._chunks = aiter(response.chunks())
        self._decoder = OpenAIStream(
            model=route.target.model,
            request_id=response.headers.get("x-request-id"),
            scrub=route.scrub,
        )
        self._watch = StreamWatch(
            loop=state.loop,
            idle=route.idle_timeout,
            no_data=route.no_data_timeout,
            abort=response.abort,
        )
        self._last: list[Event] | None = None
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
        if not self._ended:
            await self._drain()
        return self._decoder.reply()

    def stop(self) -> None:
        """Stop watching."""
        self._watch.stop()

    async def _chunk(self) -> bytes | None:
        failure: ByteBuddyError | None = None
        self._watch.reading()
        try:
            return await anext(self._chunks)
        except StopAsyncIteration:
            return None
        except IdleTimeout as idle:
            idle.partial = self._decoder.partial
            failure = idle
        except ConnectionLost:
            failure = StreamInterrupted(
                "The connection broke before the answer was complete."
            )
            failure.partial = self._decoder.partial
        raise failure

    async def _drain(self) -> None:
        with suppress(TimeoutError, ByteBuddyError):
            async with asyncio.timeout(_DRAIN):
                await self._response.read(MAX_BODY)


def _queue_up(errand: Errand, state: LoopState) -> tuple[Lane, Ticket]:
    route = errand.route
    lane = state.lane(route.destination, route.target.model)
    ticket = Ticket(
        deadline=state.loop.time() + errand.timeout,
        timeout=errand.timeout,
        cold_timeout=route.cold_start_timeout,
    )
    return lane, ticket


async def _send(
    errand: Errand, state: LoopState, ticket: Ticket, *, stream: bool
) -> Response:
    channel = state.channel(errand.route.destination)
    call = errand.build(stream)
    with suppress(TimeoutError):
        async with asyncio.timeout_at(ticket.deadline):
            return await channel.send(call)
    raise _late(errand)


async def _read(response: Response, errand: Errand, ticket: Ticket) -> bytes:
    with suppress(TimeoutError):
        async with asyncio.timeout_at(ticket.deadline):
            return await response.read(MAX_REPLY)
    raise _late(errand)


def _late(errand: Errand) -> DeadlineExceeded:
    return DeadlineExceeded(
        f"No answer within {errand.timeout:,.0f} s.",
        hint="Raise requestOptions.timeout, ask for fewer tokens, or stream.",
    )


async def _failure(response: Response, errand: Errand) -> APIError:
    """Return the error an answer stands for, a secret it may echo masked."""
    body = await _read_error(response)
    scrubbed = errand.route.scrub(body.decode("utf-8", "replace")).encode()
    return classify(response.status, response.headers, scrubbed, errand.route.target)


async def _read_error(response: Response) -> bytes:
    """Return the start of an error's body, as much as comes.

    Where the body breaks off, the status alone classifies the failure.
    """
    parts: list[bytes] = []
    size = 0
    with suppress(TimeoutError, ByteBuddyError):
        async with asyncio.timeout(_ERROR_BODY):
            async for chunk in response.chunks():
                parts.append(chunk)
                size += len(chunk)
                if size >= MAX_BODY:
                    break
    return b"".join(parts)


def _requeue_or_raise(failure: APIError, lane: Lane, ticket: Ticket) -> None:
    if isinstance(failure, ModelLoading):
        lane.cold(ticket, failure.estimate)
        return
    lane.ready(ticket, overloaded=isinstance(failure, RateLimited | ServerOverloaded))
    raise failure


def _is_stream(response: Response) -> bool:
    return "json" not in response.headers.get("content-type", "").lower()


async def _whole_events(
    response: Response, errand: Errand, ticket: Ticket
) -> list[Event]:
    """Return the events of a whole answer to a request for a stream."""
    reply = _reply(await _read(response, errand, ticket), errand)
    reply = _identified(reply, response)
    return [*([Text(reply.text)] if reply.text else []), Done(reply)]


def _reply(body: bytes, errand: Errand) -> Reply:
    route = errand.route
    try:
        return _noted(read_reply(body, model=route.target.model), errand)
    except MalformedResponse:
        said = route.scrub(error_message(body)) or "an empty body"
    # A server may echo the key: its bytes stay out of the traceback.
    del body
    raise MalformedResponse(
        f"The server answered without a reply: {said}.",
        hint="Check that apiBase is the address of an OpenAI-style API.",
    )


def _identified(reply: Reply, response: Response) -> Reply:
    request_id = response.headers.get("x-request-id")
    return evolve(reply, request_id=request_id) if request_id else reply


def _noted(reply: Reply, errand: Errand) -> Reply:
    return evolve(reply, notes=errand.notes) if errand.notes else reply


def _tell(on_event: OnEvent | None, lane: Lane, ticket: Ticket) -> None:
    loading = lane.loading(ticket)
    if on_event is None or loading is None:
        return
    try:
        on_event(loading)
    except Exception:  # noqa: BLE001 - a host's callback: its fault must not end the call
        _log.exception("on_event raised; the call goes on")
