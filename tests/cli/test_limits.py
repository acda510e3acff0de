"""The command line asks no more often, and takes no more, than it should."""

from __future__ import annotations

from cli.process import Run

from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.failures import string_error
from bytebuddy_provider_hf.testing.hub import FakeHub


def test_a_server_that_always_fails_is_asked_three_times(
    run: Run, hub: FakeHub, base: str
) -> None:
    """The attempts that one call may make, counted at the server, and no more."""
    hub.set("any", Behaviour(always=string_error(500, "went wrong")))
    ran = run("chat", "--base", base, "-m", "any", "hi")
    assert ran.code == 9
    assert len(hub.records) == 3


def test_what_is_piped_in_has_a_limit(run: Run, hub: FakeHub, base: str) -> None:
    """Sixteen megabytes are no prompt: a clear error, and nothing is sent."""
    ran = run("chat", "--base", base, "-m", "any", stdin="x" * (16 * 2**20 + 1))
    assert ran.code == 2
    assert "16 MiB" in ran.err
    assert hub.records == []
