"""Name the exit codes of the command and what each means."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from bytebuddy_provider_hf.errors import ByteBuddyError


class ExitCode(IntEnum):
    """What the command's exit code means."""

    OK = 0
    OTHER = 1
    USAGE = 2
    CONFIG = 3
    CREDENTIALS = 4
    NOT_FOUND = 5
    BUSY = 6
    NOT_READY = 7
    CONNECTION = 8
    BAD_ANSWER = 9
    UNPLACED = 10
    STOPPED = 130
    BROKEN_PIPE = 141
    TERMINATED = 143


MEANINGS: Final = {
    ExitCode.OK: "done",
    ExitCode.OTHER: "any other failure",
    ExitCode.USAGE: "wrong usage: an option, a model id, an address",
    ExitCode.CONFIG: "the configuration: missing, invalid, not trusted",
    ExitCode.CREDENTIALS: "the token: missing, refused, no permission, no credits",
    ExitCode.NOT_FOUND: "no such model",
    ExitCode.BUSY: "rate limited, or the server is overloaded",
    ExitCode.NOT_READY: "the model did not become ready in time",
    ExitCode.CONNECTION: "no connection, or time ran out",
    ExitCode.BAD_ANSWER: "the server refused, failed, or broke off its answer",
    ExitCode.UNPLACED: "a change has no place in the file, or is in doubt",
    ExitCode.STOPPED: "stopped with Ctrl-C",
    ExitCode.BROKEN_PIPE: "the reader of the output went away",
    ExitCode.TERMINATED: "terminated",
}


def exit_code(kind: type[ByteBuddyError]) -> ExitCode:
    """Return the exit code for an error class, as its row or its base's names it."""
    # Imported here: a command that succeeds reads no table of failures.
    from bytebuddy_provider_hf.failures.table import row_of

    return ExitCode[row_of(kind).exit]


def table() -> list[tuple[str, str]]:
    """Return the rows of the table that ``--help`` shows."""
    return [(str(int(code)), meaning) for code, meaning in MEANINGS.items()]
