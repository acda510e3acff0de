"""One call's way through lane, attempts and retries."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Final, Generic, Self

from attrs import define, evolve, field

from bytebuddy_provider_hf.contract.protocols import OnEvent
from bytebuddy_provider_hf.engine import call_log
from bytebuddy_provider_hf.engine.asking import Asked, Question, R
from bytebuddy_provider_hf.engine.hub_family import hub_family
from bytebuddy_provider_hf.engine.notices import warn_once
from bytebuddy_provider_hf.engine.prompt_tokens import PromptTokens
from bytebuddy_provider_hf.engine.reading import Reading
from bytebuddy_provider_hf.engine.refused import (
    busy_endpoint,
    failure_of,
    meant,
    tell_who_serves,
)
from bytebuddy_provider_hf.engine.route import Route
from bytebuddy_provider_hf.engine.runtime import LoopState
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
from bytebuddy_provider_hf.prompts.family import Family
from bytebuddy_provider_hf.transport import retry
from bytebuddy_provider_hf.transport.port import Response
from bytebuddy_provider_hf.transport.ticket import Ticket
from bytebuddy_provider_hf.types import Loading, WaitReason
from bytebuddy_provider_hf.wire.amend import (
    Amendments,
    amend,
    refuses_route,
    route_of,
)
from bytebuddy_provider_hf.wire.call import Call
from bytebuddy_provider_hf.wire.remedies import unserved
from bytebuddy_provider_hf.wire.server import Server
from bytebuddy_provider_hf.wire.target import Place

_log: Final = logging.getLogger(__name__)

MAX_REPLY: Final = 64 * 1024 * 1024
# The Hub may take so much of the time that is left; the call itself gets the rest.
_HUB_SHARE: Final = 0.25
# Of models that are asked so the router's catalogue tells who serves them.
_WRITING: Final = frozenset({"chat", "completions"})
# How long a dedicated endpoint's proxy may hold the one request that looks, and how
# much of the wait must be left for an answer.
_LONGEST_HOLD: Final = 60
_MARGIN: Final = 5


@define  # made once a call: 0.4 µs, frozen 1.9
class Errand(Generic[R]):
    """What is to be asked, and how long to wait for it.

    Without ``wait`` a model that is not ready, or an account that is limited, is an
    error at once. ``window`` is the configured one. ``part`` is one of several for one
    call, which logs its own failure.
    """

    route: Route
    question: Question[R]
    timeout: float
    notes: tuple[str, ...] = ()
    on_event: OnEvent | None = None
    wait: bool = True
    window: int | None = None
    reading: Reading = field(factory=Reading)
    part: bool = False


class Passage(Generic[R]):
    """Hold a call's ticket from its first wait to its last byte.

    Leaving it gives permit and place back, however the call ended.
    """

    def __init__(self, errand: Errand[R], state: LoopState) -> None:
        self._errand = errand
        self._state = state
        route = errand.route
        self._lane = state.coordinator.lane(route.destination, route.target.model)
        self._account = route.destination.account
        # What this server made calls change before; a call adds to it.
        self._made = state.survey.amendments(route.target, self._account)
        self._reasked = False
        # The last request, and the refusal for which a first route was left.
        self._sent: Asked[R] | None = None
        self._server_asked: Server | None = None
        self._stream = False
        self._family: Family | None = None
        self._tokens = PromptTokens(state.survey, route.target, self._account)
        self._requests = 0
        # What the log was last told that the call waits for.
        self._waited: WaitReason | None = None
        self._refused: ByteBuddyError | None = None
        self._ticket = Ticket(
            now=state.loop.time(),
            timeout=errand.timeout,
            cold_timeout=route.cold_start_timeout,
        )

    def __enter__(self) -> Self:
        self._channel = self._state.channels.take(self._errand.route.destination)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        cancelled = kind is not None and not issubclass(kind, Exception)
        self._lane.leave(self._ticket, cancelled=cancelled)
        self._state.channels.give_back(self._errand.route.destination, self._channel)
        if error is not None and not self._errand.part:
            call_log.log_end(self._errand.route.target, error)

    def enter(self) -> bool:
        """Return whether the call may be sent now; raises what the lane raises."""
        if self._lane.enter(self._ticket):
            return True
        if not self._errand.wait:
            self._refuse_to_wait()
        return False

    def waiting(self) -> Loading | None:
        """Return what the call waits for."""
        waiting = self._lane.waiting(self._ticket)
        if waiting is not None:
            target = self._errand.route.target
            self._waited = call_log.log_wait(target, waiting, self._waited)
        return waiting

    async def wait(self, *, told: bool = True) -> None:
        """Wait until there is news; how it goes is news only where it is ``told``."""
        await self._lane.wait(self._ticket, told=told)

    async def server(self) -> Server:
        """Return what stands at the address, asked for where nobody has."""
        with self._state.deadlines.bound(self._ticket.deadline):
            found = await self._server()
            self._lane.answered_by(self._ticket)
            return found
        raise self._late()

    async def send(self, *, stream: bool) -> tuple[Response, Asked[R]]:
        """Send once; return the good answer, its body not read, and how to read it.

        Raises the error that any other answer, or none, stands for.
        """
        loop, route = self._state.loop, self._errand.route
        first = loop.time() + route.first_byte_timeout
        until = min(self._ticket.deadline, first)
        with self._state.deadlines.bound(until):
            server, question = await self._server(), self._errand.question
            if question.hub_seconds is not None and self._family is None:
                self._family = await self._hub_family(server)
            asked = self._asked(server, stream=stream)
            if asked.unsure and await self._tokens.count(asked, server, self._channel):
                asked = self._asked(server, stream=stream)
            response = await self._channel.send(self._call(asked.call))
            if response.status == 200:  # noqa: PLR2004 - HTTP's OK
                self._lane.answered_by(self._ticket)
                return response, asked
            try:
                raise await failure_of(response, route)
            finally:
                response.close()
        raise self._late(first_byte=first < self._ticket.deadline)

    async def read(self, response: Response) -> bytes:
        """Return the whole body within the call's deadline."""
        with self._state.deadlines.bound(self._ticket.deadline):
            return await response.read(MAX_REPLY)
        raise self._late()

    def succeeded(self, reply: R) -> None:
        """Note that the answer came whole: the retries were worth their cost."""
        self._lane.limiter.budget.give_back(self._ticket.spent)
        if self._sent is not None and self._server_asked is not None:
            self._tokens.replied(reply, self._sent, self._server_asked)

    def meant(self, failure: ByteBuddyError) -> ByteBuddyError:
        """Return the error an event inside a stream stands for; others as they are."""
        return meant(failure, self._errand.route)

    def explained(self, failure: ByteBuddyError) -> ByteBuddyError:
        """Return ``failure`` with what it stands for as its cause."""
        cause = self.meant(failure)
        if cause is not failure:
            failure.__cause__ = cause
        return failure

    async def again(self, failure: ByteBuddyError) -> None:
        """Get ready for another attempt, or raise ``failure``.

        The permit is given back either way.
        """
        lane, ticket = self._lane, self._ticket
        now = self._state.loop.time()
        if isinstance(failure, ModelLoading):
            if failure.asleep and lane.awake():
                return self._shed(busy_endpoint(failure), now)
            if not self._errand.wait:
                raise failure
            reason: WaitReason = "waking" if failure.asleep else "loading"
            return lane.cold(ticket, failure.estimate, reason=reason)
        if isinstance(failure, ConnectionRefused) and self._awaits_server(failure):
            return None
        self._note(failure)
        if self._amended(failure):
            return lane.pause(ticket, now)
        decision = self._decide(failure, now)
        if decision is None:
            raise await self._final(failure, now)
        call_log.log_retry(self._errand.route.target, failure, decision)
        ticket.attempt += 1
        ticket.spent += decision.cost
        until = now + decision.delay
        if decision.quiet:
            return lane.hold(ticket, now + decision.quiet, rest_until=until)
        return lane.pause(ticket, until)

    async def _final(self, failure: ByteBuddyError, now: float) -> ByteBuddyError:
        """Return the error that the call ends with."""
        if self._refused and refuses_route(failure):
            failure = self._refused
        wrote = self._sent is not None and route_of(self._sent.call) in _WRITING
        if wrote and isinstance(failure, APIError) and unserved(failure):
            self._lane.pause(self._ticket, now)
            limit = self._ticket.deadline - now if self._errand.wait else 0.0
            route = self._errand.route
            await tell_who_serves(failure, route, self._state, limit=limit)
        return failure

    def _amended(self, failure: ByteBuddyError) -> bool:
        """Change the question as the server's answer suggests; tell whether it was."""
        target = self._errand.route.target
        if isinstance(failure, WrongServedModel) and target.bare and not self._reasked:
            self._reasked = True
            _log.info("%s is asked anew what it serves: %s", target.origin, failure)
            self._state.survey.forget(target, self._account)
            return True
        sent, server = self._sent, self._server_asked
        if sent is None or server is None:
            return False
        if isinstance(failure, ContextTooLong):
            self._tokens.refused(failure, sent, server)
        options, route = self._errand.question.options, route_of(sent.call)
        made = amend(failure, self._made, options, route=route, server=server)
        if made is None or not self._helps(made, server, sent.call):
            return False
        if refuses_route(failure):
            self._refused = self._refused or failure
        self._made = made
        self._state.survey.remember(target, self._account, made)
        _log.info("%s: %s", target.origin, made.notes[-1])
        return True

    def _decide(self, failure: ByteBuddyError, now: float) -> retry.Retry | None:
        throttled = retry.outcome(failure) is retry.Outcome.THROTTLED
        if throttled and not self._errand.wait:
            return None
        limiter = self._lane.limiter
        situation = retry.Situation(
            attempt=self._ticket.attempt,
            max_attempts=self._errand.route.max_attempts,
            left=self._ticket.deadline - now,
        )
        return retry.decide(
            failure, situation, budget=limiter.budget, jitter=self._lane.jitter
        )

    def _note(self, failure: ByteBuddyError) -> None:
        """Tell lane and limiter what an attempt met."""
        overloaded = retry.overloaded(failure)
        if not isinstance(failure, APIError):
            self._lane.unanswered(self._ticket, cancelled=False, overloaded=overloaded)
            return
        self._lane.answered_by(
            self._ticket,
            good=False,
            overloaded=overloaded,
            rated=retry.rated(failure),
        )
        self._lane.remember(failure)

    def _shed(self, failure: ServerOverloaded, now: float) -> None:
        """Let the call rest until the endpoint may have room; no retry is used up."""
        jitter, sheds = self._lane.jitter, self._ticket.sheds
        delay = retry.backoff(retry.Outcome.THROTTLED, sheds + 1, jitter=jitter)
        until = now + max(delay, failure.retry_after or 0.0)
        if not self._errand.wait or until >= self._ticket.deadline:
            raise failure
        self._lane.shed(self._ticket, until)

    def _awaits_server(self, failure: ConnectionRefused) -> bool:
        """Whether the call was put back to wait for a server that is starting.

        A refused connection counts at a local address only, where the configuration
        says that a server is being started, or where one answered a moment ago.
        """
        route, lane = self._errand.route, self._lane
        if route.target.place is not Place.LOOPBACK:
            return False
        if lane.limiter.reached:
            failure.hint = (
                "It answered before: perhaps it is restarting. Start it again, or look "
                "at its log."
            )
        if not self._errand.wait:
            if route.wait_for_server or lane.limiter.reached:
                raise failure
            return False
        return lane.refused(self._ticket, restart=not route.wait_for_server)

    def _asked(self, server: Server, *, stream: bool) -> Asked[R]:
        """Put the question in the server's words, with what it made us change."""
        made = self._made
        try:
            asked = self._put(server, made, stream=stream)
        except UnsupportedRole:
            if not (made.left or made.untemplated):
                raise
            asked = None
        if asked is None:
            # Another question learned that; this one has no other way.
            made = evolve(made, left=frozenset(), untemplated=False)
            asked = self._put(server, made, stream=stream)
        self._sent, self._server_asked, self._stream = asked, server, stream
        target = self._errand.route.target
        if asked.notes:
            warn_once(target, asked.notes)
        if notes := (*server.notes, *made.told(self._errand.question.options)):
            asked.notes = (*asked.notes, *notes)
        return asked

    def _put(self, server: Server, made: Amendments, *, stream: bool) -> Asked[R]:
        question = self._errand.question
        options = made.applied(question.options)
        window, family = self._errand.window, self._family
        known = self._tokens.known(server, made, window=window, family=family)
        asked = question.ask(known, options, stream and not made.whole)
        if made.max_tokens is not None:
            asked.lowered = made.max_tokens
        return asked

    def _helps(self, made: Amendments, server: Server, sent: Call) -> bool:
        """Whether the question would be another one, and can be asked at all."""
        try:
            asked = self._put(server, made, stream=self._stream)
        except ByteBuddyError:
            return False
        return asked.call != sent

    async def _hub_family(self, server: Server) -> Family | None:
        """Ask the Hub what the model is, where that is worth its time."""
        question, made = self._errand.question, self._made
        if question.hub_seconds is None:
            return None
        wanted = question.hub_seconds(made.narrowed(server), made.untemplated)
        left = self._ticket.deadline - self._state.loop.time()
        limit = min(wanted, left * _HUB_SHARE)
        return await hub_family(self._errand.route, server, self._state, limit=limit)

    async def _server(self) -> Server:
        """Return what is known of the server; a bare address is asked once."""
        route, survey = self._errand.route, self._state.survey
        known = survey.known(route.target, self._account)
        return known or await survey.ask(route, self._channel)

    def _call(self, call: Call) -> Call:
        self._requests += 1
        if self._requests > 1:
            call = evolve(call, attempt=self._requests)
        if self._ticket.look and self._errand.route.target.place is Place.ENDPOINT:
            left = self._ticket.expires - self._state.loop.time()
            hold = min(_LONGEST_HOLD, int(left) - _MARGIN)
            if hold > 0:
                header = ("X-Scale-Up-Timeout", str(hold))
                call = evolve(call, headers=(*call.headers, header))
        return call

    def _refuse_to_wait(self) -> None:
        waiting = self.waiting()
        if waiting is None or waiting.reason in ("queued", "retrying"):
            return
        model = self._errand.route.target.model
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

    def _late(self, *, first_byte: bool = False) -> ByteBuddyError:
        if first_byte:
            seconds = self._errand.route.first_byte_timeout
            return FirstByteTimeout(
                f"The server did not begin to answer within {seconds:,.0f} s.",
                hint="Raise requestOptions.firstByteTimeout, or ask for fewer tokens.",
            )
        return DeadlineExceeded(
            f"No answer within {self._errand.timeout:,.0f} s.",
            hint="Raise requestOptions.timeout, ask for fewer tokens, or stream.",
        )
