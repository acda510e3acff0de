"""The cold gate as what it is: a state machine."""

from __future__ import annotations

import pytest
from attrs import define
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from bytebuddy_provider_hf.transport.coldstart import FIRST_LOOK, ColdGate

LIMIT = 8
LONGEST = 11.0


@define(eq=False)
class Request:
    sent_at: float
    look: int


class Gate(RuleBasedStateMachine):
    """Callers that send when they may, and servers that answer anything."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.gate = ColdGate(jitter=lambda: 0.5)
        self.flying: list[Request] = []

    @rule(seconds=st.floats(0, 30))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: len(self.flying) < LIMIT)
    @rule()
    def send(self) -> None:
        if self.gate.allows(now=self.now, active=len(self.flying)):
            self.flying.append(Request(self.now, self.gate.sent()))

    @precondition(lambda self: self.flying)
    @rule(
        data=st.data(),
        estimate=st.none() | st.floats(0.1, 2_000),
    )
    def cold(self, data: st.DataObject, estimate: float | None) -> None:
        request = self._land(data)
        current = self.gate.cold and request.look == self.gate._episode
        self.gate.on_cold(
            now=self.now,
            sent_at=request.sent_at,
            estimate=estimate,
            look=request.look,
        )
        if current:
            assert self.gate.cold
            wait = self.gate.next_look - self.now
            assert FIRST_LOOK <= wait <= max(LONGEST, 1.05 * (estimate or 0))

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def ready(self, data: st.DataObject) -> None:
        self._land(data)
        self.gate.on_ready(now=self.now, limit=LIMIT)
        assert not self.gate.cold
        assert self.gate.allows(now=self.now, active=0)

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), cancelled=st.booleans())
    def gone(self, data: st.DataObject, cancelled: bool) -> None:
        request = self._land(data)
        current = self.gate.cold and request.look == self.gate._episode
        if request.look:
            self.gate.on_gone(now=self.now, cancelled=cancelled, look=request.look)
            if cancelled and current:
                assert self.gate.allows(now=self.now, active=0)

    def _land(self, data: st.DataObject) -> Request:
        request = data.draw(st.sampled_from(self.flying))
        self.flying.remove(request)
        return request

    @invariant()
    def one_looks_at_a_time(self) -> None:
        if self.gate.cold:
            episode = self.gate._episode
            assert sum(request.look == episode for request in self.flying) <= 1

    @invariant()
    def nobody_waits_for_ever(self) -> None:
        """Open at a time it knows, when it is closed and nobody looks."""
        episode = self.gate._episode
        looking = any(request.look == episode for request in self.flying)
        if self.gate.cold and not looking:
            assert self.gate.allows(
                now=max(self.now, self.gate.next_look), active=len(self.flying)
            )

    @invariant()
    def open_means_open(self) -> None:
        if not self.gate.cold:
            assert self.gate.allows(now=self.now, active=0)

    @invariant()
    def an_estimate_never_rises_by_itself(self) -> None:
        now, later = self.gate.estimate(self.now), self.gate.estimate(self.now + 5)
        assert (now is None) == (later is None)
        if now is not None and later is not None:
            assert 0 <= later <= now


Gate.TestCase.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None
)
TestGate = Gate.TestCase


def test_the_release_doubles() -> None:
    """2, 4, 8 at once after the model is ready, then no bound of the gate's."""
    gate = ColdGate(jitter=lambda: 0.0)
    gate.on_cold(now=0, sent_at=0, estimate=None, look=0)
    assert gate.sent()
    gate.on_ready(now=1, limit=16)
    allowed = []
    for _ in range(4):
        allowed.append(
            next((n for n in range(99) if not gate.allows(now=1, active=n)), 99)
        )
        gate.on_ready(now=1, limit=16)
    assert allowed == [2, 4, 8, 99]


def test_an_answer_from_before_it_was_ready_closes_nothing() -> None:
    """A 503 that was on its way when the model became ready is old news."""
    gate = ColdGate(jitter=lambda: 0.0)
    gate.on_cold(now=0, sent_at=0, estimate=None, look=0)
    gate.on_ready(now=10, limit=8)
    gate.on_cold(now=11, sent_at=5, estimate=None, look=0)
    assert not gate.cold


@pytest.mark.parametrize(
    ("first", "second", "wait"),
    [(20.0, 20.0, 1.5), (20.0, 19.0, 19.0), (20.0, 18.0, 18.0), (20.0, 30.0, 1.5)],
)
def test_only_an_estimate_that_counts_down_is_believed(
    first: float, second: float, wait: float
) -> None:
    """After one second: 19 was counted down, 20 stands still, 30 went up."""
    gate = ColdGate(jitter=lambda: 0.0)
    gate.on_cold(now=0, sent_at=0, estimate=first, look=0)
    assert gate.next_look == FIRST_LOOK
    assert gate.sent()
    gate.on_cold(now=1, sent_at=1, estimate=second, look=1)
    assert gate.next_look == pytest.approx(1 + wait)
