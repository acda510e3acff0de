"""Asking the Hub: once, in time, and without ever failing a call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest
from attrs import define, field

from bytebuddy_provider_hf.errors import ConnectionRefused
from bytebuddy_provider_hf.hub.model_facts import ModelFacts
from bytebuddy_provider_hf.hub.models_api import HUB, LIMIT, HubCatalogue
from bytebuddy_provider_hf.testing.answers import json_reply
from bytebuddy_provider_hf.testing.failures import unauthorized
from bytebuddy_provider_hf.testing.memory import MemoryClient, MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.transport.http_client import Destination

NEW = "somebody/new"
DAY = 86_400.0


@define(eq=False)
class Hub:
    """A Hub that answers as it is told, and what it was asked."""

    reply: FakeReply | Callable[[str], FakeReply] = field(
        factory=lambda: json_reply({"id": NEW, "pipeline_tag": "fill-mask"})
    )
    asked: list[str] = field(factory=list)

    async def __call__(self, request: FakeRequest) -> FakeReply:
        self.asked.append(request.path)
        assert "authorization" not in request.headers
        return (
            self.reply
            if isinstance(self.reply, FakeReply)
            else self.reply(request.path)
        )


@define(eq=False)
class Stand:
    hub: Hub = field(factory=Hub)
    later: float = 0.0
    connect: MemoryConnect = field(init=False)
    catalogue: HubCatalogue = field(init=False)

    @connect.default
    def _connect(self) -> MemoryConnect:
        return MemoryConnect(self.hub)

    @catalogue.default
    def _catalogue(self) -> HubCatalogue:
        loop = asyncio.get_running_loop()
        return HubCatalogue(clock=lambda: loop.time() + self.later)

    @property
    def channel(self) -> MemoryClient:
        return self.connect(Destination(HUB))

    async def facts(self, model: str = NEW, limit: float = LIMIT) -> ModelFacts | None:
        return await self.catalogue.facts(model, self.channel, limit=limit)

    @property
    def times(self) -> int:
        return len(self.hub.asked)


@virtual_time
async def test_a_model_is_asked_about_once_a_day() -> None:
    """Facts are kept with their age."""
    stand = Stand()
    first = await stand.facts()
    assert first is not None
    assert first.pipeline_tag == "fill-mask"
    stand.later += DAY - 1
    assert await stand.facts() is first
    assert stand.times == 1
    stand.later += 2
    assert await stand.facts() == first
    assert stand.times == 2
    assert stand.connect.open == 0


@virtual_time
async def test_a_hundred_at_once_are_one_question() -> None:
    """Whoever asks meanwhile waits for that answer."""
    stand = Stand(Hub(FakeReply(body=json.dumps({"id": NEW}).encode(), delay=1.0)))
    found = await asyncio.gather(*(stand.facts() for _ in range(100)))
    assert stand.times == 1
    assert all(each is found[0] for each in found)
    assert found[0] is not None


@virtual_time
async def test_a_question_given_up_is_asked_by_who_waits() -> None:
    """A cancelled caller takes nobody with it."""
    stand = Stand(Hub(FakeReply(body=json.dumps({"id": NEW}).encode(), delay=1.0)))
    first = asyncio.create_task(stand.facts())
    second = asyncio.create_task(stand.facts())
    await asyncio.sleep(0.5)
    first.cancel()
    assert await second is not None
    assert first.cancelled()
    assert stand.times == 2
    assert stand.connect.open == 0


@pytest.mark.parametrize(
    "reply",
    [
        unauthorized(),
        FakeReply(404),
        FakeReply(500, body=b"<html>"),
        FakeReply(body=b"<html>"),
        FakeReply(body=b'{"id": "somebody/new"}', cut=5),
        FakeReply(dropped=True),
        FakeReply(body=b" " * (5 * 1024 * 1024)),
        FakeReply(307),
        FakeReply(307, headers={"Location": "https://evil.example/api/models/a/b"}),
        FakeReply(307, headers={"Location": "/api/models/../../x"}),
    ],
)
@virtual_time
async def test_a_failure_is_nothing_known_for_a_minute(reply: FakeReply) -> None:
    """Of whatever kind: no error, and no second try at once."""
    stand = Stand(Hub(reply))
    assert await stand.facts() is None
    await asyncio.sleep(59)
    assert await stand.facts() is None
    assert stand.times == 1
    await asyncio.sleep(2)
    stand.hub.reply = json_reply({"id": NEW})
    assert await stand.facts() is not None
    assert stand.connect.open == 0


@virtual_time
async def test_a_hub_that_is_not_reached_is_nothing_known() -> None:
    """A machine without a way to the internet works all the same."""

    async def refused(_request: FakeRequest) -> FakeReply:
        raise ConnectionRefused("huggingface.co refused the connection.")

    connect = MemoryConnect(refused)
    catalogue = HubCatalogue(clock=asyncio.get_running_loop().time)
    client = connect(Destination(HUB))
    assert await catalogue.facts(NEW, client) is None
    assert await catalogue.facts(NEW, client) is None
    assert connect.sent == 1


@virtual_time
async def test_a_silent_hub_is_waited_for_ten_seconds() -> None:
    """And then not again for a minute."""
    stand = Stand(Hub(FakeReply(delay=3_600.0)))
    clock = asyncio.get_running_loop().time
    before = clock()
    assert await stand.facts() is None
    assert clock() - before == pytest.approx(10.0)
    assert await stand.facts() is None
    assert stand.times == 1
    assert stand.connect.open == 0


@virtual_time
async def test_who_has_less_time_waits_less() -> None:
    """And leaves the question of another to its end."""
    stand = Stand(Hub(FakeReply(body=json.dumps({"id": NEW}).encode(), delay=5.0)))
    patient = asyncio.create_task(stand.facts())
    await asyncio.sleep(0)
    assert await stand.facts(limit=1.0) is None
    assert await patient is not None
    assert await stand.facts(limit=1.0) is not None
    assert stand.times == 1


@virtual_time
async def test_an_answer_that_stops_halfway_is_closed() -> None:
    """Its connection is not left open for ever."""
    stand = Stand(Hub(FakeReply(body=json.dumps({"id": NEW}).encode(), stall=5)))
    assert await stand.facts() is None
    assert stand.connect.open == 0


@virtual_time
async def test_who_gives_up_early_does_not_speak_for_the_hub() -> None:
    """While another still waits, whoever comes joins that one."""
    stand = Stand(Hub(FakeReply(body=json.dumps({"id": NEW}).encode(), delay=5.0)))
    patient = asyncio.create_task(stand.facts())
    await asyncio.sleep(0)
    assert await stand.facts(limit=1.0) is None
    assert await stand.facts() is not None
    assert await patient is not None
    assert stand.times == 1


@virtual_time
async def test_a_renamed_model_is_followed_once() -> None:
    """307 with a relative Location: the facts are those of the present id."""

    def renamed(path: str) -> FakeReply:
        if path == "/api/models/old/name":
            return FakeReply(307, headers={"Location": "/api/models/new/name"})
        return json_reply({"id": "new/name"})

    stand = Stand(Hub(renamed))
    found = await stand.facts("old/name")
    assert found is not None
    assert found.id == "new/name"
    assert stand.hub.asked == ["/api/models/old/name", "/api/models/new/name"]


@virtual_time
async def test_a_circle_of_names_ends() -> None:
    """One renaming is followed, not two."""
    stand = Stand(Hub(FakeReply(307, headers={"Location": f"/api/models/{NEW}"})))
    assert await stand.facts() is None
    assert stand.times == 2


@virtual_time
async def test_what_is_no_id_is_not_asked_about() -> None:
    """Names of a server's own stay here."""
    stand = Stand()
    for name in ("tgi", "/repository", "a/b/c", "x y/z", "../../etc"):
        assert await stand.facts(name) is None
    assert stand.times == 0


@virtual_time
async def test_what_is_kept_is_bounded() -> None:
    """The oldest go."""
    stand = Stand(Hub(lambda path: json_reply({"id": path[len("/api/models/") :]})))
    for number in range(300):
        await stand.facts(f"o/n{number}")
    assert len(stand.catalogue._facts._kept) <= 256
    assert not stand.catalogue._facts._asking
    await stand.facts("o/n299")
    assert stand.times == 300
    await stand.facts("o/n0")
    assert stand.times == 301
