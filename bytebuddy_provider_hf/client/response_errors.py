"""Turn an answer into its error, with what the router knows beyond it."""

from __future__ import annotations

import asyncio
from typing import Final, cast

from attrs import evolve

from bytebuddy_provider_hf.client.endpoint import Endpoint
from bytebuddy_provider_hf.client.plan import R
from bytebuddy_provider_hf.client.runtime import LoopState
from bytebuddy_provider_hf.errors import (
    APIError,
    ByteBuddyError,
    MalformedResponse,
    ResponseError,
    StreamFailed,
)
from bytebuddy_provider_hf.failures.body_text import MAX_BODY
from bytebuddy_provider_hf.failures.classify import classify, classify_event
from bytebuddy_provider_hf.failures.error_in_200 import stream_failed
from bytebuddy_provider_hf.failures.next_steps import (
    next_step,
    not_served_model,
    set_alternatives,
)
from bytebuddy_provider_hf.hub.router_models import LIMIT
from bytebuddy_provider_hf.transport.http_client import Response
from bytebuddy_provider_hf.types import Reply

# A status without its body still tells most; nobody waits longer for the words.
_ERROR_BODY: Final = 5.0
# What is kept of an event that reports an error.
_LONGEST_EVENT: Final = 2_000


async def error_from_response(response: Response, endpoint: Endpoint) -> APIError:
    """Return the error an answer stands for, a secret it may echo masked.

    Where the body breaks off, the status alone classifies the failure; where it cannot
    be decoded, the error says that in place of the server's words.
    """
    body = await read_error_body(response)
    # Before it is classified: what is quoted from it goes into message and hint.
    scrubbed = endpoint.scrub(body.decode("utf-8", "replace")).encode()
    failure = classify(
        response.status,
        endpoint.scrubbed(response.headers),
        scrubbed,
        endpoint.target,
        token_sent=endpoint.credential is not None,
        token_source=_token_source(endpoint),
    )
    tell_token_place(failure, endpoint)
    return endpoint.scrubbed_error(failure)


async def read_error_body(response: Response) -> bytes:
    """Return the first 64 KiB of an answer that is an error, or what comes in 5 s.

    Where it cannot be decoded, the words for that stand in its place.
    """
    body = chunk = b""
    try:
        async with asyncio.timeout(_ERROR_BODY):
            async for chunk in response.chunks():
                body += chunk
                if len(body) >= MAX_BODY:
                    break
    except MalformedResponse as undecoded:
        body = body or str(undecoded).encode()
    except (TimeoutError, ByteBuddyError):
        pass
    except BaseException:
        # Cancelled: what a server may echo stays out of the traceback.
        body = chunk = b""
        raise
    return body


def tell_token_place(error: APIError, endpoint: Endpoint) -> None:
    """Put into an error, and into its hint, what kind of place its token is from."""
    if endpoint.credential is not None:
        error.found_as = endpoint.credential.place
        error.hint = next_step(error)


def masked(failure: ResponseError, endpoint: Endpoint) -> ResponseError:
    """Return the error of an answer without the secrets that a server may echo.

    Its ``cause`` is then the error that an event inside a stream stands for, and its
    ``status`` the one that this would have had as an answer of its own.
    """
    if not isinstance(failure, StreamFailed):
        return endpoint.scrubbed_error(failure)
    event = endpoint.scrub(failure.event)
    if event != failure.event:
        # Said anew: where the sentence was cut, half a secret may have been left.
        partial, failure = failure.partial, stream_failed(event.encode())
        failure.partial = partial
    cause = classify_event(
        event.encode(), endpoint.target, token_source=_token_source(endpoint)
    )
    if cause is not None:
        tell_token_place(cause, endpoint)
    failure.event = event[:_LONGEST_EVENT]
    if cause is not None:
        failure.__cause__ = endpoint.scrubbed_error(cause)
        failure.status = cause.status
    else:
        failure.__cause__ = failure.status = None
    return endpoint.scrubbed_error(failure)


def masked_reply(reply: R, endpoint: Endpoint) -> R:
    """Return a reply whose notes, and word for its end, show no secret of ours.

    Some quote what the server wrote besides its answer. What the model itself says is
    left as it is.
    """
    notes = tuple(map(endpoint.scrubbed_note, reply.notes))
    if not isinstance(reply, Reply):
        return evolve(reply, notes=notes)
    choices = tuple(
        evolve(each, raw_finish_reason=_masked_word(each.raw_finish_reason, endpoint))
        for each in reply.choices
    )
    word = _masked_word(reply.raw_finish_reason, endpoint)
    changed = evolve(reply, notes=notes, raw_finish_reason=word, choices=choices)
    return cast("R", changed)


def _masked_word(word: str | None, endpoint: Endpoint) -> str | None:
    return None if word is None else endpoint.scrub(word)


async def add_alternatives(
    failure: APIError, endpoint: Endpoint, state: LoopState, *, limit: float
) -> None:
    """Name in a failure's hint who serves the model that the router refused.

    The router's catalogue is asked without a token, for at most ``limit`` seconds and
    three; it never fails. Of other servers' models nobody is told.
    """
    model = not_served_model(failure)
    if model is None or endpoint.catalogue is None:
        return
    until = state.loop.time() + min(limit, LIMIT)
    with state.clients.lend(endpoint.catalogue) as channel:
        found = await state.router.serving(model, channel, limit=min(limit, LIMIT))
    # A catalogue that cannot be reached leaves the hint as it was.
    if found is None:
        return
    renamed_to = None
    if not found.providers and endpoint.hub is not None:
        # The router knows a model by its new id only.
        with state.clients.lend(endpoint.hub) as channel:
            left = max(until - state.loop.time(), 0.0)
            facts = await state.hub.facts(model, channel, limit=left)
        if facts is not None and facts.id.lower() != model.lower():
            renamed_to = facts.id
    set_alternatives(failure, found.providers, found.neighbours, renamed_to)


def _token_source(endpoint: Endpoint) -> str | None:
    return None if endpoint.credential is None else endpoint.credential.source
