"""Decide what becomes of a failed attempt: wait, adapt the request, retry, or raise.

Decisions only, from values that come in; ``attempts`` carries them out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias, TypeVar

from attrs import define, frozen

from bytebuddy_provider_hf.address import HostKind, Target
from bytebuddy_provider_hf.errors import (
    APIError,
    ByteBuddyError,
    ConnectionRefused,
    JobEnded,
    ModelLoading,
    ServerOverloaded,
    WrongServedModel,
)
from bytebuddy_provider_hf.failures.next_steps import next_step
from bytebuddy_provider_hf.scheduling import retry
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import CompletionOptions, WaitReason
from bytebuddy_provider_hf.wire.adapt import Adaptations, adapt
from bytebuddy_provider_hf.wire.server import Server

_NOT_FOUND: Final = 404

E = TypeVar("E", bound=APIError)


@frozen
class WaitUntilReady:
    """Wait with all other callers until the model is ready: one of them probes."""

    reason: WaitReason
    estimate: float | None = None


@frozen
class WaitForServer:
    """Wait for a local server; it restarts, unless it is known to be starting."""

    restart: bool


@frozen
class Rest:
    """Let this call rest until then; no retry is used up."""

    until: float


@frozen
class DetectAgain:
    """Ask the address anew what it serves."""


@frozen
class Adapt:
    """Send another request, changed as the server's answer suggests."""

    adaptations: Adaptations


@frozen
class Raise:
    """End the call with the error."""

    error: ByteBuddyError


Decision: TypeAlias = (
    WaitUntilReady | WaitForServer | Rest | DetectAgain | Adapt | retry.Retry | Raise
)


@define
class CallState:
    """What a decision depends on besides the failure. Times are of the loop's clock.

    ``waits`` is whether the caller lets the call wait. ``answers_others`` says that the
    model answered a moment ago, ``reached`` that anything at the address ever did.
    ``starting`` is the configuration's word that a local server is being started. Of
    the last request ``server``, ``route``, ``options`` and ``adaptations`` are known;
    ``server`` is ``None`` where none was sent. ``sheds`` is how often a busy endpoint
    turned the call away, ``estimate`` the tokens of a prompt that was refused.
    ``elsewhere`` says that another of the router's providers may be asked.
    """

    now: float
    deadline: float
    attempt: int
    max_attempts: int
    sheds: int
    waits: bool
    answers_others: bool
    reached: bool
    starting: bool
    target: Target
    options: CompletionOptions
    adaptations: Adaptations
    server: Server | None
    route: str | None
    budget: retry.RetryBudget
    jitter: Callable[[], float]
    elsewhere: bool = False
    estimate: int | None = None
    # What was tried already, and made no difference.
    may_wait_for_server: bool = True
    may_detect: bool = True
    may_adapt: bool = True


def decide(failure: ByteBuddyError, state: CallState) -> Decision:
    """Return what becomes of ``failure``; a retry is paid from ``state.budget``."""
    attempts = retry.RetryState(
        attempt=state.attempt,
        max_attempts=state.max_attempts,
        left=state.deadline - state.now,
    )
    again = None
    # Before any wait: what one provider wants of us does not hold for another.
    if state.elsewhere:
        again = retry.decide(
            failure,
            attempts,
            budget=state.budget,
            jitter=state.jitter,
            elsewhere=True,
        )
    if again is not None:
        return again
    if isinstance(failure, ModelLoading):
        return _decide_cold(failure, state)
    if (
        isinstance(failure, ConnectionRefused)
        and state.may_wait_for_server
        and state.target.host_kind is HostKind.LOOPBACK
        and (state.starting or state.reached)
    ):
        # A refused connection is worth waiting at a local address only, where a server
        # is being started, or where one answered a moment ago.
        return WaitForServer(not state.starting) if state.waits else Raise(failure)
    if (
        isinstance(failure, WrongServedModel)
        and state.target.needs_detection
        and state.may_detect
    ):
        return DetectAgain()
    # Before a retry: the same request would be refused for the same reason.
    if state.server is not None and state.may_adapt:
        adaptations = adapt(
            failure,
            state.adaptations,
            state.options,
            route=state.route,
            server=state.server,
            estimate=state.estimate,
        )
        if adaptations is not None:
            return Adapt(adaptations)
    # To rest before a retry is to wait, which this caller does not.
    throttled = retry.failure_kind(failure) is retry.FailureKind.THROTTLED
    if throttled and not state.waits:
        return Raise(failure)
    again = retry.decide(failure, attempts, budget=state.budget, jitter=state.jitter)
    return Raise(failure) if again is None else again


def _decide_cold(failure: ModelLoading, state: CallState) -> Decision:
    """Return what becomes of a model that is not ready, or only seems so.

    Since June 2026 an endpoint's own router sheds load with the same bare 503 that it
    sends while the endpoint is asleep.
    """
    if failure.asleep and state.answers_others:
        said = text("failures.endpoint_busy", status=failure.status)
        busy = _as_other(failure, ServerOverloaded, said)
        # As for a 429, and without using up a retry: the endpoint has not failed.
        kind = retry.FailureKind.THROTTLED
        delay = retry.backoff(kind, state.sheds + 1, jitter=state.jitter)
        until = state.now + max(delay, busy.retry_after or 0.0)
        rests = state.waits and until < state.deadline
        return Rest(until) if rests else Raise(busy)
    if failure.status == _NOT_FOUND and state.reached:
        # Its server was there: it does not start, and a job that ended never returns.
        return Raise(_as_other(failure, JobEnded, text("failures.job_over")))
    if not state.waits:
        return Raise(failure)
    reason: WaitReason = "waking" if failure.asleep else "loading"
    return WaitUntilReady(reason, failure.estimate)


def _as_other(failure: ModelLoading, kind: type[E], said: str) -> E:
    """Return the error that a failure is, with what others know of the model."""
    error = kind(
        said,
        status=failure.status,
        retry_after=failure.retry_after,
        body=failure.body,
    )
    # Its next step is that of its kind: a sleeping endpoint's would mislead.
    error.endpoint, error.host_kind = failure.endpoint, failure.host_kind
    error.model = failure.model
    error.found_in, error.found_as = failure.found_in, failure.found_as
    error.hint = next_step(error)
    return error
