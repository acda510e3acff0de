"""The edges of a cold start: odd estimates, tiny patience, endpoints that wake."""

from __future__ import annotations

import asyncio

import pytest
from client.harness import Bench, bench

from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import ColdStartTimeout, EndpointPaused
from bytebuddy_provider_hf.testing.behaviour import Behaviour, loads, sleeps
from bytebuddy_provider_hf.testing.failures import constant, loading, paused
from bytebuddy_provider_hf.testing.script import FakeReply
from bytebuddy_provider_hf.testing.virtual_time import virtual_time

ENDPOINT = "https://x.endpoints.huggingface.cloud"
HEADER = "x-scale-up-timeout"


def says(estimate: str) -> FakeReply:
    body = f'{{"error":"Model org/name is loading","estimated_time":{estimate}}}'
    return FakeReply(503, {"content-type": "application/json"}, [body.encode()])


async def seconds(stand: Bench, timeout: float | None = None) -> float:
    """Return after how long a call gave up waiting for the model."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(ColdStartTimeout) as caught:
        await stand.model.chat("a", timeout=timeout)
    assert len(str(caught.value)) < 250
    stand.settled()
    return loop.time() - began


@pytest.mark.parametrize(
    "estimate",
    ["NaN", "Infinity", "1e999", "-5", "0", "true", '"20"', "null", "[1]", "{}"],
)
@virtual_time
async def test_an_estimate_that_is_none_is_not_believed(estimate: str) -> None:
    """The probes go on at their own pace until the patience ends."""
    stand = bench(Behaviour(always=says(estimate)))
    assert await seconds(stand) == pytest.approx(300)
    assert 30 <= len(stand.hub.records) <= 41


@virtual_time
async def test_an_estimate_that_grows_is_not_believed() -> None:
    """20 s, 25 s, 30 s, … as a server says that restarts all the time."""
    replies = [says(str(20 + 5 * n)) for n in range(12)]
    stand = bench(Behaviour(replies=replies))
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert (await stand.model.chat("a")).text
    assert loop.time() - began < 100
    assert len(stand.hub.records) == 13


@pytest.mark.parametrize("patience", [0.0, 0.01, 0.5])
@virtual_time
async def test_no_patience_is_one_request(patience: float) -> None:
    """A wait that ends before the first probe: told at its end, and not asked again."""
    options = RequestOptions(cold_start_timeout=patience)
    reply = loading(None, model="org/name")
    stand = bench(Behaviour(always=reply), request_options=options)
    assert await seconds(stand) == pytest.approx(patience, abs=0.001)
    assert len(stand.hub.records) == 1


@virtual_time
async def test_a_deadline_between_two_probes_ends_the_call_at_its_time() -> None:
    """Nobody is woken for it but the call itself."""
    stand = bench(Behaviour(cold_for=500, cold_reply=loads(constant(0.1))))
    assert await seconds(stand, timeout=30.3) == pytest.approx(30.3, abs=0.2)


@virtual_time
async def test_only_a_probe_of_an_endpoint_asks_its_proxy_to_hold_it() -> None:
    """At most 60 s, and always less than what is left of the wait."""
    stand = bench(Behaviour(cold_for=280, cold_reply=sleeps), base=ENDPOINT)
    await asyncio.gather(*(stand.model.chat("a") for _ in range(20)))
    held = [record.request.headers.get(HEADER) for record in stand.hub.records]
    first, looks = held[:8], [hold for hold in held if hold is not None]
    assert first == [None] * 8
    assert len(looks) > 20
    began = stand.hub.records[0].started
    for record in stand.hub.records:
        if hold := record.request.headers.get(HEADER):
            assert 0 < int(hold) <= 60
            assert int(hold) < 300 - (record.started - began)
    assert int(looks[0]) == 60
    assert int(looks[-1]) < 30
    stand.settled()


@virtual_time
async def test_nobody_else_is_asked_to_hold_a_request() -> None:
    """The router and other servers do not know the header."""
    stand = bench(Behaviour(cold_for=20))
    await stand.model.chat("a")
    assert not [call for call in stand.hub.requests if HEADER in call.headers]


@virtual_time
async def test_a_paused_endpoint_is_not_waited_for() -> None:
    """One request, for those who wait as well; the hint says how to resume it."""
    stand = bench(Behaviour(cold_for=10, cold_reply=sleeps), base=ENDPOINT)
    first = asyncio.create_task(stand.model.chat("a"))
    await asyncio.sleep(0.5)
    stand.hub.set("org/name", Behaviour(always=paused()))
    with pytest.raises(EndpointPaused) as caught:
        await first
    assert "resume" in str(caught.value).lower()
    stand.settled()


@virtual_time
async def test_a_server_that_is_ready_for_the_probe_only_is_not_run_against() -> None:
    """200 for each probe, 503 for all others: no more than a few requests a second."""
    sent = 0

    async def moody(_request: object) -> FakeReply:
        nonlocal sent
        sent += 1
        await asyncio.sleep(0.01)
        if ready.is_set():
            ready.clear()
            return FakeReply(200, {}, [b'{"choices":[{"message":{"content":"a"}}]}'])
        asyncio.get_running_loop().call_later(0.5, ready.set)
        return loading(None, model="org/name")

    ready = asyncio.Event()
    stand = bench(Behaviour(always=moody))
    tasks = [asyncio.create_task(stand.model.chat("a")) for _ in range(30)]
    await asyncio.sleep(60)
    assert sent <= 8 + 60 * 4
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    stand.settled()
