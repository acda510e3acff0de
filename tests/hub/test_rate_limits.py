"""What hosts tell of their rate limits is read in every form, and kept rarely."""

from __future__ import annotations

import asyncio
import json

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.hub.rate_limits import (
    RateLimit,
    RateMemory,
    last_rate_limit,
    read_rate_limit,
)

HUB = "https://huggingface.co"
FEW = {"ratelimit": '"api";r=9;t=55', "ratelimit-policy": '"fixed window";"api";q=500'}
PLENTY = {"ratelimit": '"api";r=400;t=55'}


@define
class Kept:
    """A store that counts what is written; all of it is five seconds old."""

    values: dict[str, bytes] = field(factory=dict)
    writes: int = 0

    async def get(self, key: str) -> tuple[bytes, float] | None:
        value = self.values.get(key)
        return None if value is None else (value, 5.0)

    def put(self, key: str, answer: bytes) -> None:
        self.writes += 1
        self.values[key] = answer


@define
class World:
    kept: Kept = field(factory=Kept)
    now: float = 0.0
    memory: RateMemory = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.memory = RateMemory(clock=lambda: self.now, store=self.kept)

    def last(self, origin: str = HUB) -> RateLimit | None:
        found = asyncio.run(last_rate_limit(self.kept, origin))
        return None if found is None else found[0]


@pytest.mark.parametrize(
    ("status", "headers", "told"),
    [
        (200, {}, None),
        (429, {}, RateLimit(is_reached=True)),
        (429, {"retry-after": "7"}, RateLimit(is_reached=True, reset=7)),
        (429, {"retry-after": "9" * 400}, RateLimit(is_reached=True)),
        (200, FEW, RateLimit(is_reached=False, remaining=9, limit=500, reset=55)),
        (200, PLENTY, RateLimit(is_reached=False, remaining=400, reset=55)),
        (
            200,
            {"ratelimit": '"day";r=10;t=5000, "minute";r=0;t=20'},
            RateLimit(is_reached=True, remaining=0, reset=20),
        ),
        (
            200,
            {"ratelimit": "limit=100, remaining=1, reset=3"},
            RateLimit(is_reached=False, remaining=1, limit=100, reset=3),
        ),
        (
            200,
            {"ratelimit-remaining": "4", "ratelimit-limit": "9"},
            RateLimit(is_reached=False, remaining=4, limit=9),
        ),
        (
            200,
            {
                "x-ratelimit-remaining-requests": "1",
                "x-ratelimit-limit-requests": "1000",
                "x-ratelimit-reset-requests": "6m0s",
            },
            RateLimit(is_reached=False, remaining=1, limit=1000),
        ),
        (200, {"ratelimit": '"api";r=-1;t=x'}, None),
        (200, {"ratelimit": "٣"}, None),
    ],
)
def test_every_form_is_read(
    status: int, headers: dict[str, str], told: RateLimit | None
) -> None:
    """The window with the least left counts; what is no number is not told."""
    assert read_rate_limit(status, headers) == told


@given(st.dictionaries(st.sampled_from([*FEW, "retry-after"]), st.text()))
def test_whatever_a_server_sends_is_no_error(headers: dict[str, str]) -> None:
    """And can be kept."""
    world = World()
    world.memory.observe(HUB, 429, headers)
    assert world.last() == read_rate_limit(429, headers)


def test_enough_is_not_kept() -> None:
    """A host with room costs no file, however often it is asked."""
    world = World()
    for _ in range(1_000):
        world.now += 0.5
        world.memory.observe(HUB, 200, PLENTY)
    assert (world.kept.writes, world.last()) == (0, None)


def test_one_file_a_minute_is_written() -> None:
    """Of a storm of refusals as well; the first refusal after a warning at once."""
    world = World()
    for _ in range(100):
        world.memory.observe(HUB, 200, FEW)
    assert world.kept.writes == 1
    for _ in range(100):
        world.now += 0.1
        world.memory.observe(HUB, 429, {"retry-after": "3"})
    assert world.kept.writes == 2
    assert world.last() == RateLimit(is_reached=True, reset=3)
    world.now += 60
    world.memory.observe(HUB, 429, {})
    assert world.kept.writes == 3


def test_hosts_without_number_stay_bounded() -> None:
    """Sixteen are followed at a time; others come once those have rested."""
    world = World()
    for number in range(1_000):
        world.memory.observe(f"https://{number}.example", 429, {})
    assert len(world.kept.values) == 16
    world.now += 61
    world.memory.observe(HUB, 429, {})
    assert world.last() == RateLimit(is_reached=True)


@pytest.mark.parametrize(
    "damaged",
    [b"", b"[]", b'{"reached": 1}', b'{"reached": true, "reset": true}', b"\xff"]
    + [json.dumps({"reached": True, "limit": it}).encode() for it in ("9", 1.5, [])],
)
def test_what_was_damaged_was_not_told(damaged: bytes) -> None:
    """Nobody is told half of it."""
    world = World()
    world.memory.observe(HUB, 429, {})
    for key in world.kept.values:
        world.kept.values[key] = damaged
    assert world.last() is None


def test_nothing_that_was_sent_is_kept() -> None:
    """Only four numbers, and the host in the key."""
    world = World()
    world.memory.observe(HUB, 429, {**FEW, "set-cookie": "hf_secret", "x": "hf_secret"})
    ((key, value),) = world.kept.values.items()
    assert key == f"rate limit of {HUB}"
    assert json.loads(value).keys() == {"reached", "remaining", "limit", "reset"}
    assert b"secret" not in value
