"""Real distributions, written into a folder on the import path."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import metadata
from pathlib import Path

import pytest
from attrs import frozen
from scripted_provider import scripted_registry

from bytebuddy_provider_hf.config.values import Config, ModelEntry
from bytebuddy_provider_hf.plugins.discovery import Discovery, discover
from bytebuddy_provider_hf.plugins.registry import ModelRegistry

ECHO = Path(__file__).with_name("echo_provider.py")
OURS = "bytebuddy-provider-hf"


@frozen
class Site:
    """A folder of installed distributions."""

    path: Path

    def install(
        self,
        distribution: str,
        entry_points: Mapping[str, str] | str,
        modules: Mapping[str, str] | None = None,
    ) -> None:
        """Write a distribution; ``entry_points`` as a text goes in as it is."""
        info = self.path / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
        )
        if not isinstance(entry_points, str):
            lines = [f"{name} = {value}" for name, value in entry_points.items()]
            entry_points = "\n".join(["[bytebuddy]", *lines, ""])
        (info / "entry_points.txt").write_text(entry_points)
        for name, text in (modules or {}).items():
            (self.path / f"{name}.py").write_text(textwrap.dedent(text))
        importlib.invalidate_caches()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Give an import path with our plugin and the echo plugin installed on it."""
    path = tmp_path / "site"
    path.mkdir()
    monkeypatch.syspath_prepend(str(path))
    here = Site(path)
    if not any(it.name == OURS for it in metadata.distributions()):
        here.install(OURS, {"huggingfaceinferenceapi": "bytebuddy_provider_hf.plugin"})
    here.install("echo-dist", {"echo": "echo_provider"})
    (path / ECHO.name).write_text(ECHO.read_text())
    importlib.invalidate_caches()
    yield here
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(path)):
            del sys.modules[name]


@pytest.fixture
def found(site: Site) -> Callable[..., Discovery]:
    """Discover what is installed, with no variable set unless a test says so."""

    def find(**arguments: object) -> Discovery:
        return discover(**{"env": {}, **arguments})  # type: ignore[arg-type]  # a test's own keywords

    return find


@pytest.fixture
def registry_of(site: Site, tmp_path: Path) -> Callable[..., ModelRegistry]:
    """Make a registry of the given entries over what is installed."""

    def make(
        *entries: ModelEntry, bound: float | None = None, **arguments: object
    ) -> ModelRegistry:
        return ModelRegistry(
            Config(entries=entries),
            discover(env={}, import_timeout=bound),
            **{"home": tmp_path, "env": {}, **arguments},  # type: ignore[arg-type]  # a test's own keywords
        )

    return make


@pytest.fixture
def scripted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., ModelRegistry]:
    """Make a registry whose provider does what the test says."""
    return partial(scripted_registry, monkeypatch, tmp_path)
