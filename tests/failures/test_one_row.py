"""One error class is one row: few files know its name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

import bytebuddy_provider_hf
from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.failures.table import failure_table

PACKAGE: Final = Path(bytebuddy_provider_hf.__file__).parent
SOURCES: Final = {
    path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8")
    for path in PACKAGE.rglob("*")
    if path.suffix in {".py", ".pyi", ".toml"}
}
# Its class, its row, and one that raises or catches it.
MOST: Final = 3
# The two lists of what can be imported from the top; a test holds them to be one.
LISTS: Final = {"__init__.py", "__init__.pyi"}

# Why a name stands in more files: it is no fact about the class that stands there.
BASE: Final = "caught as a base, or what all of its family have is read"
CHECKED: Final = "raised by each place that checks a part of a request or of the file"
USED: Final = "decides what is done next, in the rooms that do it"
LAYERS: Final = "raised or caught on each side of a connection or of a stream"
FOUND: Final = "found by asking, in `doctor` or the catalogue, with its next step"
MORE: Final = {
    "ByteBuddyError": BASE,
    "APIError": BASE,
    "BadRequest": BASE,
    "CallTimeout": BASE,
    "ConfigError": BASE,
    "ConnectionFailed": BASE,
    "ProxyFailed": BASE,
    "ResponseError": BASE,
    "UnknownName": BASE,
    "ConfigInvalid": CHECKED,
    "ConfigNotFound": CHECKED,
    "InsecureEndpoint": CHECKED,
    "InvalidEndpoint": CHECKED,
    "InvalidModelId": CHECKED,
    "InvalidOption": CHECKED,
    "InvalidToken": CHECKED,
    "MalformedResponse": CHECKED,
    "MissingToken": CHECKED,
    "UnknownProvider": CHECKED,
    "UnsetVariable": CHECKED,
    "UnsupportedRole": CHECKED,
    "UntrustedProject": CHECKED,
    "ApplyFailed": USED,
    "EditDoubtful": USED,
    "ConnectionRefused": USED,
    "ContextTooLong": USED,
    "ModelLoading": USED,
    "ParameterRefused": USED,
    "QuotaExhausted": USED,
    "RateLimited": USED,
    "RouteNotFound": USED,
    "RouteNotSupported": USED,
    "ServerOverloaded": USED,
    "AuthenticationFailed": FOUND,
    "HostLookupFailed": FOUND,
    "HostNotFound": FOUND,
    "MissingPermission": FOUND,
    "ModelNotFound": FOUND,
    "Closed": LAYERS,
    "ConnectTimeout": LAYERS,
    "ConnectionLost": LAYERS,
    "DeadlineExceeded": LAYERS,
    "IdleTimeout": LAYERS,
    "NoDataTimeout": LAYERS,
    "Overloaded": LAYERS,
    "ProviderFailed": LAYERS,
    "ResponseTooLarge": LAYERS,
    "StreamFailed": LAYERS,
    "StreamInterrupted": LAYERS,
}
# No more than these: a new class is no exception, and one that is may become a row's.
MOST_EXCEPTIONS: Final = 49


def files_with(name: str) -> set[str]:
    pattern = re.compile(rf"\b{name}\b")
    # The plain search passes over most files, ten times as fast.
    return {
        place
        for place, text in SOURCES.items()
        if name in text and pattern.search(text)
    }


@pytest.mark.parametrize("name", failure_table().rows)
def test_a_class_stands_in_few_files(name: str) -> None:
    """Its class, its row, and at most one that raises or catches it."""
    found = files_with(name)
    assert "data/failures.toml" in found
    assert sum(f"class {name}(" in SOURCES[place] for place in found) == 1
    assert name in MORE or len(found - LISTS) <= MOST, sorted(found)


def test_the_exceptions_are_classes_and_become_no_more() -> None:
    """What is listed exists, and the list does not grow."""
    assert all(hasattr(errors, name) for name in MORE)
    assert len(MORE) <= MOST_EXCEPTIONS


def test_a_code_stands_in_few_files() -> None:
    """The Hub's own verdicts are read in the row, and played in the tests' servers."""
    for row in failure_table().rows.values():
        for code in row.codes:
            assert len(files_with(code)) <= MOST
