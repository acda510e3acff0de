"""How long the server asks us to wait: headers in, seconds or nothing out; total."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

_NUMBER: Final = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,10})?", re.ASCII)
_DIGITS: Final = re.compile(r"[0-9]{11,4000}", re.ASCII)
# The one form that RFC 9110 lets a server send.
_DATE: Final = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} [A-Z][a-z]{2} [0-9]{4} "
    r"[0-9]{2}:[0-9]{2}:[0-9]{2} GMT"
)
_LONGEST_FIELD: Final = 1_024
_WINDOW: Final = re.compile(
    r'"[^"]{0,64}"\s*;\s*r=(?P<r>[0-9]{1,10})\s*;\s*t=(?P<t>[0-9]{1,10})', re.ASCII
)
_LONGEST_ESTIMATE: Final = 1e9


def wait(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a refusal asks us to wait: the first hint that says so.

    ``retry-after-ms``, then ``Retry-After``, then the draft ``RateLimit`` field
    (draft-ietf-httpapi-ratelimit-headers-09, as huggingface.co sends it). Zero or
    less is no hint.
    """
    milliseconds = headers.get("retry-after-ms", "").strip()
    if _NUMBER.fullmatch(milliseconds) and float(milliseconds) > 0:
        return float(milliseconds) / 1_000
    seconds = retry_after(headers)
    if seconds is not None and seconds > 0:
        return seconds
    return rate_limit_reset(headers.get("ratelimit", ""))


def rate_limit_reset(field: str) -> float | None:
    """Return when the exhausted windows of a ``RateLimit`` field reset, in seconds.

    ``"api";r=0;t=55`` names a window with nothing left and 55 s to go; a list may name
    several, of which the longest counts. Windows with something left are no cause.
    """
    resets = [
        float(match["t"])
        for member in field[:_LONGEST_FIELD].split(",")
        if (match := _WINDOW.fullmatch(member.strip())) and float(match["r"]) == 0
    ]
    return max((reset for reset in resets if reset > 0), default=None)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds named by ``Retry-After``, or ``None``.

    A date counts from the response's own ``Date``, never from this machine's clock.
    A number too long to mean anything is infinite, so that it is refused and not
    shortened. Header names are lower case.
    """
    text = headers.get("retry-after", "").strip()
    if _NUMBER.fullmatch(text):
        return float(text)
    if _DIGITS.fullmatch(text):
        return math.inf
    until, now = _seconds(text), _seconds(headers.get("date", ""))
    if until is None or now is None:
        return None
    return max(0.0, until - now)


def estimate(value: object) -> float | None:
    """Return a loading estimate in seconds: a positive finite number, or nothing.

    Servers also send NaN, negative numbers, booleans and text here.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Comparison with an int of any size is exact; NaN fails both.
    if not 0 < value < _LONGEST_ESTIMATE:
        return None
    return float(value)


def _seconds(date: str) -> float | None:
    if not _DATE.fullmatch(date):
        return None
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
