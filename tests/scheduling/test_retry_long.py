"""Decisions over many values: 2,000 here, a million in the long run.

The long run (BYTEBUDDY_LONG=1) takes some minutes. What is expected is worked out here
once more, from the written formulas and from exact fractions.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction

import pytest
from attrs import frozen
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rounds import rounds

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.failures.classify import classify
from bytebuddy_provider_hf.scheduling.retry import RetryBudget, RetryState, decide

VALUES = rounds(2_000, long=1_000_000)
AT_ONCE, AT_A_TIME = 100, 50_000
TARGET = resolve("a/b")
DATE = "Fri, 29 Sep 2023 16:26:37 GMT"


@frozen
class Case:
    """A refusal, and the moment at which it is decided about."""

    status: int
    header: str
    text: str
    attempt: int
    left: float
    u: float
    spent: int


TEXTS = st.one_of(
    st.text(max_size=20),
    st.integers().map(str),
    st.integers(-5, 130).map(str),
    st.floats().map(str),
    st.floats(0, 130).map(str),
    st.tuples(st.integers(0, 2), st.integers(-9, 10**12)).map(
        lambda window: f'"api";r={window[0]};t={window[1]}'
    ),
    st.datetimes().map(lambda date: date.strftime("%a, %d %b %Y %H:%M:%S GMT")),
    st.integers(0, 59).map(lambda s: f"Fri, 29 Sep 2023 16:27:{s:02} GMT"),
)
EVERY = st.lists(
    st.tuples(TEXTS, st.integers(0, 2**32 - 1)), min_size=AT_ONCE, max_size=AT_ONCE
)


def case(text: str, number: int) -> Case:
    """Return the case of a header's text and a number, which stands for the rest."""
    chance = random.Random(number)
    return Case(
        status=chance.choice([429, 500, 503, 504, 400]),
        header=chance.choice(["retry-after", "retry-after-ms", "ratelimit"]),
        text=text,
        attempt=chance.randint(1, 4),
        left=chance.choice([0.0, 0.5, chance.uniform(0, 10), chance.uniform(0, 700)]),
        u=chance.choice([0.0, 1.0, chance.random()]),
        spent=chance.choice([0, chance.randint(0, 500), chance.randint(480, 500)]),
    )


def backoff_of(status: int, attempt: int, u: Fraction) -> Fraction:
    """Return the delay without a hint before attempt ``attempt + 1``."""
    doubled = 2 ** (attempt - 1)
    if status == 429:
        return min(Fraction(20), Fraction(doubled)) * (1 + u) / 2
    return min(Fraction(8), Fraction(doubled, 2)) * u


def expected(of: Case, hint: float | None) -> Fraction | None:
    """Return the delay of the formulas, or nothing where they give up."""
    if of.status == 400 or of.attempt >= 3 or (hint is not None and hint > 120):
        return None
    u = Fraction(of.u)
    delay = backoff_of(of.status, of.attempt, u)
    if hint is not None:
        spread = u * Fraction(hint) / 10 if hint >= 10 else Fraction(0)
        delay = Fraction(hint) + min(Fraction(10), spread)
        if of.attempt > 1:
            # Refused again: at least what it would wait without a hint.
            delay = max(delay, backoff_of(of.status, of.attempt - 1, u))
    cost = 5 if of.status == 429 else 14
    return delay if delay < of.left and cost <= 500 - of.spent else None


def check(of: Case) -> bool:
    """Compare, and return whether it was slept."""
    headers = {of.header: of.text, "date": DATE}
    error = classify(of.status, headers, b"", TARGET)
    hint = error.retry_after
    assert hint is None or hint > 0
    budget = RetryBudget()
    budget.left -= of.spent
    state = RetryState(attempt=of.attempt, max_attempts=3, left=of.left)
    found = decide(error, state, budget=budget, jitter=lambda: of.u)
    right = expected(of, hint)
    if found is None or right is None:
        # Only a delay that equals the time left, but for rounding, may differ.
        near = right is not None and float(right) == pytest.approx(of.left)
        assert found is right or near
        return False
    assert found.delay == pytest.approx(float(right), rel=1e-12, abs=1e-12)
    assert 0 <= found.delay < of.left
    assert found.delay <= 130
    assert found.delay >= 0.5 or hint or of.status != 429
    assert (found.applies_to_origin > 0) == (hint is not None)
    assert found.applies_to_origin <= found.delay
    assert budget.left == 500 - of.spent - found.cost
    return True


@pytest.mark.timeout(3_600)
def test_every_decision_is_that_of_the_formulas(figure: Callable[[str], None]) -> None:
    """Any header: total, within its range, no hot loop, never beyond the deadline."""
    counted = slept = 0

    @settings(
        max_examples=min(VALUES, AT_A_TIME) // AT_ONCE,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(EVERY)
    def run(drawn: list[tuple[str, int]]) -> None:
        nonlocal counted, slept
        for text, number in drawn:
            counted += 1
            slept += check(case(text, number))

    # Hypothesis keeps what it tried until a run ends: a gigabyte for all at once.
    for _ in range(0, VALUES, AT_A_TIME):
        run()
    assert counted >= VALUES
    figure(f"{counted:,} values, {slept:,} of them slept")
    assert slept > counted / 20


def test_credits_are_never_slept_for() -> None:
    """A hint does not make them come back."""
    error = errors.QuotaExhausted("x", status=429, retry_after=5)
    state = RetryState(attempt=1, max_attempts=3, left=600)
    assert decide(error, state, budget=RetryBudget(), jitter=lambda: 0.5) is None
