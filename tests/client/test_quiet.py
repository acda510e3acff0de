"""Who is held back, or refused without asking, by what one call heard."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from attrs import define, field
from client.harness import bench

from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    ModelNotFound,
    QuotaExhausted,
    RateLimited,
)
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.answers import chat_reply
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.failures import (
    not_found,
    overloaded,
    quota_exhausted,
    rate_limited,
)
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import Event

HELD = rate_limited(retry_after=50)
LONG = rate_limited(retry_after=900)
SPENT = quota_exhausted()
MANY = 1_000
FIRST_LIMIT = 8


@define
class Office:
    """Several models of one hub, and what came of a call to each."""

    first: FakeReply
    hub: FakeHub = field(init=False)
    runtime: Runtime = field(init=False)
    came: dict[str, tuple[str, float]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.hub = FakeHub({"a/b": Behaviour(replies=[self.first]), "c/d": Behaviour()})
        self.runtime = Runtime(
            connect=MemoryConnect(self.hub), jitter=random.Random(0).random
        )

    async def ask(
        self,
        name: str,
        model: str = "a/b",
        key: str = "hf_1",
        base: str | None = None,
        **headers: str,
    ) -> None:
        named = {n.replace("_", "-"): Secret(value) for n, value in headers.items()}
        opened = open_model(
            model,
            api_key=key,
            api_base=base,
            runtime=self.runtime,
            env={},
            state_dir=Path("/nonexistent"),
            request_options=RequestOptions(headers=named),
        )
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with opened:
            try:
                await opened.chat("x")
            except ByteBuddyError as error:
                said = type(error).__name__
            else:
                said = "answered"
        self.came[name] = said, loop.time() - began

    async def all(self) -> None:
        lease = self.runtime.lease()
        first = asyncio.create_task(self.ask("the one"))
        await asyncio.sleep(0.1)
        elsewhere = "https://x.endpoints.huggingface.cloud"
        await asyncio.gather(
            first,
            self.ask("same model"),
            self.ask("other model", "c/d"),
            self.ask("other key", key="hf_2"),
            self.ask("other payer", X_HF_Bill_To="company"),
            self.ask("other header key", X_Api_Key="k"),
            self.ask("harmless header", X_Team="blue"),
            self.ask("other origin", base=elsewhere),
        )
        await lease.aclose()
        await self.runtime.aclose()


APART = {"other key", "other payer", "other header key", "other origin"}


@virtual_time
async def test_a_limit_holds_the_models_of_one_key_and_nobody_else() -> None:
    """Every model at that origin with that key waits; other keys and payers do not."""
    office = Office(HELD)
    await office.all()
    assert all(said == "answered" for said, _ in office.came.values())
    assert {name for name, (_, took) in office.came.items() if took < 1} == APART
    assert [record.status for record in office.hub.records].count(429) == 1


@virtual_time
async def test_used_up_credits_refuse_the_account_and_nobody_else() -> None:
    """Every model with that key fails without a request; a new key is asked at once."""
    office = Office(SPENT)
    await office.all()
    spent = {name for name, (said, _) in office.came.items() if said != "answered"}
    assert set(office.came) - spent == APART
    assert [record.status for record in office.hub.records].count(402) == 1


@virtual_time
async def test_a_limit_too_long_to_wait_for_refuses_its_model_alone() -> None:
    """Another model may have another provider, with a limit of its own."""
    office = Office(LONG)
    await office.all()
    answered = {name for name, (said, _) in office.came.items() if said == "answered"}
    assert answered == {*APART, "other model"}
    assert all(took < 1 for _, took in office.came.values())


@pytest.mark.parametrize(
    "refusal", [SPENT, LONG, overloaded().with_headers({"retry-after": "900"})]
)
@virtual_time
async def test_a_crowd_hears_of_it_from_those_that_asked(refusal: FakeReply) -> None:
    """1,000 calls at once: as many requests as were let out before the first answer."""
    stand = bench(Behaviour(always=refusal))
    results = await asyncio.gather(
        *(stand.model.chat("a") for _ in range(MANY)), return_exceptions=True
    )
    assert len({type(result) for result in results}) == 1
    assert len(stand.hub.records) <= FIRST_LIMIT
    stand.settled()


@pytest.mark.parametrize("refusal", [SPENT, LONG])
@virtual_time
async def test_after_a_minute_it_is_asked_again(refusal: FakeReply) -> None:
    """Credits can be bought and limits lifted; one request finds out."""
    stand = bench(Behaviour(replies=[refusal]))
    with pytest.raises((QuotaExhausted, RateLimited)):
        await stand.model.chat("a")
    await asyncio.sleep(59)
    with pytest.raises((QuotaExhausted, RateLimited)) as caught:
        await stand.model.chat("a")
    assert caught.value.retry_after in {None, 900 - 59}
    assert len(stand.hub.records) == 1
    await asyncio.sleep(2)
    assert (await stand.model.chat("a")).text
    stand.settled()


@virtual_time
async def test_another_failure_does_not_lift_it() -> None:
    """A 404 that was under way says nothing about credits."""

    async def slow(_request: object) -> FakeReply:
        await asyncio.sleep(1)
        return not_found()

    hub = FakeHub({"a/b": Behaviour(replies=[SPENT]), "c/d": Behaviour(always=slow)})
    async with Runtime(connect=MemoryConnect(hub)) as runtime:
        spent, lost = (
            open_model(name, api_key="hf_1", runtime=runtime, env={})
            for name in ("a/b", "c/d")
        )
        under_way = asyncio.create_task(lost.chat("a"))
        await asyncio.sleep(0.1)
        with pytest.raises(QuotaExhausted):
            await spent.chat("a")
        with pytest.raises(ModelNotFound):
            await under_way
        with pytest.raises(QuotaExhausted):
            await spent.chat("a")
        assert [record.status for record in hub.records].count(402) == 1


@virtual_time
async def test_a_pause_longer_than_the_call_is_told_at_once() -> None:
    """With the time of the limit; nobody waits for what comes after the end."""
    stand = bench(Behaviour(replies=[rate_limited(retry_after=100)]))
    loop = asyncio.get_running_loop()
    first = asyncio.create_task(stand.model.chat("a"))
    await asyncio.sleep(0.1)
    began = loop.time()
    with pytest.raises(RateLimited) as caught:
        await stand.model.chat("b", timeout=20)
    assert loop.time() == began
    assert 99 < (caught.value.retry_after or 0) <= 111
    assert "request_options.timeout" in str(caught.value)
    assert (await first).text
    stand.settled()


@virtual_time
async def test_a_pause_that_begins_later_is_told_to_those_who_wait() -> None:
    """A call in the queue leaves it when the limit outlasts it, not at its end."""
    options = RequestOptions(max_concurrency=1)
    limited = rate_limited(retry_after=100)
    stand = bench(Behaviour(replies=[limited], delay=2), request_options=options)
    loop = asyncio.get_running_loop()
    began = loop.time()
    first = asyncio.create_task(stand.model.chat("a"))
    await asyncio.sleep(0)
    with pytest.raises(RateLimited):
        await stand.model.chat("b", timeout=20)
    assert loop.time() - began < 3
    assert (await first).text
    stand.settled()


@virtual_time
async def test_a_pause_is_told_at_once_to_who_may_not_wait_and_to_who_listens() -> None:
    """Both stand in the queue when it begins; a third waits on and hears nothing."""
    options = RequestOptions(max_concurrency=1)
    limited = rate_limited(retry_after=20)
    stand = bench(Behaviour(replies=[limited], delay=2), request_options=options)
    heard: list[str] = []

    def told(event: Event) -> None:
        heard.append(getattr(event, "reason", ""))

    loop = asyncio.get_running_loop()
    began = loop.time()
    first = asyncio.create_task(stand.model.chat("a"))
    await asyncio.sleep(0)
    third = asyncio.create_task(stand.model.chat("c"))
    listens = asyncio.create_task(stand.model.chat("d", on_event=told))
    with pytest.raises(RateLimited):
        await stand.model.chat("b", wait=False)
    await asyncio.sleep(0)  # the other one is awake too, and comes next
    assert loop.time() - began < 3
    assert "rate limited" in heard
    await asyncio.gather(first, third, listens)
    stand.settled()


@virtual_time
async def test_an_answer_s_own_hint_holds_nobody() -> None:
    """Together's good answers carry Retry-After; it is about nothing."""
    hinted = chat_reply("fine").with_headers({"retry-after": "30"})
    stand = bench(Behaviour(always=hinted))
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(3):
        assert (await stand.model.chat("a")).text == "fine"
    assert loop.time() == began
    stand.settled()


@virtual_time
async def test_sleepers_can_be_cancelled() -> None:
    """Half of a crowd held by a limit leaves; the others are answered."""
    stand = bench(Behaviour(replies=[HELD]))
    first = asyncio.create_task(stand.model.chat("a"))
    await asyncio.sleep(1)
    calls = [asyncio.create_task(stand.model.chat("a")) for _ in range(100)]
    await asyncio.sleep(20)
    for call in (first, *calls[::2]):
        call.cancel()
    results = await asyncio.gather(first, *calls, return_exceptions=True)
    gone = [isinstance(result, asyncio.CancelledError) for result in results]
    assert gone == [True, *[True, False] * 50]
    assert len(stand.hub.records) == 1 + 50
    stand.settled()


@virtual_time
async def test_a_crowd_that_was_told_to_wait_goes_when_it_is_over() -> None:
    """20 calls told to wait 2 s are answered by 3 s: let go in steps, not spread."""
    stand = bench(Behaviour(replies=[rate_limited(retry_after=2)] * 8))
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(stand.model.chat("a") for _ in range(20)))
    assert loop.time() - began < 3
    stand.settled()
