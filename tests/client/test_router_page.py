"""``docs/router.md`` says what the code does."""

from __future__ import annotations

from pathlib import Path

from attrs import fields

from bytebuddy_provider_hf.client import endpoint, providers
from bytebuddy_provider_hf.hub import router_models
from bytebuddy_provider_hf.transport import bounded
from bytebuddy_provider_hf.types import Served

TEXT = (Path(__file__).parents[2] / "docs" / "router.md").read_text("utf-8")
PLAIN = " ".join(TEXT.split())


def test_the_figures_of_the_page_are_those_of_the_code() -> None:
    """Times, sizes and numbers."""
    assert f"(`Retry-After`), or {providers.LEFT_FOR:.0f} s" in PLAIN
    assert f"for at most {router_models.LIMIT:.0f} s and once in five minutes" in PLAIN
    assert f"a token for {providers._BYTES_PER_TOKEN} bytes" in PLAIN
    assert f"up to {providers._SMALLEST_WINDOW:,} tokens" in PLAIN
    assert f"1 to {endpoint._LONGEST_TOLD} printable ASCII" in PLAIN
    assert f"The {bounded.MOST_KEPT:,} sessions used last" in PLAIN


def test_the_page_names_every_field_of_served() -> None:
    """In their order, and no other."""
    table = [
        line.split("|")[1].strip(" `") for line in TEXT.splitlines() if "| `" in line
    ]
    assert table == [each.name for each in fields(Served)]
