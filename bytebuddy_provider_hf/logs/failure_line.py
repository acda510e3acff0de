"""The line that a call's failure leaves in the log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Final
from weakref import WeakSet

from bytebuddy_provider_hf.errors import APIError, ByteBuddyError
from bytebuddy_provider_hf.secret import one_line

# A command ends with the error of its call, which is one failure, not two.
_logged: Final[WeakSet[ByteBuddyError]] = WeakSet()


def log_failure(
    log: logging.Logger,
    what: str,
    error: ByteBuddyError,
    *,
    origin: str | None = None,
    model: str | None = None,
) -> None:
    """Log that ``what`` failed, as one warning, unless ``error`` was logged before."""
    if error in _logged or not log.isEnabledFor(logging.WARNING):
        return
    _logged.add(error)
    told = ", ".join(_facts(error, origin, model))
    log.warning("%s failed: %s: %s", what, told, error.message)


def _facts(
    error: ByteBuddyError, origin: str | None, model: str | None
) -> Iterator[str]:
    yield type(error).__name__
    if error.status is not None:
        yield f"status {error.status}"
    if origin is not None:
        yield origin
    if model is not None:
        yield f"model {model}"
    if isinstance(error, APIError) and error.request_id:
        yield f"request id {one_line(error.request_id)}"
