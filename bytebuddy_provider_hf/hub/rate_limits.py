"""Keep what a host told last of its rate limit, so that ``doctor`` can tell it later.

Only what is worth telling is kept: that a host refused a call, or that little is left.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.failures.retry_after import (
    RateWindow,
    rate_windows,
    requested_wait,
)
from bytebuddy_provider_hf.hub.answer_cache import AnswerStore
from bytebuddy_provider_hf.lenient_json import loads

_TOO_MANY: Final = 429
# Seconds until a host that told of little is listened to again, and one of enough.
_KEPT: Final = 60.0
_LOOKED: Final = 1.0
# Little is left: a part of the whole, or a number where the whole is not told.
_PART: Final = 10
_FEW: Final = 5
# Hosts that are followed at a time: what is kept stays small, whoever is asked.
_MOST_HOSTS: Final = 16


@frozen
class RateLimit:
    """What an answer told: requests left, of how many, and the seconds to the reset.

    ``is_reached``: it was a refusal (429), or nothing is left. ``None`` was not told.
    """

    is_reached: bool
    remaining: int | None = None
    limit: int | None = None
    reset: float | None = None

    @property
    def is_low(self) -> bool:
        """Whether it is worth telling."""
        if self.is_reached or self.remaining is None:
            return self.is_reached
        few = _FEW if self.limit is None else self.limit // _PART
        return self.remaining <= few


def read_rate_limit(status: int, headers: Mapping[str, str]) -> RateLimit | None:
    """Return what an answer tells of its host's rate limit, ``None`` if nothing; total.

    Of several windows it is the one with the least left.
    """
    reached = status == _TOO_MANY
    told = [each for each in rate_windows(headers) if each.remaining is not None]
    least = min(told, key=lambda each: each.remaining or 0, default=None)
    if least is None:
        least = RateWindow(None)
        if not reached:
            return None
    reached = reached or least.remaining == 0
    wait = requested_wait(headers) if reached else None
    reset = least.reset if wait is None else wait
    if reset is not None and not math.isfinite(reset):
        reset = None
    return RateLimit(reached, least.remaining, least.limit, reset)


class RateMemory:
    """Keep the last limits that were met, a file for each of a few hosts.

    Good answers are looked at once a second, and at most one file a minute is written
    for a host: a call pays for a look into a mapping. ``clock`` tells seconds.
    """

    def __init__(
        self, *, clock: Callable[[], float], store: AnswerStore | None
    ) -> None:
        self._clock = clock
        self._store = store
        # A host -> when its answers are looked at again, and whether it refuses now.
        self._next: dict[str, tuple[float, bool]] = {}

    def observe(self, origin: str, status: int, headers: Mapping[str, str]) -> None:
        """Note what an answer of ``origin`` tells; neither waits nor fails."""
        # Written out: 0.13 µs of each call; a loop takes several times that.
        if status != _TOO_MANY and not (
            "ratelimit" in headers
            or "ratelimit-remaining" in headers
            or "x-ratelimit-remaining-requests" in headers
        ):
            return
        if self._store is None:
            return
        now = self._clock()
        until, refuses = self._next.get(origin, (now, False))
        # That a host begins to refuse is news also in the minute after the last.
        if now < until and (refuses or status != _TOO_MANY):
            return
        if origin not in self._next and not self._has_room(now):
            return
        found = read_rate_limit(status, headers)
        if found is None or not found.is_low:
            self._next[origin] = now + _LOOKED, False
            return
        self._next[origin] = now + _KEPT, found.is_reached
        self._store.put(_key(origin), _written(found))

    def _has_room(self, now: float) -> bool:
        if len(self._next) >= _MOST_HOSTS:
            kept = {name: it for name, it in self._next.items() if now < it[0]}
            self._next = kept
        return len(self._next) < _MOST_HOSTS


async def last_rate_limit(
    store: AnswerStore, origin: str
) -> tuple[RateLimit, float] | None:
    """Return what any process was told last by ``origin``, and its age in seconds."""
    kept = await store.get(_key(origin))
    found = None if kept is None else _read(kept[0])
    return None if kept is None or found is None else (found, kept[1])


def _key(origin: str) -> str:
    return f"rate limit of {origin}"


def _written(found: RateLimit) -> bytes:
    return json.dumps(
        {
            "reached": found.is_reached,
            "remaining": found.remaining,
            "limit": found.limit,
            "reset": found.reset,
        }
    ).encode()


def _read(data: bytes) -> RateLimit | None:
    """Return what was kept, ``None`` where it is not as it was written; total."""
    value = loads(data)
    if not isinstance(value, dict) or not isinstance(value.get("reached"), bool):
        return None
    remaining, limit = value.get("remaining"), value.get("limit")
    reset = value.get("reset")
    whole = all(it is None or type(it) is int for it in (remaining, limit))
    # No bool, which is a number to isinstance; json reads NaN and infinity.
    if not whole or not (reset is None or type(reset) in (int, float)):
        return None
    return RateLimit(value["reached"], remaining, limit, reset)
