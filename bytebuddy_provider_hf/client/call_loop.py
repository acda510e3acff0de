"""Run one call: from its request to its events.

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

from bytebuddy_provider_hf.client.attempts import CallAttempts, CallSpec
from bytebuddy_provider_hf.client.endpoint import Endpoint
from bytebuddy_provider_hf.client.plan import (
    Plan,
    Planner,
    R,
    add_notes,
    no_stream,
    with_plan_notes,
)
from bytebuddy_provider_hf.client.runtime import LoopState
from bytebuddy_provider_hf.client.text_pipeline import FilteredStream
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
from bytebuddy_provider_hf.failures.body_text import MAX_BODY, error_message
from bytebuddy_provider_hf.transport.deadlines import StreamWatch, Timeout
from bytebuddy_provider_hf.transport.http_client import Response
from bytebuddy_provider_hf.types import Done, Event, Loading, Reply
from bytebuddy_provider_hf.wire.events import events_of
from bytebuddy_provider_hf.wire.server import Server

# After the end mark: long enough for the last bytes of the framing, so that the
# connection can be used again; too short to notice.
_DRAIN_SECONDS: Final = 0.1

_log = logging.getLogger(__name__)


async def run(planner: Planner[R], spec: CallSpec, state: LoopState) -> R:
    """Return the answer in one piece; waiting is told to ``spec.on_event``."""
    with CallAttempts(spec, state) as attempts:
        while True:
            while not attempts.try_acquire():
                _notify(spec, attempts.wait_state())
                await attempts.wait(observed=spec.on_event is not None)
            try:
                reply = await _fetch(planner, spec, attempts)
            except ByteBuddyError as error:
                failure = error
            else:
                attempts.succeeded(reply)
                return reply
            await attempts.handle_failure(failure)


async def detect_server(spec: CallSpec, state: LoopState) -> Server:
    """Return what ``spec`` would be sent to; nothing is sent for it.

    An address that nobody knows yet is waited for and asked as by a call.
    """
    endpoint = spec.endpoint
    known = state.detector.record(endpoint.target, endpoint.destination.account).server
    if known is not None:
        return known
    with CallAttempts(spec, state) as attempts:
        while True:
            while not attempts.try_acquire():
                _notify(spec, attempts.wait_state())
                await attempts.wait(observed=spec.on_event is not None)
            try:
                return await attempts.detect_server()
            except ByteBuddyError as error:
                failure = error
            await attempts.handle_failure(failure)


async def stream(
    planner: Planner, spec: CallSpec, state: LoopState
) -> AsyncGenerator[Event, None]:
    """Yield the events of a streamed answer, waiting included."""
    reading = spec.reader_task
    with reading, CallAttempts(spec, state) as attempts:
        while True:
            while not attempts.try_acquire():
                if (waiting := attempts.wait_state()) is not None:
                    yield waiting
                reading.enter_wait()
                await attempts.wait()
            delivered = False
            try:
                reader = await _open(planner, spec, state, attempts)
                try:
                    while (batch := await reader.batch()) is not None:
                        for event in batch:
                            delivered = True
                            yield event
                        reading.enter_wait()
                    reply = await reader.reply()
                finally:
                    reader.close()
            except ByteBuddyError as error:
                failure = error
            else:
                attempts.succeeded(reply)
                yield Done(add_notes(reply, spec.notes))
                return
            if delivered:
                raise attempts.with_cause(failure)
            await attempts.handle_failure(attempts.unwrap_stream_error(failure))


async def _fetch(planner: Planner[R], spec: CallSpec, attempts: CallAttempts) -> R:
    response, plan = await attempts.send(planner, stream=False)
    try:
        reply = _reply(await attempts.read(response), spec, plan)
    finally:
        response.close()
    return add_notes(_with_request_id(reply, response, spec), spec.notes)


async def _open(
    planner: Planner, spec: CallSpec, state: LoopState, attempts: CallAttempts
) -> EventStream | JsonBody:
    response, plan = await attempts.send(planner, stream=True)
    kind = response.headers.get("content-type", "").lower()
    # A page instead of a stream: apiBase is not the address of an API.
    if "json" in kind or "html" in kind:
        return JsonBody(response, spec, plan, attempts)
    return EventStream(response, spec, plan, state)


class JsonBody:
    """Read a whole answer where a stream was asked for: some servers cannot stream."""

    def __init__(
        self, response: Response, spec: CallSpec, plan: Plan, attempts: CallAttempts
    ) -> None:
        self._response = response
        self._errand = spec
        self._asked = plan
        self._passage = attempts
        self._reply: Reply | None = None

    async def batch(self) -> list[Event] | None:
        """Return what a stream would have told, then ``None``."""
        if self._reply is not None:
            return None
        body = await self._passage.read(self._response)
        reply = _reply(body, self._errand, self._asked)
        self._reply = _with_request_id(reply, self._response, self._errand)
        return list(events_of(reply))

    async def reply(self) -> Reply:
        """Return the reply."""
        return self._reply or Reply("")

    def close(self) -> None:
        """Close the answer."""
        self._response.close()


class EventStream:
    """Read a stream into batches of events, under a watch."""

    def __init__(
        self, response: Response, spec: CallSpec, plan: Plan, state: LoopState
    ) -> None:
        endpoint = spec.endpoint
        self._asked = plan
        self._response = response
        self._state = state
        self._chunks = aiter(response.chunks())
        self._decoder = plan.decoder(_request_id(response, endpoint), endpoint.scrub)
        self._watch = StreamWatch(
            loop=state.loop,
            idle=endpoint.idle_timeout,
            no_data=endpoint.no_data_timeout,
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
                watch.read_finished(events=decoder.events != before)
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
        early = isinstance(decoder, FilteredStream) and decoder.stopped_early
        if not (self._ended or early):
            await self._drain()
        return with_plan_notes(self._decoder.reply(), self._asked)

    def close(self) -> None:
        """Stop watching and close the answer."""
        self._watch.stop()
        self._response.close()

    async def _chunk(self) -> bytes | None:
        failure: IdleTimeout | NoDataTimeout | ResponseError
        self._watch.read_started()
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
        until = self._state.loop.time() + _DRAIN_SECONDS
        with suppress(ByteBuddyError), Timeout(self._state.deadlines, until):
            await self._response.read(MAX_BODY)


def _reply(body: bytes, spec: CallSpec, plan: Plan[R]) -> R:
    try:
        return with_plan_notes(plan.read(body), plan)
    except MalformedResponse as error:
        if plan.decoder is no_stream:
            message, hint = spec.endpoint.scrub(error.message), error.hint
        else:
            said = spec.endpoint.scrub(error_message(body)) or "an empty body"
            message = f"The server answered without a reply: {said}."
            hint = "Check that apiBase is the address of an OpenAI-style API."
    # A server may echo the key: its bytes stay out of the traceback.
    del body
    raise MalformedResponse(message, hint=hint)


def _with_request_id(reply: R, response: Response, spec: CallSpec) -> R:
    request_id = _request_id(response, spec.endpoint)
    if request_id and isinstance(reply, Reply):
        return evolve(reply, request_id=request_id)
    return reply


def _request_id(response: Response, endpoint: Endpoint) -> str | None:
    request_id = response.headers.get("x-request-id")
    return None if request_id is None else endpoint.scrub(request_id)


def _notify(spec: CallSpec, waiting: Loading | None) -> None:
    if spec.on_event is None or waiting is None:
        return
    try:
        spec.on_event(waiting)
    except Exception:  # noqa: BLE001 - a host's callback: its fault must not end the call
        _log.exception("on_event raised; the call goes on")
