"""Calls are counted, priced and held to budgets, whoever makes them."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attrs import define

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_entry, open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import (
    AlertOptions,
    Budget,
    BudgetOptions,
    ModelEntry,
)
from bytebuddy_provider_hf.errors import (
    BudgetExceeded,
    InvalidOption,
    StreamInterrupted,
)
from bytebuddy_provider_hf.money import Price
from bytebuddy_provider_hf.plugin import PROVIDER
from bytebuddy_provider_hf.plugins.protocols import OpenContext
from bytebuddy_provider_hf.plugins.registry import ModelRegistry
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.storage.ledger import open_ledger
from bytebuddy_provider_hf.testing.answers import chat_reply, chat_stream
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.failures import rate_limited, string_error
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.hub_bill import (
    INFERENCE,
    USER_BILLING,
    Account,
    BilledCall,
)
from bytebuddy_provider_hf.testing.hub_catalogue import Provider
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.types import BudgetAlert, Event, Text

pytestmark = pytest.mark.asyncio

MODEL = "org/name"
DOLLAR = 10**9
PRICE = Price(DOLLAR // 5, DOLLAR // 2)
TODAY = datetime.now(UTC).date().isoformat()


@define
class Stand:
    """A model whose calls are counted, and the hub that it asks."""

    folder: Path
    hub: FakeHub
    model: HuggingFaceModel
    runtime: Runtime

    async def rows(self) -> list[tuple[object, ...]]:
        """Return role, outcome, status, provider and unpriced of every request."""
        await open_ledger(self.folder).flush()
        with closing(sqlite3.connect(self.folder / "usage.db")) as file:
            return file.execute(
                "SELECT role, outcome, status, provider, unpriced FROM each_attempt"
                " ORDER BY at"
            ).fetchall()

    @property
    def sent(self) -> int:
        """How many requests the model's server got."""
        return sum(each.request.method == "POST" for each in self.hub.records)

    async def aclose(self) -> None:
        await self.model.aclose()
        await self.runtime.aclose()
        await open_ledger(self.folder).aclose()


def stand(
    folder: Path,
    behaviour: Behaviour | None = None,
    *,
    providers: tuple[Provider, ...] = (Provider("groq", PRICE),),
    budget: BudgetOptions | None = None,
    alerts: AlertOptions | None = None,
    base: str | None = None,
    account: Account | None = None,
) -> Stand:
    hub = FakeHub(
        {MODEL: behaviour or Behaviour()},
        catalogue={MODEL: providers},
        accounts=() if account is None else (account,),
    )
    runtime = Runtime(connect=MemoryConnect(hub), jitter=lambda: 0.0)
    entry = ModelEntry(
        name="mine",
        provider=PROVIDER,
        model=MODEL,
        api_key=Secret("hf_key"),
        api_base=base,
        budgets=() if budget is None else (Budget("mine", budget),),
    )
    context = OpenContext(
        source=entry.source,
        trusted=True,
        state_dir=folder,
        cache_dir=folder,
        log=logging.getLogger("tests"),
        clock=lambda: 0.0,
        runtime=runtime,
        env={},
        ledger=True,
        alerts=alerts,
    )
    return Stand(folder, hub, open_entry(entry, context), runtime)


async def test_a_reply_tells_the_price_of_who_served(tmp_path: Path) -> None:
    """Also the first, for which the catalogue is asked beside the call."""
    here = stand(tmp_path)
    reply = await here.model.chat("one two three")
    usage = reply.usage
    assert usage is not None
    assert usage.prompt_tokens is not None
    assert usage.completion_tokens is not None
    assert reply.provider == "groq"
    cost = reply.cost
    assert cost.estimated == PRICE.of(usage.prompt_tokens, usage.completion_tokens)
    assert (cost.priced_on, cost.is_pending, cost.unpriced) == (TODAY, True, "")
    assert await here.rows() == [("chat", "complete", 200, "groq", "")]
    await here.aclose()


async def test_a_retry_is_a_row_of_its_own(tmp_path: Path) -> None:
    """What another attempt made good is absorbed, and the last failure is a failure."""
    here = stand(tmp_path, Behaviour(replies=(string_error(500, "no"),)))
    await here.model.chat("hi")
    here.hub.set(MODEL, Behaviour(always=string_error(400, "bad")))
    with pytest.raises(Exception, match="bad"):
        await here.model.chat("hi")
    rows = await here.rows()
    assert [row[:3] for row in rows] == [
        ("chat", "absorbed", 500),
        ("chat", "complete", 200),
        ("chat", "failed", 400),
    ]
    assert here.sent == len(rows)
    await here.aclose()


async def test_an_answer_that_is_cut_or_left_has_no_price(tmp_path: Path) -> None:
    """Nobody knows what it cost: it is told so, and is not nothing."""
    cut = chat_stream(["word "] * 9).cut_after(600)
    here = stand(tmp_path, Behaviour(replies=(cut,)))

    async def read() -> None:
        async with here.model.chat("hi") as events:
            async for _ in events:
                pass

    with pytest.raises(StreamInterrupted):
        await read()
    async with here.model.chat("hi") as events:
        async for event in events:
            if isinstance(event, Text):
                break
    outcomes = [(row[1], row[4]) for row in await here.rows()]
    assert outcomes == [("cut", "answer cut"), ("cancelled", "answer cut")]
    await here.aclose()


async def test_a_server_of_ones_own_is_counted_and_not_metered(tmp_path: Path) -> None:
    """What it is asked about itself is counted too, as a probe."""
    here = stand(tmp_path, base="http://127.0.0.1:8080")
    reply = await here.model.chat("hi")
    assert reply.cost.estimated is None
    assert reply.cost.unpriced == "not metered"
    rows = await here.rows()
    assert {row[0] for row in rows} == {"chat", "probe"}
    assert len(rows) == len(here.hub.records)
    await here.aclose()


@pytest.mark.parametrize("unit", ["calls", "tokens", "dollars"])
async def test_64_callers_with_room_for_ten(tmp_path: Path, unit: str) -> None:
    """Exactly ten are sent: each reserves its own estimate before it is."""
    answer = 1_000
    here = stand(tmp_path, Behaviour(delay=0.01))
    # What one call reserves is read where nothing is bounded.
    first = await here.model.chat("hi", max_tokens=answer)
    assert first.usage is not None
    body = here.hub.requests[0].body
    tokens = len(body) // 3 + answer
    each = {"calls": 1, "tokens": tokens, "dollars": PRICE.of(len(body) // 3, answer)}
    await here.aclose()
    limit = {unit: each[unit] * 10}
    here = stand(
        tmp_path / "second",
        Behaviour(delay=0.01),
        budget=BudgetOptions(hard=True, **limit),  # type: ignore[arg-type]
    )

    async def ask() -> object:
        try:
            return await here.model.chat("hi", max_tokens=answer)
        except BudgetExceeded as error:
            return error

    answers = await asyncio.gather(*(ask() for _ in range(64)))
    refused = [each for each in answers if isinstance(each, BudgetExceeded)]
    assert here.sent >= 10
    if unit == "calls":
        assert here.sent == 10
        assert len(refused) == 54
        assert refused[0].limit == 10
        assert "usage --raise" in str(refused[0].hint)
    # The others free what they did not use, so that more than ten may go in the end.
    assert len(refused) + here.sent == 64
    await here.aclose()


async def test_a_soft_budget_tells_and_lets_through(tmp_path: Path) -> None:
    """Each threshold once: as an event, and to the user's command."""
    told = tmp_path / "told"
    command = ("sh", "-c", f'echo "$BYTEBUDDY_PERCENT" >> {told}')
    here = stand(
        tmp_path / "state",
        budget=BudgetOptions(calls=4),
        alerts=AlertOptions(command),
    )
    events: list[Event] = []
    for _ in range(3):
        await here.model.chat("hi", on_event=events.append)
    async with here.model.chat("hi") as streamed:
        events += [event async for event in streamed]
    await here.model.chat("hi", on_event=events.append)
    alerts = [each for each in events if isinstance(each, BudgetAlert)]
    assert [each.percent for each in alerts] == [50, 95, 100] or [
        each.percent for each in alerts
    ] == [50, 80, 95, 100]
    assert {each.budget for each in alerts} == {"mine"}
    assert here.sent == 5
    await here.aclose()
    for _ in range(200):
        if told.exists() and len(told.read_text().split()) == len(alerts):
            break
        await asyncio.sleep(0.02)
    assert sorted(map(int, told.read_text().split())) == sorted(
        each.percent for each in alerts
    )


async def test_an_alert_of_a_failed_attempt_is_told_with_the_answer(
    tmp_path: Path,
) -> None:
    """The second call fails once: it is sent again, and the alert is not lost."""
    replies = [chat_reply("fine"), string_error(500, "went wrong")]
    here = stand(tmp_path, Behaviour(replies=replies), budget=BudgetOptions(calls=2))
    events: list[Event] = []
    for _ in range(2):
        await here.model.chat("hi", on_event=events.append)
    told = [each.percent for each in events if isinstance(each, BudgetAlert)]
    assert (told[:1], told[-1:]) == ([50], [100])
    await here.aclose()


async def test_a_hard_budget_in_dollars_needs_a_price(tmp_path: Path) -> None:
    """A limit that lets through what nobody can price is none."""
    here = stand(
        tmp_path,
        providers=(Provider("groq", None),),
        budget=BudgetOptions(dollars=DOLLAR, hard=True),
    )
    with pytest.raises(BudgetExceeded, match="Nobody knows what org/name costs"):
        await here.model.chat("hi")
    assert here.sent == 0
    await here.aclose()


async def test_what_a_failed_call_reserved_is_given_back(tmp_path: Path) -> None:
    """Only the request itself counts; its tokens and its price were nothing."""
    here = stand(
        tmp_path,
        Behaviour(always=rate_limited()),
        budget=BudgetOptions(tokens=100_000, calls=100),
    )
    model = here.model
    with pytest.raises(Exception, match=r".+"):
        await model.chat("hi", wait=False)
    # What the process held beyond its calls goes back when it ends.
    await here.aclose()
    with closing(sqlite3.connect(tmp_path / "usage.db")) as file:
        used = dict(file.execute("SELECT unit, used + reserved FROM budgets"))
    assert used == {"calls": here.sent, "tokens": 0}


async def test_a_model_tells_what_it_used_up(tmp_path: Path) -> None:
    """Of its own account and address only; without a ledger it says how to get one."""
    here = stand(tmp_path)
    replies = [await here.model.chat("hi") for _ in range(3)]
    found = await here.model.usage()
    assert found.attempts == 3
    assert found.usage.prompt_tokens == sum(
        reply.usage.prompt_tokens or 0 for reply in replies if reply.usage
    )
    assert found.cost.estimated == sum(reply.cost.estimated or 0 for reply in replies)
    await here.aclose()
    uncounted = open_model(MODEL, api_key="hf_x", env={}, state_dir=tmp_path)
    with pytest.raises(InvalidOption, match="not counted"):
        await uncounted.usage()
    await uncounted.aclose()


async def test_a_registry_counts_unless_the_file_says_no(tmp_path: Path) -> None:
    """By the names of the entries that are open."""
    text = (
        "models:\n  - {name: mine, provider: huggingfaceinferenceapi, "
        "model: org/name, apiKey: hf_key}\n"
    )
    for said, counted in (("", 1), ("ledger: off\n", 0)):
        home = tmp_path / f"home{counted}"
        file = home / ".bytebuddy" / "config.yaml"
        file.parent.mkdir(parents=True, mode=0o700)
        file.write_text(said + text)
        file.chmod(0o600)
        hub = FakeHub(catalogue={MODEL: [Provider("groq", PRICE)]})
        runtime = Runtime(connect=MemoryConnect(hub))
        async with ModelRegistry.load(
            file, home=home, cwd=home, env={}, runtime=runtime
        ) as registry:
            await registry.chat("mine").chat("hi")
            if counted:
                (found,) = (await registry.usage()).values()
                assert found.attempts == 1
            assert (file.parent / "usage.db").exists() is bool(counted)
        await open_ledger(file.parent).aclose()
        await runtime.aclose()


async def test_no_prompt_and_no_answer_is_in_the_file(tmp_path: Path) -> None:
    """Nor the token: the ledger is about numbers."""
    here = stand(tmp_path, Behaviour(answer=lambda _request: "ANSWERCANARY"))
    await here.model.chat("PROMPTCANARY")
    await here.aclose()
    for path in tmp_path.iterdir():  # noqa: ASYNC240 - nothing else runs
        data = path.read_bytes()
        for canary in (b"ANSWERCANARY", b"PROMPTCANARY", b"hf_key"):
            assert canary not in data, path.name


async def test_a_ledger_that_cannot_be_written_stops_no_call(tmp_path: Path) -> None:
    """Whatever the file is: here a folder stands in its place."""
    (tmp_path / "usage.db").mkdir()
    here = stand(tmp_path)
    assert (await here.model.chat("hi")).text
    await here.aclose()


@pytest.mark.parametrize("permissions", [{INFERENCE, USER_BILLING}, {INFERENCE}])
async def test_credits_that_run_out_are_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, permissions: set[str]
) -> None:
    """The bill is looked at beside the calls, once an hour, whoever calls.

    A token that may not read it is no failure, and is not tried again that day.
    """
    told = tmp_path / "told"
    account = Account("ann", token="hf_key", permissions=frozenset(permissions))
    here = stand(
        tmp_path / "state",
        account=account,
        alerts=AlertOptions(("sh", "-c", f"echo $BYTEBUDDY_BUDGET >> {told}")),
    )
    used = account.included * 6 // 10
    now = here.hub.unix()
    here.hub.bill.calls.append(
        BilledCall(now - 1, "ann", "", MODEL, "groq", "1", 1, 0, 1, used, now - 1)
    )
    for _ in range(3):
        await here.model.chat("hi")
    await here.aclose()
    looks = [each for each in here.hub.requests if "/billing/" in each.path]
    assert len(looks) == 1
    said = [each.message for each in caplog.records if "credits" in each.message]
    assert len(said) == (USER_BILLING in permissions)
    for _ in range(100 * len(said)):
        if told.exists() and told.read_text():
            break
        await asyncio.sleep(0.02)
    assert told.exists() is bool(said)
