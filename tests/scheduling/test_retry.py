"""The rules of trying again: pure decisions, so every rule is a table."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.failures.classify import classify
from bytebuddy_provider_hf.failures.retry_after import requested_wait
from bytebuddy_provider_hf.scheduling.retry import (
    LONGEST_HINT,
    FailureKind,
    RetryBudget,
    RetryState,
    backoff,
    decide,
    failure_kind,
)

TARGET = resolve("a/b")


def highest() -> float:
    return 1.0


def lowest() -> float:
    return 0.0


def delay(
    error: errors.ByteBuddyError,
    *,
    attempt: int = 1,
    left: float = 600.0,
    u: float = 0.0,
) -> float | None:
    state = RetryState(attempt=attempt, max_attempts=3, left=left)
    retry = decide(error, state, budget=RetryBudget(), jitter=lambda: u)
    return None if retry is None else retry.delay


def answer(status: int, **headers: str) -> errors.APIError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return classify(status, named, b"", TARGET)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, FailureKind.FATAL),
        (401, FailureKind.FATAL),
        (402, FailureKind.FATAL),
        (403, FailureKind.FATAL),
        (404, FailureKind.FATAL),
        (405, FailureKind.FATAL),
        (408, FailureKind.TRANSIENT),
        (409, FailureKind.FATAL),
        (410, FailureKind.FATAL),
        (413, FailureKind.FATAL),
        (422, FailureKind.FATAL),
        (424, FailureKind.FATAL),
        (425, FailureKind.TRANSIENT),
        (429, FailureKind.THROTTLED),
        (500, FailureKind.TRANSIENT),
        (501, FailureKind.FATAL),
        (502, FailureKind.TRANSIENT),
        (503, FailureKind.TRANSIENT),
        (504, FailureKind.TRANSIENT),
        (302, FailureKind.FATAL),
        (499, FailureKind.TRANSIENT),
        *((status, FailureKind.TRANSIENT) for status in range(520, 528)),
        (529, FailureKind.THROTTLED),
        (530, FailureKind.TRANSIENT),
    ],
)
def test_each_status_has_its_kind(status: int, kind: FailureKind) -> None:
    """What is not known to pass by itself is fatal."""
    assert failure_kind(answer(status)) is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.ModelLoading(""), FailureKind.COLD),
        (errors.ServerOverloaded(""), FailureKind.THROTTLED),
        (errors.ConnectionLost(""), FailureKind.AMBIGUOUS),
        (errors.StreamInterrupted(""), FailureKind.AMBIGUOUS),
        (errors.ConnectionRefused(""), FailureKind.TRANSIENT),
        (errors.ConnectTimeout(""), FailureKind.TRANSIENT),
        (errors.HostUnreachable(""), FailureKind.TRANSIENT),
        (errors.HostLookupFailed(""), FailureKind.TRANSIENT),
        (errors.HostNotFound(""), FailureKind.FATAL),
        (errors.TlsFailed(""), FailureKind.FATAL),
        (errors.ProxyFailed(""), FailureKind.TRANSIENT),
        (errors.ProxyFailed("", status=502), FailureKind.TRANSIENT),
        (errors.ProxyFailed("", status=403), FailureKind.FATAL),
        (errors.ProxyAuthenticationFailed("", status=407), FailureKind.FATAL),
        (errors.DeadlineExceeded(""), FailureKind.FATAL),
        (errors.IdleTimeout(""), FailureKind.FATAL),
        (errors.MalformedResponse(""), FailureKind.FATAL),
        (errors.ResponseTooLarge(""), FailureKind.FATAL),
        (errors.StreamFailed(""), FailureKind.FATAL),
        (errors.QuotaExhausted("", status=429), FailureKind.FATAL),
    ],
)
def test_each_failure_without_status_has_its_kind(
    error: errors.ByteBuddyError, kind: FailureKind
) -> None:
    """Names that do not exist and certificates do not mend by asking again."""
    assert failure_kind(error) is kind


def test_the_law_of_backoff() -> None:
    """Full jitter on 0.5, 1, 2, 4, 8, 8; from half on 1, 2, 4, 8, 16, 20, 20."""
    steps = range(1, 8)
    transient = [backoff(FailureKind.TRANSIENT, n, jitter=highest) for n in steps]
    assert transient == [0.5, 1, 2, 4, 8, 8, 8]
    throttled = [backoff(FailureKind.THROTTLED, n, jitter=highest) for n in steps]
    assert throttled == [1, 2, 4, 8, 16, 20, 20]
    assert backoff(FailureKind.TRANSIENT, 3, jitter=lowest) == 0
    assert backoff(FailureKind.THROTTLED, 3, jitter=lowest) == 2
    assert backoff(FailureKind.TRANSIENT, 10**6, jitter=highest) == 8


def test_backoff_is_uniform() -> None:
    """10,000 delays spread evenly: a Kolmogorov-Smirnov distance below its bound."""
    chance = random.Random(7)
    count = 10_000
    delays = sorted(
        backoff(FailureKind.TRANSIENT, 4, jitter=chance.random) / 4
        for _ in range(count)
    )
    distance = max(
        max(abs(n / count - value), abs((n + 1) / count - value))
        for n, value in enumerate(delays)
    )
    assert distance < 1.63 / math.sqrt(count)  # p = 0.01


DATE = "Fri, 29 Sep 2023 16:26:37 GMT"


# openai-python's own table (tests/test_client.py), with its base of 0.5 s read as
# ours: what it does not sleep it backs off from, above 120 s it gives up.
@pytest.mark.parametrize(
    ("hint", "slept"),
    [
        ("20", 20),
        ("0", 0.5),
        ("-10", 0.5),
        ("60", 60),
        ("61", 61),
        ("120", 120),
        ("121", None),
        ("Fri, 29 Sep 2023 16:26:57 GMT", 20),
        ("Fri, 29 Sep 2023 16:26:37 GMT", 0.5),
        ("Fri, 29 Sep 2023 16:26:27 GMT", 0.5),
        ("Fri, 29 Sep 2023 16:27:37 GMT", 60),
        ("Fri, 29 Sep 2023 16:27:38 GMT", 61),
        ("Fri, 29 Sep 2023 16:28:37 GMT", 120),
        ("Fri, 29 Sep 2023 16:28:38 GMT", None),
        ("99999999999999999999999999999999999", None),
        ("inf", 0.5),
        ("-inf", 0.5),
        ("nan", 0.5),
        ("1e309", 0.5),
        ("Zun, 29 Sep 2023 16:26:27 GMT", 0.5),
        ("Fri, 29 Sep 100000 16:26:27 GMT", 0.5),
        ("", 0.5),
        ("soon", 0.5),
    ],
)
def test_retry_after_of_every_form(hint: str, slept: float | None) -> None:
    """Seconds and dates up to 120 s are slept; nonsense is backed off from."""
    error = answer(429, retry_after=hint, date=DATE)
    waited = delay(error)
    assert waited == slept
    assert waited is None or waited > 0


@pytest.mark.parametrize(
    ("attempt", "slept"), [(1, 0.5), (2, 1.0), (3, None), (-1100, 0.5), (10**9, None)]
)
def test_the_attempts_are_counted(attempt: int, slept: float | None) -> None:
    """Three in all; a count out of any range is no crash."""
    assert delay(answer(429), attempt=attempt) == slept


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "0", "retry-after": "3"}, 3),
        ({"retry-after-ms": "x", "retry-after": "3"}, 3),
        ({"ratelimit": '"api";r=0;t=55'}, 55),
        ({"ratelimit": '"api";r=1;t=55'}, None),
        ({"ratelimit": '"api";r=0;t=5, "pages";r=0;t=50, "x";r=3;t=99'}, 50),
        ({"ratelimit": '"api";r=0;t=55', "retry-after": "9"}, 9),
        ({"ratelimit": '"api"; r=0; t=55'}, 55),
        ({"ratelimit": '"api";r=0;t=' + "9" * 30}, None),
        ({"ratelimit": ""}, None),
    ],
)
def test_the_other_hints(headers: dict[str, str], seconds: float | None) -> None:
    """retry-after-ms first, then Retry-After, then an exhausted RateLimit window."""
    assert requested_wait(headers) == seconds


def test_a_long_hint_is_spread_and_a_short_one_is_believed() -> None:
    """From 10 s on: hint + U(0, a tenth of it), as other processes wait for it too."""
    long, short = answer(429, retry_after="50"), answer(429, retry_after_ms="100")
    assert delay(long, u=0.0) == 50
    assert delay(long, u=1.0) == 55
    assert delay(short, u=1.0) == 0.1


def test_who_is_refused_again_waits_as_long_as_without_a_hint() -> None:
    """A server that always says 0.1 s is not asked ten times a second."""
    short = answer(429, retry_after_ms="100")
    assert delay(short, attempt=2, u=0.0) == 0.5
    state = RetryState(attempt=2, max_attempts=3, left=600)
    found = decide(short, state, budget=RetryBudget(), jitter=lowest)
    assert found is not None
    assert found.applies_to_origin == 0.1


def test_a_hint_beyond_120_s_is_raised_with_its_time() -> None:
    """Hours and days are the caller's to wait; the error carries them."""
    error = answer(429, retry_after="3600")
    assert delay(error) is None
    assert error.retry_after == 3600


def test_nothing_is_slept_that_ends_after_the_call() -> None:
    """A sleep that must fail is not begun."""
    assert delay(answer(429, retry_after="20"), left=20) is None
    assert delay(answer(429, retry_after="20"), left=21) == 20
    assert delay(answer(500), left=0.4, u=1.0) is None


@pytest.mark.parametrize(
    ("verdict", "status", "tried"),
    [("true", 422, True), ("false", 503, False), ("maybe", 503, True)],
)
def test_the_servers_own_verdict_counts(verdict: str, status: int, tried: bool) -> None:
    """x-should-retry overrides the class, never attempts, budget or deadline."""
    error = answer(status, x_should_retry=verdict)
    assert (delay(error) is not None) is tried
    assert delay(error, attempt=3) is None


def test_the_budget_of_an_outage() -> None:
    """35 retries and no more, however many callers ask; successes refill it."""
    budget = RetryBudget()
    state = RetryState(attempt=1, max_attempts=3, left=600)
    retries = [
        decide(answer(500), state, budget=budget, jitter=lowest) for _ in range(1_000)
    ]
    assert sum(retry is not None for retry in retries) == 35
    for _ in range(14):
        budget.give_back(0)
    assert decide(answer(500), state, budget=budget, jitter=lowest) is not None
    assert decide(answer(500), state, budget=budget, jitter=lowest) is None


def test_a_retry_that_succeeds_costs_nothing() -> None:
    """A steady tenth of failures never empties the budget."""
    budget = RetryBudget()
    for _ in range(10_000):
        spent = budget.spend(FailureKind.TRANSIENT)
        assert spent is not None
        budget.give_back(spent)
    assert budget.left == 500


HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "retry-after-ms", "ratelimit", "date"]),
    st.one_of(
        st.text(max_size=40),
        st.integers().map(str),
        st.floats().map(str),
        st.from_regex(r'"[a-z]{1,5}";r=[0-9]{1,3};t=-?[0-9]{1,12}', fullmatch=True),
        st.datetimes().map(lambda d: d.strftime("%a, %d %b %Y %H:%M:%S GMT")),
    ),
    max_size=4,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    HEADERS,
    st.sampled_from([429, 503, 500]),
    st.integers(-5, 5),
    st.floats(0, 700),
    st.floats(0, 1),
)
def test_any_hint_gives_a_bounded_delay_or_none(
    headers: dict[str, str], status: int, attempt: int, left: float, u: float
) -> None:
    """Total, never negative, never beyond the deadline, never a hot loop."""
    error = classify(status, headers, b"", TARGET)
    assert error.retry_after is None or error.retry_after > 0
    state = RetryState(attempt=attempt, max_attempts=3, left=left)
    retry = decide(error, state, budget=RetryBudget(), jitter=lambda: u)
    if retry is not None:
        assert 0 <= retry.delay < left
        assert retry.delay <= LONGEST_HINT + 10
        if status == 429:
            assert retry.delay >= 0.5 or error.retry_after


def test_the_kinds_are_told_apart_without_overlap() -> None:
    """Every pair of kinds has words of its own."""
    for one, other in itertools.combinations(FailureKind, 2):
        assert one.value != other.value


@pytest.mark.parametrize(
    ("error", "attempt", "again"),
    [
        (answer(429, retry_after="3000"), 1, True),
        (answer(429, retry_after="3000"), 3, False),
        (answer(400), 1, True),
        (answer(500), 2, True),
        (answer(503, x_should_retry="false"), 1, False),
    ],
)
def test_another_server_is_asked_at_once(
    error: errors.APIError, attempt: int, *, again: bool
) -> None:
    """No hint and no deadline of the first counts there; attempts and budget do."""
    state = RetryState(attempt=attempt, max_attempts=3, left=0.1)
    budget = RetryBudget()
    full = budget.left
    retry = decide(error, state, budget=budget, jitter=highest, elsewhere=True)
    assert (retry is not None) is again
    assert (budget.left < full) is again
    if retry is not None:
        assert (retry.delay, retry.applies_to_origin) == (0.0, 0.0)
    while budget.spend(FailureKind.TRANSIENT):
        pass
    assert not (
        decide(answer(500), state, budget=budget, jitter=highest, elsewhere=True)
    )
