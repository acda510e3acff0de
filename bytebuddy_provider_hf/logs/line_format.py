"""Write log records as lines that nothing in them can break or forge."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Final, final
from weakref import WeakSet

from bytebuddy_provider_hf.errors import APIError, ByteBuddyError
from bytebuddy_provider_hf.secret import one_line, redacted_start

_LONGEST: Final = 8_000

# A command ends with the error of its call, which is one failure, not two.
_logged: Final[WeakSet[ByteBuddyError]] = WeakSet()


def printable(text: str) -> str:
    r"""Return ``text`` redacted, as one line, control characters written as ``\n``."""
    shown = redacted_start(text, _LONGEST)
    if len(shown) > _LONGEST:
        shown = f"{shown[: _LONGEST - 1]}…"
    if shown.isprintable():
        return shown
    # As Python writes it: a line break in a message would begin a forged record.
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii")
        for each in shown
    )


def message_of(record: logging.LogRecord) -> str:
    """Return a record's message, then each line of its traceback, indented."""
    lines = [printable(record.getMessage())]
    if record.exc_info:
        trace = logging.Formatter().formatException(record.exc_info)
        # Only a line of ours begins at the margin.
        lines += [f"    {printable(line)}" for line in trace.split("\n")]
    return "\n".join(lines)


@final
class LineFormatter(logging.Formatter):
    """Write ISO time in UTC, level, logger and message."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of ``record``."""
        time = datetime.fromtimestamp(record.created, UTC)
        stamp = time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return f"{stamp} {record.levelname} {record.name}: {message_of(record)}"


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
    request_id = error.request_id if isinstance(error, APIError) else None
    facts = (
        type(error).__name__,
        None if error.status is None else f"status {error.status}",
        origin,
        None if model is None else f"model {model}",
        # A server may have put anything there.
        f"request id {one_line(request_id)}" if request_id else None,
    )
    told = ", ".join(fact for fact in facts if fact is not None)
    log.warning("%s failed: %s: %s", what, told, error.message)
