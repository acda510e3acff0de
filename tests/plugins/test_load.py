"""From files and installed plugins to a registry."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bytebuddy_provider_hf import plugin as our_plugin
from bytebuddy_provider_hf.errors import (
    ConfigInvalid,
    ConfigNotFound,
    UnsetVariable,
)
from bytebuddy_provider_hf.plugins.registry import ModelRegistry

if TYPE_CHECKING:
    from conftest import Site

ENTRY = """\
models:
  - name: {name}
    provider: echo
    model: m
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    (folder / ".bytebuddy").mkdir(parents=True)
    (folder / ".bytebuddy" / "config.yaml").write_text(ENTRY.format(name="users"))
    return folder


def test_files_are_found_where_bytebuddy_keeps_them(
    site: Site, home: Path, tmp_path: Path
) -> None:
    """Without a path the user's and the project's files are read, the user's first."""
    (tmp_path / "config.yaml").write_text(ENTRY.format(name="projects"))
    registry = ModelRegistry.load(cwd=tmp_path, home=home, env={})
    assert list(registry) == ["users", "projects"]
    assert registry.files[0] == home / ".bytebuddy" / "config.yaml"
    assert registry["projects"].name == "projects"


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_the_only_file(
    site: Site, home: Path, tmp_path: Path, kind: type
) -> None:
    """``load(path)`` reads that file and no other."""
    path = tmp_path / "mine.yaml"
    path.write_text(ENTRY.format(name="mine"))
    registry = ModelRegistry.load(kind(path), cwd=tmp_path, home=home, env={})
    assert list(registry) == ["mine"]


def test_a_missing_file_is_told(home: Path, tmp_path: Path) -> None:
    """A file that was named has to exist."""
    with pytest.raises(ConfigNotFound):
        ModelRegistry.load(tmp_path / "no.yaml", cwd=tmp_path, home=home, env={})


def test_no_file_at_all_is_an_empty_registry(tmp_path: Path) -> None:
    """A host may start before anything is configured."""
    registry = ModelRegistry.load(cwd=tmp_path, home=tmp_path, env={}, plugins=[])
    assert len(registry) == 0
    assert dict(registry.providers) == {}


def test_lists_and_plugins_reach_the_discovery(
    site: Site, home: Path, tmp_path: Path
) -> None:
    """``plugins=``, ``blocked=``, ``allowed=`` and the variables all count."""

    def names(**arguments: object) -> set[str]:
        arguments = {"env": {}, **arguments}
        return set(ModelRegistry.load(cwd=tmp_path, home=home, **arguments).providers)  # type: ignore[arg-type]  # a test's own keywords

    ours = {"huggingfaceinferenceapi"}
    assert names(plugins=[our_plugin]) == ours
    assert names(blocked=["echo"]) == ours
    assert names(allowed=["huggingfaceinferenceapi"]) == ours
    assert names(env={"BYTEBUDDY_BLOCK": "echo-dist"}) == ours
    assert names(env={"BYTEBUDDY_PLUGINS": "huggingfaceinferenceapi"}) == ours


def test_a_failure_is_logged_once(
    site: Site, home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A host that shows nothing still leaves a trace of a plugin left out."""
    site.install("x-dist", {"x": "x_module"}, {"x_module": "raise OSError('no')"})
    with caplog.at_level(logging.WARNING, "bytebuddy"):
        registry = ModelRegistry.load(cwd=tmp_path, home=home, env={})
    (record,) = caplog.records
    assert record.getMessage() == str(registry.failures[0])
    assert "plugin x of distribution x-dist" in record.getMessage()


def test_an_unset_variable_names_its_place(
    site: Site, home: Path, tmp_path: Path
) -> None:
    """Loading succeeds; opening tells variable, file, line and column."""
    path = tmp_path / "mine.yaml"
    path.write_text(ENTRY.format(name="mine") + "    apiKey: ${NOT_SET}\n")
    registry = ModelRegistry.load(path, cwd=tmp_path, home=home, env={})
    with pytest.raises(UnsetVariable, match=r"mine\.yaml:5:\d+.*NOT_SET"):
        registry["mine"]


def test_no_traceback_shows_the_environment(home: Path, tmp_path: Path) -> None:
    """The frames of ``load`` hold variables only where they cannot be printed."""
    path = tmp_path / "bad.yaml"
    path.write_text("models: 3\n")
    env = {"HF_TOKEN": "canary-token"}
    with pytest.raises(ConfigInvalid) as caught:
        ModelRegistry.load(path, cwd=tmp_path, home=home, env=env)
    shown = traceback.TracebackException.from_exception(
        caught.value, capture_locals=True
    )
    # The frame of this test holds the variable itself.
    for frame in shown.stack:
        if frame.filename != __file__:
            assert "canary" not in str(frame.locals)
