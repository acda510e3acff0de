"""A simulated Hugging Face with a bill, beside a ledger of what it is asked."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from pathlib import Path

from attrs import define, field

from bytebuddy_provider_hf.address import ROUTER
from bytebuddy_provider_hf.client.reconcile import Reconciliation, reconcile
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.money import Cost, Price, Unpriced
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.storage.attempt import Attempt, Payer
from bytebuddy_provider_hf.storage.ledger import Ledger
from bytebuddy_provider_hf.storage.usage_report import UsageReport, read_usage
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.hub_bill import (
    ENDPOINTS,
    INFERENCE,
    ORG_BILLING,
    USER_BILLING,
    Account,
)
from bytebuddy_provider_hf.testing.hub_catalogue import Provider
from bytebuddy_provider_hf.testing.memory import MemoryClient, MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeRequest
from bytebuddy_provider_hf.transport.credentials import Credential
from bytebuddy_provider_hf.transport.http_client import Destination
from bytebuddy_provider_hf.types import Usage

# 2026-11-20, the middle of a month; the hub's clock stands still unless it is set.
NOON = 1_795_176_000.0
DOLLAR = 10**9
PRICE = Price(DOLLAR // 5, DOLLAR)
FAST = Provider("groq", PRICE, cached_price=DOLLAR // 50)
HIDDEN = Provider("novita", hidden_price=PRICE)
TODAY = date(2026, 11, 20)
ALL = frozenset({INFERENCE, USER_BILLING, ENDPOINTS})


@define(eq=False)
class World:
    """A hub, its accounts, a ledger, and a clock that only the test moves."""

    folder: Path
    now: float = NOON
    permissions: frozenset[str] = ALL
    sent_to: list[tuple[str, bool]] = field(factory=list)
    hub: FakeHub = field(init=False)
    ledger: Ledger = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.ledger = Ledger(self.folder, clock=lambda: self.now)
        ann = Account(
            "ann",
            "hf_ann",
            permissions=self.permissions,
            organizations=("acme", "other"),
            scoped={"acme": frozenset({ORG_BILLING})},
            included=20_000,
        )
        self.hub = FakeHub(
            catalogue={"org/name": [FAST], "org/hidden": [HIDDEN]},
            accounts=[ann, Account("acme"), Account("other")],
            clock=lambda: self.now,
            epoch=0.0,
        )

    async def call(
        self,
        session: str = "s",
        *,
        model: str = "org/name",
        text: str = "one two three",
        bill_to: str = "",
        unpriced: Unpriced = "",
        token: str = "hf_ann",
        keep: bool = True,
    ) -> None:
        """Send a request, and write it down as a client does."""
        headers = {"authorization": f"Bearer {token}"}
        headers |= {"x-hf-session-id": session} if session else {}
        headers |= {"x-hf-bill-to": bill_to} if bill_to else {}
        body = {"model": model, "messages": [{"role": "user", "content": text}]}
        reply = await self.hub.handle(
            FakeRequest(
                "POST",
                "/v1/chat/completions",
                headers=headers,
                body=json.dumps(body).encode(),
            )
        )
        reply.ended(whole=True)
        assert reply.status == 200
        if not keep:
            return
        said = json.loads(reply.content)["usage"]
        read, written = said["prompt_tokens"], said["completion_tokens"]
        cached = said.get("prompt_tokens_details", {}).get("cached_tokens")
        identity = await asyncio.to_thread(self.ledger.identity, Secret(token))
        cost = Cost(unpriced=unpriced, is_pending=True)
        if not unpriced:
            cost = Cost(PRICE.of(read, written), bool(cached), is_pending=True)
        self.record(
            Attempt(
                Payer(identity, bill_to, ROUTER, model),
                "chat",
                self.hub.unix(),
                session,
                outcome="cut" if unpriced == "answer cut" else "complete",
                status=200,
                provider=reply.headers["x-inference-provider"],
                usage=Usage(read, written, read + written, cached),
                cost=cost,
            )
        )

    def record(self, attempt: Attempt) -> None:
        self.ledger.try_count()
        self.ledger.record(attempt)

    async def reconcile(self, *, token: str = "hf_ann") -> Reconciliation:
        await self.ledger.flush()
        connect = MemoryConnect(self.hub)

        def watched(destination: Destination) -> MemoryClient:
            secret = destination.credential is not None
            self.sent_to.append((destination.origin, secret))
            assert not destination.options.headers
            return connect(destination)

        async with Runtime(connect=watched) as runtime:
            return await reconcile(
                self.folder,
                credential=Credential(Secret(token), "HF_TOKEN"),
                since=TODAY,
                until=TODAY,
                runtime=runtime,
                options=RequestOptions(headers={"X-Api-Key": Secret("no")}),
                env={},
                clock=self.hub.unix,
            )

    def usage(self) -> UsageReport:
        return read_usage(self.folder, since=TODAY, until=TODAY, by="session")
