"""Attempts of one call: its queue, what is sent, its retries."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Final, Generic, Self

from attrs import define, evolve, field

from bytebuddy_provider_hf.address import HostKind
from bytebuddy_provider_hf.client import call_log
from bytebuddy_provider_hf.client.endpoint import Endpoint
from bytebuddy_provider_hf.client.hub_family import hub_family
from bytebuddy_provider_hf.client.notices import warn_dropped_option
from bytebuddy_provider_hf.client.plan import Plan, Planner, R
from bytebuddy_provider_hf.client.prompt_tokens import PromptTokens
from bytebuddy_provider_hf.client.reader_task import ReaderTask
from bytebuddy_provider_hf.client.response_errors import (
    add_alternatives,
    busy_endpoint,
    error_from_response,
)
from bytebuddy_provider_hf.client.runtime import LoopState
from bytebuddy_provider_hf.errors import (
    APIError,
    ByteBuddyError,
    ConnectionRefused,
    ContextTooLong,
    DeadlineExceeded,
    FirstByteTimeout,
    ModelLoading,
    RateLimited,
    ServerOverloaded,
    UnsupportedRole,
    WrongServedModel,
)
from bytebuddy_provider_hf.failures.next_steps import not_served_model
from bytebuddy_provider_hf.plugins.protocols import OnEvent
from bytebuddy_provider_hf.prompts.family import Family
from bytebuddy_provider_hf.scheduling import retry
from bytebuddy_provider_hf.scheduling.waiter import Waiter
from bytebuddy_provider_hf.transport.http_client import Response
from bytebuddy_provider_hf.types import Loading, WaitReason
from bytebuddy_provider_hf.wire.adapt import Adaptations, adapt, refuses_route
from bytebuddy_provider_hf.wire.http_request import HttpRequest
from bytebuddy_provider_hf.wire.server import Server

_log: Final = logging.getLogger(__name__)

MAX_REPLY: Final = 64 * 1024 * 1024
# The Hub may take so much of the time that is left; the call itself gets the rest.
_HUB_SHARE: Final = 0.25
# Of models that are asked so the router's catalogue tells who serves them.
_GENERATIVE_ROUTES: Final = frozenset({"chat", "completions"})
# How long a dedicated endpoint's proxy may hold the one request that probes, and how
# much of the wait must be left for an answer.
_LONGEST_HOLD: Final = 60
_MARGIN: Final = 5


@define  # made once a call: 0.4 µs, frozen 1.9
class CallSpec(Generic[R]):
    """What is to be asked, and how long to wait for it.

    Without ``wait`` a model that is not ready, or an account that is limited, is an
    error at once. ``window`` is the configured one. ``part`` is one of several for one
    call, which logs its own failure.
    """

    endpoint: Endpoint
    planner: Planner[R]
    timeout: float
    notes: tuple[str, ...] = ()
    on_event: OnEvent | None = None
    wait: bool = True
    window: int | None = None
    reader_task: ReaderTask = field(factory=ReaderTask)
    part: bool = False


class CallAttempts(Generic[R]):
    """Hold a call's place in the queue from its first wait to its last byte.

    Leaving it gives permit and place back, however the call ended.
    """

    def __init__(self, spec: CallSpec[R], state: LoopState) -> None:
        self._spec = spec
        self._state = state
        endpoint = spec.endpoint
        self._queue = state.coordinator.model_queue(
            endpoint.destination, endpoint.target.model
        )
        self._account = endpoint.destination.account
        # What this server made calls change before; a call adds to it.
        self._adaptations = state.detector.adaptations(endpoint.target, self._account)
        self._detected_again = False
        # The last request, and the refusal for which a first route was left.
        self._sent_plan: Plan[R] | None = None
        self._sent_to: Server | None = None
        self._stream = False
        self._family: Family | None = None
        self._tokens = PromptTokens(state.detector, endpoint.target, self._account)
        self._requests = 0
        # What the log was last told that the call waits for.
        self._waited: WaitReason | None = None
        self._route_refusal: ByteBuddyError | None = None
        self._waiter = Waiter(
            now=state.loop.time(),
            timeout=spec.timeout,
            cold_timeout=endpoint.cold_start_timeout,
        )

    def __enter__(self) -> Self:
        self._client = self._state.clients.take(self._spec.endpoint.destination)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        cancelled = kind is not None and not issubclass(kind, Exception)
        self._queue.release(self._waiter, cancelled=cancelled)
        self._state.clients.give_back(self._spec.endpoint.destination, self._client)
        if error is not None and not self._spec.part:
            call_log.log_call_error(self._spec.endpoint.target, error)

    def try_acquire(self) -> bool:
        """Return whether the call may be sent now; raises what the queue raises."""
        if self._queue.try_acquire(self._waiter):
            return True
        if not self._spec.wait:
            self._raise_not_waiting()
        return False

    def wait_state(self) -> Loading | None:
        """Return what the call waits for."""
        waiting = self._queue.wait_state(self._waiter)
        if waiting is not None:
            target = self._spec.endpoint.target
            self._waited = call_log.log_wait(target, waiting, self._waited)
        return waiting

    async def wait(self, *, observed: bool = True) -> None:
        """Wait until there is news; progress is news only where it is ``observed``."""
        # Who may not wait has to hear at once that there is something to wait for.
        observed = observed or not self._spec.wait
        await self._queue.wait(self._waiter, observed=observed)

    async def detect_server(self) -> Server:
        """Return what stands at the address, asked for where nobody has."""
        with self._state.deadlines.timeout_at(self._waiter.deadline):
            found = await self._known_server()
            self._queue.on_response(self._waiter)
            return found
        raise self._timeout_error()

    async def send(self, *, stream: bool) -> tuple[Response, Plan[R]]:
        """Send once; return the good answer, its body not read, and how to read it.

        Raises the error that any other answer, or none, stands for.
        """
        loop, endpoint = self._state.loop, self._spec.endpoint
        first = loop.time() + endpoint.first_byte_timeout
        until = min(self._waiter.deadline, first)
        with self._state.deadlines.timeout_at(until):
            server, planner = await self._known_server(), self._spec.planner
            if planner.hub_seconds is not None and self._family is None:
                self._family = await self._hub_family(server)
            plan = self._plan(server, stream=stream)
            if plan.unsure and await self._tokens.count(plan, server, self._client):
                plan = self._plan(server, stream=stream)
            response = await self._client.send(
                self._with_scale_up_timeout(plan.http_request)
            )
            if response.status == 200:  # noqa: PLR2004 - HTTP's OK
                self._queue.on_response(self._waiter)
                return response, plan
            try:
                raise await error_from_response(response, endpoint)
            finally:
                response.close()
        raise self._timeout_error(first_byte=first < self._waiter.deadline)

    async def read(self, response: Response) -> bytes:
        """Return the whole body within the call's deadline."""
        with self._state.deadlines.timeout_at(self._waiter.deadline):
            return await response.read(MAX_REPLY)
        raise self._timeout_error()

    def succeeded(self, reply: R) -> None:
        """Note that the answer came whole: the retries were worth their cost."""
        self._queue.limiter.budget.give_back(self._waiter.retry_cost)
        if self._sent_plan is not None and self._sent_to is not None:
            self._tokens.on_reply(reply, self._sent_plan, self._sent_to)

    async def handle_failure(self, failure: ByteBuddyError) -> None:
        """Get ready for another attempt, or raise ``failure``.

        The permit is given back either way.
        """
        queue, waiter = self._queue, self._waiter
        now = self._state.loop.time()
        if isinstance(failure, ModelLoading):
            if failure.asleep and queue.is_awake():
                return self._back_off_shed(busy_endpoint(failure), now)
            if not self._spec.wait:
                raise failure
            reason: WaitReason = "waking" if failure.asleep else "loading"
            return queue.on_cold(waiter, failure.estimate, reason=reason)
        if isinstance(failure, ConnectionRefused) and self._waits_for_server(failure):
            return None
        self._report_failure(failure)
        if self._adapt(failure):
            return queue.back_off(waiter, now)
        decision = self._decide(failure, now)
        if decision is None:
            raise await self._final_error(failure, now)
        call_log.log_retry(self._spec.endpoint.target, failure, decision)
        waiter.attempt += 1
        waiter.retry_cost += decision.cost
        until = now + decision.delay
        if decision.applies_to_origin:
            return queue.back_off_all(
                waiter, now + decision.applies_to_origin, rest_until=until
            )
        return queue.back_off(waiter, until)

    async def _final_error(self, failure: ByteBuddyError, now: float) -> ByteBuddyError:
        """Return the error that the call ends with."""
        if self._route_refusal and refuses_route(failure):
            failure = self._route_refusal
        wrote = (
            self._sent_plan is not None
            and self._sent_plan.http_request.route in _GENERATIVE_ROUTES
        )
        if wrote and isinstance(failure, APIError) and not_served_model(failure):
            self._queue.back_off(self._waiter, now)
            limit = self._waiter.deadline - now if self._spec.wait else 0.0
            endpoint = self._spec.endpoint
            await add_alternatives(failure, endpoint, self._state, limit=limit)
        return failure

    def _adapt(self, failure: ByteBuddyError) -> bool:
        """Change the plan as the server's answer suggests; tell whether it was."""
        target = self._spec.endpoint.target
        if (
            isinstance(failure, WrongServedModel)
            and target.needs_detection
            and not self._detected_again
        ):
            self._detected_again = True
            _log.info("%s is asked anew what it serves: %s", target.origin, failure)
            self._state.detector.forget(target, self._account)
            return True
        sent, server = self._sent_plan, self._sent_to
        if sent is None or server is None:
            return False
        if isinstance(failure, ContextTooLong):
            self._tokens.on_refusal(failure, sent, server)
        options, route = self._spec.planner.options, sent.http_request.route
        adaptations = adapt(
            failure, self._adaptations, options, route=route, server=server
        )
        if adaptations is None or not self._changes_request(
            adaptations, server, sent.http_request
        ):
            return False
        if refuses_route(failure):
            self._route_refusal = self._route_refusal or failure
        self._adaptations = adaptations
        self._state.detector.remember(target, self._account, adaptations)
        _log.info("%s: %s", target.origin, adaptations.notes[-1])
        return True

    def _decide(self, failure: ByteBuddyError, now: float) -> retry.Retry | None:
        throttled = retry.failure_kind(failure) is retry.FailureKind.THROTTLED
        if throttled and not self._spec.wait:
            return None
        limiter = self._queue.limiter
        state = retry.RetryState(
            attempt=self._waiter.attempt,
            max_attempts=self._spec.endpoint.max_attempts,
            left=self._waiter.deadline - now,
        )
        return retry.decide(
            failure, state, budget=limiter.budget, jitter=self._queue.jitter
        )

    def _report_failure(self, failure: ByteBuddyError) -> None:
        """Tell queue and limiter what an attempt met."""
        overloaded = retry.is_overload(failure)
        if not isinstance(failure, APIError):
            self._queue.on_no_response(
                self._waiter, cancelled=False, overloaded=overloaded
            )
            return
        self._queue.on_response(
            self._waiter,
            good=False,
            overloaded=overloaded,
            rated=retry.rated(failure),
        )
        self._queue.remember_refusal(failure)

    def _back_off_shed(self, failure: ServerOverloaded, now: float) -> None:
        """Let the call rest until the endpoint may have room; no retry is used up."""
        jitter, sheds = self._queue.jitter, self._waiter.sheds
        delay = retry.backoff(retry.FailureKind.THROTTLED, sheds + 1, jitter=jitter)
        until = now + max(delay, failure.retry_after or 0.0)
        if not self._spec.wait or until >= self._waiter.deadline:
            raise failure
        self._queue.on_shed(self._waiter, until)

    def _waits_for_server(self, failure: ConnectionRefused) -> bool:
        """Whether the call was put back to wait for a server that is starting.

        A refused connection counts at a local address only, where the configuration
        says that a server is being started, or where one answered a moment ago.
        """
        endpoint, queue = self._spec.endpoint, self._queue
        if endpoint.target.host_kind is not HostKind.LOOPBACK:
            return False
        if queue.limiter.reached:
            failure.hint = (
                "It answered before: perhaps it is restarting. Start it again, or look "
                "at its log."
            )
        if not self._spec.wait:
            if endpoint.wait_for_server or queue.limiter.reached:
                raise failure
            return False
        return queue.on_connection_refused(
            self._waiter, restart=not endpoint.wait_for_server
        )

    def _plan(self, server: Server, *, stream: bool) -> Plan[R]:
        """Plan the request for the server, with what it made us change."""
        adaptations = self._adaptations
        try:
            plan = self._plan_with(server, adaptations, stream=stream)
        except UnsupportedRole:
            if not (adaptations.excluded_routes or adaptations.no_template):
                raise
            plan = None
        if plan is None:
            # Another call learned that; this one has no other way.
            adaptations = evolve(
                adaptations, excluded_routes=frozenset(), no_template=False
            )
            plan = self._plan_with(server, adaptations, stream=stream)
        self._sent_plan, self._sent_to, self._stream = plan, server, stream
        target = self._spec.endpoint.target
        if plan.notes:
            warn_dropped_option(target, plan.notes)
        if notes := (*server.notes, *adaptations.notes_for(self._spec.planner.options)):
            plan.notes = (*plan.notes, *notes)
        return plan

    def _plan_with(
        self, server: Server, adaptations: Adaptations, *, stream: bool
    ) -> Plan[R]:
        planner = self._spec.planner
        options = adaptations.apply_to(planner.options)
        window, family = self._spec.window, self._family
        knowledge = self._tokens.knowledge(
            server, adaptations, window=window, family=family
        )
        plan = planner.plan(knowledge, options, stream and not adaptations.no_streaming)
        if adaptations.max_tokens is not None:
            plan.lowered = adaptations.max_tokens
        return plan

    def _changes_request(
        self, adaptations: Adaptations, server: Server, sent: HttpRequest
    ) -> bool:
        """Whether the request would change, and can be made at all."""
        try:
            plan = self._plan_with(server, adaptations, stream=self._stream)
        except ByteBuddyError:
            return False
        return plan.http_request != sent

    async def _hub_family(self, server: Server) -> Family | None:
        """Ask the Hub what the model is, where that is worth its time."""
        planner, adaptations = self._spec.planner, self._adaptations
        if planner.hub_seconds is None:
            return None
        wanted = planner.hub_seconds(
            adaptations.without_routes(server), adaptations.no_template
        )
        left = self._waiter.deadline - self._state.loop.time()
        limit = min(wanted, left * _HUB_SHARE)
        return await hub_family(self._spec.endpoint, server, self._state, limit=limit)

    async def _known_server(self) -> Server:
        """Return what is known of the server; a bare address is asked once."""
        endpoint, detector = self._spec.endpoint, self._state.detector
        known = detector.known(endpoint.target, self._account)
        return known or await detector.detect(endpoint, self._client)

    def _with_scale_up_timeout(self, call: HttpRequest) -> HttpRequest:
        self._requests += 1
        if self._requests > 1:
            call = evolve(call, attempt=self._requests)
        if (
            self._waiter.probe_id
            and self._spec.endpoint.target.host_kind is HostKind.ENDPOINT
        ):
            left = self._waiter.expires - self._state.loop.time()
            hold = min(_LONGEST_HOLD, int(left) - _MARGIN)
            if hold > 0:
                header = ("X-Scale-Up-Timeout", str(hold))
                call = evolve(call, headers=(*call.headers, header))
        return call

    def _raise_not_waiting(self) -> None:
        waiting = self.wait_state()
        if waiting is None or waiting.reason in ("queued", "retrying"):
            return
        model = self._spec.endpoint.target.model
        hint = "Ask again later, or let the call wait."
        if waiting.reason == "rate limited":
            raise RateLimited(
                f"{model} is rate limited, and this call does not wait.",
                retry_after=waiting.estimate,
                hint=hint,
            )
        raise ModelLoading(
            f"{model} is still {waiting.reason}, and this call does not wait.",
            retry_after=waiting.estimate,
            hint=hint,
        )

    def _timeout_error(self, *, first_byte: bool = False) -> ByteBuddyError:
        if first_byte:
            seconds = self._spec.endpoint.first_byte_timeout
            return FirstByteTimeout(
                f"The server did not begin to answer within {seconds:,.0f} s.",
                hint="Raise requestOptions.firstByteTimeout, or ask for fewer tokens.",
            )
        return DeadlineExceeded(
            f"No answer within {self._spec.timeout:,.0f} s.",
            hint="Raise requestOptions.timeout, ask for fewer tokens, or stream.",
        )
