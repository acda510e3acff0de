"""Decide when to probe a model again that is not ready.

A state machine fed with classified outcomes and the time; it parses nothing, sleeps
nowhere and knows no caller. However many calls wait, one of them at a time is let
through as the probe; its answer decides for all. A probe that hears nothing for 15 s is
joined by another, so that a request that got lost, or that takes long because the model
works on it, holds up nobody.

::

            cold outcome                    ready outcome
    OPEN ────────────────▶ COLD ──────────────────────────▶ RELEASING ──▶ OPEN
                           │  ▲                              2, 4, 8, … at once
                           └──┘ probe: cold again, silent, or its caller gone
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bytebuddy_provider_hf.types import WaitReason

FIRST_PROBE_AFTER: Final = 1.0
_GROWTH: Final = 1.5
_LONGEST_STEP: Final = 10.0
_FIRST_RELEASE: Final = 2
# Of a model that never answered so many are asked at once, whatever others allow.
UNKNOWN: Final = 8
# How long a probe may say nothing before another is sent.
PROBE_SILENCE: Final = 15.0
# An estimate is believed when it fell by at least this share of the time that passed.
_BELIEVABLE: Final = 0.5
# 1.5 ** 6 exceeds the longest step; a larger exponent would only overflow one day.
_LARGEST_EXPONENT: Final = 6


class ColdStart:
    """Decide whether one more request may go to this model now.

    ``jitter`` returns a number from 0 to 1. ``unknown`` bounds how many ask a model
    that never answered. Times are seconds of one monotonic clock.
    """

    def __init__(
        self, *, jitter: Callable[[], float], unknown: int | None = UNKNOWN
    ) -> None:
        self._jitter = jitter
        self.cold = False
        # Whether nobody is held back, nor will be by a good answer: two calls fewer
        # for each request.
        self.settled = False
        # What the words on the screen say of it.
        self.reason: WaitReason = "loading"
        self._next_probe = 0.0
        self._ready_at = float("-inf")
        # The number of the probe under way, or 0; none has a number twice.
        self._probe_id = 0
        self._probed_at = 0.0
        self._numbers = 0
        self._probes = 0
        self._estimate: float | None = None
        self._estimated_at = 0.0
        # How many may be unanswered while a crowd is let go; None: no bound of ours.
        self._unknown = self._release = unknown
        self._known = False

    @property
    def next_probe_at(self) -> float:
        """Return when the next probe may leave, while it is cold."""
        if self._probe_id:
            return max(self._next_probe, self._probed_at + PROBE_SILENCE)
        return self._next_probe

    def allows(self, *, now: float, unanswered: int) -> bool:
        """Return whether a request may leave while so many others have no answer."""
        if self.cold:
            return now >= self.next_probe_at
        return self._release is None or unanswered < self._release

    def on_probe_sent(self, *, now: float) -> int:
        """Note that a request leaves while it is cold; return the probe's number."""
        self._numbers += 1
        self._probe_id, self._probed_at = self._numbers, now
        return self._numbers

    def on_cold(
        self, *, now: float, sent_at: float, estimate: float | None, probe_id: int
    ) -> None:
        """Note that the model is not ready; ``probe_id`` is of ``on_probe_sent``."""
        if not self.cold:
            if sent_at < self._ready_at:
                return  # an answer from before the model was ready
            self.cold, self.settled = True, False
            self._probe_id = self._probes = 0
            self._estimate = self._release = None
        elif probe_id != self._probe_id or not probe_id:
            return  # sent before it was cold; the probes keep the schedule
        else:
            self._probe_id = 0
            self._probes += 1
        believed = None
        if estimate is not None and self._estimate is not None:
            # A true estimate counts down. Many servers send the constant 20.0 for
            # ever (https://github.com/huggingface/transformers/issues/23793).
            past = now - self._estimated_at
            if self._estimate - estimate >= _BELIEVABLE * past > 0:
                believed = estimate
        self._estimate, self._estimated_at = estimate, now
        self._next_probe = now + self._step(believed)

    def on_ready(self, *, now: float, limit: int) -> None:
        """Note that the server answered anything but: not ready."""
        if self.cold:
            self.cold, self._probe_id = False, 0
            self._ready_at = now
            self._estimate = None
            self._release = _FIRST_RELEASE
        elif not self._known:
            self._release = None
        elif self._release is not None:
            self._release += 1
        self._known = True
        if self._release is not None and self._release >= limit:
            self._release = None
        self.settled = self._release is None

    def on_probe_lost(self, *, now: float, cancelled: bool, probe_id: int) -> None:
        """Note that the probe has no outcome: its caller left, or its connection broke.

        A caller that left is replaced at once; a broken connection waits its step.
        """
        if not self.cold or probe_id != self._probe_id or not probe_id:
            return
        self._probe_id = 0
        if not cancelled:
            self._probes += 1
            self._next_probe = now + self._step(None)

    def reset(self) -> None:
        """Take the model for one that never answered: it may have fallen asleep."""
        if not self.cold:
            self._release, self._known = self._unknown, False
            self.settled = False

    def probe_by(self, until: float) -> None:
        """Let the next probe leave at ``until`` at the latest."""
        self._next_probe = min(self._next_probe, until)

    def end(self) -> None:
        """Hold nobody back any more: waiting did not help."""
        self.cold, self._probe_id = False, 0
        self._estimate = None

    def estimate(self, now: float) -> float | None:
        """Return the latest estimate less the time since, or ``None``."""
        if self._estimate is None:
            return None
        return max(0.0, self._estimate - (now - self._estimated_at))

    def _step(self, believed: float | None) -> float:
        if believed is not None:
            return max(FIRST_PROBE_AFTER, believed) * (1 + 0.05 * self._jitter())
        if self._probes == 0:
            return FIRST_PROBE_AFTER
        grown = FIRST_PROBE_AFTER * _GROWTH ** min(self._probes, _LARGEST_EXPONENT)
        return min(grown, _LONGEST_STEP) * (1 + 0.1 * self._jitter())
