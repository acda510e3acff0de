"""Which exit code each kind of failure has."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from bytebuddy_provider_hf import errors


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
    ExitCode.UNPLACED: "a suggested change has no place in the file",
    ExitCode.STOPPED: "stopped with Ctrl-C",
    ExitCode.BROKEN_PIPE: "the reader of the output went away",
    ExitCode.TERMINATED: "terminated",
}

# The nearest class in an error's method resolution order decides.
CODES: Final[dict[type[errors.ByteBuddyError], ExitCode]] = {
    errors.ByteBuddyError: ExitCode.OTHER,
    errors.ConfigError: ExitCode.CONFIG,
    errors.UnknownModel: ExitCode.NOT_FOUND,
    errors.UnknownProvider: ExitCode.CONFIG,
    errors.NoModelForRole: ExitCode.CONFIG,
    errors.RequestError: ExitCode.USAGE,
    errors.InsecureEndpoint: ExitCode.CREDENTIALS,
    errors.MissingToken: ExitCode.CREDENTIALS,
    errors.InvalidToken: ExitCode.CREDENTIALS,
    errors.Overloaded: ExitCode.BUSY,
    errors.APIError: ExitCode.BAD_ANSWER,
    errors.ModelNotSupported: ExitCode.NOT_FOUND,
    errors.EndpointPaused: ExitCode.NOT_READY,
    errors.AuthenticationFailed: ExitCode.CREDENTIALS,
    errors.QuotaExhausted: ExitCode.CREDENTIALS,
    errors.PermissionDenied: ExitCode.CREDENTIALS,
    errors.ModelDisabled: ExitCode.NOT_FOUND,
    errors.ModelNotFound: ExitCode.NOT_FOUND,
    errors.ServiceRetired: ExitCode.NOT_FOUND,
    errors.RateLimited: ExitCode.BUSY,
    errors.ServerOverloaded: ExitCode.BUSY,
    errors.ServerBusy: ExitCode.BUSY,
    errors.ModelLoading: ExitCode.NOT_READY,
    errors.GatewayTimeout: ExitCode.CONNECTION,
    errors.ColdStartTimeout: ExitCode.NOT_READY,
    errors.CallTimeout: ExitCode.CONNECTION,
    errors.ConnectionFailed: ExitCode.CONNECTION,
    errors.ResponseError: ExitCode.BAD_ANSWER,
    errors.ApplyFailed: ExitCode.UNPLACED,
}


def exit_code(kind: type[errors.ByteBuddyError]) -> ExitCode:
    """Return the exit code for an error class: that of its nearest listed base."""
    for base in kind.__mro__:
        if issubclass(base, errors.ByteBuddyError) and base in CODES:
            return CODES[base]
    return ExitCode.OTHER


def table() -> list[tuple[str, str]]:
    """Return the rows of the table that ``--help`` shows."""
    return [(str(int(code)), meaning) for code, meaning in MEANINGS.items()]
