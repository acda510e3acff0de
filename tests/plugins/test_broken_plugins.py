"""A broken plugin harms nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attrs import frozen

import bytebuddy_provider_hf
from bytebuddy_provider_hf.config.values import ModelEntry
from bytebuddy_provider_hf.errors import ProviderFailed
from bytebuddy_provider_hf.plugins.discovery import Discovery
from bytebuddy_provider_hf.plugins.registry import ModelRegistry

if TYPE_CHECKING:
    from conftest import Site

HEAD = """
from bytebuddy_provider_hf.plugins.spec import ProviderSpec, hookimpl
"""


@frozen
class Broken:
    """One way to be broken: the module's text, and what the failure must say.

    ``stays`` are the providers that are left to it.
    """

    kind: str
    stage: str
    words: tuple[str, ...]
    text: str
    value: str = "broken_module"
    entry_point: str = "broken"
    stays: frozenset[str] = frozenset()


def hook(body: str, arguments: str = "") -> str:
    return f"{HEAD}\n@hookimpl\ndef bytebuddy_providers({arguments}):\n    {body}\n"


def provider(arguments: str) -> str:
    return hook(f"return (ProviderSpec({arguments}),)")


KINDS = [
    Broken("imports what is not there", "import", ("no_such",), "import no_such_thing"),
    Broken(
        "raises on import", "import", ("ValueError: bad",), "raise ValueError('bad')"
    ),
    Broken("exits on import", "import", ("SystemExit: 3",), "raise SystemExit(3)"),
    Broken("is not Python", "import", ("SyntaxError",), "def def"),
    Broken("lacks the attribute", "import", ("absent",), "", "broken_module:absent"),
    Broken("has no module in it", "import", ("'!!' is no module",), "", "!!"),
    Broken(
        "raises what is no Exception",
        "import",
        ("Odd: \N{HORIZONTAL ELLIPSIS}",),
        "class Odd(BaseException): pass\nraise Odd('\\u2026')",
    ),
    Broken(
        "raises what cannot be printed",
        "import",
        ("Mute",),
        "class Mute(Exception):\n    def __str__(self): raise OSError\nraise Mute",
    ),
    Broken(
        "exits when it is printed",
        "import",
        ("Rude",),
        "class Rude(Exception):\n    def __str__(self): raise SystemExit\nraise Rude",
    ),
    Broken("implements nothing", "hook", ("bytebuddy_providers",), "x = 1"),
    Broken("returns nothing", "hook", ("returned nothing",), hook("pass")),
    Broken(
        "only wraps others",
        "hook",
        ("returned nothing",),
        f"{HEAD}\n@hookimpl(wrapper=True)\ndef bytebuddy_providers():\n"
        "    return (yield)\n",
    ),
    Broken(
        "is asynchronous",
        "value",
        ("returned coroutine",),
        f"{HEAD}\n@hookimpl\nasync def bytebuddy_providers():\n    return ()\n",
    ),
    Broken("takes arguments", "register", ("host",), hook("return ()", "host")),
    Broken("raises in its hook", "hook", ("KeyError",), hook("raise KeyError('x')")),
    Broken("exits in its hook", "hook", ("SystemExit",), hook("raise SystemExit")),
    Broken(
        "raises half-way",
        "hook",
        ("OSError: gone",),
        hook("yield ProviderSpec('half', 'm:f'); raise OSError('gone')"),
    ),
    Broken(
        "never ends",
        "value",
        ("more than 1,000",),
        hook("\n    while True: yield ProviderSpec('endless', 'm:f')"),
    ),
    Broken("returns a number", "value", ("returned int",), hook("return 42")),
    Broken("returns dicts", "value", ("dict",), hook("return ({'name': 'x'},)")),
    Broken("has a bad name", "value", ("'a b'",), provider("'a b', 'm:f'")),
    Broken("has a bad target", "value", ("'m.f'",), provider("'x', 'm.f'")),
    Broken(
        "has text for aliases",
        "value",
        ("aliases",),
        provider("'x', 'm:f', aliases='y'"),
    ),
    Broken(
        "has aliases without end",
        "value",
        ("aliases",),
        provider("'x', 'm:f', aliases=tuple(f'a{n}' for n in range(101))"),
    ),
    Broken(
        "has roles without end",
        "value",
        ("roles",),
        provider("'x', 'm:f', roles=frozenset(map(str, range(1_001)))"),
    ),
    Broken(
        "has a role as long as a book",
        "value",
        ("roles",),
        provider("'x', 'm:f', roles=frozenset({'x' * 501})"),
    ),
    Broken(
        "has a list of roles",
        "value",
        ("roles",),
        provider("'x', 'm:f', roles=['chat']"),
    ),
    Broken(
        "repeats itself", "value", ("x twice",), provider("'x', 'm:f', aliases=('x',)")
    ),
    Broken(
        "wants a newer contract",
        "version",
        ("version 2", "Update the host"),
        provider("'x', 'm:f', spec_version=2"),
    ),
    Broken(
        "has a version that is none",
        "value",
        ("spec_version",),
        provider("'x', 'm:f', spec_version='1'"),
    ),
    Broken(
        "takes our name",
        "name",
        ("huggingfaceinferenceapi", "broken-dist", "bytebuddy-provider-hf"),
        provider("'huggingfaceinferenceapi', 'm:f'"),
        entry_point="a-thief",
    ),
    Broken(
        "takes our name for its alias",
        "alias",
        ("huggingfaceinferenceapi", "broken-dist", "bytebuddy-provider-hf"),
        provider("'b-thief', 'm:f', aliases=('huggingfaceinferenceapi',)"),
        entry_point="b-thief",
        stays=frozenset({"b-thief"}),
    ),
    Broken(
        "takes our alias",
        "alias",
        ("huggingface-tgi", "broken-dist", "bytebuddy-provider-hf"),
        provider("'a', 'm:f', aliases=('huggingface-tgi',)"),
        entry_point="a",
        stays=frozenset({"a"}),
    ),
    Broken(
        "takes our alias for its name",
        "name",
        ("huggingface-tgi", "broken-dist", "bytebuddy-provider-hf"),
        provider("'huggingface-tgi', 'm:f'"),
        entry_point="huggingface-tgi",
    ),
    Broken(
        "takes our entry point's name",
        "name",
        ("entry-point name", "broken-dist", "bytebuddy-provider-hf"),
        provider("'x', 'm:f'"),
        entry_point="huggingfaceinferenceapi",
    ),
    Broken(
        "is our namesake in everything",
        "name",
        ("entry-point name", "broken-dist", "bytebuddy-provider-hf"),
        provider("'huggingfaceinferenceapi', 'm:f'"),
        entry_point="huggingfaceinferenceapi",
    ),
]


@pytest.fixture(params=KINDS, ids=lambda it: it.kind)
def broken(request: pytest.FixtureRequest, site: Site) -> Broken:
    kind: Broken = request.param
    site.install(
        "broken-dist", {kind.entry_point: kind.value}, {"broken_module": kind.text}
    )
    return kind


def test_it_is_recorded_with_its_distribution_and_stage(
    broken: Broken, found: Callable[..., Discovery]
) -> None:
    """Each kind is one failure that names plugin, distribution, stage and reason."""
    (failure,) = found().failures
    assert failure.plugin == broken.entry_point
    assert failure.distribution == "broken-dist"
    assert failure.stage == broken.stage
    for word in broken.words:
        assert word in str(failure)
    assert "\n" not in str(failure)


def test_the_others_work(broken: Broken, found: Callable[..., Discovery]) -> None:
    """Our provider, its aliases and the second provider are found as ever."""
    discovery = found()
    good = {"huggingfaceinferenceapi", "echo", "echo-later"}
    assert set(discovery.providers) == good | broken.stays
    ours = discovery.find("huggingface-tgi")
    assert ours is not None
    assert ours.target.startswith("bytebuddy_provider_hf.")
    assert discovery.find("parrot") == discovery.providers["echo"]


def test_a_broken_namesake_takes_nothing(
    site: Site, found: Callable[..., Discovery]
) -> None:
    """Of two entry points of one name, one that fails leaves the name to the other."""
    site.install(
        "a-broken-dist", {"echo": "broken_module"}, {"broken_module": "raise OSError"}
    )
    discovery = found()
    assert [it.distribution for it in discovery.failures] == ["a-broken-dist"]
    assert "echo" in discovery.providers


def test_a_plugin_is_refused_whole(site: Site, found: Callable[..., Discovery]) -> None:
    """One bad value among good ones: none of them is registered."""
    good = "ProviderSpec('fine', 'm:f')"
    site.install("x", {"x": "mixed"}, {"mixed": hook(f"return ({good}, None)")})
    discovery = found()
    assert [it.stage for it in discovery.failures] == ["value"]
    assert "fine" not in discovery.providers


def test_an_unreadable_entry_points_file_hides_no_other(
    site: Site, found: Callable[..., Discovery]
) -> None:
    """A distribution with a garbled entry_points.txt is named; the rest is found."""
    site.install("garbled-dist", "[bytebuddy]\nno equals sign here\n")
    discovery = found()
    assert {"huggingfaceinferenceapi", "echo"} <= set(discovery.providers)
    (failure,) = discovery.failures
    assert failure.distribution == "garbled-dist"
    assert failure.stage == "metadata"


def test_the_users_interrupt_is_not_swallowed(
    site: Site, found: Callable[..., Discovery]
) -> None:
    """Ctrl-C while plugins load stops the host."""
    site.install(
        "slow-dist", {"slow": "slow_module"}, {"slow_module": "raise KeyboardInterrupt"}
    )
    with pytest.raises(KeyboardInterrupt):
        found()


def test_a_failure_tells_no_token(site: Site, found: Callable[..., Discovery]) -> None:
    """What a plugin raises is redacted before it is kept."""
    site.install(
        "leaky-dist",
        {"leaky": "leaky_module"},
        {"leaky_module": "raise OSError('hf_canarycanarycanary\\n\\x1b[31m')"},
    )
    (failure,) = found().failures
    assert "canary" not in repr(failure) + str(failure)
    assert "\x1b" not in failure.error


ALL_AT_ONCE = """
import asyncio
import tempfile
from pathlib import Path
from bytebuddy_provider_hf.config.values import Config, ModelEntry
from bytebuddy_provider_hf.plugins.discovery import discover
from bytebuddy_provider_hf.plugins.registry import ModelRegistry
from bytebuddy_provider_hf.testing.hub import FakeHub

async def main():
    async with FakeHub().serve() as url:
        entries = (
            ModelEntry("second", "echo", "m"),
            ModelEntry("ours", "huggingface-tgi", "a/b", api_base=url),
        )
        found, home = discover(env={}), Path(tempfile.mkdtemp())
        async with ModelRegistry(Config(entries), found, home=home, env={}) as it:
            print(len(it.failures), *it.providers)
            print((await it["second"].chat("hi")).text)
            print((await it["ours"].chat("hi")).text)

asyncio.run(main())
"""


def test_all_kinds_at_once_in_a_process_of_its_own(site: Site) -> None:
    """With every kind installed side by side, both good providers still work."""
    for number, kind in enumerate(KINDS):
        module = f"broken_{number}"
        site.install(
            f"broken-dist-{number}",
            {kind.entry_point: kind.value.replace("broken_module", module)},
            {module: kind.text},
        )
    paths = [str(site.path), str(Path(bytebuddy_provider_hf.__path__[0]).parent)]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ALL_AT_ONCE],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    summary, second, ours = done.stdout.splitlines()
    count, *names = summary.split()
    good = {"huggingfaceinferenceapi", "echo", "echo-later"}
    assert int(count) == len(KINDS)
    assert set(names) == good.union(*(kind.stays for kind in KINDS))
    assert second == "hi"
    assert ours.startswith("(simulated)")


def test_a_target_that_cannot_be_imported_harms_its_own_entries_only(
    site: Site, registry_of: Callable[..., ModelRegistry]
) -> None:
    """The plugin is fine, its provider's module is not: other entries still open."""
    site.install(
        "hollow", {"hollow": "hollow"}, {"hollow": provider("'h', 'no.such:f'")}
    )
    registry = registry_of(ModelEntry("bad", "h", "m"), ModelEntry("ok", "echo", "m"))
    with pytest.raises(
        ProviderFailed,
        match=r"h of distribution hollow could not open bad.*ModuleNotFound",
    ):
        registry["bad"]
    assert registry["ok"].name == "ok"
    assert registry.failures == ()
