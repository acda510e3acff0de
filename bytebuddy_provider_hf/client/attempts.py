"""Attempts of one call: its queue, what is sent, its retries."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Generic, Self

from attrs import define, evolve

from bytebuddy_provider_hf.address import HostKind
from bytebuddy_provider_hf.client import call_log
from bytebuddy_provider_hf.client.decide import (
    Adapt,
    CallState,
    DetectAgain,
    Raise,
    Rest,
    WaitForServer,
    WaitUntilReady,
    decide,
)
from bytebuddy_provider_hf.client.endpoint import SESSION_ID, CallSpec
from bytebuddy_provider_hf.client.model_family import hub_family
from bytebuddy_provider_hf.client.notices import warn_dropped_option
from bytebuddy_provider_hf.client.plan import (
    NO_OPTIONS,
    AnyReply,
    Plan,
    Planner,
    R,
)
from bytebuddy_provider_hf.client.prompt_tokens import PromptTokens
from bytebuddy_provider_hf.client.providers import ProviderChoice
from bytebuddy_provider_hf.client.response_errors import (
    add_alternatives,
    error_from_response,
)
from bytebuddy_provider_hf.client.runtime import LoopState
from bytebuddy_provider_hf.client.served import read_provider, read_served
from bytebuddy_provider_hf.errors import (
    APIError,
    ByteBuddyError,
    ConnectionRefused,
    ContextTooLong,
    DeadlineExceeded,
    FirstByteTimeout,
    ModelLoading,
    ParameterRefused,
    RateLimited,
    ResponseError,
    StreamInterrupted,
    UnsupportedRole,
)
from bytebuddy_provider_hf.failures.next_steps import (
    general_step,
    next_step,
    not_served_model,
)
from bytebuddy_provider_hf.hub.router_models import LIMIT
from bytebuddy_provider_hf.money import NO_COST
from bytebuddy_provider_hf.outcomes import TaskReply
from bytebuddy_provider_hf.prompts.family import Family
from bytebuddy_provider_hf.scheduling import retry
from bytebuddy_provider_hf.scheduling.waiter import Waiter
from bytebuddy_provider_hf.storage.attempt import Outcome
from bytebuddy_provider_hf.texts import number_text, text
from bytebuddy_provider_hf.transport.deadlines import Timeout
from bytebuddy_provider_hf.transport.http_client import HttpClient, Response
from bytebuddy_provider_hf.types import BudgetAlert, Loading, Served, WaitReason
from bytebuddy_provider_hf.wire.adapt import (
    NO_ADAPTATIONS,
    Adaptations,
    not_asked_for,
    refuses_route,
)
from bytebuddy_provider_hf.wire.http_request import HttpRequest
from bytebuddy_provider_hf.wire.server import Server

# Imported by the first call that is counted, or whose answer is kept.
if TYPE_CHECKING:
    from bytebuddy_provider_hf.client.cached_call import CachedCall, KeptResponse
    from bytebuddy_provider_hf.client.metering import Meter, MeteredAttempt

_log: Final = logging.getLogger(__name__)

# An answer is held back so many seconds for its price, where that is being asked.
_PRICE_PATIENCE: Final = 0.5
# The Hub may take so much of the time that is left; the call itself gets the rest.
_HUB_SHARE: Final = 0.25
# Of models that are asked so the router's catalogue tells who serves them.
_GENERATIVE_ROUTES: Final = frozenset({"chat", "completions"})
# How long a dedicated endpoint's proxy may hold the one request that probes, and how
# much of the wait must be left for an answer.
_LONGEST_HOLD: Final = 60
_MARGIN: Final = 5
# 204 and 205 have no body, and 206 a part of one.
_GOOD: Final = frozenset({200, 201, 202, 203})
_NO_HEADERS: Final[Mapping[str, str]] = {}


@define
class Sent(Generic[R]):
    """A request that was sent: what was asked, of which server."""

    planner: Planner[R]
    plan: Plan[R]
    server: Server
    stream: bool


class CallAttempts:
    """Hold a call's place in the queue from its first wait to its last byte.

    Leaving it gives permit and place back, however the call ended.
    """

    def __init__(self, spec: CallSpec, state: LoopState) -> None:
        self._spec = spec
        self._state = state
        endpoint = spec.endpoint
        self._queue = state.coordinator.model_queue(
            endpoint.destination, endpoint.target.model
        )
        self._record = state.detector.record(
            endpoint.target, endpoint.destination.account
        )
        # What this server made calls change before; a call adds to it.
        self._adaptations = self._record.adaptations
        self._tokens = PromptTokens(self._record)
        self._family: Family | None = None
        self._sent: Sent[Any] | None = None
        # The next request, where an adaptation has made it already.
        self._next: Sent[Any] | None = None
        # The refusal for which a first route was left.
        self._route_refusal: ByteBuddyError | None = None
        self._detected_again = False
        self._detected_to_look_up = False
        self._requests = 0
        policy = self._record.policy
        # A model that the caller puts into the body by hand is not ours to change.
        if policy is None or "model" in endpoint.extra:
            self._choice = None
        else:
            self._choice = ProviderChoice(policy, spec, state)
        self._meter = spec.meter
        # The request that is under way, and the call for its price.
        self._metered: MeteredAttempt | None = None
        self._pricing: asyncio.Task[None] | None = None
        # Budgets that this call used up to a threshold, not told yet.
        self.alerts: tuple[BudgetAlert, ...] = ()
        self.cached: CachedCall | None = None
        if spec.cache is not None:
            self.cached = spec.cache.call(state, may_wait=spec.wait)
        # Those of the last answer, good or not.
        self._headers: Mapping[str, str] = _NO_HEADERS
        # What the log was last told that the call waits for.
        self._logged_wait: WaitReason | None = None
        in_job = endpoint.target.host_kind is HostKind.JOB
        cold_hint = text("scheduling.job_may_be_over") if in_job else None
        cold_timeout = endpoint.cold_start_timeout
        patience = None if spec.limits is None else spec.limits.patience
        if patience is not None and patience < cold_timeout:
            cold_timeout = patience
            cold_hint = text("fallbacks.wait_longer")
        self._waiter = Waiter(
            since=state.loop.time(),
            timeout=spec.timeout,
            cold_timeout=cold_timeout,
            cold_hint=cold_hint,
            patience=patience,
        )

    def __enter__(self) -> Self:
        self._lent = self._state.clients.take(self._spec.endpoint.destination)
        self._client = self._lent.client
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._metered is not None:
            self._close_metered(error)
        # CancelledError and KeyboardInterrupt say nothing about the server.
        cancelled = kind is not None and not issubclass(kind, Exception)
        self._queue.release(self._waiter, cancelled=cancelled)
        if self.cached is not None:
            self.cached.close(cancelled=cancelled)
        self._state.clients.give_back(self._lent)
        # However a call fails, streamed or not, it says what to do.
        if isinstance(error, ByteBuddyError) and error.hint is None:
            error.hint = general_step(error)
        # A batch among several is told by the call it belongs to.
        spec = self._spec
        if error is not None and not spec.part and spec.limits is None:
            call_log.log_call_error(spec.endpoint.target, error)

    def try_acquire(self) -> bool:
        """Return whether the call may be sent now; raises what the queue raises.

        A call that does not wait raises what it would wait for.
        """
        if self._queue.try_acquire(self._waiter):
            return True
        if self._spec.wait:
            return False
        waiting = self.wait_state()
        # A place in the queue is no wait for the server: it comes by itself, soon.
        if waiting is None or waiting.reason in ("queued", "retrying"):
            return False
        model = self._spec.endpoint.target.model
        hint = text("calls.ask_again_later_or_let_the_call")
        if waiting.reason == "rate limited":
            raise RateLimited(
                text("calls.rate_limited_and_this_call_does_not", model=model),
                retry_after=waiting.estimate,
                hint=hint,
            )
        raise ModelLoading(
            text(
                "calls.still_and_this_call_does_not_wait",
                model=model,
                reason=text(
                    "calls.reason_waking"
                    if waiting.reason == "waking"
                    else "calls.reason_starting"
                    if waiting.reason == "starting"
                    else "calls.reason_loading"
                ),
            ),
            retry_after=waiting.estimate,
            hint=hint,
        )

    def wait_state(self) -> Loading | None:
        """Return what the call waits for."""
        waiting = self._queue.wait_state(self._waiter)
        if waiting is not None:
            target = self._spec.endpoint.target
            self._logged_wait = call_log.log_wait(target, waiting, self._logged_wait)
        return waiting

    async def wait(self, *, observed: bool = True) -> None:
        """Wait until there is news; progress is news only where it is ``observed``."""
        # Who may not wait has to hear at once that there is something to wait for.
        observed = observed or not self._spec.wait
        await self._queue.wait(self._waiter, observed=observed)

    async def detect_server(self) -> Server:
        """Return what stands at the address, asked for where nobody has."""
        with Timeout(self._state.deadlines, self._waiter.deadline):
            found = self._record.server or await self._detect()
            self._queue.on_response(self._waiter)
            return found
        raise self._deadline_exceeded()  # where the deadline ended the block

    async def look_up(
        self, planner: Planner[R], *, stream: bool
    ) -> tuple[KeptResponse, Plan[R]] | None:
        """Return a kept answer to the request, and how to read it; nothing is sent.

        Where it is not known yet what stands at the address, there is none.
        """
        cached, server = self.cached, self._record.server
        if cached is None or server is None:
            return None
        sent = self._next
        if sent is None or sent.server != server:
            try:
                if planner.asks_hub and self._family is None:
                    await self._ask_for_family(planner, server)
                sent = self._plan(planner, server, stream=stream)
            except ByteBuddyError:
                return None  # the attempt that follows meets it, and tells it
            self._next = sent
        kept = cached.recall(sent) or await self._find(cached)
        if kept is None:
            return None
        self._headers, plan = kept.headers, sent.plan
        if notes := self._notes_for(sent):
            plan = evolve(plan, notes=(*plan.notes, *notes))
        return kept, plan

    async def detect_to_look_up(self) -> bool:
        """Ask an unknown address what it is; return whether that was done.

        The permit is given back: what is found now may make a request needless.
        """
        if self._record.server is not None or self._detected_to_look_up:
            return False
        self._detected_to_look_up = True
        await self.detect_server()
        self._queue.back_off(self._waiter, self._state.loop.time())
        return True

    def accept(self, reply: AnyReply) -> bool:
        """Return whether a kept answer is whole; else the request is sent after all."""
        return self.cached is not None and self.cached.accept(reply)

    async def send(
        self, planner: Planner[R], *, stream: bool
    ) -> tuple[Response, Plan[R]]:
        """Send once; return the good answer, its body not read, and how to read it.

        Raises the error that any other answer, or none, stands for.
        """
        loop, endpoint = self._state.loop, self._spec.endpoint
        first_byte = loop.time() + endpoint.first_byte_timeout
        until = min(self._waiter.deadline, first_byte)
        with Timeout(self._state.deadlines, until):
            server = self._record.server or await self._detect()
            asked_hub = (
                planner.asks_hub
                and self._family is None
                and await self._ask_for_family(planner, server)
            )
            # What an adaptation planned is sent, if it is still for this server.
            sent, self._next = self._next, None
            if sent is None or sent.server != server or asked_hub:
                sent = self._plan(planner, server, stream=stream)
            counted = sent.plan.unsure and await self._tokens.count(
                sent.plan, server, self._probing_client()
            )
            if counted:
                sent = self._plan(planner, server, stream=stream)
            if self.cached is not None:
                # Whoever of the providers answers: it is the answer to this request.
                self.cached.bind(sent)
            choice = self._choice
            if choice is not None and not choice.is_open:
                sent = await self._plan_for_provider(choice, sent)
            self._sent, plan = sent, sent.plan
            if notes := self._notes_for(sent):
                plan.notes = (*plan.notes, *notes)
            request = plan.http_request
            self._requests += 1
            if self._requests > 1 or self._waiter.probe_id:
                request = self._numbered(request)
            session = self._spec.session
            if session is not None and endpoint.target.host_kind is HostKind.ROUTER:
                header = (SESSION_ID, session)
                request = evolve(request, headers=(*request.headers, header))
            if self._meter is None:
                response = await self._client.send(request, on_resend=self._on_resend)
                self._headers = response.headers
            else:
                response = await self._send_counted(
                    self._meter, request, planner.role, plan
                )
            self._state.rates.observe(
                endpoint.target.origin, response.status, response.headers
            )
            if response.status in _GOOD:
                self._queue.on_response(self._waiter)
                if self.cached is not None:
                    return self.cached.record(response), plan
                return response, plan
            # Closed before it is raised: nobody holds a connection while it rests.
            try:
                raise await error_from_response(response, endpoint)
            finally:
                response.close()
        # Where a time ended the block.
        if first_byte < self._waiter.deadline:
            seconds = endpoint.first_byte_timeout
            raise FirstByteTimeout(
                text(
                    "calls.server_did_not_begin_to_answer_within",
                    seconds=number_text(seconds),
                ),
                hint=text("calls.raise_requestoptions_firstbytetimeout"),
            )
        raise self._deadline_exceeded()

    async def read(self, response: Response, plan: Plan[Any]) -> bytes:
        """Return the whole body within the call's deadline, and the plan's bounds."""
        with Timeout(self._state.deadlines, self._waiter.deadline):
            return await response.read(plan.most_bytes, plan.bound)
        raise self._deadline_exceeded()  # where the deadline ended the block

    async def first_chunk(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        """Return the first bytes of a body within the call's deadline, if there are."""
        with Timeout(self._state.deadlines, self._waiter.deadline):
            return await anext(chunks, None)
        raise self._deadline_exceeded()  # where the deadline ended the block

    async def served(self, reply: AnyReply) -> Served:
        """Return how the call was served; ``reply`` is what the answer's body says.

        Its price is waited for a moment, where the catalogue is just being asked.
        """
        waiter, now, cost = self._waiter, self._state.loop.time(), NO_COST
        cached = self.cached
        if cached is not None and cached.kept is not None:
            return cached.served(cached.kept, elapsed=now - waiter.since)
        meter, metered = self._meter, self._metered
        if meter is not None and metered is not None:
            if self._pricing is not None and not self._pricing.done():
                await asyncio.wait([self._pricing], timeout=_PRICE_PATIENCE)
            usage = None if isinstance(reply, TaskReply) else reply.usage
            reported = reply.served.reported_nano_usd
            if not metered.provider and reply.served.provider:
                metered.provider = reply.served.provider
            cost = meter.cost(metered, usage, reported, self._state)
            metered.usage, metered.cost = usage, cost
            if cost.estimated:
                meter.watch_credits(self._state)
        return read_served(
            self._headers,
            self._spec.endpoint,
            reply.served,
            attempts=self._requests,
            waited=waiter.sent_at - waiter.since,
            elapsed=now - waiter.since,
            cost=cost,
        )

    def succeeded(self, reply: AnyReply) -> None:
        """Note that the answer came whole: the retries were worth their cost."""
        if self.cached is not None:
            self.cached.keep(reply)
        if self._choice is not None:
            self._choice.answered(reply.served.provider)
        self._queue.limiter.budget.give_back(self._waiter.retry_cost)
        if self._metered is not None:
            self._close_metered(None)
        sent = self._sent
        # Only a prompt whose tokens were guessed teaches how to guess.
        if sent is not None and sent.plan.guess is not None:
            self._tokens.on_reply(reply, sent.plan.guess, sent.server)

    async def handle_failure(self, failure: ByteBuddyError) -> None:
        """Get ready for another attempt, or raise ``failure``.

        The permit is given back either way, before any rest.
        """
        queue, waiter, sent = self._queue, self._waiter, self._sent
        # Written down when it is known what becomes of it.
        metered, self._metered = self._metered, None
        elsewhere = False
        if self._choice is not None and sent is not None:
            # Which provider failed is remembered; another one may be asked now.
            elsewhere = await self._choice.leave(
                failure,
                read_provider(self._headers, self._spec.endpoint),
                sent.plan,
                limit=self._catalogue_seconds(),
            )
        state = self._call_state(elsewhere=elsewhere)
        # Before the decision, which plans by what the refusal told.
        if isinstance(failure, ContextTooLong) and sent is not None:
            self._tokens.on_refusal(failure, sent.plan, sent.server)
            state.estimate = self._tokens.estimate(sent.plan, sent.server)
        raised: ByteBuddyError | None = None
        try:
            while True:
                match decide(failure, state):
                    case WaitUntilReady(reason=reason, estimate=estimate):
                        return queue.on_cold(waiter, estimate, reason=reason)
                    case WaitForServer(restart=restart):
                        if queue.on_connection_refused(waiter, restart=restart):
                            return None
                        # It was waited for long enough.
                        state.may_wait_for_server = False
                    case Rest(until=until):
                        return queue.on_shed(waiter, until)
                    case DetectAgain():
                        self._report(failure)
                        # Once a call: one that changes its model each time is broken.
                        self._detected_again = True
                        origin = state.target.origin
                        _log.info("%s is asked anew: %s", origin, failure)
                        self._state.detector.forget(self._record)
                        return queue.back_off(waiter, state.now)
                    case Adapt(adaptations=adaptations):
                        if self._adapt(failure, adaptations):
                            self._report(failure)
                            return queue.back_off(waiter, state.now)
                        state.may_adapt = False  # the request would be the same
                    case retry.Retry() as decision:
                        self._report(failure, elsewhere=elsewhere)
                        return self._retry(failure, decision, state.now)
                    case Raise(error=error):
                        raised = error
                        # Loading is the queue's own news: it is no failed attempt.
                        if not isinstance(failure, ModelLoading):
                            self._report(failure, elsewhere=elsewhere)
                        raise await self._final_error(error, state.now)
        finally:
            if metered is not None:
                limits = self._spec.limits
                lost = raised is not None and not (limits and limits.absorbs(raised))
                self._close_metered(failure, metered, "failed" if lost else "absorbed")

    async def _send_counted(
        self, meter: Meter, request: HttpRequest, role: str, plan: Plan[Any]
    ) -> Response:
        """Send a request that is counted before, its estimate held by the budgets."""
        now, session = self._state.loop.time(), self._spec.session or ""
        url, number, waited = request.url, self._requests, now - self._waiter.since
        metered = meter.try_begin(role, session, url, number, waited, now)
        if metered is None:
            metered = await self._begin_metered(meter, role, url, plan)
        self._metered = metered
        response = await self._client.send(request, on_resend=self._on_resend)
        self._headers = response.headers
        # Another one, where the request was sent again.
        metered = self._metered
        metered.status = response.status
        if meter.is_billed:
            found = read_provider(response.headers, self._spec.endpoint)
            metered.provider = found or ""
            if response.status in _GOOD:
                self._pricing = meter.ask_price(metered, self._state)
        return response

    async def _begin_metered(
        self, meter: Meter, role: str, url: str, plan: Plan[Any]
    ) -> MeteredAttempt:
        """Count a request that has to wait for that, its estimate held by budgets."""
        metered = await meter.begin(
            role,
            self._spec.session or "",
            url=url,
            number=self._requests,
            waited=self._state.loop.time() - self._waiter.since,
            plan=plan,
            state=self._state,
        )
        if metered.reservation is not None:
            self.alerts = (*self.alerts, *metered.reservation.alerts)
        return metered

    async def _on_resend(self, failure: ByteBuddyError) -> None:
        """Count a request that the connections send once more by themselves.

        The server may have got the first one too: each is an attempt of its own.
        """
        self._requests += 1
        sent, meter = self._sent, self._meter
        if meter is None or sent is None:
            return
        self._close_metered(failure, outcome="absorbed")
        url = sent.plan.http_request.url
        self._metered = await self._begin_metered(
            meter, sent.planner.role, url, sent.plan
        )

    def _close_metered(
        self,
        failure: BaseException | None,
        metered: MeteredAttempt | None = None,
        outcome: Outcome | None = None,
    ) -> None:
        """Write down what became of the request; a failure tells it by its class."""
        found = metered or self._metered
        if found is None or self._meter is None:
            return
        self._metered = None
        if outcome is None:
            outcome = "complete"
            if isinstance(failure, ResponseError | StreamInterrupted):
                outcome = "cut"
            elif failure is not None:
                mine = isinstance(failure, Exception)
                outcome = "failed" if mine else "cancelled"
        now = self._state.loop.time()
        self._meter.finish(found, outcome, now=now, failure=failure)

    async def _find(self, cached: CachedCall) -> KeptResponse | None:
        with Timeout(self._state.deadlines, self._waiter.deadline):
            return await cached.find()
        raise self._deadline_exceeded()  # where the deadline ended the block

    def _notes_for(self, sent: Sent[R]) -> tuple[str, ...]:
        """Return what a reply should tell beside the notes of its plan; log those."""
        if sent.plan.notes:
            warn_dropped_option(self._spec.endpoint.target, sent.plan.notes)
        if self._adaptations is NO_ADAPTATIONS:
            return sent.server.notes
        changed = self._adaptations.notes_for(sent.planner.options)
        return (*sent.server.notes, *changed)

    async def _plan_for_provider(
        self, choice: ProviderChoice, sent: Sent[R]
    ) -> Sent[R]:
        """Return the request, with the provider named where one is to answer it."""
        found = await choice.choose(sent.plan, limit=self._catalogue_seconds())
        choice.named = None if found is None else found.provider
        if found is None:
            return sent
        named = evolve(sent.server, model=f"{choice.model}:{found.provider}")
        sent = self._plan(sent.planner, named, stream=sent.stream)
        sent.plan.notes = (*sent.plan.notes, *found.notes)
        return sent

    def _catalogue_seconds(self) -> float:
        """Return how long the router's catalogue may be asked."""
        left = self._waiter.deadline - self._state.loop.time()
        return min(LIMIT, left * _HUB_SHARE) if self._spec.wait else 0.0

    def _call_state(self, *, elsewhere: bool) -> CallState:
        spec, waiter, sent = self._spec, self._waiter, self._sent
        endpoint, queue = spec.endpoint, self._queue
        max_attempts = endpoint.max_attempts
        if spec.limits is not None and spec.limits.retries is not None:
            max_attempts = waiter.attempt + spec.limits.retries.left
        return CallState(
            now=self._state.loop.time(),
            deadline=waiter.rests_until,
            attempt=waiter.attempt,
            max_attempts=max_attempts,
            sheds=waiter.sheds,
            waits=spec.wait,
            answers_others=queue.is_awake(),
            reached=queue.limiter.reached,
            starting=endpoint.wait_for_server,
            target=endpoint.target,
            options=NO_OPTIONS if sent is None else sent.planner.options,
            adaptations=self._adaptations,
            server=None if sent is None else sent.server,
            route=None if sent is None else sent.plan.http_request.route,
            budget=queue.limiter.budget,
            jitter=queue.jitter,
            elsewhere=elsewhere,
            may_detect=not self._detected_again,
        )

    def _report(self, failure: ByteBuddyError, *, elsewhere: bool = False) -> None:
        """Tell queue and limiter what an attempt met.

        ``elsewhere``: it is about one provider, and others may be asked: nobody here
        is held back for it.
        """
        if elsewhere:
            self._queue.on_response(self._waiter, good=False)
            return
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

    def _adapt(self, failure: ByteBuddyError, adaptations: Adaptations) -> bool:
        """Plan the changed request; return whether it is another one."""
        sent, before = self._sent, self._adaptations
        if sent is None:
            return False
        self._adaptations = adaptations
        try:
            changed = self._plan(
                sent.planner,
                sent.server,
                stream=sent.stream,
                adaptations=adaptations,
            )
        except ByteBuddyError:
            # No request can be made like this: the failure stands.
            changed = sent
        if changed.plan.http_request == sent.plan.http_request:
            self._adaptations = before
            return False
        self._next = changed
        if refuses_route(failure):
            self._route_refusal = self._route_refusal or failure
        target = self._spec.endpoint.target
        self._record.remember(adaptations)
        _log.info("%s: %s", target.origin, adaptations.notes[-1])
        return True

    def _retry(
        self, failure: ByteBuddyError, decision: retry.Retry, now: float
    ) -> None:
        waiter = self._waiter
        call_log.log_retry(self._spec.endpoint.target, failure, decision)
        waiter.attempt += 1
        waiter.retry_cost += decision.cost
        limits = self._spec.limits
        if limits is not None and limits.retries is not None:
            limits.retries.left -= 1
        until = now + decision.delay
        if decision.applies_to_origin:
            self._queue.back_off_all(
                waiter, now + decision.applies_to_origin, rest_until=until
            )
        else:
            self._queue.back_off(waiter, until)

    async def _final_error(self, failure: ByteBuddyError, now: float) -> ByteBuddyError:
        """Return the error that the call ends with."""
        endpoint, sent = self._spec.endpoint, self._sent
        # Of two routes that refuse, the first was the one that was meant.
        if self._route_refusal and refuses_route(failure):
            failure = self._route_refusal
        # That a provider does not serve us, which the user never named, is no news.
        choice = self._choice
        unknown = isinstance(failure, APIError) and not_served_model(failure)
        if choice is not None and choice.named and choice.failure and unknown:
            failure = choice.failure
        local = endpoint.target.host_kind is HostKind.LOOPBACK
        refused = local and isinstance(failure, ConnectionRefused)
        if refused and self._queue.limiter.reached:
            failure.hint = text("calls.it_answered_before_perhaps")
        if isinstance(failure, ParameterRefused) and sent is not None:
            failure.unsent, failure.added = not_asked_for(
                failure, sent.plan.http_request.body, sent.planner.options
            )
            failure.hint = next_step(failure)
        wrote = sent is not None and sent.plan.http_request.route in _GENERATIVE_ROUTES
        limits = self._spec.limits
        if limits is not None and limits.absorbs(failure):
            # Whoever serves it now, another entry is asked at once.
            return failure
        if wrote and isinstance(failure, APIError) and not_served_model(failure):
            # The permit goes back first: the catalogue may take a while.
            self._queue.back_off(self._waiter, now)
            limit = self._waiter.deadline - now if self._spec.wait else 0.0
            await add_alternatives(failure, endpoint, self._state, limit=limit)
        return failure

    def _plan(
        self,
        planner: Planner[R],
        server: Server,
        *,
        stream: bool,
        adaptations: Adaptations | None = None,
    ) -> Sent[R]:
        """Plan the request for the server, with what it made us change."""
        changes = self._adaptations if adaptations is None else adaptations
        knowledge = self._record.knowledge(
            server,
            changes,
            window=self._spec.window,
            family=self._family,
            prompt_tokens=self._tokens.counted,
        )
        options = planner.options
        if changes is not NO_ADAPTATIONS:
            options = changes.apply_to(options)
        plan: Plan[R] | None = None
        try:
            plan = planner.plan(
                knowledge, options, stream=stream and not changes.no_streaming
            )
        except UnsupportedRole:
            stuck = changes.excluded_routes or changes.no_template
            if adaptations is not None or not stuck:
                raise
        if plan is None:
            # Another call learned to leave a route; this one has no other way.
            fewer = evolve(changes, excluded_routes=frozenset(), no_template=False)
            return self._plan(planner, server, stream=stream, adaptations=fewer)
        if planner.notes:
            plan.notes = (*planner.notes, *plan.notes)
        if changes.max_tokens is not None:
            plan.lowered = changes.max_tokens
        return Sent(planner, plan, server, stream)

    async def _ask_for_family(self, planner: Planner[R], server: Server) -> bool:
        """Ask the Hub what the model is, where that is worth its time."""
        adaptations = self._adaptations
        wanted = planner.hub_seconds(
            adaptations.known_of(server), no_template=adaptations.no_template
        )
        if not wanted:
            return False
        left = self._waiter.deadline - self._state.loop.time()
        limit = min(wanted, left * _HUB_SHARE)
        endpoint = self._spec.endpoint
        self._family = await hub_family(endpoint, server, self._state, limit=limit)
        return True

    async def _detect(self) -> Server:
        """Ask a bare address, once for all calls, what stands there."""
        detector = self._state.detector
        return await detector.detect(
            self._record, self._spec.endpoint, self._probing_client()
        )

    def _probing_client(self) -> HttpClient:
        """Return the client for questions about the server, which are counted too."""
        meter = self._meter
        if meter is None:
            return self._client
        from bytebuddy_provider_hf.client.metering import ProbingClient

        return ProbingClient(meter, self._client, self._state)

    def _numbered(self, request: HttpRequest) -> HttpRequest:
        """Return the request with its number; a probe asks its endpoint to hold it."""
        if self._requests > 1:
            request = evolve(request, attempt=self._requests)
        waiter = self._waiter
        target = self._spec.endpoint.target
        if waiter.probe_id and target.host_kind is HostKind.ENDPOINT:
            left = waiter.expires - self._state.loop.time()
            hold = min(_LONGEST_HOLD, int(left) - _MARGIN)
            if hold > 0:
                header = ("X-Scale-Up-Timeout", str(hold))
                request = evolve(request, headers=(*request.headers, header))
        return request

    def _deadline_exceeded(self) -> DeadlineExceeded:
        return DeadlineExceeded(
            text("calls.no_answer_within_s", timeout=number_text(self._spec.timeout)),
            hint=text("calls.raise_requestoptions_timeout_ask"),
        )
