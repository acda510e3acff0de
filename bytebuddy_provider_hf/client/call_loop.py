"""Run one call: from its request to its events.

Permit and response are given back before any sleep. Nothing is sent again after the
first event reached the caller. Where a failure leaves, it leaves outside the ``except``
block, so that no foreign error hangs in its context.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Final, TypeAlias, TypeVar, cast

from bytebuddy_provider_hf.client.attempts import CallAttempts
from bytebuddy_provider_hf.client.endpoint import CallSpec
from bytebuddy_provider_hf.client.plan import Plan, Planner, R, finished
from bytebuddy_provider_hf.client.response_errors import masked, masked_reply
from bytebuddy_provider_hf.client.runtime import LoopState
from bytebuddy_provider_hf.client.served import read_header
from bytebuddy_provider_hf.errors import (
    APIError,
    ByteBuddyError,
    Closed,
    ConnectionLost,
    IdleTimeout,
    NoDataTimeout,
    ResponseError,
    StreamFailed,
    StreamInterrupted,
)
from bytebuddy_provider_hf.failures.body_text import MAX_BODY
from bytebuddy_provider_hf.plugins.pending_reply import events_of
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.transport.deadlines import StreamWatch, Timeout
from bytebuddy_provider_hf.transport.http_client import Response
from bytebuddy_provider_hf.transport.turns import take_turns
from bytebuddy_provider_hf.types import Done, Event, Reply
from bytebuddy_provider_hf.wire.server import Server

# After the end mark: long enough for the last bytes of the framing, so that the
# connection can be used again; too short to notice.
_DRAIN_SECONDS: Final = 0.1
# When every answer has ended: so long the token counts and the end mark may take.
_SETTLED_SECONDS: Final = 2.0
# Bytes of a stream that are read at a time, and the seconds after which other tasks
# have their turn.
_PIECE: Final = 16 * 1024
_TURN: Final = 0.02

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
# What ends a stream whose last bytes were good.
Broken: TypeAlias = IdleTimeout | NoDataTimeout | ResponseError


def run(
    planner: Planner[R], spec: CallSpec, state: LoopState
) -> Coroutine[object, object, R]:
    """Return the answer in one piece; waiting is told to ``spec.on_event``.

    The answer itself is told by :func:`with_events`: a call may need several of these.
    """
    look_up = None if spec.cache is None else partial(_fetch_kept, planner, spec)
    # Not a coroutine of its own: each costs 2 µs a call.
    return _until_answered(spec, state, partial(_fetch, planner, spec), look_up)


async def with_events(
    answer: Coroutine[object, object, Reply], spec: CallSpec
) -> Reply:
    """Return an answer in one piece, its events told to ``spec.on_event`` first."""
    reply = await answer
    for event in events_of(reply):
        _tell(spec, event)
    return reply


async def detect_server(spec: CallSpec, state: LoopState) -> Server:
    """Return what ``spec`` would be sent to; nothing is sent for it.

    An address that nobody knows yet is waited for and asked as by a call.
    """
    endpoint = spec.endpoint
    known = state.detector.record(endpoint.target, endpoint.destination.account).server
    if known is not None:
        return known
    return await _until_answered(spec, state, CallAttempts.detect_server)


async def stream(
    planner: Planner, spec: CallSpec, state: LoopState
) -> AsyncGenerator[Event, None]:
    """Yield the events of a streamed answer, waiting included."""
    reading = spec.reader_task
    with reading, CallAttempts(spec, state) as attempts:
        while True:
            if spec.cache is not None:
                reading.enter_wait()
                kept = await _read_kept(planner, spec, state, attempts)
                if kept is not None:
                    for event in kept:
                        yield event
                    return
            while not attempts.try_acquire():
                if (waiting := attempts.wait_state()) is not None:
                    yield waiting
                reading.enter_wait()
                await attempts.wait()
            delivered = False
            try:
                if spec.cache is not None and await attempts.detect_to_look_up():
                    continue
                response, plan = await attempts.send(planner, stream=True)
                reader = AnswerReader(response, plan, attempts, spec, state)
                try:
                    while attempts.alerts:
                        alert, *rest = attempts.alerts
                        attempts.alerts = tuple(rest)
                        yield alert
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
                yield Done(reply)
                return
            # Sent again, the answer would begin anew behind what the caller has seen.
            if delivered:
                raise failure
            # TGI sends the headers before it looks at the request: what it refuses
            # then is an answer like any other as long as nobody has seen an event.
            meant = failure.__cause__ if isinstance(failure, StreamFailed) else None
            await attempts.handle_failure(
                meant if isinstance(meant, APIError) else failure
            )


async def _until_answered(
    spec: CallSpec,
    state: LoopState,
    once: Callable[[CallAttempts], Awaitable[_T]],
    look_up: Callable[[CallAttempts], Awaitable[_T | None]] | None = None,
) -> _T:
    """Make attempts until one has an answer, or a failure that ends the call.

    ``look_up`` returns an answer for which no attempt is needed.
    """
    with CallAttempts(spec, state) as attempts:
        while True:
            if look_up is not None and (kept := await look_up(attempts)) is not None:
                return kept
            while not attempts.try_acquire():
                waiting = attempts.wait_state()
                if waiting is not None:
                    _tell(spec, waiting)
                # Progress is news only where somebody is told of it.
                await attempts.wait(observed=spec.on_event is not None)
            try:
                if look_up is not None and await attempts.detect_to_look_up():
                    continue
                return await once(attempts)
            except ByteBuddyError as error:
                failure = error
            await attempts.handle_failure(failure)


def _tell(spec: CallSpec, event: Event) -> None:
    """Tell the host of an event of a call whose answer comes in one piece."""
    if spec.on_event is None:
        return
    try:
        spec.on_event(event)
    except Exception:  # noqa: BLE001 - a host's callback: its fault must not end the call
        _log.exception("on_event raised; the call goes on")


async def _fetch(
    planner: Planner[R],
    spec: CallSpec,
    attempts: CallAttempts,
    kept: tuple[Response, Plan[R]] | None = None,
) -> R:
    """Return the answer to one request, or what a ``kept`` one says."""
    response, plan = kept or await attempts.send(planner, stream=False)
    if attempts.alerts:
        for alert in attempts.alerts:
            _tell(spec, alert)
        attempts.alerts = ()
    endpoint = spec.endpoint
    # Given back before the answer is read: decoding needs no connection.
    try:
        if kept is None:
            body = await attempts.read(response, plan)
        else:
            body = await response.read(0, plan.bound)
    finally:
        response.close()
    try:
        if plan.read is None:
            reply = cast("R", plan.open_decoder().whole(body))
        else:
            reply = await take_turns(plan.read(body))
    except ResponseError as error:
        failure = error
    else:
        del body
        if reply.notes:
            reply = masked_reply(reply, endpoint)
        request_id = read_header(response.headers, "x-request-id", endpoint)
        served = await attempts.served(reply)
        reply = finished(reply, plan, spec.notes, request_id, served)
        if kept is None:
            attempts.succeeded(reply)
        return reply
    # A server may echo the key: its bytes stay out of the traceback.
    del body
    failure = masked(failure, endpoint).with_traceback(None)
    # An error with status 200 is what it would have been with its own. What came
    # before it was paid for, and stays with the caller.
    meant = failure.__cause__
    raise meant if isinstance(meant, APIError) and not failure.partial else failure


async def _fetch_kept(
    planner: Planner[R], spec: CallSpec, attempts: CallAttempts
) -> R | None:
    """Return the answer that was kept, read anew; ``None`` where there is none."""
    found = await attempts.look_up(planner, stream=False)
    if found is None:
        return None
    # What this call makes of it may be an error, or no whole answer: it is sent then.
    with suppress(ByteBuddyError):
        reply = await _fetch(planner, spec, attempts, found)
        if attempts.accept(reply):
            return reply
    return None


async def _read_kept(
    planner: Planner, spec: CallSpec, state: LoopState, attempts: CallAttempts
) -> list[Event] | None:
    """Return the events of a kept answer, all of them: it is known to end well then."""
    found = await attempts.look_up(planner, stream=True)
    if found is None:
        return None
    events: list[Event] = []
    reader = AnswerReader(*found, attempts, spec, state)
    try:
        with suppress(ByteBuddyError):
            while (batch := await reader.batch()) is not None:
                events += batch
            reply = await reader.reply()
            if attempts.accept(reply):
                return [*events, Done(reply)]
    finally:
        reader.close()
    return None


class AnswerReader:
    """Read an answer in batches of events: a stream under a watch, or one body."""

    def __init__(
        self,
        response: Response,
        plan: Plan,
        attempts: CallAttempts,
        spec: CallSpec,
        state: LoopState,
    ) -> None:
        self._response = response
        self._plan = plan
        self._attempts = attempts
        self._spec = spec
        self._state = state
        # One read at a time: between two batches the caller has its turn.
        self._chunks = aiter(response.chunks())
        self._decoder = plan.open_decoder()
        headers = response.headers
        # Some servers cannot stream: they begin to send when the answer is whole.
        label = headers.get("content-type", "").lower()
        self._begun = "json" not in label
        # Whether the end of the body is told from a connection that broke.
        self._framed = "content-length" in headers or "transfer-encoding" in headers
        # What of a chunk is still to be read, and since when nobody else had a turn.
        self._rest = b""
        self._since = 0.0
        self._ended = False
        self._broken: Broken | None = None
        self._silent = False
        self._settled = False
        self._watch = StreamWatch(
            loop=state.loop,
            idle=spec.endpoint.idle_timeout,
            no_data=spec.endpoint.no_data_timeout,
            abort=response.abort,
        )

    async def batch(self) -> list[Event] | None:
        """Return the next events, or ``None`` when the answer ended well."""
        decoder, watch, cached = self._decoder, self._watch, self._attempts.cached
        if cached is not None:
            cached.hold(held=False)
        if self._broken is not None:
            raise self._broken
        while decoder.failure is None and not (self._ended or decoder.done):
            chunk = await self._chunk()
            if isinstance(chunk, ByteBuddyError):
                # What was held back, as it might have become something else, is told
                # first: the caller has seen then what the error calls partial.
                held = decoder.broken()
                chunk.partial = decoder.partial
                if not held:
                    raise chunk
                self._broken = chunk
                return held
            # A server may ping for ever, or send empty deltas, and never answer.
            before = decoder.progress
            try:
                if chunk is None:
                    self._ended = True
                    clean = self._framed and not self._silent
                    batch = decoder.close(clean=clean)
                else:
                    batch = decoder.feed(chunk)
            except ResponseError as error:
                failure = error
            else:
                watch.read_finished(progress=decoder.progress != before)
                # Some servers say that it ended, and go on.
                if decoder.settled is not self._settled:
                    self._settled = decoder.settled
                    watch.end_in(_SETTLED_SECONDS if self._settled else None)
                if batch:
                    # The reader has events now, and may ask for no more.
                    if cached is not None:
                        cached.hold(held=True)
                    return batch
                continue
            finally:
                # A server may echo the key: its bytes stay out of the traceback, also
                # out of that of the next piece's failure.
                chunk = None
            # Bound anew: the error as it was quotes the server, and would be a local.
            failure = masked(failure, self._spec.endpoint)
            raise failure.with_traceback(None)
        if decoder.failure is not None:
            failure = masked(decoder.failure, self._spec.endpoint)
            raise failure.with_traceback(None)
        return None

    async def reply(self) -> Reply:
        """Return the finished reply, the connection made ready for the next call."""
        self._watch.stop()
        # Where the server still writes, the connection is closed and not waited for.
        if not (self._ended or self._decoder.stopped_early):
            until = self._state.loop.time() + _DRAIN_SECONDS
            with suppress(ByteBuddyError), Timeout(self._state.deadlines, until):
                await self._response.read(MAX_BODY)
        headers, endpoint = self._response.headers, self._spec.endpoint
        request_id = read_header(headers, "x-request-id", endpoint)
        reply = self._decoder.reply()
        if reply.notes:
            reply = masked_reply(reply, endpoint)
        notes = self._spec.notes
        if self._silent and reply.usage is None:
            notes = (*notes, text("wire.no_usage_came"))
        served = await self._attempts.served(reply)
        return finished(reply, self._plan, notes, request_id, served)

    def close(self) -> None:
        """Stop watching and close the answer."""
        self._watch.stop()
        self._response.close()

    async def _chunk(self) -> bytes | Broken | None:
        """Return the next bytes, ``None`` at their end, or why no more will come."""
        failure: Broken
        now = self._state.loop.time
        try:
            if not self._begun:
                self._begun = True
                return await self._attempts.first_chunk(self._chunks)
            self._watch.read_started()
            chunk = self._rest
            if not chunk:
                chunk, self._since = await anext(self._chunks), now()
            elif now() - self._since > _TURN:
                # Events of an odd form cost a hundred times what others do.
                await asyncio.sleep(0)
                self._since = now()
        except StopAsyncIteration:
            return None
        except (IdleTimeout, NoDataTimeout, ResponseError) as error:
            failure = error
        # Nothing of these two may be sent again: events of the answer were seen.
        except ConnectionLost:
            failure = StreamInterrupted(
                text("calls.connection_broke_before_the_answer")
            )
        except Closed:
            failure = StreamInterrupted(
                text("calls.model_was_closed_before_the_answer")
            )
        else:
            # No copy is made of a short one, as nearly all are.
            self._rest = chunk[_PIECE:]
            return chunk[:_PIECE]
        # Only the token counts were still to come: the answer is whole.
        if self._decoder.settled:
            self._silent = True
            return None
        return failure
