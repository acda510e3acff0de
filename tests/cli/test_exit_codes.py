"""Each kind of failure ends the command with a code of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.cli.exit_codes import MEANINGS, ExitCode, exit_code
from bytebuddy_provider_hf.cli.root import cli

EXPECTED = {
    "ConfigInvalid": 3,
    "ConfigNotFound": 3,
    "UnsetVariable": 3,
    "UntrustedProject": 3,
    "UnknownProvider": 3,
    "NoModelForRole": 3,
    "UnknownModel": 5,
    "ProviderFailed": 1,
    "Closed": 1,
    "InvalidModelId": 2,
    "InvalidEndpoint": 2,
    "InvalidOption": 2,
    "InsecureEndpoint": 4,
    "MissingToken": 4,
    "InvalidToken": 4,
    "Overloaded": 6,
    "BadRequest": 9,
    "ModelNotSupported": 5,
    "EndpointPaused": 7,
    "AuthenticationFailed": 4,
    "QuotaExhausted": 4,
    "MissingPermission": 4,
    "GatedModel": 4,
    "ModelNotFound": 5,
    "ServiceRetired": 5,
    "JobEnded": 5,
    "RateLimited": 6,
    "ServerOverloaded": 6,
    "ModelLoading": 7,
    "ColdStartTimeout": 7,
    "GatewayTimeout": 8,
    "ConnectTimeout": 8,
    "FirstByteTimeout": 8,
    "DeadlineExceeded": 8,
    "IdleTimeout": 9,
    "NoDataTimeout": 9,
    "ConnectionRefused": 8,
    "HostUnreachable": 8,
    "HostNotFound": 8,
    "HostLookupFailed": 8,
    "TlsFailed": 8,
    "ConnectionLost": 9,
    "ServerError": 9,
    "StreamInterrupted": 9,
    "StreamFailed": 9,
    "MalformedResponse": 9,
}


def every_error(
    kind: type[errors.ByteBuddyError] = errors.ByteBuddyError,
) -> Iterator[type[errors.ByteBuddyError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from every_error(below)


@pytest.mark.parametrize(("name", "code"), EXPECTED.items())
def test_a_failure_has_the_code_of_its_kind(name: str, code: int) -> None:
    """The code is what the table says."""
    assert exit_code(getattr(errors, name)) == code


@pytest.mark.parametrize("kind", list(every_error()), ids=lambda kind: kind.__name__)
def test_every_error_ends_with_a_failure(kind: type[errors.ByteBuddyError]) -> None:
    """No error is reported as success, and only the base has no kind."""
    code = exit_code(kind)
    assert 0 < code < ExitCode.STOPPED
    assert code in MEANINGS


def test_help_shows_the_codes() -> None:
    """The help page lists every code with its meaning."""
    shown = CliRunner().invoke(cli, ["--help"]).output
    for code, meaning in MEANINGS.items():
        assert f"{int(code)} " in shown
        assert meaning in shown
