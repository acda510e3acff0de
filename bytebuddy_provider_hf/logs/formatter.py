"""A log record as text: one line that nothing in it can break or forge."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Final, final

from bytebuddy_provider_hf.secret import redact

_LONGEST: Final = 8_000
# What is masked at the cut is seen to its end.
_BEYOND: Final = 1_000


def printable(text: str) -> str:
    r"""Return ``text`` redacted, as one line, control characters written as ``\n``."""
    shown = redact(text[: _LONGEST + _BEYOND])
    if len(shown) > _LONGEST:
        shown = f"{shown[: _LONGEST - 1]}…"
    if shown.isprintable():
        return shown
    return "".join(each if each.isprintable() else _escaped(each) for each in shown)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


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
