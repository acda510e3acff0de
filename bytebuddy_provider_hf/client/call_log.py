"""Log what one call meets: its waits, its retries, its failure."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.errors import ByteBuddyError
from bytebuddy_provider_hf.logs.line_format import log_failure
from bytebuddy_provider_hf.scheduling.retry import Retry
from bytebuddy_provider_hf.types import Loading, WaitReason

if TYPE_CHECKING:
    from bytebuddy_provider_hf.client.endpoint import CallSpec

_log: Final = logging.getLogger(__name__)


def log_wait(
    target: Target, waiting: Loading, told: WaitReason | None
) -> WaitReason | None:
    """Log what a call waits for, unless it is what was ``told``; return what now is.

    Why it rests before another attempt is told with the failure.
    """
    # Progress of the same wait is no news to a log; a rest is told with its failure.
    if waiting.reason in (told, "retrying") or not _log.isEnabledFor(logging.INFO):
        return told
    left = waiting.estimate
    _log.info(
        "%s: a call of %s waits: %s%s",
        target.origin,
        target.model,
        waiting.reason,
        "" if left is None else f", about {left:.1f} s",
    )
    return waiting.reason


def log_retry(target: Target, failure: ByteBuddyError, decision: Retry) -> None:
    """Log how long a call, or all of them, rests, and after which failure."""
    if not _log.isEnabledFor(logging.INFO):
        return
    # A rate limit holds for all calls of the account, anything else for this one.
    who = "every call" if decision.applies_to_origin else f"a call of {target.model}"
    status = "" if failure.status is None else f", status {failure.status}"
    _log.info(
        "%s: %s rests for %.1f s: %s%s: %s",
        target.origin,
        who,
        decision.delay,
        type(failure).__name__,
        status,
        failure.message,
    )


def log_fallback(failed: str, asked: str, failure: ByteBuddyError) -> None:
    """Log that one entry is asked instead of another, and after which failure."""
    status = "" if failure.status is None else f", status {failure.status}"
    kind = type(failure).__name__
    told = "%s is asked instead of %s: %s%s: %s"
    _log.warning(told, asked, failed, kind, status, failure.message)


class ErrorLogging:
    """A block of work for one call: the error that leaves it is logged.

    Not where another entry may make it good: whoever asks that one tells of it.
    """

    def __init__(self, spec: CallSpec) -> None:
        self._spec = spec

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: object, error: BaseException | None, traceback: object
    ) -> None:
        if self._spec.limits is None:
            log_call_error(self._spec.endpoint.target, error)


def log_call_error(target: Target, error: BaseException | None) -> None:
    """Log the error that a call ends with; a cancellation is its caller's."""
    if isinstance(error, ByteBuddyError):
        log_failure(_log, "a call", error, origin=target.origin, model=target.model)
