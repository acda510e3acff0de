"""Measure whether what the ledger reckons is what is billed (R44).

    python -m benchmarks.reliability.money [--calls N] [--seed N]

Calls of many kinds go to a simulated Hugging Face with six providers, which keeps its
own books: with and without cached tokens, a free provider, one whose price nobody
tells, one that tells its costs too late, one that reports its costs itself, tasks that
are billed by time, streams that are cut, failures and 5 % of 429; with a session, with
one for many calls, and without; on the caller's bill and on an organization's. Then the
bill is read twice: at once, and when it is complete. Prints one line of JSON; exit code
1: one of the bounds was missed, which ``missed`` names.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, Literal, TypeAlias

from attrs import define, field, frozen

from benchmarks.reliability.figures import parser, tell
from bytebuddy_provider_hf import ByteBuddyError, Message
from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_entry
from bytebuddy_provider_hf.client.reconcile import Reconciliation, reconcile
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import ModelEntry, RequestOptions, Source
from bytebuddy_provider_hf.money import Price
from bytebuddy_provider_hf.plugin import PROVIDER
from bytebuddy_provider_hf.plugins.protocols import OpenContext
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.storage.ledger import open_ledger
from bytebuddy_provider_hf.storage.usage_report import UsageReport, read_usage
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.failures import rate_limited, string_error
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.hub_bill import (
    INFERENCE,
    ORG_BILLING,
    USER_BILLING,
    Account,
    BilledCall,
)
from bytebuddy_provider_hf.testing.hub_catalogue import Provider
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.transport.credentials import Credential
from bytebuddy_provider_hf.types import NOT_SERVED, Served

Kind: TypeAlias = Literal["whole", "stream", "conversation", "plain", "task"]

# Of a price that is known the estimate may be off by so much.
TOLERANCE: Final = 0.001
_DOLLAR: Final = 10**9
_TOKEN: Final = "hf_" + "mNbVcXzLkJ" * 3 + "hGfD"
_AT_ONCE: Final = 32
_TURNS: Final = 10
_WORDS: Final = ("code", "file", "test", "error", "line", "change", "module", "value")
# How often a call is of which kind.
_KINDS: Final[dict[Kind, int]] = {
    "whole": 55,
    "stream": 20,
    "conversation": 12,
    "plain": 5,
    "task": 8,
}
# Of a hundred answers so many are refused, fail for good, and break off.
_TOO_MANY: Final = 5
_FAILED: Final = 2
_CUT: Final = 4
_HOUR: Final = 3_600.0


@frozen
class Made:
    """One call as its caller saw it: how it was served, or with what it failed."""

    kind: Kind
    served: Served = NOT_SERVED
    failure: str = ""


@define(eq=False)
class Clock:
    """A clock that runs as time does, and can be set forward."""

    ahead: float = 0.0

    def __call__(self) -> float:
        """Return the time in seconds of the Unix clock."""
        return time.time() + self.ahead


@define(eq=False)
class Trial:
    """The simulated Hugging Face, the caller's calls, and what came of them."""

    seed: int
    folder: Path
    clock: Clock = field(factory=Clock)
    made: list[Made] = field(factory=list)
    random: random.Random = field(init=False)
    hub: FakeHub = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.random = random.Random(self.seed)
        behaviour = Behaviour(answer=self._answer, change=self._change)
        cached = partial(Provider, cached_price=_DOLLAR // 50, throughput=100.0)
        price = Price(_DOLLAR // 5, _DOLLAR // 2)
        self.hub = FakeHub(
            default=behaviour,
            catalogue={
                "org/plain": [
                    Provider("groq", price, throughput=300.0),
                    Provider("deepinfra", price, reports_cost=True, throughput=200.0),
                ],
                "org/cached": [
                    cached("together", price),
                    cached("novita", Price(_DOLLAR // 10, _DOLLAR)),
                ],
                "org/free": [Provider("cerebras", is_free=True)],
                "org/hidden": [Provider("fireworks-ai", hidden_price=price)],
                "org/late": [Provider("novita", price, told_after=None)],
            },
            accounts=[
                Account(
                    "ann",
                    _TOKEN,
                    permissions={INFERENCE, USER_BILLING},
                    organizations=("acme",),
                    scoped={"acme": frozenset({ORG_BILLING})},
                ),
                Account("acme"),
            ],
            clock=self.clock,
            epoch=0.0,
        )
        self.hub.market.moves = 0.5

    def _answer(self, _request: FakeRequest) -> str:
        return self.said(60)

    def said(self, most: int) -> str:
        """Return some words."""
        size = self.random.randint(most // 2, most)
        return " ".join(self.random.choice(_WORDS) for _ in range(size))

    def _change(self, request: FakeRequest, reply: FakeReply) -> FakeReply:
        drawn = self.random.random() * 100
        if drawn < _TOO_MANY:
            # Nobody waits: the time is real here.
            return rate_limited().with_headers({"retry-after-ms": "1"})
        if drawn < _TOO_MANY + _FAILED:
            return string_error(400, "this prompt is not wanted here")
        cut = drawn < _TOO_MANY + _FAILED + _CUT and request.value("stream") is True
        return reply.cut_after(len(reply.content) // 2) if cut else reply


async def call_all(trial: Trial, calls: int) -> None:
    """Make the calls, some at a time."""
    connect = MemoryConnect(trial.hub)
    async with AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(Runtime(connect=connect))
        context = OpenContext(
            source=Source(),
            trusted=True,
            state_dir=trial.folder,
            cache_dir=trial.folder,
            log=logging.getLogger(__name__),
            clock=trial.clock,
            runtime=runtime,
            env={},
            ledger=True,
        )
        models: dict[tuple[str, str], HuggingFaceModel] = {}
        for name in (*trial.hub.market.offers, "org/task"):
            for payer in ("", "acme"):
                entry = ModelEntry(
                    name,
                    PROVIDER,
                    name,
                    api_key=Secret(_TOKEN),
                    bill_to=payer or None,
                    request_options=RequestOptions(max_concurrency=_AT_ONCE),
                )
                model = open_entry(entry, context)
                models[name, payer] = await stack.enter_async_context(model)
        kinds = trial.random.choices(list(_KINDS), list(_KINDS.values()), k=calls)
        todo = iter(enumerate(kinds))
        conversations: list[list[Message]] = [[] for _ in range(_AT_ONCE)]

        async def work(worker: int) -> None:
            for number, kind in todo:
                payer = "acme" if number % 10 == 0 else ""
                name = trial.random.choice(list(trial.hub.market.offers))
                held = conversations[worker]
                if kind == "conversation":
                    name, payer = "org/cached", ""
                    if len(held) >= 2 * _TURNS:
                        held.clear()
                model = models["org/task" if kind == "task" else name, payer]
                made = await _call(
                    trial, model, kind, number=number, worker=worker, held=held
                )
                trial.made.append(made)

        await asyncio.gather(*(work(worker) for worker in range(_AT_ONCE)))
    await open_ledger(trial.folder).flush()


async def _call(
    trial: Trial,
    model: HuggingFaceModel,
    kind: Kind,
    *,
    number: int,
    worker: int,
    held: list[Message],
) -> Made:
    """Make one call; what it fails with is a part of what is measured."""
    session: str | None = f"call-{number}"
    try:
        if kind == "task":
            found = await model.task("feature-extraction", trial.said(20))
            return Made(kind, found.served)
        if kind == "plain":
            session = None
        if kind == "conversation":
            session = f"conversation-{worker}"
            held.append(Message("user", trial.said(30)))
            reply = await model.chat(held, session=session)
            held.append(Message("assistant", reply.text))
        elif kind == "stream":
            async with model.chat(trial.said(80), session=session) as events:
                async for event in events:
                    last = event
            reply = last.reply  # type: ignore[union-attr]  # the last event is Done
        else:
            reply = await model.chat(trial.said(80), session=session)
    except ByteBuddyError as error:
        if kind == "conversation":
            held.clear()
        return Made(kind, failure=type(error).__name__)
    return Made(kind, reply.served)


async def read_bill(trial: Trial) -> Reconciliation:
    """Read the bill as ``usage --reconcile`` does."""
    today = datetime.now(UTC).date()
    async with Runtime(connect=MemoryConnect(trial.hub)) as runtime:
        return await reconcile(
            trial.folder,
            credential=Credential(Secret(_TOKEN), "HF_TOKEN"),
            since=today - timedelta(days=1),
            until=today + timedelta(days=1),
            runtime=runtime,
            env={},
            clock=trial.clock,
        )


def figures_of(
    trial: Trial, first: Reconciliation, last: Reconciliation, report: UsageReport
) -> dict[str, object]:
    """Compare the callers' side with the books, and name the bounds that are missed."""
    truth = {call.inference_id: call for call in trial.hub.bill.calls}
    exact: list[tuple[Served, BilledCall]] = []
    ceilings: list[tuple[Served, BilledCall]] = []
    reasons: Counter[str] = Counter()
    for each in trial.made:
        if each.failure:
            continue
        pair = each.served, truth[each.served.inference_id or ""]
        if each.served.cost.unpriced:
            reasons[each.served.cost.unpriced] += 1
        else:
            (ceilings if pair[1].cached_tokens else exact).append(pair)
    # What is billed late is billed at nothing: its estimate is right all the same.
    prices = [(s, c) for s, c in exact if c.model != "org/late"]
    errors = [_error(served, call) for served, call in prices]
    answered = [r for r in trial.hub.records if r.request.method == "POST"]
    charged = [call for call in trial.hub.bill.calls if call.cost]
    total = last.total
    by_state = (total.settled, total.pending, sum(total.unpriced.values()))
    checks = {
        "an estimate is off by more than 0.1 %": max(errors, default=1.0) <= TOLERANCE,
        "an estimate with cached tokens is below the bill": bool(ceilings)
        and all((s.cost.estimated or 0) >= c.cost for s, c in ceilings),
        "an estimate with cached tokens is not marked as a ceiling": all(
            s.cost.is_ceiling for s, c in ceilings
        )
        and not any(s.cost.is_ceiling for s, c in exact),
        "a reported cost is not the billed one": all(
            s.reported_nano_usd == c.cost for s, c in exact if c.provider == "deepinfra"
        ),
        "a call without a price is not counted by its reason": (
            _unpriced_by_truth(trial) == dict(report.total.unpriced)
        ),
        "$0 that no bill says": all(
            s.cost.estimated or c.provider == "cerebras" for s, c in exact
        ),
        "something was taken from a bill that is not complete": (
            first.total.settled == 0 and first.total.pending == len(truth)
        ),
        "a call is not exactly one of billed, pending, unpriced": (
            by_state == (len(truth), 0, 0) and total.unmatched == 0
        ),
        "the ledger settles calls in another way": dict(report.settlement)
        == {"billed": len(truth), "refused": len(answered) - len(truth)},
        "the ledger's sum is not the bill's": total.billed
        == report.total.billed
        == sum(call.cost for call in truth.values()),
        "the ledger's count is not the server's": report.total.attempts
        == len(answered),
    }
    return {
        "figure": "R44",
        "calls": len(trial.made),
        "attempts": report.total.attempts,
        "failed": dict(Counter(each.failure for each in trial.made if each.failure)),
        "billed_calls": len(truth),
        "charged_calls": len(charged),
        "providers": dict(Counter(call.provider for call in truth.values())),
        "worst_error": max(errors, default=None),
        "exact": len(prices),
        "ceilings": len(ceilings),
        "unpriced": dict(report.total.unpriced),
        "estimated_nano_usd": report.total.estimated,
        "billed_nano_usd": total.billed,
        "differences": [[each.cause, each.calls] for each in last.differences],
        "worst_error_bound": f"<= {TOLERANCE:g}",
        "missed": [name for name, holds in checks.items() if not holds],
        "met": all(checks.values()),
    }


def _error(served: Served, call: BilledCall) -> float:
    """Return how far an estimate is from the bill, a rounding of one left out."""
    off = abs((served.cost.estimated or 0) - call.cost)
    return 0.0 if off <= 1 else off / max(1, call.cost)


def _unpriced_by_truth(trial: Trial) -> dict[str, int]:
    """Return how many answers nobody could price, and why, by the server's books."""
    found: Counter[str] = Counter()
    cut = {
        r.request.headers["x-hf-session-id"]
        for r in trial.hub.records
        if r.closed_early
    }
    for call in trial.hub.bill.calls:
        if call.provider == "hf-inference":
            found["compute time"] += 1
        elif call.session in cut:
            found["answer cut"] += 1
        elif call.provider == "fireworks-ai":
            found["no price"] += 1
    return dict(found)


async def measure(calls: int, seed: int) -> dict[str, object]:
    """Make the calls, read the bill at once and when it is complete."""
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(seed, Path(folder))
        await call_all(trial, calls)
        first = await read_bill(trial)
        trial.clock.ahead = 2 * _HOUR
        last = await read_bill(trial)
        today = datetime.now(UTC).date()
        report = await asyncio.to_thread(
            read_usage,
            trial.folder,
            since=today - timedelta(days=1),
            until=today,
            by="provider",
        )
        figures = figures_of(trial, first, last, report)
        open_ledger(trial.folder).close()
    return figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    options_of = parser(__doc__)
    options_of.add_argument("--calls", type=int, default=10_000)
    options_of.add_argument("--seed", type=int, default=1)
    options = options_of.parse_args(arguments)
    began = time.perf_counter()
    figures = asyncio.run(measure(options.calls, options.seed))
    figures["seconds"] = round(time.perf_counter() - began, 1)
    return tell(figures)


if __name__ == "__main__":
    sys.exit(main())
