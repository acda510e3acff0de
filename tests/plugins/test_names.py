"""Who gets a name that several plugins want, and what the others keep."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from bytebuddy_provider_hf.plugins.discovery import Discovery

if TYPE_CHECKING:
    from conftest import Site

OURS = "huggingfaceinferenceapi"


def plugin(*providers: str) -> str:
    values = "".join(f"ProviderSpec({each}), " for each in providers)
    return (
        "from bytebuddy_provider_hf import ProviderSpec, hookimpl\n"
        f"@hookimpl\ndef bytebuddy_providers():\n    return ({values})\n"
    )


@pytest.mark.parametrize("name", ["aaa", "zzz"])
@pytest.mark.parametrize("entry_point", ["aaa", "zzz", OURS, "huggingface-tgi"])
@pytest.mark.parametrize(
    "declared",
    [
        f"'{OURS}', 'm:f'",
        "'huggingface-tgi', 'm:f'",
        f"'aaa', 'm:f', aliases=('{OURS}',)",
        "'aaa', 'm:f', aliases=('huggingface-tgi',)",
    ],
)
def test_no_other_plugin_takes_what_is_ours(
    site: Site,
    found: Callable[..., Discovery],
    name: str,
    entry_point: str,
    declared: str,
) -> None:
    """However a distribution is named, our name and aliases open our models."""
    site.install(f"{name}-dist", {entry_point: "thief"}, {"thief": plugin(declared)})
    discovery = found()
    for ours in (OURS, "huggingface-inference-api", "huggingface-tgi"):
        provider = discovery.find(ours)
        assert provider is not None
        assert provider.name == OURS
        assert provider.target.startswith("bytebuddy_provider_hf.")
    (failure,) = discovery.failures
    assert failure.distribution == f"{name}-dist"


@pytest.mark.parametrize(
    "declared",
    ["'parrot', 'm:f'", "'aaa', 'm:f', aliases=('parrot',)"],
)
def test_a_shared_alias_costs_the_alias_only(
    site: Site, found: Callable[..., Discovery], declared: str
) -> None:
    """Two strangers want one alias: both stay, one of them without it."""
    site.install("a-dist", {"aaa": "wanting"}, {"wanting": plugin(declared)})
    discovery = found()
    assert {"echo", "echo-later", OURS} < set(discovery.providers)
    (failure,) = discovery.failures
    assert failure.stage == "alias"
    assert not failure.left_out
    assert "lost a name" in str(failure)
    loser = discovery.providers["aaa" if failure.plugin == "aaa" else "echo"]
    assert "parrot" not in loser.aliases
    owner = discovery.find("parrot")
    assert owner is not None
    assert owner.name != loser.name


def test_a_name_outranks_an_alias(site: Site, found: Callable[..., Discovery]) -> None:
    """Who is called so gets the name, whoever comes first otherwise."""
    site.install("z-dist", {"zzz": "called"}, {"called": plugin("'parrot', 'm:f'")})
    parrot = found().find("parrot")
    assert parrot is not None
    assert parrot.target == "m:f"


def test_a_plugin_left_out_takes_no_alias(
    site: Site, found: Callable[..., Discovery]
) -> None:
    """Who is refused for a name leaves its other names to others."""
    refused = plugin("'echo', 'm:f'", "'mine', 'm:f', aliases=('parrot', 'free')")
    site.install("a-dist", {"a": "refused"}, {"refused": refused})
    site.install(
        "z-dist",
        {"z": "lucky"},
        {"lucky": plugin("'mine', 'm:g', aliases=('free',)")},
    )
    discovery = found()
    assert [failure.plugin for failure in discovery.failures] == ["a"]
    free = discovery.find("free")
    assert free is not None
    assert free.target == "m:g"
    assert discovery.find("parrot") == discovery.providers["echo"]


def test_two_plugins_of_one_distribution_are_told_apart(
    site: Site, found: Callable[..., Discovery]
) -> None:
    """The hint blocks one of them, not the distribution that brings both."""
    both = {"a": "twin", "b": "twin"}
    site.install("twin-dist", both, {"twin": plugin("'twin', 'm:f'")})
    (failure,) = found().failures
    assert failure.hint.endswith("BYTEBUDDY_BLOCK=b")


def test_the_values_kept_are_plain(site: Site, found: Callable[..., Discovery]) -> None:
    """A text of a class of the plugin's own runs no code once it was checked."""
    text = (
        "class Sly(str):\n"
        "    looks = 0\n"
        "    def __hash__(self):\n"
        "        Sly.looks += 1\n"
        "        if Sly.looks > 1: raise OSError\n"
        "        return 1\n"
    )
    sly = plugin("Sly('sly'), Sly('m:f'), roles=frozenset({Sly('chat')})")
    site.install("sly-dist", {"sly": "sly_module"}, {"sly_module": text + sly})
    provider = found().providers["sly"]
    texts = [provider.name, provider.target, *provider.roles]
    assert [type(it) for it in texts] == [str, str, str]


class Finder:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error

    def find_spec(self, *_: object) -> None:
        return None

    def find_distributions(self, _: object) -> Iterator[metadata.Distribution]:
        if self.error is not None:
            raise self.error
        return iter(())


@pytest.mark.parametrize("error", [OSError("gone"), SystemExit(3)])
def test_an_import_finder_that_fails_hides_no_plugin(
    found: Callable[..., Discovery],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
) -> None:
    """Tools hook into imports; where one of them breaks, the rest is still listed."""
    hooked = [Finder(error), *sys.meta_path]
    monkeypatch.setattr(sys, "meta_path", hooked)
    discovery = found()
    assert {OURS, "echo"} <= set(discovery.providers)
    (failure,) = discovery.failures
    assert failure.stage == "metadata"
    assert type(error).__name__ in failure.error
    assert "Finder" in failure.hint
