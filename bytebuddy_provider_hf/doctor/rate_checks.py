"""Judge rate limits: by an answer of this moment, and by what calls met before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Final

from bytebuddy_provider_hf.doctor.findings import (
    Finding,
    Level,
    failure,
    ok,
    unknown,
)
from bytebuddy_provider_hf.errors import RateLimited
from bytebuddy_provider_hf.failures.next_steps import human_time, next_step
from bytebuddy_provider_hf.failures.retry_after import requested_wait
from bytebuddy_provider_hf.hub.answer_cache import AnswerStore
from bytebuddy_provider_hf.hub.rate_limits import last_rate_limit, read_rate_limit
from bytebuddy_provider_hf.texts import text

_TOO_MANY: Final = 429
# Seconds. What was told longer ago is no news, whatever it was.
_OLDEST: Final = 86_400.0


def rate_finding(status: int, headers: Mapping[str, str]) -> Finding:
    """Return what an answer tells of the Hub's rate limit.

    ``RateLimit: "api";r=999;t=295`` (docs/hub/rate-limits.md of hub-docs).
    """
    told = read_rate_limit(status, headers)
    if told is None or (told.remaining is None and not told.is_reached):
        return unknown("account.rate", text("doctor.rate_untold"))
    if told.is_reached:
        said = text("doctor.rate_reached")
        wait = requested_wait(headers)
        reached = RateLimited(said, status=_TOO_MANY, retry_after=wait)
        reached.hint = next_step(reached)
        return failure("account.rate", reached)
    seconds = "?" if told.reset is None else f"{told.reset:.0f}"
    said = text("doctor.rate", left=told.remaining, seconds=seconds)
    return ok("account.rate", said)


async def told_rate_findings(
    store: AnswerStore, origins: Iterable[str]
) -> AsyncIterator[Finding]:
    """Yield what the last answers of hosts told of their limits, to any process.

    A limit whose window is still open is a warning; one that is over is worth knowing.
    """
    for origin in origins:
        kept = await last_rate_limit(store, origin)
        if kept is None or kept[1] > _OLDEST:
            continue
        told, age = kept
        facts = {"host": origin.partition("://")[2], "age": human_time(age)}
        left = None if told.reset is None else told.reset - age
        if not told.is_reached:
            whole = "?" if told.limit is None else told.limit
            said = text("doctor.rate_few", **facts, left=told.remaining, limit=whole)
            yield Finding("account.rate_told", Level.NOTE, said)
        elif left is not None and left > 0:
            said = text("doctor.rate_refuses", **facts, wait=human_time(left))
            steps = (text("doctor.rate_refuses_step", wait=human_time(left)),)
            yield Finding("account.rate_told", Level.WARNING, said, steps)
        else:
            said = text("doctor.rate_refused", **facts)
            steps = (text("doctor.rate_refused_step"),)
            yield Finding("account.rate_told", Level.NOTE, said, steps)
