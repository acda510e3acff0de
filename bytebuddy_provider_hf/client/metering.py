"""Count what the calls of one model send, and say what is known of its cost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

from attrs import define, evolve, field

from bytebuddy_provider_hf.address import HostKind, routed_provider
from bytebuddy_provider_hf.client.endpoint import BILL_TO, SESSION_ID, Endpoint
from bytebuddy_provider_hf.client.providers import POLICIES
from bytebuddy_provider_hf.config.values import AlertOptions, Budget
from bytebuddy_provider_hf.errors import ByteBuddyError
from bytebuddy_provider_hf.hub.router_models import LIMIT, Offer
from bytebuddy_provider_hf.money import Cost, Price, Unpriced
from bytebuddy_provider_hf.outcomes import Consumption
from bytebuddy_provider_hf.storage.alerts import AlertCommand
from bytebuddy_provider_hf.storage.attempt import Attempt, Outcome, Payer
from bytebuddy_provider_hf.storage.budgets import (
    Amounts,
    Reservation,
    unpriced_error,
)
from bytebuddy_provider_hf.storage.ledger import Ledger
from bytebuddy_provider_hf.storage.usage_report import read_usage
from bytebuddy_provider_hf.transport.http_client import (
    HttpClient,
    OnResend,
    Response,
)
from bytebuddy_provider_hf.types import Usage

if TYPE_CHECKING:
    from bytebuddy_provider_hf.client.plan import Plan
    from bytebuddy_provider_hf.client.runtime import LoopState
    from bytebuddy_provider_hf.wire.http_request import HttpRequest

PROBE: Final = "probe"
# What hf-inference bills is the time of its machines, which only the bill tells.
_BY_TIME: Final = "hf-inference"
# What is reserved where nobody said how long an answer may become, in tokens.
_USUAL_ANSWER: Final = 4_096
# No text has more tokens, and JSON only adds to its bytes.
_BYTES_PER_TOKEN: Final = 3
_FREE: Final = Amounts(calls=1)
_BILLED_STATUS: Final = range(200, 400)
NOT_METERED: Final = Cost(unpriced="not metered")


# One object a request, and few calls: what a call touches beside its own is not in the
# processor's cache, and costs four times what a loop of it does.
@define
class MeteredAttempt(Attempt):
    """A request that is under way, and what of the budgets it holds.

    It began at ``since``, by the loop's clock.
    """

    since: float = 0.0
    url: str = ""
    reservation: Reservation | None = None
    reserved: Amounts = _FREE


@define(eq=False)
class Meter:
    """Count the requests of one model, hold its budgets, price its answers.

    A request is counted on disk before it is sent, so that a program that is killed
    counts one too many and never one too few. ``clock`` is the Unix clock.
    """

    endpoint: Endpoint
    ledger: Ledger
    budgets: tuple[Budget, ...] = ()
    alerts: AlertOptions | None = None
    clock: Callable[[], float] = time.time
    _payer: Payer | None = None
    # When the account's credits may be looked at again, by the Unix clock.
    _next_look: float = 0.0
    _looking: asyncio.Task[None] | None = None
    is_billed: bool = field(init=False)
    _session: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        kind = self.endpoint.target.host_kind
        self.is_billed = kind in (HostKind.ROUTER, HostKind.HUB)
        muted = self.ledger.muted
        muted.update(budget.name for budget in self.budgets if budget.of_project)
        if self.alerts is not None:
            self.ledger.listen(AlertCommand(self.alerts.command, muted))
        # The bill groups by what was sent: calls without a session of their own are
        # those of the job that runs.
        told = {name.lower(): value for name, value in self.endpoint.destination.told}
        self._session = told.get(SESSION_ID.lower(), "")

    def try_begin(  # noqa: PLR0917 - names cost a tenth of a call
        self,
        role: str,
        session: str,
        url: str,
        number: int,
        waited: float,
        now: float,
    ) -> MeteredAttempt | None:
        """Count one more request; ``None`` where :meth:`begin` has to wait for that."""
        payer = self._payer
        if payer is None or (self.budgets and role != PROBE):
            return None
        if not self.ledger.try_count():
            return None
        session = session or self._session
        return MeteredAttempt(
            payer, role, self.clock(), session, number, waited, since=now, url=url
        )

    async def begin(
        self,
        role: str,
        session: str,
        *,
        url: str,
        number: int,
        waited: float,
        plan: Plan[Any] | None,
        state: LoopState,
    ) -> MeteredAttempt:
        """Count one more request, its estimate reserved in every budget.

        Raises what :meth:`Ledger.reserve` does where a hard one has no room for it;
        then nothing is counted.
        """
        payer = await self.payer()
        reservation, wanted = None, _FREE
        if self.budgets and plan is not None:
            wanted = await self._estimate(plan, state)
            reservation = await self.ledger.reserve(self.budgets, wanted)
        try:
            await self.ledger.count()
        except BaseException:
            if reservation is not None:
                self.ledger.settle(reservation, Amounts())
            raise
        return MeteredAttempt(
            payer,
            role,
            self.clock(),
            session or self._session,
            number,
            waited,
            since=state.loop.time(),
            url=url,
            reservation=reservation,
            reserved=wanted,
        )

    async def payer(self) -> Payer:
        """Return who asks whom, the token by what stands for it in the ledger."""
        if self._payer is None:
            secret = self.endpoint.destination.credential
            identity = await asyncio.to_thread(self.ledger.identity, secret)
            way, header = self.endpoint.destination, BILL_TO.lower()
            told = {name.lower(): value for name, value in way.told}
            bill_to = told.get(header, "")
            for name, value in way.options.headers.items():
                # What stands in a file's headers may be a secret. A fingerprint would
                # be another one in each process.
                if name.lower() == header and not bill_to:
                    bill_to = await asyncio.to_thread(self.ledger.identity, value)
            target = self.endpoint.target
            self._payer = Payer(identity, bill_to, target.origin, target.model)
        return self._payer

    async def consumption(self, since: date, until: date) -> Consumption:
        """Return what this model's calls used up in some days, both included (UTC)."""
        await self.ledger.flush()
        report = await asyncio.to_thread(
            read_usage,
            self.ledger.folder,
            since=since,
            until=until,
            by="model",
            payer=await self.payer(),
        )
        total = report.total
        used = Usage(
            total.prompt_tokens,
            total.completion_tokens,
            total.prompt_tokens + total.completion_tokens,
            total.cached_tokens,
            total.reasoning_tokens,
        )
        cost = Cost(
            estimated=total.estimated,
            is_ceiling=total.ceiling,
            reported=total.reported,
            billed=total.billed,
            is_pending=total.pending > 0,
        )
        return Consumption(
            since=since,
            until=until,
            attempts=total.attempts,
            failed=total.failed + total.absorbed + total.cut,
            usage=used,
            cost=cost,
            pending=total.pending,
            unpriced=total.unpriced,
        )

    def finish(
        self,
        attempt: MeteredAttempt,
        outcome: Outcome,
        *,
        now: float,
        failure: BaseException | None = None,
    ) -> None:
        """Write down what became of a request; its budgets get back what it left."""
        attempt.outcome, attempt.seconds = outcome, now - attempt.since
        if failure is not None:
            attempt.failure = type(failure).__name__
        if outcome != "complete" or attempt.role == PROBE:
            attempt.cost = self._cost_of_failure(attempt)
        self.ledger.record(attempt)
        if attempt.reservation is not None:
            used = attempt.reserved
            usage, cost = attempt.usage, attempt.cost
            if attempt.status is not None and attempt.status not in _BILLED_STATUS:
                used = _FREE
            elif usage is not None and usage.total_tokens is not None:
                # What nobody could price stays reserved: unknown is not nothing.
                money = used.nano_usd if cost.estimated is None else cost.estimated
                used = Amounts(cost.reported or money, usage.total_tokens, 1)
            self.ledger.settle(attempt.reservation, used)

    def provider(self, attempt: MeteredAttempt) -> str:
        """Return who served: by the answer's header, else by the address or the id."""
        said = attempt.provider or routed_provider(attempt.url)
        suffix = self.endpoint.target.model.partition(":")[2]
        return said or ("" if suffix in POLICIES else suffix)

    def price(self, provider: str, state: LoopState) -> tuple[Price | None, str] | None:
        """Return the price of a provider and its day; ``None``: nobody asked yet."""
        known = state.router.known_offers(self.endpoint.target.model)
        if known is None:
            return None
        offers, age = known
        found = next((each.price for each in offers if each.provider == provider), None)
        day = datetime.fromtimestamp(self.clock() - age, UTC).date().isoformat()
        return found, day

    def ask_price(
        self, attempt: MeteredAttempt, state: LoopState
    ) -> asyncio.Task[None] | None:
        """Ask the catalogue beside the call what its provider takes, if that is due."""
        way = self.endpoint.catalogue
        if way is None or (provider := self.provider(attempt)) in ("", _BY_TIME):
            return None
        if self.price(provider, state) is not None:
            return None

        async def ask() -> None:
            target = self.endpoint.target
            with state.clients.lend(way) as client:
                await state.router.offers(target.model, client, limit=LIMIT)
            if (found := self.price(provider, state)) and found[0] is not None:
                self.ledger.reprice(
                    target.origin, target.model, provider, found[0], found[1]
                )

        return state.begin_task(ask())

    def watch_credits(self, state: LoopState) -> None:
        """Have the account's credits looked at beside the calls, where that is due."""
        now, way = self.clock(), self.endpoint.hub
        secret = self.endpoint.destination.credential
        if now < self._next_look or way is None or secret is None:
            return
        from bytebuddy_provider_hf.client.credits import EVERY, check_credits

        self._next_look = now + EVERY
        # A provider's own key is nothing to Hugging Face.
        if secret.reveal().startswith("hf_"):
            known = evolve(way, credential=secret)
            self._looking = state.begin_task(check_credits(self, known, state))

    def cost(
        self,
        attempt: MeteredAttempt,
        usage: Usage | None,
        reported: int | None,
        state: LoopState,
    ) -> Cost:
        """Return what a whole answer cost, as far as that is known now."""
        if not self.is_billed:
            if reported is None:
                return NOT_METERED
            return Cost(reported=reported, unpriced="not metered")
        provider = self.provider(attempt)
        prompt = None if usage is None else usage.prompt_tokens
        answer = None if usage is None else usage.completion_tokens
        if answer is None and attempt.role in ("embed", "rerank"):
            answer = 0  # vectors and scores have no tokens
        found = self.price(provider, state)
        price, day = found or (None, "")
        why: Unpriced = ""
        if provider == _BY_TIME:
            why = "compute time"
        elif not provider:
            why = "provider unknown"
        elif prompt is None or answer is None:
            why = "tokens unknown"
        elif price is None:
            why = "not asked yet" if found is None else "no price"
        pending = bool(attempt.payer.identity)
        if price is None or prompt is None or answer is None or why:
            return Cost(reported=reported, is_pending=pending, unpriced=why)
        return Cost(
            estimated=price.of(prompt, answer),
            is_ceiling=bool(usage and usage.cached_tokens) and price.input > 0,
            priced_on=day,
            reported=reported,
            is_pending=pending,
        )

    def _cost_of_failure(self, row: Attempt) -> Cost:
        """Return the cost of a request without a whole answer.

        Only 2xx and 3xx are billed
        (https://huggingface.co/docs/inference-providers/register-as-a-provider).
        """
        if row.role == PROBE or not self.is_billed:
            return NOT_METERED
        if row.status is None or row.status in _BILLED_STATUS:
            pending = bool(row.payer.identity)
            return Cost(is_pending=pending, unpriced="answer cut")
        return Cost(estimated=0)

    async def _estimate(self, plan: Plan[Any], state: LoopState) -> Amounts:
        """Return what a request may use up: generous, as a bound must be."""
        options = None if plan.request is None else plan.request.options
        prompt = len(plan.http_request.body) // _BYTES_PER_TOKEN
        answer = 0
        if options is not None:
            answer = (options.max_tokens or _USUAL_ANSWER) * (options.n or 1)
        money = 0
        in_dollars = [b for b in self.budgets if b.options.dollars is not None]
        if in_dollars and self.is_billed:
            price = await self._dearest(state)
            if price is not None:
                money = price.of(prompt, answer)
            elif hard := next((b for b in in_dollars if b.options.hard), None):
                # A limit that lets through what nobody can price is none.
                raise unpriced_error(hard, self.endpoint.target.model)
        return Amounts(money, prompt + answer, 1)

    async def _dearest(self, state: LoopState) -> Price | None:
        """Return the price of the provider that is named, or of the dearest."""
        way, model = self.endpoint.catalogue, self.endpoint.target.model
        known = state.router.known_offers(model)
        offers: Sequence[Offer] = () if known is None else known[0]
        if known is None and way is not None:
            with state.clients.lend(way) as client:
                offers = await state.router.offers(model, client, limit=LIMIT)
        target = self.endpoint.target
        route = routed_provider(target.chat_url) or target.model.partition(":")[2]
        named = [each for each in offers if each.provider == route]
        prices = [each.price for each in named or offers if each.is_listed]
        known_prices = [price for price in prices if price is not None]
        # One that has no price may be the one that answers.
        if not known_prices or len(known_prices) < len(prices):
            return None
        return Price(
            max(price.input for price in known_prices),
            max(price.output for price in known_prices),
        )


@define(eq=False)
class ProbingClient:
    """Send questions about a server, each counted as a probe."""

    meter: Meter
    client: HttpClient
    state: LoopState

    @property
    def origin(self) -> str:
        """Scheme, host and port that questions go to."""
        return self.client.origin

    async def send(
        self, call: HttpRequest, *, on_resend: OnResend | None = None
    ) -> Response:
        """Send ``call`` as :class:`HttpClient` says."""
        now = self.state.loop.time

        async def begin(number: int) -> MeteredAttempt:
            attempt = self.meter.try_begin(PROBE, "", call.url, number, 0.0, now())
            if attempt is not None:
                return attempt
            return await self.meter.begin(
                PROBE,
                "",
                url=call.url,
                number=number,
                waited=0.0,
                plan=None,
                state=self.state,
            )

        attempt = await begin(1)

        async def count_again(failure: ByteBuddyError) -> None:
            nonlocal attempt
            if on_resend is not None:
                await on_resend(failure)
            # The server may have got the first one too.
            again = await begin(attempt.number + 1)
            self.meter.finish(attempt, "absorbed", now=now(), failure=failure)
            attempt = again

        failure: BaseException | None = None
        try:
            response = await self.client.send(call, on_resend=count_again)
        except BaseException as error:
            failure = error
            raise
        else:
            attempt.status = response.status
            return response
        finally:
            outcome: Outcome = "complete" if failure is None else "failed"
            self.meter.finish(attempt, outcome, now=now(), failure=failure)

    async def aclose(self) -> None:
        """Close nothing: the connections are lent."""
