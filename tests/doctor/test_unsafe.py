"""What is found unsafe in a setup, for whoever looks it over."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from config_world import World

from bytebuddy_provider_hf.doctor.unsafe import find_unsafe
from bytebuddy_provider_hf.plugins.registry import ModelRegistry

UNCHECKED = """\
models:
  - name: first
    provider: huggingfaceinferenceapi
    model: org/first
    apiBase: https://tgi.example/v1
    requestOptions: {verifySsl: false}
  - {name: second, provider: huggingfaceinferenceapi, model: org/second}
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    for name in ("home", "project", "machine"):
        (tmp_path / name).mkdir(0o755)
    return World(tmp_path / "home", tmp_path / "project", tmp_path / "machine")


def found(world: World) -> list[tuple[str, bool]]:
    findings = find_unsafe(
        world.load(), home=world.home, project=world.project, env=world.env
    )
    return [(each.message, each.is_problem) for each in findings]


def test_an_unchecked_certificate_is_found_with_its_place(world: World) -> None:
    """A registry warns of it, which ``config check`` and ``models`` print."""
    world.write(world.user_file, UNCHECKED)
    ((said, is_problem),) = found(world)
    assert said.startswith("first: verifySsl is false")
    assert "https://tgi.example" in said
    assert "caBundlePath" in said
    assert not is_problem
    registry = ModelRegistry.load(cwd=world.project, home=world.home, env=world.env)
    assert said in [each.message for each in registry.warnings]


@pytest.mark.skipif(sys.platform == "win32", reason="modes are for POSIX")
@pytest.mark.parametrize(
    "name",
    [
        *(".bytebuddy/.env", ".bytebuddy/trust.json", ".bytebuddy/usage.db"),
        *(".bytebuddy/usage.key", ".bytebuddy/usage.counts", ".bytebuddy/talk.json"),
        *(".cache/bytebuddy-hf/servers.json", ".cache/bytebuddy-hf/answers.db"),
        *(".cache/bytebuddy-hf/catalogue/x.answer", ".cache/huggingface/token"),
    ],
)
def test_each_file_that_everybody_can_write_to_is_found(
    world: World, name: str
) -> None:
    """Each once, with the command that mends it, and its folder as well."""
    file = world.write(world.home / name, "")
    assert found(world) == []
    file.chmod(0o666)
    ((said, is_problem),) = found(world)
    assert f"`chmod go-w {file}`" in said
    assert is_problem
    file.chmod(0o600)
    file.parent.chmod(0o777)
    ((said, _),) = found(world)
    assert f"`chmod go-w {file.parent}`" in said


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root gives files away"
)
def test_a_file_of_another_user_is_found(world: World) -> None:
    """Named by an entry, as an authority."""
    pem = world.write(world.home / "ca.pem", "")
    text = UNCHECKED.replace("verifySsl: false", f"caBundlePath: {pem}")
    world.write(world.user_file, text)
    os.chown(pem, 4711, -1)
    ((said, is_problem),) = found(world)
    assert f"chown 0 {pem}" in said
    assert is_problem
