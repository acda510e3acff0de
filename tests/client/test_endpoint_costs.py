"""What dedicated endpoints cost: a range, from the state and the last use."""

from __future__ import annotations

import pytest
from attrs import evolve

from bytebuddy_provider_hf.client.endpoint_costs import endpoint_cost, not_metered
from bytebuddy_provider_hf.hub.billing import DedicatedEndpoint

HOUR = 3_600.0
NOW = 1_795_132_800.0
BEGAN = NOW - 100 * HOUR
DOLLAR = 10**9
RUNNING = DedicatedEndpoint(
    "mine",
    "ann",
    state="running",
    replicas=2,
    most_replicas=4,
    idle_after=3_600,
    last_used=NOW - 2 * HOUR,
    created=BEGAN,
    updated=BEGAN,
    hourly=DOLLAR,
)


def cost_of(endpoint: DedicatedEndpoint, *, hours: float = 10) -> tuple[object, ...]:
    found = endpoint_cost(endpoint, since=NOW - hours * HOUR, until=NOW + HOUR, now=NOW)
    return found.per_hour, found.least, found.most


def test_a_running_endpoint_costs_its_replicas() -> None:
    """At least one replica since its last use, at most all of them all the time."""
    assert cost_of(RUNNING) == (2 * DOLLAR, 2 * DOLLAR, 40 * DOLLAR)


def test_it_cost_nothing_before_it_was_made() -> None:
    """The range begins with it."""
    assert cost_of(RUNNING, hours=1_000)[2] == 400 * DOLLAR


@pytest.mark.parametrize("state", ["initializing", "updating"])
def test_a_loading_endpoint_costs_its_first_replica(state: str) -> None:
    """Though none is ready yet."""
    assert cost_of(evolve(RUNNING, state=state, replicas=0))[0] == DOLLAR


def test_the_idle_tail_was_billed() -> None:
    """Scaled to zero: from the last use to the time-out, not since."""
    asleep = evolve(RUNNING, state="scaledToZero", replicas=0)
    # Of ten hours it ran at most nine, on four replicas; surely one, on one.
    assert cost_of(asleep) == (0, DOLLAR, 36 * DOLLAR)


def test_an_endpoint_that_slept_all_the_time_cost_nothing() -> None:
    """Its last use and its tail were before the range."""
    asleep = evolve(RUNNING, state="scaledToZero", last_used=NOW - 50 * HOUR)
    assert cost_of(asleep) == (0, 0, 0)


@pytest.mark.parametrize("state", ["paused", "failed"])
def test_a_paused_endpoint_may_have_run_until_it_was_paused(state: str) -> None:
    """It was paused at its last change at the latest: nothing is sure."""
    paused = evolve(RUNNING, state=state, updated=NOW - 4 * HOUR, idle_after=None)
    assert cost_of(paused) == (0, 0, 24 * DOLLAR)


def test_a_part_of_a_minute_is_billed_as_a_whole_one() -> None:
    """61 seconds are two minutes."""
    used = evolve(RUNNING, last_used=NOW - 61)
    assert cost_of(used)[1] == -(-2 * DOLLAR // 60)


def test_without_a_price_it_is_not_metered() -> None:
    """Unknown is never 0; the sentence says why."""
    found = endpoint_cost(evolve(RUNNING, hourly=None), since=BEGAN, until=NOW, now=NOW)
    assert (found.per_hour, found.least, found.most) == (None, None, None)
    assert "not metered" in str(found.said)


def test_an_endpoint_that_may_not_be_seen_is_named() -> None:
    """By its host: more is not known of it."""
    found = not_metered("https://mine.us-east-1.aws.endpoints.huggingface.cloud")
    assert found.endpoint.name == "mine.us-east-1.aws.endpoints.huggingface.cloud"
    assert found.endpoint.name in str(found.said)
    assert found.most is None
