"""Which plugins are used at all: block and allow lists, and plugins handed over."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from bytebuddy_provider_hf import plugin as our_plugin
from bytebuddy_provider_hf.plugins.discovery import Discovery, discover
from bytebuddy_provider_hf.plugins.spec import ProviderSpec, hookimpl

if TYPE_CHECKING:
    from conftest import Site

OURS = "huggingfaceinferenceapi"


def names(discovery: Discovery) -> set[str]:
    return set(discovery.providers)


@pytest.mark.parametrize("name", ["echo", "echo-dist", "Echo_Dist"])
def test_a_blocked_plugin_is_left_alone(
    found: Callable[..., Discovery], name: str
) -> None:
    """``blocked=`` names an entry point or a distribution, in any spelling of it."""
    assert names(found(blocked=[name])) == {OURS}


@pytest.mark.parametrize("value", ["echo", " other , echo-dist "])
def test_the_variable_blocks_too(found: Callable[..., Discovery], value: str) -> None:
    """``BYTEBUDDY_BLOCK`` is a comma-separated block list."""
    assert names(found(env={"BYTEBUDDY_BLOCK": value})) == {OURS}


def test_both_block_lists_count(found: Callable[..., Discovery]) -> None:
    """The argument does not lift what the variable blocks, nor the other way round."""
    assert not names(found(blocked=[OURS], env={"BYTEBUDDY_BLOCK": "echo"}))


def test_a_blocked_plugin_is_not_even_imported(
    site: Site, found: Callable[..., Discovery]
) -> None:
    """Nothing of a blocked plugin runs, and it is no failure."""
    site.install("x-dist", {"x": "x_module"}, {"x_module": "raise SystemExit"})
    discovery = found(blocked=["x"])
    assert "x_module" not in sys.modules
    assert discovery.failures == ()
    assert discovery.kept_out == ("x",)


def test_only_allowed_plugins_are_used(found: Callable[..., Discovery]) -> None:
    """``allowed=`` admits those it names and no other."""
    assert names(found(allowed=["echo-dist"])) == {"echo", "echo-later"}


def test_the_variable_allows_too(found: Callable[..., Discovery]) -> None:
    """``BYTEBUDDY_PLUGINS`` is a comma-separated allow list."""
    assert names(found(env={"BYTEBUDDY_PLUGINS": OURS})) == {OURS}


@pytest.mark.parametrize("variable", ["BYTEBUDDY_BLOCK", "BYTEBUDDY_PLUGINS"])
@pytest.mark.parametrize("value", ["eco,echo", "echo eco"])
def test_a_name_that_nothing_has_is_told(
    found: Callable[..., Discovery], variable: str, value: str
) -> None:
    """A slip in a variable would leave a plugin in, or all of them out, unnoticed."""
    (warning,) = found(env={variable: value}).warnings
    assert str(warning).startswith(f"{variable}: ")
    assert "eco" in str(warning)
    assert "commas" in str(warning)


def test_names_that_are_there_are_not_remarked_on(
    found: Callable[..., Discovery],
) -> None:
    """Case, ``-_.`` and spaces round a name make no difference, as in the lists."""
    env = {"BYTEBUDDY_BLOCK": " Echo_Dist ,", "BYTEBUDDY_PLUGINS": f"{OURS}, ECHO"}
    assert found(env=env).warnings == ()


def test_a_warning_of_a_list_is_bounded_and_redacted(
    found: Callable[..., Discovery],
) -> None:
    """A variable may hold anything, a token by mistake too."""
    env = {"BYTEBUDDY_BLOCK": "hf_canarycanarycanary," + "x\x1b," * 5 + "y" * 10_000}
    (warning,) = found(env=env).warnings
    assert "canary" not in str(warning)
    assert "\x1b" not in str(warning)
    assert len(str(warning)) < 400


def test_an_empty_allow_list_admits_none(found: Callable[..., Discovery]) -> None:
    """Empty is not the same as absent, in the argument and in the variable."""
    assert not names(found(allowed=[]))
    assert not names(found(env={"BYTEBUDDY_PLUGINS": ""}))


def test_both_allow_lists_must_admit(found: Callable[..., Discovery]) -> None:
    """Lists only narrow: a plugin has to be in each that is given."""
    assert not names(found(allowed=["echo"], env={"BYTEBUDDY_PLUGINS": OURS}))


def test_a_list_may_be_written_as_one_text(found: Callable[..., Discovery]) -> None:
    """A host that passes a text on does not get its letters as names."""
    assert names(found(allowed="echo,other")) == {"echo", "echo-later"}


def test_plugins_handed_over_are_the_only_ones(site: Site) -> None:
    """``plugins=`` means exactly these; no entry point is looked at."""
    assert names(discover(plugins=[our_plugin], env={})) == {OURS}
    assert not names(discover(plugins=[], env={}))


def test_a_plugin_may_be_any_object() -> None:
    """An object with a marked method is a plugin; a broken one is a failure."""

    class Plugin:
        @hookimpl
        def bytebuddy_providers(self) -> list[ProviderSpec]:
            return [ProviderSpec("mine", "m:f")]

    discovery = discover(plugins=[Plugin(), SimpleNamespace(), None], env={})
    assert names(discovery) == {"mine"}
    assert len(discovery.failures) == 2
    assert discovery.failures[0].distribution is None
    assert "BYTEBUDDY_BLOCK" not in str(discovery.failures[0])


def test_plugins_handed_over_may_be_of_one_class() -> None:
    """Objects have no entry point: what their classes are called is nobody's name."""

    class Plugin:
        def __init__(self, name: str) -> None:
            self.name = name

        @hookimpl
        def bytebuddy_providers(self) -> list[ProviderSpec]:
            return [ProviderSpec(self.name, "m:f")]

    discovery = discover(plugins=[Plugin("a"), Plugin("b"), Plugin("a")], env={})
    assert list(discovery.providers) == ["a", "b"]
    (failure,) = discovery.failures
    assert "Hand over only one" in failure.hint


def test_an_object_that_hides_its_name_is_a_failure() -> None:
    """A plugin handed over is foreign code from the first look at it."""

    class Shy:
        @property
        def __name__(self) -> str:
            raise RuntimeError

    discovery = discover(plugins=[Shy(), our_plugin], env={})
    assert names(discovery) == {OURS}
    assert [failure.plugin for failure in discovery.failures] == ["Shy"]


def test_a_wish_to_be_first_decides_between_equals() -> None:
    """``tryfirst`` and ``trylast`` say who keeps a name that two plugins want."""

    class First:
        @hookimpl(tryfirst=True)
        def bytebuddy_providers(self) -> list[ProviderSpec]:
            return [ProviderSpec("x", "first:f")]

    class Last:
        @hookimpl(trylast=True)
        def bytebuddy_providers(self) -> list[ProviderSpec]:
            return [ProviderSpec("x", "last:f")]

    discovery = discover(plugins=[Last(), First()], env={})
    assert discovery.providers["x"].target == "first:f"


def test_a_hook_of_a_later_contract_is_mentioned() -> None:
    """A hook that this host does not know is a warning; the providers still count."""

    class Plugin:
        @hookimpl
        def bytebuddy_providers(self) -> list[ProviderSpec]:
            return [ProviderSpec("mine", "m:f")]

        @hookimpl
        def bytebuddy_commands(self) -> None: ...

    discovery = discover(plugins=[Plugin()], env={})
    assert names(discovery) == {"mine"}
    (warning,) = discovery.warnings
    assert "bytebuddy_commands" in str(warning)


def test_our_own_plugin_leaves_nothing_pending() -> None:
    """Our plugin implements only hooks that the contract knows."""
    discovery = discover(plugins=[our_plugin], env={})
    assert (discovery.failures, discovery.warnings) == ((), ())
