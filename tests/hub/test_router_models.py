"""The router's catalogue: who serves a model, told once, in time, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
from attrs import define, field

from bytebuddy_provider_hf.address import ROUTER
from bytebuddy_provider_hf.errors import ConnectionRefused
from bytebuddy_provider_hf.hub.router_models import (
    LIMIT,
    Offer,
    RouterCatalogue,
    ServedModel,
    Serving,
    neighbours,
    read_models,
)
from bytebuddy_provider_hf.testing.answers import json_reply
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.transport.http_client import Destination

MODEL = {
    "id": "a/b",
    "providers": [
        {"provider": "groq", "status": "live"},
        {"provider": "novita", "status": "error"},
        {"provider": "together"},
    ],
}
GONE = json_reply({}, status=404)
NONE_LIVE = {"id": "a/b", "providers": [{"provider": "novita", "status": "error"}]}


def listing(*ids: str) -> dict[str, object]:
    live = [{"provider": "groq", "status": "live"}]
    return {"data": [{"id": each, "providers": live} for each in ids]}


@define(eq=False)
class Stand:
    """A catalogue, its router, and the time that went by."""

    replies: Mapping[str, FakeReply] | Callable[[str], FakeReply]
    asked: list[str] = field(factory=list)
    later: float = 0.0
    connect: MemoryConnect = field(init=False)
    catalogue: RouterCatalogue = field(init=False)

    @connect.default
    def _connect(self) -> MemoryConnect:
        return MemoryConnect(self._answer)

    @catalogue.default
    def _catalogue(self) -> RouterCatalogue:
        loop = asyncio.get_running_loop()
        return RouterCatalogue(clock=lambda: loop.time() + self.later)

    async def _answer(self, request: FakeRequest) -> FakeReply:
        self.asked.append(request.path)
        assert "authorization" not in request.headers
        if callable(self.replies):
            return self.replies(request.path)
        return self.replies[request.path]

    async def serving(self, model: str = "a/b", limit: float = LIMIT) -> Serving | None:
        client = self.connect(Destination(ROUTER))
        return await self.catalogue.serving(model, client, limit=limit)


@pytest.mark.parametrize("answer", [MODEL, {"data": [MODEL]}, {"data": MODEL}, [MODEL]])
@virtual_time
async def test_the_catalogue_names_who_serves_the_model(answer: object) -> None:
    """Only providers that are live, whatever the answer is wrapped in."""
    stand = Stand({"/v1/models/a/b": json_reply(answer)})
    assert await stand.serving() == Serving(("groq", "together"))
    assert stand.asked == ["/v1/models/a/b"]
    assert stand.connect.open == 0


@virtual_time
async def test_a_routing_suffix_is_no_part_of_the_id() -> None:
    """Who asks for a/b:groq asks for the model a/b."""
    stand = Stand({"/v1/models/a/b": json_reply(MODEL)})
    assert await stand.serving("a/b:groq") == Serving(("groq", "together"))


@pytest.mark.parametrize("answer", [GONE, json_reply(NONE_LIVE)])
@virtual_time
async def test_where_nobody_serves_it_its_neighbours_are_told(
    answer: FakeReply,
) -> None:
    """Those that are served and spelt alike, the nearest first."""
    served = listing("a/b-instruct", "x/other", "a/b2")
    stand = Stand({"/v1/models/a/b": answer, "/v1/models": json_reply(served)})
    assert await stand.serving() == Serving((), ("a/b2",))


@virtual_time
async def test_an_answer_is_kept_for_five_minutes() -> None:
    """Models and the list of all; then both are asked for again."""
    replies = {"/v1/models/a/b": GONE, "/v1/models": json_reply(listing("a/b2"))}
    stand = Stand(replies)
    first = await stand.serving()
    stand.later = 299.0
    assert await stand.serving() == first
    assert stand.asked == ["/v1/models/a/b", "/v1/models"]
    stand.later = 301.0
    assert await stand.serving() == first
    assert stand.asked == ["/v1/models/a/b", "/v1/models"] * 2


@virtual_time
async def test_a_hundred_at_once_are_one_question() -> None:
    """Also where they ask for two models that nobody serves: the list comes once."""
    served = json_reply(listing("own/model-1b"))
    stand = Stand(lambda path: served if path == "/v1/models" else GONE)
    models = ["own/model-2b", "own/model-3b"] * 50
    found = await asyncio.gather(*(stand.serving(model) for model in models))
    assert all(each == Serving((), ("own/model-1b",)) for each in found)
    assert sorted(stand.asked) == [
        "/v1/models",
        "/v1/models/own/model-2b",
        "/v1/models/own/model-3b",
    ]


@pytest.mark.parametrize(
    "reply",
    [
        json_reply({}, status=500),
        json_reply({"data": []}),
        FakeReply(200, {}, b"<html>"),
        FakeReply(200, {}, b" " * (5 * 1024 * 1024)),
        FakeReply(dropped=True),
        FakeReply(delay=60),
    ],
)
@virtual_time
async def test_a_silent_catalogue_is_silence(reply: FakeReply) -> None:
    """Anything but an answer, or nothing in three seconds, says nothing."""
    stand = Stand({"/v1/models/a/b": reply})
    clock = asyncio.get_running_loop().time
    before = clock()
    assert await stand.serving() is None
    assert clock() - before <= LIMIT + 0.1
    assert await stand.serving() is None
    assert stand.asked == ["/v1/models/a/b"]
    assert stand.connect.open == 0


@pytest.mark.parametrize("reply", [FakeReply(500), FakeReply(delay=60)])
@virtual_time
async def test_without_the_list_nobody_is_still_nobody(reply: FakeReply) -> None:
    """What the first answer said is kept, the neighbours are left out, in time."""
    stand = Stand({"/v1/models/a/b": GONE, "/v1/models": reply})
    clock = asyncio.get_running_loop().time
    before = clock()
    assert await stand.serving() == Serving(())
    assert clock() - before <= LIMIT + 0.1


@virtual_time
async def test_both_questions_share_one_limit() -> None:
    """A router that takes two seconds for each is waited for three in all."""
    slow = FakeReply(404, delay=2.0)
    stand = Stand({"/v1/models/a/b": slow, "/v1/models": FakeReply(delay=2.0)})
    clock = asyncio.get_running_loop().time
    before = clock()
    assert await stand.serving() == Serving(())
    assert clock() - before == pytest.approx(LIMIT, abs=0.1)


@virtual_time
async def test_without_time_only_what_is_kept_is_told() -> None:
    """Nothing is sent, and nothing is taken for unknown."""
    stand = Stand({"/v1/models/a/b": json_reply(MODEL)})
    assert await stand.serving(limit=0) is None
    assert stand.asked == []
    found = await stand.serving()
    assert found is not None
    assert await stand.serving(limit=0) == found


@virtual_time
async def test_without_a_network_nothing_is_known() -> None:
    """No error leaves the look-up."""

    async def refused(_request: FakeRequest) -> FakeReply:
        raise ConnectionRefused("router.huggingface.co refused the connection.")

    catalogue = RouterCatalogue(clock=asyncio.get_running_loop().time)
    channel = MemoryConnect(refused)(Destination(ROUTER))
    assert await catalogue.serving("a/b", channel) is None


@virtual_time
async def test_what_is_no_id_is_not_asked_about() -> None:
    """A server's own names stay here."""
    stand = Stand({})
    for name in ("tgi", "/repository", "a/b/c", "x y/z", "../../etc"):
        assert await stand.serving(name) is None
    assert stand.asked == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"id":"a/b","providers":7}',
        b'{"id":"../x","providers":[]}',
        b"\xff",
        b"[" * 5_000,
    ],
)
def test_any_catalogue_is_models_or_nothing(body: bytes) -> None:
    """The reader is total."""
    assert not read_models(body)


def test_names_that_could_draw_on_a_terminal_are_left_out() -> None:
    """They end in a hint: only a provider's plain name, and only eight of them."""
    hostile = (
        b'{"id":"a/b","providers":[{"provider":"x\\u001b[31m"},{"provider":"ok"}]}'
    )
    assert read_models(hostile) == (ServedModel("a/b", (Offer("ok", is_listed=True),)),)
    many = b",".join(b'{"provider":"p%d"}' % number for number in range(50))
    (found,) = read_models(b'{"id":"a/b","providers":[%s]}' % many) or ()
    assert len(found.providers) == 8


def test_what_nobody_measured_is_unknown() -> None:
    """A number of three hundred digits would be a line of its own."""
    absurd = (
        b'{"id":"a/b","providers":[{"provider":"ok","throughput":1e308,'
        b'"first_token_latency_ms":1e308},{"provider":"so",'
        b'"throughput":276.4,"first_token_latency_ms":210}]}'
    )
    (found,) = read_models(absurd) or ()
    told = [(each.throughput, each.first_token_ms) for each in found.offers]
    assert told == [(None, None), (276.4, 210)]


def test_a_neighbour_is_served_and_is_another() -> None:
    """Neither the model itself nor one that nobody serves."""
    groq = (Offer("groq", is_listed=True),)
    served = [
        ServedModel("meta-llama/Llama-3.1-8B", groq),
        ServedModel("meta-llama/Llama-3.1-8B-Instruct", groq),
        ServedModel("meta-llama/Llama-3.1-70B-Instruct", ()),
        ServedModel("Qwen/Qwen3-32B", groq),
    ]
    found = neighbours("meta-llama/llama-3.1-8B", served)
    assert found == ("meta-llama/Llama-3.1-8B-Instruct",)
