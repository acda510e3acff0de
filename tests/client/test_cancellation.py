"""Every public coroutine, cancelled at each of its steps, leaves nothing behind."""

from __future__ import annotations

import asyncio
import inspect
import random
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from client.harness import Bench, bench
from rounds import rounds

from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import ApplyFailed
from bytebuddy_provider_hf.plugins import protocols
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.stepping import cancel_at_every_step
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import Done

Make = Callable[[Bench], Callable[[], Awaitable[object]]]


def awaited(method: str) -> Make:
    """Make a call of ``method`` that is awaited."""
    return lambda stand: lambda: getattr(stand.model, method)("a b c")


def given(method: str, *arguments: object) -> Make:
    """Make a call of ``method`` with these arguments."""
    return lambda stand: lambda: getattr(stand.model, method)(*arguments)


def streamed(method: str, *arguments: object) -> Make:
    """Make a call of ``method`` whose events are all read."""

    def make(stand: Bench) -> Callable[[], Awaitable[object]]:
        async def read() -> None:
            asked = arguments or ("a b c",)
            async with getattr(stand.model, method)(*asked) as events:
                seen = [event async for event in events]
            assert isinstance(seen[-1], Done)

        return read

    return make


def closed(stand: Bench) -> Callable[[], Awaitable[object]]:
    """Make a model that is used and closed."""

    async def use() -> None:
        again = bench()
        await again.model.chat("a")
        await again.model.aclose()

    return use


def asked_in_vain(stand: Bench) -> Callable[[], Awaitable[object]]:
    """Make an apply that asks the model, which is no help."""

    async def use() -> None:
        with pytest.raises(ApplyFailed):
            await stand.model.apply("x = 1\ny = 2\nx = 1\n", "x = 3")

    return use


CALLS: dict[str, Make] = {
    "chat": awaited("chat"),
    "chat, streamed": streamed("chat"),
    "complete": awaited("complete"),
    "complete, streamed": streamed("complete"),
    "fill": given("fill", "a", "b"),
    "fill, streamed": streamed("fill", "a", "b"),
    "edit": given("edit", "a", "b"),
    "edit, streamed": streamed("edit", "a", "b"),
    "apply": asked_in_vain,
    "embed": given("embed", ["a", "b"]),
    "embed, in batches": given("embed", ["a"] * 200),
    "rerank": given("rerank", "a", ["b", "c"]),
    "task": given("task", "text-generation", "a"),
    "aclose": closed,
}
BEHAVIOURS = {
    "ready": Behaviour(gap=0.1, delay=0.1),
    "cold": Behaviour(cold_for=5, gap=0.1),
    "asleep": Behaviour(cold_looks=3),
}


def _is_streamable(method: str) -> bool:
    """Whether a method gives a call that can be entered for its events."""
    found = [
        vars(protocol)[method]
        for protocol in vars(protocols).values()
        if inspect.isclass(protocol) and method in vars(protocol)
    ]
    return any(each.__annotations__.get("return") == "ReplyCall" for each in found)


def test_every_public_coroutine_method_is_in_the_table() -> None:
    """The protocols say what is public; what they gain must be tested here too."""
    methods = {
        name
        for protocol in vars(protocols).values()
        if inspect.isclass(protocol) and getattr(protocol, "_is_protocol", False)
        for name, member in vars(protocol).items()
        if inspect.isfunction(member) and not name.startswith("_")
    }
    # It sends nothing: a file is read.
    methods -= {"usage"}
    assert len(methods) == 9
    assert methods == {call.split(",")[0] for call in CALLS}
    first = {call.split(",")[0] for call in CALLS if call.endswith("streamed")}
    calls = {name for name in methods if _is_streamable(name)}
    assert first == calls - {"apply"}  # which is read to its end as it fails


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
@pytest.mark.parametrize("call", CALLS)
@virtual_time
async def test_cancelled_at_every_step_nothing_is_held(
    call: str, behaviour: str, figure: Callable[[str], None]
) -> None:
    """Permits, connections and tasks are back at zero after each step's cancel."""
    stands: list[Bench] = []

    def make() -> Awaitable[object]:
        # A hub of its own each time: the one before is not cold any more.
        stands.append(bench(BEHAVIOURS[behaviour]))
        return CALLS[call](stands[-1])()

    steps = await cancel_at_every_step(make, check=lambda _step: stands[-1].settled())
    figure(f"cancelled at each of {steps} steps")
    assert steps > 0
    for stand in stands:
        assert (await stand.model.chat("a")).text
        stand.settled()


@virtual_time
async def test_a_storm_of_cancellations_leaves_everything_at_zero(
    figure: Callable[[str], None],
) -> None:
    """30 % cancelled at random: nothing is held, and the next 1,000 succeed."""
    tasks_in_all = rounds(3_000, long=100_000)
    # So many are answered in a second, 32 at once and each in half of one.
    pace = 64
    chance = random.Random(1)
    options = RequestOptions(max_queue=tasks_in_all)
    stand = bench(
        Behaviour(delay=0.5, cold_for=5, sleeps_after=30), request_options=options
    )
    tasks = [
        asyncio.create_task(stand.model.chat(f"q{n}", timeout=1e6))
        for n in range(tasks_in_all)
    ]
    loop = asyncio.get_running_loop()
    # At a random time before its answer comes: in the queue, asleep, or under way.
    for number in chance.sample(range(tasks_in_all), tasks_in_all * 3 // 10):
        before = chance.uniform(0, 1 + number * 0.7 / pace)
        loop.call_later(before, tasks[number].cancel)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    kinds = Counter(type(result).__name__ for result in results)
    figure(f"{dict(kinds)}, at most {stand.hub.in_flight_max} in flight")
    assert set(kinds) == {"Reply", "CancelledError"}
    assert kinds["CancelledError"] > tasks_in_all / 4
    assert stand.hub.in_flight_max <= 32
    stand.settled()
    await asyncio.gather(*(stand.model.chat("q") for _ in range(1_000)))
    stand.settled()
