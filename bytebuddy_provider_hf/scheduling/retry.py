"""Decide whether a failed attempt is sent again, from values that come in.

The one place that retries. The figures are botocore's and openai's (quota 500, cost 14,
throttled 5, back +1; 0.5 s doubling to 8 s; hints above 120 s are not slept) and
section 4.1 of the AWS article on jitter: https://aws.amazon.com/blogs/architecture/
exponential-backoff-and-jitter/.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.failures.table import row_of

LONGEST_HINT: Final = 120.0
# From here on a pause ends a window that many wait for, in other processes too. A
# shorter one is a hiccup, after which everybody may go on as before.
LONG_PAUSE: Final = 10.0

_TRANSIENT_BASE, _TRANSIENT_CAP = 0.5, 8.0
_THROTTLED_BASE, _THROTTLED_CAP = 1.0, 20.0
_LONGEST_SPREAD: Final = 10.0
# 2 ** 30 s is beyond every cap; a larger exponent would only overflow one day.
_LARGEST_EXPONENT: Final = 30

_BUDGET: Final = 500
_COST: Final = 14
_COST_THROTTLED: Final = 5


class FailureKind(Enum):
    """Name the kind of failure that an attempt met."""

    COLD = "the model is not ready"
    THROTTLED = "too many requests"
    TRANSIENT = "likely to pass"
    AMBIGUOUS = "perhaps carried out, nothing delivered"
    FATAL = "will not pass by itself"


# 499 is nginx's, 520 and above are Cloudflare's: what stands between lost the server
# or the caller (https://developers.cloudflare.com/support/troubleshooting/
# http-status-codes/cloudflare-5xx-errors/).
_TRANSIENT_STATUS: Final = frozenset(
    {408, 425, 499, 500, 502, 503, 504, *range(520, 528), 529, 530}
)

# Whoever stands before the server gave up on it.
_OVERLOADED_STATUS: Final = frozenset({408, 502, 503, 504, 522, 524})

_PROXY_STATUS: Final = frozenset({None, 502, 503, 504})


def failure_kind(error: errors.ByteBuddyError) -> FailureKind:
    """Return the kind of a failure; what is not known to pass is fatal."""
    if named := row_of(type(error)).retry:
        return FailureKind[named]
    answered = isinstance(error, errors.APIError) and error.status is not None
    if answered and error.status in _TRANSIENT_STATUS:
        return FailureKind.TRANSIENT
    if isinstance(error, errors.ProxyFailed) and error.status in _PROXY_STATUS:
        return FailureKind.TRANSIENT
    return FailureKind.FATAL


def is_overload(error: errors.ByteBuddyError) -> bool:
    """Return whether a failure tells of more requests than the server can take.

    A caller's own deadline tells of its patience, not of the server.
    """
    if row_of(type(error)).overload:
        return True
    if isinstance(error, errors.APIError) and error.status in _OVERLOADED_STATUS:
        return True
    return failure_kind(error) is FailureKind.THROTTLED


def rated(error: errors.ByteBuddyError) -> bool:
    """Return whether a failure tells of a rate, and when it allows more.

    A full queue (``ModelOverloaded``) tells of too much at once, whatever it names.
    """
    if isinstance(error, errors.ModelOverloaded):
        return False
    return isinstance(error, errors.RateLimited) and bool(error.retry_after)


class RetryBudget:
    """Bound the extra requests of an outage, for one origin and credential.

    500 to spend, 14 for a retry and 5 for one after a 429; a clean success brings
    one back and a retry that succeeds brings back what it cost. An outage of any
    number of callers is thus answered with at most 35 retries.
    """

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = _BUDGET

    def spend(self, kind: FailureKind) -> int | None:
        """Take what a retry costs; return it, or ``None`` when too little is left."""
        cost = _COST_THROTTLED if kind is FailureKind.THROTTLED else _COST
        if cost > self.left:
            return None
        self.left -= cost
        return cost

    def give_back(self, spent: int) -> None:
        """Return what the retries of a successful call cost, or one for none."""
        self.left = min(_BUDGET, self.left + max(1, spent))


@frozen
class Retry:
    """Send again after ``delay`` seconds.

    For ``applies_to_origin`` seconds everybody at this origin should hold back; 0 for
    nobody.
    """

    delay: float
    cost: int
    applies_to_origin: float = 0.0


@frozen
class RetryState:
    """Hold what a decision depends on besides the failure.

    ``attempt`` counts from 1. ``left`` is the time left of the call, in seconds.
    """

    attempt: int
    max_attempts: int
    left: float


def decide(
    error: errors.ByteBuddyError,
    state: RetryState,
    *,
    budget: RetryBudget,
    jitter: Callable[[], float],
    elsewhere: bool = False,
) -> Retry | None:
    """Return how to try again, or ``None`` to raise ``error``.

    ``jitter`` returns a number from 0 to 1. No delay reaches the end of the call.
    ``elsewhere``: another server is asked, at once, which knows nothing of the failure.
    """
    kind = failure_kind(error)
    verdict = error.should_retry if isinstance(error, errors.APIError) else None
    lasts = kind is FailureKind.FATAL and verdict is not True and not elsewhere
    if verdict is False or lasts:
        return None
    if elsewhere:
        paid = None
        if state.attempt < state.max_attempts:
            paid = budget.spend(kind)
        return None if paid is None else Retry(0.0, paid)
    hint = error.retry_after
    if state.attempt >= state.max_attempts or (hint or 0) > LONGEST_HINT:
        return None
    quiet = 0.0
    if not hint:
        delay = backoff(kind, state.attempt, jitter=jitter)
    else:
        # The first time the server is believed to the tenth of a second; who is
        # refused again waits at least as long as without a hint.
        spread = 0.1 * hint * jitter() if hint >= LONG_PAUSE else 0.0
        delay = quiet = hint + min(_LONGEST_SPREAD, spread)
        if state.attempt > 1:
            delay = max(delay, backoff(kind, state.attempt - 1, jitter=jitter))
    if delay >= state.left:
        return None
    cost = budget.spend(kind)
    return None if cost is None else Retry(delay, cost, quiet)


def backoff(kind: FailureKind, attempt: int, *, jitter: Callable[[], float]) -> float:
    """Return the delay before attempt ``attempt + 1``, in seconds.

    Throttled: from half to the whole of 1, 2, 4, … up to 20. Otherwise: anything up
    to 0.5, 1, 2, … up to 8.
    """
    exponent = min(max(0, attempt - 1), _LARGEST_EXPONENT)
    if kind is FailureKind.THROTTLED:
        whole = min(_THROTTLED_CAP, _THROTTLED_BASE * 2.0**exponent)
        return whole * (0.5 + 0.5 * jitter())
    return min(_TRANSIENT_CAP, _TRANSIENT_BASE * 2.0**exponent) * jitter()
