"""The cold start as what it is: a state machine."""

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
from rounds import rounds

from bytebuddy_provider_hf.scheduling.cold_start import (
    FIRST_PROBE_AFTER,
    PROBE_SILENCE,
    ColdStart,
)

LIMIT = 8
LONGEST = 11.0


@define(eq=False)
class Request:
    sent_at: float
    probe_id: int


class Gate(RuleBasedStateMachine):
    """Callers that send when they may, and servers that answer anything."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.gate = ColdStart(jitter=lambda: 0.5)
        self.flying: list[Request] = []

    @rule(seconds=st.floats(0, 30))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: len(self.flying) < LIMIT)
    @rule()
    def send(self) -> None:
        if self.gate.allows(now=self.now, unanswered=len(self.flying)):
            cold = self.gate.cold
            probe_id = self.gate.on_probe_sent(now=self.now) if cold else 0
            self.flying.append(Request(self.now, probe_id))

    @precondition(lambda self: self.flying)
    @rule(
        data=st.data(),
        estimate=st.none() | st.floats(0.1, 2_000),
    )
    def cold(self, data: st.DataObject, estimate: float | None) -> None:
        request = self._land(data)
        current = self._probes(request)
        self.gate.on_cold(
            now=self.now,
            sent_at=request.sent_at,
            estimate=estimate,
            probe_id=request.probe_id,
        )
        if current:
            assert self.gate.cold
            wait = self.gate.next_probe_at - self.now
            assert FIRST_PROBE_AFTER <= wait <= max(LONGEST, 1.05 * (estimate or 0))

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def ready(self, data: st.DataObject) -> None:
        self._land(data)
        self.gate.on_ready(now=self.now, limit=LIMIT)
        assert not self.gate.cold
        assert self.gate.allows(now=self.now, unanswered=0)

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), cancelled=st.booleans())
    def gone(self, data: st.DataObject, cancelled: bool) -> None:
        request = self._land(data)
        current = self._probes(request)
        if request.probe_id:
            self.gate.on_probe_lost(
                now=self.now, cancelled=cancelled, probe_id=request.probe_id
            )
            if cancelled and current:
                assert self.gate.allows(now=self.now, unanswered=0)

    def _land(self, data: st.DataObject) -> Request:
        request = data.draw(st.sampled_from(self.flying))
        self.flying.remove(request)
        return request

    def _probes(self, request: Request) -> bool:
        """Whether it is the probe that keeps the schedule."""
        return self.gate.cold and 0 < request.probe_id == self.gate._probe_id

    @invariant()
    def one_probes_at_a_time(self) -> None:
        """Another is let through only after a probe was silent for its time."""
        looks = [request for request in self.flying if self._probes(request)]
        assert len(looks) <= 1
        for look in looks:
            early = look.sent_at + PROBE_SILENCE - 0.001
            assert not self.gate.allows(now=early, unanswered=0)

    @invariant()
    def nobody_waits_for_ever(self) -> None:
        """Open at a time it knows, when it is closed; silence does not keep it so."""
        if self.gate.cold:
            assert self.gate.next_probe_at <= self.now + max(
                PROBE_SILENCE, LONGEST, 1.05 * 2_000
            )
            assert self.gate.allows(
                now=max(self.now, self.gate.next_probe_at), unanswered=len(self.flying)
            )

    @invariant()
    def open_means_open(self) -> None:
        if not self.gate.cold:
            assert self.gate.allows(now=self.now, unanswered=0)

    @invariant()
    def an_estimate_never_rises_by_itself(self) -> None:
        now, later = self.gate.estimate(self.now), self.gate.estimate(self.now + 5)
        assert (now is None) == (later is None)
        if now is not None and later is not None:
            assert 0 <= later <= now


Gate.TestCase.settings = settings(
    max_examples=rounds(60, long=2_000), stateful_step_count=40, deadline=None
)
TestGate = Gate.TestCase


def test_the_release_doubles() -> None:
    """2, 4, 8 unanswered after the model is ready, then no bound of its own."""
    cold_start = ColdStart(jitter=lambda: 0.0)
    cold_start.on_cold(now=0, sent_at=0, estimate=None, probe_id=0)
    assert cold_start.on_probe_sent(now=0)
    cold_start.on_ready(now=1, limit=16)
    allowed = []
    for _ in range(4):
        allowed.append(
            next(
                (n for n in range(99) if not cold_start.allows(now=1, unanswered=n)), 99
            )
        )
        for _ in range(allowed[-1]):
            cold_start.on_ready(now=1, limit=16)
    assert allowed == [2, 4, 8, 99]


def test_an_answer_from_before_it_was_ready_closes_nothing() -> None:
    """A 503 that was on its way when the model became ready is old news."""
    cold_start = ColdStart(jitter=lambda: 0.0)
    cold_start.on_cold(now=0, sent_at=0, estimate=None, probe_id=0)
    cold_start.on_ready(now=10, limit=8)
    cold_start.on_cold(now=11, sent_at=5, estimate=None, probe_id=0)
    assert not cold_start.cold


@pytest.mark.parametrize(
    ("first", "second", "wait"),
    [(20.0, 20.0, 1.5), (20.0, 19.0, 19.0), (20.0, 18.0, 18.0), (20.0, 30.0, 1.5)],
)
def test_only_an_estimate_that_counts_down_is_believed(
    first: float, second: float, wait: float
) -> None:
    """After one second: 19 was counted down, 20 stands still, 30 went up."""
    cold_start = ColdStart(jitter=lambda: 0.0)
    cold_start.on_cold(now=0, sent_at=0, estimate=first, probe_id=0)
    assert cold_start.next_probe_at == FIRST_PROBE_AFTER
    assert cold_start.on_probe_sent(now=1)
    cold_start.on_cold(now=1, sent_at=1, estimate=second, probe_id=1)
    assert cold_start.next_probe_at == pytest.approx(1 + wait)


def test_a_probe_that_hears_nothing_is_joined_by_another() -> None:
    """After 15 s; the late answer of the first counts no more, the second's does."""
    cold_start = ColdStart(jitter=lambda: 0.0)
    cold_start.on_cold(now=0, sent_at=0, estimate=None, probe_id=0)
    first = cold_start.on_probe_sent(now=1)
    assert not cold_start.allows(now=1 + PROBE_SILENCE - 0.1, unanswered=1)
    assert cold_start.allows(now=1 + PROBE_SILENCE, unanswered=1)
    second = cold_start.on_probe_sent(now=20)
    cold_start.on_cold(now=21, sent_at=1, estimate=None, probe_id=first)
    assert cold_start.next_probe_at == 20 + PROBE_SILENCE
    cold_start.on_cold(now=22, sent_at=20, estimate=None, probe_id=second)
    assert cold_start.next_probe_at == pytest.approx(22 + 1.5)


def test_a_model_never_seen_is_asked_by_eight_whatever_others_allow() -> None:
    """The permits of other models may have grown; its first answer frees its own."""
    cold_start = ColdStart(jitter=lambda: 0.0)
    assert cold_start.allows(now=0, unanswered=7)
    assert not cold_start.allows(now=0, unanswered=8)
    cold_start.on_ready(now=0, limit=32)
    assert cold_start.allows(now=0, unanswered=500)
