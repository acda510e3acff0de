"""How long a server asks to wait: every form it is written in."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from bytebuddy_provider_hf.failures.retry_after import (
    rate_limit_reset,
    requested_wait,
    retry_after,
)

NOW = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this machine live far from Greenwich."""
    monkeypatch.setenv("TZ", "XYZ-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("Sun, 06 Nov 1994 08:49:57 GMT", 20),
        ("Sunday, 06-Nov-94 08:49:57 GMT", 20),
        ("Sun Nov  6 08:49:57 1994", 20),
        ("Sun Nov 16 08:49:37 1994", 864_000),
        ("Sun, 06 Nov 1994 09:49:37 +0100", None),
        ("Sun, 06 Nov 1994 08:49:57", None),
        ("Sun, 32 Nov 1994 08:49:57 GMT", None),
        ("Sun, 06 Xxx 1994 08:49:57 GMT", None),
        ("Sun, 06 Nov 1994 25:49:57 GMT", None),
        ("Sun Nov 6 08:49:57 1994", None),
    ],
)
@pytest.mark.usefixtures("elsewhere")
def test_a_date_has_three_forms(date: str, seconds: float | None) -> None:
    """A recipient must read all three (RFC 9110 5.6.7); all are of Greenwich."""
    assert requested_wait({"retry-after": date, "date": NOW}) == seconds
    if seconds == 20:
        assert retry_after({"retry-after": date, "date": date}) == 0


@pytest.mark.parametrize("skew", [-86_400, 0, 86_400])
def test_a_date_counts_from_the_server_s_own_clock(skew: int) -> None:
    """A clock that is a day wrong, either way, changes nothing."""
    form = "%a, %d %b %Y %H:%M:%S GMT"
    now, then = (
        time.strftime(form, time.gmtime(784_111_777 + skew + more)) for more in (0, 45)
    )
    assert requested_wait({"retry-after": then, "date": now}) == 45


@pytest.mark.parametrize(
    ("field", "seconds"),
    [
        ('"default";r=0;t=30', 30),
        ("default;r=0;t=30", 30),
        ('"default";t=30;r=0', 30),
        ('"default";r=0;pk=:cHNzc3Q=:;t=30', 30),
        ('"default" ; r=0 ; t=30', 30),
        ('"default";r=0', None),
        ('"default";t=30', None),
        ('"default";r=1;t=30', None),
        ('"default";r=0;t=0', None),
        ('"default";r=0;t=-30', None),
        ('"default";r=0;t=3.5', None),
        ('"default";r=0;t=\u0663', None),
        ('"a";r=0;t=5, "b";r=0;t=50, "c";r=3;t=99', 50),
        ('"a";r=0;t=x, "b";r=0;t=50', 50),
        ("limit=100, remaining=0, reset=30", 30),
        ("reset=30,remaining=0,limit=100", 30),
        ("limit=100, remaining=7, reset=30", None),
        ("limit=100, reset=30", None),
        ('";;;,,,"', None),
        ("", None),
    ],
)
def test_ratelimit_of_every_draft(field: str, seconds: float | None) -> None:
    """A list of windows (8 and later), a dictionary (7); the longest that is empty."""
    assert requested_wait({"ratelimit": field}) == seconds


@pytest.mark.parametrize(
    ("remaining", "reset", "seconds"),
    [("0", "30", 30), ("1", "30", None), ("0", "", None), ("", "30", None)],
)
def test_the_three_fields_of_the_first_drafts(
    remaining: str, reset: str, seconds: float | None
) -> None:
    """RateLimit-Remaining: 0 makes RateLimit-Reset a hint; anything else does not."""
    headers = {"ratelimit-remaining": remaining, "ratelimit-reset": reset}
    assert requested_wait(headers) == seconds


def test_fields_given_in_several_lines() -> None:
    """The first line that makes sense counts; windows of all lines are one list."""
    twice = CIMultiDict([("Retry-After", "soon"), ("retry-after", "7")])
    assert requested_wait(twice) == 7
    windows = CIMultiDict([("RateLimit", '"a";r=0;t=5'), ("RateLimit", '"b";r=0;t=9')])
    assert requested_wait(windows) == 9
    assert requested_wait({"retry-after": "5, 7"}) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0.25", 0.25),
        (repr(1 / 3 + 12), 1 / 3 + 12),
        ("9" * 11, math.inf),
        ("9" * 11 + ".5", math.inf),
        ("9" * 5_000, None),
        ("\uff13", None),
        ("1_0", None),
        ("+5", None),
        (" 5\t", 5),
        (".5", None),
        ("5.", None),
        ("1e3", None),
    ],
)
def test_numbers(text: str, seconds: float | None) -> None:
    """ASCII digits with a fraction or none; what is too long is never shortened."""
    assert requested_wait({"retry-after": text}) == seconds
    milliseconds = None if seconds is None else seconds / 1_000
    assert requested_wait({"retry-after-ms": text}) == milliseconds


@given(
    st.dictionaries(
        st.sampled_from(["ratelimit", "ratelimit-remaining", "ratelimit-reset"]),
        st.text(alphabet='"abrt=;:, 0123456789-.\\', max_size=60),
    )
)
def test_any_field_is_a_time_or_nothing(headers: dict[str, str]) -> None:
    """The parser is total, and gives no zero and no negative time."""
    found = rate_limit_reset(headers)
    assert found is None or 0 < found < 1e10
