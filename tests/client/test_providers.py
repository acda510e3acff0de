"""The router's providers: one that refuses is left, a conversation keeps its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pytest
from attrs import define, field

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.providers import Needs, ProviderMemory, next_offer
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import (
    APIError,
    ConnectionRefused,
    InvalidOption,
    RateLimited,
    StreamFailed,
)
from bytebuddy_provider_hf.hub.router_models import Offer
from bytebuddy_provider_hf.money import Price
from bytebuddy_provider_hf.plugins.registry import ModelRegistry
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.answers import (
    chat_reply,
    chat_stream,
    event_stream,
    json_reply,
)
from bytebuddy_provider_hf.testing.failures import not_supported, string_error
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import Done, Text, Tool

MODEL: Final = "org/name"
# What each provider costs (read, written), in USD for a million tokens, and how fast.
PRICES: Final[Mapping[str, tuple[float, float, float]]] = {
    "a": (0.5, 1.0, 300),
    "b": (0.4, 0.8, 200),
    "c": (0.1, 0.2, 100),
    "d": (5.0, 10.0, 10),
}


def offer(name: str, **more: object) -> dict[str, object]:
    read, written, speed = PRICES[name]
    return {
        "provider": name,
        "status": "live",
        "context_length": 100_000,
        "pricing": {"input": read, "output": written},
        "supports_tools": True,
        "supports_structured_output": True,
        "throughput": speed,
        **more,
    }


@define(eq=False)
class Router:
    """The router: who refuses it lists, and whom a call names it asks.

    Unnamed it takes ``first``, as its policy would.
    """

    refusals: dict[str, FakeReply] = field(factory=dict)
    offers: list[dict[str, object]] = field(factory=lambda: [offer(n) for n in "abcd"])
    catalogue: FakeReply | Exception | None = None
    first: str = "a"
    sent: list[str] = field(factory=list)
    requests: list[FakeRequest] = field(factory=list)
    asked: int = 0
    tells: bool = True
    runtime: Runtime = field(init=False)

    @runtime.default
    def _runtime(self) -> Runtime:
        return Runtime(connect=MemoryConnect(self.answer), jitter=lambda: 0.0)

    async def answer(self, request: FakeRequest) -> FakeReply:
        if request.method == "GET":
            self.asked += 1
            assert "authorization" not in request.headers
            assert "x-hf-bill-to" not in request.headers
            if isinstance(self.catalogue, Exception):
                raise self.catalogue
            told = {"id": MODEL, "providers": self.offers}
            return self.catalogue or json_reply({"data": told})
        model = str(request.value("model"))
        self.sent.append(model)
        self.requests.append(request)
        _, _, suffix = model.partition(":")
        named = suffix not in ("", "fastest", "cheapest", "preferred")
        provider = suffix if named else self.first
        reply = self.refusals.get(provider) or (
            chat_stream([provider]) if request.value("stream") else chat_reply(provider)
        )
        told = {"x-inference-provider": provider} if self.tells else {}
        return reply.with_headers(told)

    def open(
        self,
        model: str = MODEL,
        base: str | None = None,
        headers: Mapping[str, Secret] | None = None,
        env: Mapping[str, str] | None = None,
        **options: object,
    ) -> HuggingFaceModel:
        return open_model(
            model,
            api_key="hf_of_a_user",
            api_base=base,
            runtime=self.runtime,
            request_options=RequestOptions(headers=headers or {}, **options),  # type: ignore[arg-type]
            env=env or {},
            state_dir=Path("/nonexistent/.bytebuddy"),
        )


def too_many(seconds: float | None = 30) -> FakeReply:
    headers = {} if seconds is None else {"retry-after": str(seconds)}
    return string_error(429, "Too many requests", headers=headers)


def now() -> float:
    return asyncio.get_running_loop().time()


@virtual_time
async def test_a_provider_that_refuses_is_left_at_once() -> None:
    """The same call is answered by the policy's next that costs no more."""
    router = Router({"a": too_many()})
    before = now()
    reply = await router.open().chat("Hello")
    assert (reply.text, reply.provider) == ("b", "b")
    assert router.sent == [MODEL, f"{MODEL}:b"]
    assert now() - before < 0.1
    (note,) = reply.notes
    assert (
        note == "a refuses calls for now: b was asked instead, at 0.8 times its price."
    )
    assert (reply.served.attempts, router.asked) == (2, 1)


@virtual_time
async def test_a_stream_is_answered_by_another_too() -> None:
    """As long as nothing of the answer was delivered, also inside a stream."""
    said = {"error": {"message": "overloaded", "code": 503}}
    for refusal in (too_many(), event_stream([said])):
        router = Router({"a": refusal})
        async with router.open().chat("Hello") as events:
            seen = [event async for event in events]
        assert [e.text for e in seen if isinstance(e, Text)] == ["b"]
        assert isinstance(seen[-1], Done)
        assert "b was asked instead" in " ".join(seen[-1].reply.notes)
        assert router.sent == [MODEL, f"{MODEL}:b"]


@virtual_time
async def test_nothing_is_sent_again_after_the_first_event() -> None:
    """Half an answer of one provider is not begun anew by another."""
    half = {"id": "1", "choices": [{"index": 0, "delta": {"content": "half"}}]}
    said = {"error": {"message": "overloaded", "code": 503}}
    router = Router({"a": event_stream([half, said])})
    async with router.open().chat("Hello") as events:
        assert await anext(events) == Text("half")
        with pytest.raises(StreamFailed):
            await anext(events)
    assert router.sent == [MODEL]


@virtual_time
async def test_later_calls_leave_it_until_its_time_is_over() -> None:
    """Nobody waits, and nobody is paused, for the provider's hint."""
    router = Router({"a": too_many(30)})
    model = router.open()
    before = now()
    replies = [await model.chat("x"), *await asyncio.gather(*map(model.chat, "abcdef"))]
    assert {reply.text for reply in replies} == {"b"}
    assert all("b was asked instead" in " ".join(reply.notes) for reply in replies)
    assert router.sent.count(MODEL) == 1
    assert now() - before < 0.1
    del router.refusals["a"]
    await asyncio.sleep(31)
    reply = await model.chat("x")
    assert (reply.text, reply.notes) == ("a", ())
    assert router.sent[-1] == MODEL


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@virtual_time
async def test_without_a_hint_it_is_left_for_a_minute(status: int) -> None:
    """Whatever it broke down with."""
    router = Router({"a": string_error(status, "No")})
    model = router.open()
    assert (await model.chat("x")).text == "b"
    del router.refusals["a"]
    await asyncio.sleep(59)
    assert (await model.chat("x")).text == "b"
    await asyncio.sleep(2)
    assert (await model.chat("x")).text == "a"


@virtual_time
async def test_a_burst_that_is_refused_goes_elsewhere_together() -> None:
    """The pause is the provider's: no call of the origin waits for it."""
    router = Router({"a": too_many(30).slow(0, delay=1.0)})
    model = router.open()
    before = now()
    replies = await asyncio.gather(*(model.chat(f"q{n}") for n in range(8)))
    assert {reply.text for reply in replies} == {"b"}
    assert now() - before < 2
    assert router.asked == 1


@virtual_time
async def test_a_provider_that_the_user_named_is_waited_for() -> None:
    """It is nobody else's choice."""
    router = Router({"b": too_many(30)})
    asyncio.get_running_loop().call_later(20, router.refusals.clear)
    before = now()
    reply = await router.open(f"{MODEL}:b").chat("Hello")
    assert (reply.text, reply.notes) == ("b", ())
    assert 30 <= now() - before < 35
    assert router.sent == [f"{MODEL}:b"] * 2
    assert router.asked == 0


@virtual_time
async def test_a_model_that_stands_in_the_body_by_hand_is_waited_for() -> None:
    """What is named there is what the router reads."""
    router = Router({"b": too_many(30)})
    asyncio.get_running_loop().call_later(20, router.refusals.clear)
    body = {"model": f"{MODEL}:b"}
    reply = await router.open(extra_body_properties=body).chat("x", session="one")
    assert (reply.text, reply.notes, router.asked) == ("b", (), 0)


@pytest.mark.parametrize(
    ("suffix", "allow", "taken"),
    [
        ("", False, "b"),
        (":fastest", False, "b"),
        (":fastest", True, "b"),
        (":cheapest", False, "c"),
        (":preferred", True, None),
    ],
)
@virtual_time
async def test_the_policy_and_its_price_decide(
    suffix: str, *, allow: bool, taken: str | None
) -> None:
    """The one that it names next; the account's own order nobody knows."""
    router = Router({"a": too_many(30)})
    asyncio.get_running_loop().call_later(20, router.refusals.clear)
    before = now()
    reply = await router.open(MODEL + suffix, allow_dearer=allow).chat("Hello")
    assert reply.text == (taken or "a")
    waited = now() - before >= 30
    assert waited is (taken is None)
    assert ("at 0.8 times its price" in " ".join(reply.notes)) is (taken == "b")


@virtual_time
async def test_what_the_cheapest_leaves_is_dearer() -> None:
    """The next cheapest answers, and the note says at how many times the price."""
    router = Router({"c": too_many(30)}, first="c")
    reply = await router.open(f"{MODEL}:cheapest").chat("Hello")
    assert reply.text == "b"
    assert "at 4 times its price" in " ".join(reply.notes)


@pytest.mark.parametrize("price", [(0.4, 0.8), None])
@virtual_time
async def test_none_is_dearer_than_the_policys_next(
    price: tuple[float, float] | None,
) -> None:
    """Where that one cannot answer: the call waits, or dearer ones are allowed."""
    pricing = price and {"input": price[0], "output": price[1]}
    offers = [offer("a"), offer("b", supports_tools=False, pricing=pricing), offer("d")]
    for allow, answered in ((False, "a"), (True, "d")):
        router = Router({"a": too_many(30)}, offers=offers)
        asyncio.get_running_loop().call_later(20, router.refusals.clear)
        reply = await router.open(allow_dearer=allow).chat("x", tools=[Tool("f")])
        assert reply.text == answered
        assert ("at 10 times its price" in " ".join(reply.notes)) is allow


@virtual_time
async def test_all_that_cost_no_more_are_tried_in_turn() -> None:
    """Each in the policy's order, as long as there are attempts."""
    router = Router(dict.fromkeys("ab", too_many()))
    reply = await router.open().chat("Hello")
    assert router.sent == [MODEL, f"{MODEL}:b", f"{MODEL}:c"]
    assert reply.text == "c"
    assert "b refuses calls for now: c was asked" in " ".join(reply.notes)
    router = Router(dict.fromkeys("ab", too_many()))
    with pytest.raises(RateLimited):
        await router.open(max_attempts=2).chat("Hello")
    assert router.sent == [MODEL, f"{MODEL}:b"]


@virtual_time
async def test_one_attempt_teaches_the_next_call() -> None:
    """A refusal too long to wait for is no reason to refuse every call for it."""
    router = Router({"a": too_many(3_000)})
    model = router.open(max_attempts=1)
    with pytest.raises(RateLimited):
        await model.chat("Hello")
    assert (await model.chat("Hello")).text == "b"


@virtual_time
async def test_a_call_that_does_not_wait_goes_elsewhere_by_what_is_kept() -> None:
    """It asks no catalogue: that is a wait."""
    router = Router({"a": too_many()})
    model = router.open()
    with pytest.raises(RateLimited):
        await model.chat("Hello", wait=False)
    assert router.asked == 0
    router = Router({"a": too_many()})
    model = router.open()
    await model.chat("Hello")
    await asyncio.sleep(31)
    assert (await model.chat("Hello", wait=False)).text == "b"


def silent() -> list[FakeReply | Exception]:
    return [
        ConnectionRefused("router.huggingface.co refused the connection."),
        FakeReply(500),
        FakeReply(delay=3_600.0),
        FakeReply(body=b"<html>"),
        json_reply({"id": MODEL, "providers": []}),
    ]


@pytest.mark.parametrize("at", range(len(silent())))
@virtual_time
async def test_without_the_catalogue_the_call_goes_as_before(at: int) -> None:
    """Nothing is invented: the refusal is waited out."""
    router = Router({"a": too_many(30)}, catalogue=silent()[at])
    asyncio.get_running_loop().call_later(20, router.refusals.clear)
    before = now()
    reply = await router.open().chat("Hello")
    assert (reply.text, reply.notes) == ("a", ())
    assert 30 <= now() - before < 40
    assert router.sent == [MODEL, MODEL]


@virtual_time
async def test_who_failed_is_never_guessed() -> None:
    """Without the header nothing is remembered."""
    router = Router({"a": too_many(30)}, tells=False)
    asyncio.get_running_loop().call_later(20, router.refusals.clear)
    reply = await router.open().chat("Hello")
    assert (reply.text, reply.provider) == ("a", None)
    assert (router.sent, router.asked) == ([MODEL, MODEL], 0)


@pytest.mark.parametrize(
    "broken",
    [
        {"status": "error"},
        {"status": "staging"},
        {"status": None},
        {"supports_tools": False},
        {"supports_tools": None},
        {"context_length": 300},
    ],
)
@virtual_time
async def test_only_who_can_answer_is_asked(broken: dict[str, object]) -> None:
    """Live, and able to do what the call needs, by the catalogue's word."""
    offers = [offer("a"), offer("b", **broken), offer("c")]
    router = Router({"a": too_many()}, offers=offers)
    reply = await router.open().chat("Hello " * 200, tools=[Tool("f")])
    assert reply.text == "c"


@virtual_time
async def test_a_price_that_is_not_known_is_told() -> None:
    """Of the one that is left, or of the one that is asked; half a price is none."""
    half = {"input": "0.1", "output": True}
    for one, other in ((None, {}), ({}, None), ({}, {"input": 0.4}), ({}, half)):
        first = offer("a") if one == {} else offer("a", pricing=one)
        second = offer("b") if other == {} else offer("b", pricing=other)
        router = Router({"a": too_many(30)}, offers=[first, second, offer("d")])
        reply = await router.open().chat("Hello")
        assert reply.text == "b"
        assert "is not known" in " ".join(reply.notes)


@virtual_time
async def test_a_provider_that_the_account_has_not_enabled_is_left_too() -> None:
    """The catalogue does not know whom the user took out: the router chooses again."""
    router = Router({"a": too_many(20), "b": not_supported(MODEL)})
    reply = await router.open().chat("Hello")
    assert (reply.text, router.sent) == ("c", [MODEL, f"{MODEL}:b", f"{MODEL}:c"])
    assert "a refuses calls for now: c was asked" in " ".join(reply.notes)


@virtual_time
async def test_the_error_is_that_of_the_provider_the_router_took() -> None:
    """That one whom nobody named does not serve us is no answer."""
    router = Router({"a": too_many(20), "b": not_supported(MODEL)})
    with pytest.raises(APIError) as caught:
        await router.open(max_attempts=2).chat("Hello")
    assert isinstance(caught.value, RateLimited)


@virtual_time
async def test_a_session_keeps_the_provider_that_answered_first() -> None:
    """Wherever the router would go now; another session and none are free."""
    router = Router()
    model = router.open()
    assert (await model.chat("1", session="one")).provider == "a"
    router.first = "c"
    assert (await model.chat("2", session="one")).provider == "a"
    assert (await model.chat("1", session="two")).provider == "c"
    assert (await model.chat("x")).provider == "c"
    assert (await model.chat("3", session="one")).notes == ()
    assert router.sent == [MODEL, f"{MODEL}:a", MODEL, MODEL, f"{MODEL}:a"]


@virtual_time
async def test_a_session_gives_up_a_provider_that_fails() -> None:
    """And keeps the one that answered instead, also when the first is well again."""
    router = Router()
    model = router.open()
    await model.chat("1", session="one")
    router.refusals["a"] = too_many(30)
    assert (await model.chat("2", session="one")).provider == "b"
    router.refusals.clear()
    await asyncio.sleep(31)
    reply = await model.chat("3", session="one")
    assert (reply.provider, reply.notes) == ("b", ())


@virtual_time
async def test_a_session_of_a_provider_that_went_away_goes_on() -> None:
    """Where the router no longer knows it, the router chooses anew."""
    router = Router()
    model = router.open()
    await model.chat("1", session="one")
    router.refusals["a"], router.first = not_supported(MODEL), "c"
    assert (await model.chat("2", session="one")).provider == "c"


@virtual_time
async def test_the_router_is_told_the_session_and_nobody_else() -> None:
    """One id for all calls of this process, or the call's own."""
    router = Router()
    first, second = router.open(), router.open("org/other")
    await first.chat("x")
    await second.chat("x")
    await first.chat("x", session="a conversation")
    told = [request.headers["x-hf-session-id"] for request in router.requests]
    assert told[0] == told[1]
    assert (len(told[0]), told[2]) == (32, "a conversation")
    local = router.open(base="http://127.0.0.1:8080/v1")
    await local.chat("x", session="a conversation")
    assert "x-hf-session-id" not in router.requests[-1].headers


@pytest.mark.parametrize("name", ["", " a", "a ", "a\nb", "é", "x" * 257, 5])
def test_a_session_that_no_header_can_carry_is_refused(name: str) -> None:
    """At once, where the call is written."""
    model = Router().open()
    calls: list[Callable[[], object]] = [
        lambda: model.chat("x", session=name),
        lambda: model.complete("x", session=name),
        lambda: model.fill("x", session=name),
        lambda: model.edit("x", "y", session=name),
        lambda: model.apply("x", "y", session=name),
    ]
    for call in calls:
        with pytest.raises(InvalidOption, match="session"):
            call()


@pytest.mark.parametrize(
    ("base", "told"),
    [
        (None, "my-org"),
        ("https://router.huggingface.co/groq", "my-org"),
        ("https://x.us-east-1.aws.endpoints.huggingface.cloud/v1", None),
        ("https://models.example.com/v1", None),
        ("http://127.0.0.1:8080/v1", None),
    ],
)
@virtual_time
async def test_who_pays_is_told_to_hugging_face_alone(
    base: str | None, told: str | None
) -> None:
    """The variable is the ecosystem's; an endpoint is anybody's to rent."""
    router = Router()
    await router.open("name", base, env={"HF_BILL_TO": "my-org"}).chat("x")
    assert router.requests[-1].headers.get("x-hf-bill-to") == told


@virtual_time
async def test_a_header_that_is_written_counts_before_the_environment() -> None:
    """And other payers are other accounts."""
    router = Router()
    headers = {"x-hf-bill-to": Secret("theirs")}
    await router.open(headers=headers, env={"HF_BILL_TO": "mine"}).chat("x")
    assert router.requests[-1].headers["x-hf-bill-to"] == "theirs"
    accounts = {
        router.open(env=env)._endpoint.destination.account
        for env in ({}, {"HF_BILL_TO": "mine"}, {"HF_BILL_TO": "other"})
    }
    assert len(accounts) == 3


@virtual_time
async def test_the_users_file_says_who_pays_and_what_may_cost_more(
    tmp_path: Path,
) -> None:
    """Of an entry before the variable; a project's file in the same words does not."""
    entry = f"""\
models:
  - name: m
    provider: huggingfaceinferenceapi
    model: {MODEL}
    apiKey: hf_x
    billTo: file-org
    requestOptions: {{allowDearer: true}}
"""
    user, project = tmp_path / ".bytebuddy" / "config.yaml", tmp_path / "config.yaml"
    for path, payer in ((user, "file-org"), (project, "env-org")):
        path.parent.mkdir(exist_ok=True)
        path.write_text(entry)
        offers = [offer("a"), offer("b", context_length=1), offer("d")]
        router = Router({"a": too_many()}, offers=offers)
        async with ModelRegistry.load(
            cwd=tmp_path,
            home=tmp_path,
            env={"HF_BILL_TO": "env-org"},
            runtime=router.runtime,
        ) as registry:
            assert (await registry.chat("m").chat("x")).provider == "d"  # dearer
            assert any("who pays" in str(w) for w in registry.warnings) is (
                path is project
            )
        payers = {request.headers["x-hf-bill-to"] for request in router.requests}
        assert payers == {payer}
        path.unlink()


@pytest.mark.parametrize("payer", ["two words", "é", "x" * 257, "a\r\nb: c"])
def test_a_payer_that_no_header_can_carry_is_refused(payer: str) -> None:
    """When the model opens."""
    with pytest.raises(InvalidOption, match="Who pays"):
        Router().open(env={"HF_BILL_TO": payer})


PLAIN: Final = Needs(tools=False, structured_output=False, tokens=10)


def test_the_order_is_the_policys() -> None:
    """Unknown speed and unknown price come last; ties keep the catalogue's order."""
    free, one = Price(0, 0), Price(10, 10)
    offers = [
        Offer("left", is_live=True, price=one, throughput=9.0),
        Offer("slow", is_live=True, price=one, throughput=1.0),
        Offer("mute", is_live=True, price=free),
        Offer("dark", is_live=True, throughput=8.0),
        Offer("fast", is_live=True, price=one, throughput=5.0),
    ]

    def order(policy: str, *, dearer: bool) -> list[str]:
        names, left = [], {"left": True}
        while found := next_offer(offers, left, PLAIN, policy, allow_dearer=dearer):  # type: ignore[arg-type]
            names.append(found.provider)
            left[found.provider] = True
        return names

    whole = list(offers)
    assert order("fastest", dearer=True) == ["dark", "fast", "slow", "mute"]
    offers[:] = whole
    assert order("cheapest", dearer=True) == ["mute", "slow", "fast", "dark"]
    offers[:] = whole
    # The first is allowed at any price, for the policy names it; then none is dearer.
    assert order("fastest", dearer=False) == ["dark"]
    offers[:] = [each for each in whole if each.provider != "dark"]
    assert order("fastest", dearer=False) == ["fast", "slow", "mute"]


def test_what_is_remembered_is_bounded() -> None:
    """Sessions and models: those used longest ago go first."""
    memory = ProviderMemory(clock=lambda: 0.0)
    for number in range(3_000):
        memory.pin("key", f"{number}", "a")
        memory.leave(f"{number}", "a", 60)
    assert memory.pinned("key", "1000") is None
    assert memory.pinned("key", "2999") == "a"
    assert (memory.left("1000"), memory.left("2999")) == ({}, {"a": True})
