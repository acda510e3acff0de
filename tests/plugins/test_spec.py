"""The hook as pluggy sees it."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import TYPE_CHECKING

import pluggy
import pytest

from bytebuddy_provider_hf import open_model, plugin
from bytebuddy_provider_hf.plugins import protocols, spec
from bytebuddy_provider_hf.types import Role

if TYPE_CHECKING:
    from conftest import Site

# Hosts summarize, and send out subagents, through chat().
ASKED_BY = {
    Role.CHAT: protocols.Chat,
    Role.AUTOCOMPLETE: protocols.Fill,
    Role.EDIT: protocols.Edit,
    Role.APPLY: protocols.Apply,
    Role.EMBED: protocols.Embed,
    Role.RERANK: protocols.Rerank,
    Role.SUMMARIZE: protocols.Chat,
    Role.SUBAGENT: protocols.Chat,
}


def test_the_hook_takes_what_the_specification_says() -> None:
    """Our implementation has the arguments and the kind of result of the spec."""
    wanted = inspect.signature(spec.bytebuddy_providers)
    given = inspect.signature(plugin.bytebuddy_providers)
    assert given.parameters == wanted.parameters
    assert isinstance(plugin.bytebuddy_providers(), tuple)


def test_plain_pluggy_finds_the_provider(site: Site) -> None:
    """A host that has only pluggy gets our spec from the entry point."""
    manager = pluggy.PluginManager("bytebuddy")
    assert manager.load_setuptools_entrypoints("bytebuddy") >= 1
    names = [one.name for many in manager.hook.bytebuddy_providers() for one in many]
    assert "huggingfaceinferenceapi" in names


def test_our_plugin_fits_the_specification() -> None:
    """With the hookspecs added pluggy accepts our plugin, and nothing is pending."""
    manager = pluggy.PluginManager(spec.PROJECT)
    manager.add_hookspecs(spec)
    manager.register(plugin)
    manager.check_pending()


def test_the_aliases_are_the_page_s() -> None:
    """The other spellings of the provider's name are these four."""
    (ours,) = plugin.bytebuddy_providers()
    assert ours.name == "huggingfaceinferenceapi"
    assert set(ours.aliases) == {
        "huggingface-inference-api",
        "huggingface-inference-providers",
        "huggingface-inference-endpoints",
        "huggingface-tgi",
    }


def test_a_role_that_is_declared_is_a_method_of_the_model() -> None:
    """Whoever is promised a role finds what it is asked by."""
    (ours,) = plugin.bytebuddy_providers()
    model = open_model("org/name", api_key="hf_x", env={})
    assert {Role(name) for name in ours.roles} == set(ASKED_BY)
    for role, protocol in ASKED_BY.items():
        assert isinstance(model, protocol), role


@pytest.mark.parametrize("heavy", ["aiohttp", "cattrs", "ruamel", "msgspec", "asyncio"])
def test_looking_for_plugins_imports_nothing_heavy(heavy: str) -> None:
    """Discovery costs a host neither the network code nor the YAML parser."""
    code = (
        "import sys\n"
        "from bytebuddy_provider_hf.plugins.discovery import discover\n"
        "from bytebuddy_provider_hf import plugin\n"
        "assert discover(plugins=[plugin], env={}).providers\n"
        f"sys.exit({heavy!r} in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
