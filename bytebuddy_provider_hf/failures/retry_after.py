"""Read how long a server asks us to wait: headers in, seconds or nothing out; total."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate
from typing import Final

from attrs import frozen

# ASCII: int() and float() read the digits of other scripts too.
_NUMBER: Final = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,20})?", re.ASCII)
_DIGITS: Final = re.compile(r"[0-9]{11,4000}(?:\.[0-9]{1,20})?", re.ASCII)
_TIME: Final = r"[0-9]{2}:[0-9]{2}:[0-9]{2}"
# The form that servers may send, and the two old ones that every recipient must read:
# https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7.
_DATE: Final = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} [A-Z][a-z]{2} [0-9]{4}"
    rf" {_TIME} GMT"
    r"|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, [0-9]{2}-[A-Z][a-z]{2}-[0-9]{2}"
    rf" {_TIME} GMT"
    r"|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ 0-9][0-9]"
    rf" {_TIME} [0-9]{{4}}"
)
# A megabyte of header must cost nothing.
_LONGEST_FIELD: Final = 1_024
_COUNT: Final = re.compile(r"[0-9]{1,10}", re.ASCII)
_WINDOW: Final = re.compile(r'("[^"]{0,64}"|[A-Za-z*][^\s";=]{0,64})\s*;(.*)')
_POLICY: Final = re.compile(r'("[^"]{0,64}"|[A-Za-z*][^\s";=]{0,64})\s*;(\s*[qw]=.*)')
# Thirty years: what is longer is no estimate.
_LONGEST_ESTIMATE: Final = 1e9


def requested_wait(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a refusal asks us to wait: the first hint that says so.

    ``retry-after-ms``, then ``Retry-After``, then the fields of
    draft-ietf-httpapi-ratelimit-headers in all their versions. Zero or less is no
    hint.
    """
    for text in _lines(headers, "retry-after-ms"):
        if milliseconds := _number(text):
            return milliseconds / 1_000
    return retry_after(headers) or rate_limit_reset(headers)


def rate_limit_reset(headers: Mapping[str, str]) -> float | None:
    """Return when the exhausted windows of the ``RateLimit`` fields reset, in seconds.

    ``"api";r=0;t=55`` names a window with nothing left and 55 s to go (version 8 and
    later, as huggingface.co sends it); a list may name several, of which the longest
    counts. ``limit=9, remaining=0, reset=55`` is version 7, and ``RateLimit-Remaining``
    with ``RateLimit-Reset`` those before. Windows with something left are no cause.
    """
    resets = [each.reset for each in rate_windows(headers) if each.remaining == 0]
    return max((float(reset) for reset in resets if reset), default=None)


@frozen
class RateWindow:
    """What a host allows in some time: requests left, of how many, seconds to go."""

    remaining: int | None
    reset: int | None = None
    limit: int | None = None


def rate_windows(headers: Mapping[str, str]) -> list[RateWindow]:
    """Return the windows that an answer tells, in any of their forms; total.

    The whole of a window is ``q`` of ``RateLimit-Policy`` in the newer versions. Many
    providers have ``x-ratelimit-…-requests`` instead, whose reset has no one form.
    """
    field = ",".join(_lines(headers, "ratelimit"))[:_LONGEST_FIELD]
    policies = ",".join(_lines(headers, "ratelimit-policy"))[:_LONGEST_FIELD]
    members = [member.strip() for member in field.split(",")]
    whole = _pairs(members)
    named = {
        match[1]: _count(_pairs(match[2].split(";")).get("q", ""))
        for policy in policies.split(",")
        # A policy of the Hub has a kind before its name: "fixed window";"api";q=1000.
        if (match := _POLICY.search(policy))
    }
    old, of_requests = "ratelimit-", "x-ratelimit-{}-requests"
    found = [
        (whole.get("remaining", ""), whole.get("reset", ""), whole.get("limit", "")),
        (*(_first(headers, old + name) for name in ("remaining", "reset", "limit")),),
        (
            _first(headers, of_requests.format("remaining")),
            "",
            _first(headers, of_requests.format("limit")),
        ),
    ]
    windows = [RateWindow(*map(_count, each)) for each in found if each[0]]
    for member in members:
        if match := _WINDOW.fullmatch(member):
            told = _pairs(match[2].split(";"))
            left, reset = _count(told.get("r", "")), _count(told.get("t", ""))
            windows.append(RateWindow(left, reset, named.get(match[1])))
    return windows


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds named by ``Retry-After``, or ``None``.

    A date counts from the response's own ``Date``, never from this machine's clock.
    A number too long to mean anything is infinite, so that it is refused and not
    shortened. Header names are lower case.
    """
    for text in _lines(headers, "retry-after"):
        seconds = _number(text)
        if seconds is not None:
            return seconds
        until, now = _seconds(text), _seconds(headers.get("date", ""))
        if until is not None and now is not None:
            return max(0.0, until - now)
    return None


def loading_estimate(value: object) -> float | None:
    """Return a loading estimate in seconds: a positive finite number, or nothing.

    Servers also send NaN, negative numbers, booleans and text here.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Comparison with an int of any size is exact; NaN fails both.
    if not 0 < value < _LONGEST_ESTIMATE:
        return None
    return float(value)


def _lines(headers: Mapping[str, str], name: str) -> Iterator[str]:
    """Yield the values of a header; some mappings hold a name more than once."""
    return (value for key, value in headers.items() if key.lower() == name)


def _first(headers: Mapping[str, str], name: str) -> str:
    return next(_lines(headers, name), "").strip()


def _number(text: str) -> float | None:
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return float(text)
    return math.inf if _DIGITS.fullmatch(text) else None


def _count(text: str) -> int | None:
    return int(text) if _COUNT.fullmatch(text) else None


def _pairs(parts: list[str]) -> Mapping[str, str]:
    pairs = (part.partition("=") for part in parts)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _seconds(date: str) -> float | None:
    date = date.strip()
    parts = parsedate(date) if _DATE.fullmatch(date) else None
    if parts is None:
        return None
    try:
        return datetime(*parts[:6], tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None
