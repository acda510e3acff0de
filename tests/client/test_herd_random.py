"""Herds against servers that do anything for a while: nobody is forgotten."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import pytest
from attrs import define
from client.harness import Bench, bench
from rounds import rounds

from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import ByteBuddyError
from bytebuddy_provider_hf.testing.answers import chat_reply, chat_stream
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.failures import (
    constant,
    loading,
    loading_llama,
    overloaded,
    rate_limited,
)
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import run
from bytebuddy_provider_hf.types import Done, Event, Loading

SEEDS = rounds(60, long=2_000)
AT_A_TIME = 20
CALLERS = 40
# How long the server misbehaves, and how soon everybody has an answer after that: the
# longest rest after a hint of 20 s, a silent probe, or a sleep of 11 s, and then some.
TROUBLE = 90.0
SOON = 60.0
SILENT = 40.0

_KINDS = ("good", "cold", "silent", "broken", "busy", "limited", "bare", "sick")


@define
class Server:
    """Answer at random, after random times, until the trouble is over."""

    chance: random.Random
    over: float
    in_flight: int = 0
    in_flight_max: int = 0

    async def __call__(self, request: FakeRequest) -> FakeReply:
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight, self.in_flight_max)
        try:
            return await self._reply(request)
        finally:
            self.in_flight -= 1

    async def _reply(self, request: FakeRequest) -> FakeReply:
        chance = self.chance
        loop = asyncio.get_running_loop()
        if loop.time() >= self.over:
            await asyncio.sleep(0.1)
            return _good(request)
        weights = [5, 6, 1, 1, 2, 0.3, 1, 0.5]
        (kind,) = chance.choices(_KINDS, weights)
        if kind == "silent":
            await asyncio.sleep(SILENT)
        await asyncio.sleep(chance.choice([0, 0.05, 0.3, 2]))
        if kind == "cold":
            return self._cold(self.over - loop.time())
        return {
            "good": _good(request),
            "broken": FakeReply(200, dropped=True),
            "busy": overloaded(),
            "limited": rate_limited(retry_after=chance.randint(1, 20)),
            "bare": FakeReply(503),
            "sick": FakeReply(500),
        }.get(kind, _good(request))

    def _cold(self, left: float) -> FakeReply:
        wrong = self.chance.choice([5.0, 0.0, -3.0, float("nan"), left, left / 2])
        return self.chance.choice(
            [
                loading(20.0, model="org/name", estimate=constant()),
                loading(wrong, model="org/name", estimate=constant(wrong)),
                loading(None, model="org/name"),
                loading_llama(),
            ]
        )


def _good(request: FakeRequest) -> FakeReply:
    return chat_stream(["fine"]) if request.value("stream") else chat_reply("fine")


@define
class Caller:
    """Ask in one way of several, perhaps slowly; tell how it ended."""

    stand: Bench
    chance: random.Random

    async def __call__(self, number: int) -> str:
        chance = self.chance
        await asyncio.sleep(chance.choice([0, 0, chance.uniform(0, 60)]))
        # Some read slowly, and some say nothing for longer than anybody waits.
        rest = chance.choice([0, 0, 0, 3, 700])
        try:
            if chance.random() < 0.5:
                return (await self.stand.model.chat(f"q{number}")).text
            async with self.stand.model.chat(f"q{number}") as events:
                async for event in events:
                    await self._read(event, rest)
                    if isinstance(event, Done):
                        return event.reply.text
        except ByteBuddyError as error:
            return type(error).__name__
        return "nothing"

    async def _read(self, event: Event, rest: float) -> None:
        if isinstance(event, Loading) and rest:
            await asyncio.sleep(rest)


async def _herd(seed: int) -> Counter[str]:
    chance = random.Random(seed)
    loop = asyncio.get_running_loop()
    server = Server(chance, over=loop.time() + TROUBLE)
    limit = chance.choice([1, 2, 8, 32])
    options = RequestOptions(
        max_concurrency=limit, max_attempts=chance.choice([1, 3, 1_000])
    )
    stand = bench(Behaviour(always=server), seed=seed, request_options=options)
    call = Caller(stand, chance)
    tasks = [asyncio.create_task(call(n)) for n in range(CALLERS)]
    for task in chance.sample(tasks, CALLERS // 5):
        loop.call_later(chance.uniform(0, 2 * TROUBLE), task.cancel)
    await asyncio.sleep(TROUBLE + 0.1)
    # Somebody who asks once all is well is served, whoever lingers in the queue.
    late = [asyncio.create_task(stand.model.chat("late")) for _ in range(10)]
    done, pending = await asyncio.wait(late, timeout=SOON)
    assert not pending, (seed, len(pending), stand.runtime.counters())
    assert all(task.result().text for task in done)
    for task in tasks:
        task.cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert server.in_flight_max <= limit
    stand.settled()
    assert not {type(end) for end in ends if isinstance(end, Exception)}
    return Counter(end for end in ends if isinstance(end, str))


@pytest.mark.parametrize("start", range(0, SEEDS, AT_A_TIME))
def test_whatever_a_server_did_who_asks_afterwards_is_served(
    start: int, figure: Callable[[str], None]
) -> None:
    """Cold, silent, broken, busy: once it is well, everybody gets an answer soon."""
    ends: Counter[str] = Counter()
    for seed in range(start, start + AT_A_TIME):
        ends += run(_herd(seed))
    figure(f"{AT_A_TIME} herds of {CALLERS}: {dict(ends.most_common())}")
